"""The product's books against the far end's record, where processes died or were cut off meanwhile.

Nothing here is lenient but this: of what happened on the line in an outage, the product may know less, and says so
(`technical_error`); it may never claim what did not happen, dial twice, forget, or cut a talk.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tests.lab.centre import Centre
from tests.lab.farend.record import CallRecord, Direction, Side, max_at_once_per_number, two_way_at
from tests.lab.judge import expected
from tests.prove.books import Books, Dial, Party

SLACK_SECONDS = 1.0  # an outage may be noticed so much later than it began
NEVER_SENT = {"technical_error", "not_attempted"}

AT_ONCE_SECONDS = 0.1  # a talk that is shorter has no sound in it: 50 packets a second, and a jitter buffer


@dataclass(frozen=True, slots=True)
class Outage:
    """Instants (epoch seconds) between which the product was away or cut off."""

    began: float
    ended: float

    def covers(self, instant: float | None) -> bool:
        """Whether something at this instant may have been missed."""
        return instant is not None and self.began - SLACK_SECONDS <= instant <= self.ended + SLACK_SECONDS


@dataclass(slots=True)
class Story:
    """A campaign to be judged. `attempts`: how often a number may be dialled at most.

    Its multiplier is 1: there is an agent for everybody who answers, so outside of outages each must get one.
    """

    centre: Centre
    campaign: str
    numbers: Sequence[str]
    attempts: int
    outages: list[Outage] = field(default_factory=list)
    calls_are_lost: bool = False  # Asterisk itself was killed: its calls end with it

    def records(self) -> list[CallRecord]:
        """The customers' calls."""
        wanted = set(self.numbers)
        log = self.centre.far.log
        return [c for c in log.calls if c.side is Side.CUSTOMER and c.direction is Direction.IN and c.party in wanted]

    def talks(self) -> dict[str, CallRecord]:
        """By id, the customers' calls in which customer and agent heard each other, and the agent's call."""
        phones = [c for c in self.centre.far.log.calls if c.side is Side.PHONE]
        by_name: dict[str, list[CallRecord]] = defaultdict(list)
        for phone in phones:
            by_name[phone.party].append(phone)
        found: dict[str, CallRecord] = {}
        for record in self.records():
            heard = [p for name in record.parties_heard() for p in by_name.get(name, ())]
            meets = (p for p in heard if _overlap(record, p))
            pair = next((p for p in meets if two_way_at(record, p) is not None), None)
            if pair is not None:
                found[record.id] = pair
        return found

    def unheard(self) -> int:
        """Customers who answered in an outage and were let go in it: Asterisk found no application for them."""
        return sum(
            1
            for r in self.records()
            if r.answered_at
            and r.ended_by == "switch"
            and any(o.began <= r.answered_at <= o.ended for o in self.outages)
        )

    def faults(self, books: Books) -> list[str]:
        """One sentence for each thing that is wrong."""
        dials, leads, records = books.dials(self.campaign), books.leads(self.campaign), self.records()
        return [
            *self._too_often(records),
            *self._forgotten(leads),
            *self._cut(records),
            *self._stories(dials, records),
        ]

    def _as_it_was_left(self, record: CallRecord) -> CallRecord:
        """An Asterisk that is killed says neither CANCEL nor BYE: to the phone such a call goes on, to nobody else."""
        ended = float("inf") if record.ended_at is None else record.ended_at
        lost = [o.began for o in self.outages if self.calls_are_lost and record.invite_at < o.began < ended]
        return replace(record, ended_at=min(lost)) if lost else record

    def _too_often(self, records: list[CallRecord]) -> list[str]:
        at_once = max_at_once_per_number([self._as_it_was_left(record) for record in records])
        times = Counter(record.party for record in records)
        return [
            *(f"{number}: {count} live calls at once" for number, count in at_once.items() if count > 1),
            *(f"{n}: dialled {c} times, allowed {self.attempts}" for n, c in times.items() if c > self.attempts),
        ]

    def _forgotten(self, leads: list[Party]) -> list[str]:
        known = {lead.number for lead in leads}
        lost = [f"{number}: forgotten" for number in self.numbers if number not in known]
        for lead in leads:
            if lead.number not in set(self.numbers):
                continue
            waits = lead.state == "due" and lead.has_next
            if lead.state not in ("done", "closed") and not waits:
                lost.append(f"{lead.number}: left as {lead.state}")
        return lost

    def _cut(self, records: list[CallRecord]) -> list[str]:
        """Customers who hang up by themselves must be the ones who end their talks."""
        if self.calls_are_lost:
            return []
        talks = self.talks()
        return [
            f"{r.party}: the talk was cut after {r.talk_seconds:.2f} s"
            for r in records
            if r.id in talks and r.script.startswith("talks") and r.ended_at and r.ended_by != "party"
        ]

    def _stories(self, dials: list[Dial], records: list[CallRecord]) -> list[str]:
        by_number: dict[str, list[Dial]] = defaultdict(list)
        for dial in dials:
            by_number[dial.number].append(dial)
        talks, told, found = self.talks(), set(), []
        for record in sorted(records, key=lambda r: r.invite_at):
            before = [d for d in by_number[record.party] if d.intent_at <= record.invite_at + 0.05]
            if not before or before[-1].call_id in told:
                found.append(f"{record.party}: dialled without an intent")
                continue
            told.add(before[-1].call_id)
            found += [f"{record.party} {before[-1].call_id}: {x}" for x in self._differs(record, before[-1], talks)]
        for dial in dials:
            if dial.number in set(self.numbers) and dial.call_id not in told and dial.outcome not in NEVER_SENT:
                found.append(f"{dial.number} {dial.call_id}: {dial.outcome}, but it never reached the line")
        return found

    def _differs(self, record: CallRecord, dial: Dial, talks: dict[str, CallRecord]) -> list[str]:
        unseen = any(o.covers(record.ended_at) for o in self.outages) or self._was_lost(record)
        if dial.is_open:
            return ["never settled"]
        allowed = expected(record) | ({"technical_error", "not_attempted"} if unseen else set())
        found = []
        if dial.outcome not in allowed:
            found.append(f"is {dial.outcome}, on the line {record.final_code} ({record.script})")
        if dial.outcome == "connected" and record.id not in talks and not unseen and not self._left_at_once(record):
            found.append("connected, but no agent was on the line")
        if dial.outcome != "connected" and record.id in talks and not unseen:
            found.append(f"{dial.outcome}, but an agent was heard")
        if dial.outcome == "not_attempted" and record.answered:
            found.append("not attempted, but he answered")
        if (
            record.answered
            and dial.outcome != "connected"
            and not any(o.covers(record.answered_at) for o in self.outages)
            and not (unseen and self._unstored(record))
        ):
            found.append(f"answered, and got no agent: {dial.outcome}")
        return found

    def _left_at_once(self, record: CallRecord) -> bool:
        """An agent's phone answered just before he hung up: they were put together, and no packet came in time."""
        phones = (c for c in self.centre.far.log.calls if c.side is Side.PHONE and c.answered_at is not None)
        return record.ended_at is not None and any(
            0 <= record.ended_at - c.answered_at < AT_ONCE_SECONDS for c in phones
        )

    def _unstored(self, record: CallRecord) -> bool:
        """A process that was killed had no time to read of his answer, and he was gone before another one looked."""
        answered = record.answered_at or 0.0
        return any(0 <= o.began - answered < AT_ONCE_SECONDS for o in self.outages)

    def _was_lost(self, record: CallRecord) -> bool:
        """It was up when Asterisk died; the far end notices such an end only later."""
        if not self.calls_are_lost or record.ended_at is None:
            return False
        return any(record.invite_at <= o.ended and record.ended_at >= o.began for o in self.outages)


def _overlap(a: CallRecord, b: CallRecord) -> bool:
    """Both were on the line at one instant; an hour of dialling makes the exact look at each pair too dear."""
    last = float("inf")
    return a.invite_at <= (b.ended_at or last) and b.invite_at <= (a.ended_at or last)
