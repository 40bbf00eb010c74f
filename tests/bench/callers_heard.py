"""What callers met with, by the far end's own record: music, an agent, one at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tests.bench.figures import percentile
from tests.lab.farend.hearing import NOTHING, OTHER
from tests.lab.farend.record import CallRecord, Direction, Side, max_in_flight, two_way_at

MUSIC_SECONDS = 2.0
"""Who waits longer must have heard some, whatever silence it begins with."""


@dataclass(slots=True)
class CallersHeard:
    """The figures of some callers, in ms; of each list the values of all to whom it happened.

    `sound_ms`: from the 200 to the first packet of music or of an agent's voice (music may begin with a silence of its
    own). `invite_ms`: from the caller's INVITE to that
    of his agent, who was free. `offer_ms`: from the later of the caller's 200 and the end of the agent's call before,
    to the agent's INVITE; `freed_ms`: those of them in which the caller waited for that agent. `talk_ms`: from the
    agent's 200 until both heard each other. `lost`: who never talked to an agent, or to more than one; `doubles`:
    agents who had two calls at once; `untaken`: INVITEs to agents that became no talk.
    """

    sound_ms: list[float] = field(default_factory=list)
    invite_ms: list[float] = field(default_factory=list)
    offer_ms: list[float] = field(default_factory=list)
    freed_ms: list[float] = field(default_factory=list)
    talk_ms: list[float] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    doubles: list[str] = field(default_factory=list)
    untaken: int = 0
    per_second: float = 0.0

    @property
    def failures(self) -> list[str]:
        """What must never be."""
        return [*self.lost, *self.doubles]

    def figure(self, name: str, share: float) -> float | None:
        """A percentile of one of the lists, to two decimals."""
        found = percentile(getattr(self, name), share)
        return None if found is None else round(found, 2)


@dataclass(frozen=True, slots=True)
class _Phones:
    """The calls to each agent's phone in order, and when he was free before each."""

    calls: Mapping[str, Sequence[CallRecord]]
    free_at: Mapping[str, float]

    @classmethod
    def of(cls, calls: Iterable[CallRecord]) -> _Phones:
        by_name: dict[str, list[CallRecord]] = {}
        for call in calls:
            if call.side is Side.PHONE and call.direction is Direction.IN:
                by_name.setdefault(call.party, []).append(call)
        free_at: dict[str, float] = {}
        for own in by_name.values():
            own.sort(key=lambda call: call.invite_at)
            free_at |= {after.id: before.ended_at or after.invite_at for before, after in pairwise(own)}
        return cls(by_name, free_at)

    def talks(self, caller: CallRecord) -> list[tuple[CallRecord, float]]:
        """The calls in which an agent and this caller heard each other, and since when."""
        found = [
            (call, at)
            for name in caller.parties_heard()
            for call in self.calls.get(name, ())
            if call.heard_of(caller.party) and (at := two_way_at(caller, call)) is not None
        ]
        return sorted(found, key=lambda talk: talk[1])


def judge_callers(numbers: Sequence[str], calls: Sequence[CallRecord]) -> CallersHeard:
    """What these callers met with; every one must have talked to one agent."""
    heard, phones = CallersHeard(), _Phones.of(calls)
    callers: dict[str, list[CallRecord]] = {}
    for call in calls:
        if call.side is Side.CUSTOMER and call.direction is Direction.OUT:
            callers.setdefault(call.party, []).append(call)
    talked = set()
    for number in numbers:
        own = callers.get(number, [])
        talks = phones.talks(own[0]) if len(own) == 1 else []
        if len(talks) != 1 or own[0].answered_at is None:
            heard.lost.append(_story(number, own, len(talks)))
            continue
        talked.add(talks[0][0].id)
        if talks[0][1] - own[0].answered_at > MUSIC_SECONDS and own[0].first_heard_at(OTHER) is None:
            heard.lost.append(f"{number}: waited without music")
        _note(heard, own[0], *talks[0], phones.free_at)
    heard.untaken = sum(call.id not in talked for own in phones.calls.values() for call in own)
    for name, own in phones.calls.items():
        if (most := max_in_flight(own)) > 1:
            heard.doubles.append(f"agent {name} had {most} calls at once")
    invites = sorted(own[0].invite_at for own in callers.values())
    span = invites[-1] - invites[0] if len(invites) > 1 else 0.0
    heard.per_second = (len(invites) - 1) / span if span else 0.0
    return heard


def _note(
    heard: CallersHeard, caller: CallRecord, agent: CallRecord, both_at: float, free_at: Mapping[str, float]
) -> None:
    queued_at = caller.answered_at or caller.invite_at
    first = next(interval.start_at for interval in caller.heard if NOTHING not in interval.heard)
    heard.sound_ms.append((first - queued_at) * 1000.0)
    freed_at = free_at.get(agent.id, 0.0)
    offer_ms = (agent.invite_at - max(queued_at, freed_at)) * 1000.0
    heard.offer_ms.append(offer_ms)
    if freed_at > queued_at:
        heard.freed_ms.append(offer_ms)
    elif freed_at < caller.invite_at:
        heard.invite_ms.append((agent.invite_at - caller.invite_at) * 1000.0)
    if agent.answered_at is not None:
        heard.talk_ms.append((both_at - agent.answered_at) * 1000.0)


def _story(number: str, own: Sequence[CallRecord], talks: int) -> str:
    if len(own) != 1:
        return f"{number}: {len(own)} calls on record"
    call = own[0]
    return f"{number}: {call.final_code}, ended by {call.ended_by} ({call.end_reason}), {talks} talks"
