"""Campaigns by the team whose agents they use: who is to be told of an agent, and whose turn it is."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import nsmallest

from contact_center.terms import CampaignState
from dialer.campaign import CampaignRun
from dialer.floor import EVERYBODY, Crew

TICK_SECONDS = 0.5  # the longest time between two looks at a campaign that dials ahead, or that could not dial
CAMPAIGNS_A_SECOND = 1000  # that dial ahead; more of them are looked at less often each
SAFETY_SECONDS = 5.0  # between two looks at a campaign for which nothing happens
LOOKED_AT = (CampaignState.RUNNING, CampaignState.ENDING)
WOKEN = 16  # campaigns at most that one agent's or one call's change wakes at once


class Teams:
    """Sorted anew when a campaign changes, which is rare."""

    def __init__(self) -> None:
        self._teams: dict[str, list[CampaignRun]] = {}
        self.running = 0

    def sort(self, runs: Iterable[CampaignRun]) -> None:
        """A campaign was started, ended or given to another team."""
        self._teams, self.running = {}, 0
        for run in runs:
            self.running += run.state is CampaignState.RUNNING
            if run.state in LOOKED_AT or run.live:
                self._teams.setdefault(run.team, []).append(run)

    def rest_seconds(self, run: CampaignRun, crew: Crew) -> float | None:
        """Until a campaign with these agents is looked at again if nothing happens; None: not before."""
        if not crew.on_line:
            return None
        if not run.looks_ahead and not crew.idle:
            return SAFETY_SECONDS
        return max(TICK_SECONDS, self.running / CAMPAIGNS_A_SECOND)

    def users_of(self, team: str) -> list[CampaignRun]:
        """The campaigns that may use the agents of a team."""
        own = self._teams.get(team, [])
        return own if team == EVERYBODY else own + self._teams.get(EVERYBODY, [])

    def sharing_with(self, team: str) -> list[CampaignRun]:
        """The campaigns that may use an agent whom a campaign of this team may use."""
        if team == EVERYBODY:
            return [run for runs in self._teams.values() for run in runs]
        return self.users_of(team)


def turn(run: CampaignRun) -> tuple[int, float]:
    """Whose turn it is: by priority, then who has waited longest."""
    return -run.options.priority, run.last_placed


def few(runs: Iterable[CampaignRun]) -> list[int]:
    """Those to look at when there is room for a call or two: not all of a thousand need to."""
    able = [run for run in runs if run.look_at is None]
    return [run.id for run in (able if len(able) <= WOKEN else nsmallest(WOKEN, able, key=turn))]
