"""Campaigns that call for the same agents: whose calls are on the way to whom, counted as they change."""

from __future__ import annotations

from collections import defaultdict
from math import ceil

from dialer.campaign import CampaignRun, Scene
from dialer.floor import EVERYBODY, Floor


class Sharing:
    """What each campaign must leave to the others."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._flying: defaultdict[str, dict[int, CampaignRun]] = defaultdict(dict)
        self._filed: dict[int, tuple[str, int, int]] = {}  # team, priority and agents claimed, as counted below
        self._claimed: defaultdict[str, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
        self._all: defaultdict[int, int] = defaultdict(int)

    def count(self, run: CampaignRun) -> None:
        """A campaign's calls, or its team or priority, have changed."""
        team, priority, claimed = self._filed.pop(run.id, (run.team, run.options.priority, 0))
        self._add(team, priority, -claimed)
        self._flying[team].pop(run.id, None)
        if run.in_flight:
            claimed = run.agents_claimed
            self._filed[run.id] = run.team, run.options.priority, claimed
            self._add(run.team, run.options.priority, claimed)
            self._flying[run.team][run.id] = run

    def _add(self, team: str, priority: int, claimed: int) -> None:
        self._claimed[team][priority] += claimed
        self._all[priority] += claimed

    def idle_for(self, run: CampaignRun) -> int:
        """Idle agents less those for whom calls of campaigns that do not give way are ringing already.

        Calls of campaigns that may use everybody are first taken to be for the agents whom only they may use.
        """
        idle, own = self._floor.crew(run.team).idle, self._own(run)
        priority = run.options.priority
        if run.team == EVERYBODY:
            return max(idle - _from(self._all, priority) + own, 0)
        same = _from(self._claimed[run.team], priority) - own
        elsewhere = self._floor.crew(EVERYBODY).idle - idle
        return max(idle - same - max(_from(self._claimed[EVERYBODY], priority) - elsewhere, 0), 0)

    def _own(self, run: CampaignRun) -> int:
        return self._filed.get(run.id, (run.team, run.options.priority, 0))[2]

    def others(self, run: CampaignRun) -> list[tuple[CampaignRun, float]]:
        """Other campaigns whose calls may reach this one's agents, and the share of them that will."""
        if run.team == EVERYBODY:
            return [(o, 1.0) for flying in self._flying.values() for o in flying.values() if o is not run]
        found = [(other, 1.0) for other in self._flying[run.team].values() if other is not run]
        here, everybody = self._floor.whole(run.team).on_line, self._floor.whole(EVERYBODY).on_line
        share = here / everybody if everybody else 1.0
        return found + [(other, share) for other in self._flying[EVERYBODY].values()]

    def scene(self, run: CampaignRun, now: float, next_odds: list[float] | None) -> Scene:
        """What a pacer is shown. One that looks ahead sees everybody's calls for its agents, with their odds."""
        crew = self._floor.crew(run.team)
        talking, wrapping = crew.ages(now)
        ringing = [now - call.placed for call in run.ringing.values()] + [0.0] * run.reserved
        waiting = self._waiting(run)
        if not run.looks_ahead:
            return Scene(self.idle_for(run), crew.on_line, ringing, waiting, talking, wrapping)
        others = self.others(run)
        if not others and next_odds is None:
            return Scene(crew.idle, crew.on_line, ringing, waiting, talking, wrapping)
        odds = [run.chance(call.forecast) for call in run.ringing.values()] + [run.cautious_rate] * run.reserved
        more = 0.0
        for other, share in others:
            ringing += [now - call.placed for call in other.ringing.values()] + [0.0] * other.reserved
            odds += [share * other.chance(call.forecast) for call in other.ringing.values()]
            odds += [share * other.cautious_rate] * other.reserved
            more += share * self._waiting(other)
        return Scene(crew.idle, crew.on_line, ringing, waiting + ceil(more), talking, wrapping, odds, next_odds)

    def _waiting(self, run: CampaignRun) -> int:
        offered = self._floor.offered
        return sum(1 for call in run.waiting.values() if call.order.call_id not in offered)


def _from(by_priority: dict[int, int], least: int) -> int:
    return sum(claimed for priority, claimed in by_priority.items() if priority >= least)
