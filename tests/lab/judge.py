"""The product's story of a campaign against the far end's own record, call by call.

Nothing here is taken from the product's code: the table of outcomes is written again from the contract.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from tests.lab.farend.record import CallRecord, Direction, Side, max_at_once_per_number, two_way_at

NEAR_SECONDS = 0.25
BY_CODE = {
    486: "busy", 600: "busy", 603: "busy", 480: "unavailable", 408: "unavailable", 410: "unavailable",
    404: "invalid_number", 604: "invalid_number", 484: "invalid_number", 607: "blocked", 608: "blocked",
}  # fmt: skip


def instant(text: str | None) -> float:
    """Epoch seconds of an ISO instant; 0 for none."""
    return datetime.fromisoformat(text).timestamp() if text else 0.0


def expected(record: CallRecord) -> set[str]:
    """What the contract calls the outcome of a call that went so for the customer."""
    if record.answered:
        return {"connected", "no_free_operators", "technical_error"}
    if record.cancel_at is not None or record.final_code == 487:
        rang = record.ringing_at is not None or record.progress_at is not None
        return {"missed"} if rang else {"not_attempted"}
    if record.script == "silent_trunk":
        return {"not_attempted"}
    if record.final_code == 503:
        return {"technical_error", "not_attempted"}
    return {BY_CODE.get(record.final_code or 0, "technical_error")}


class Judge:
    """Compares calls as ``call show --json`` prints them with the far end's calls."""

    def __init__(self, calls: Iterable[dict[str, Any]], records: Sequence[CallRecord]) -> None:
        self._customers = [r for r in records if r.side is Side.CUSTOMER and r.direction is Direction.IN]
        self._phones = [r for r in records if r.side is Side.PHONE and r.direction is Direction.IN]
        self._calls: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for call in calls:
            self._calls[call["caller_number"]].append(call)

    def mismatches(self) -> list[str]:
        """One sentence for each thing on which the two do not agree."""
        found = [
            f"{number}: {count} live calls at once"
            for number, count in max_at_once_per_number(self._customers).items()
            if count > 1
        ]
        records: dict[str, list[CallRecord]] = defaultdict(list)
        for record in self._customers:
            records[record.party].append(record)
        for number in sorted(set(records) | set(self._calls)):
            found += self._number(number, records[number], self._calls[number])
        return found

    def _number(self, number: str, records: list[CallRecord], calls: list[dict[str, Any]]) -> list[str]:
        calls = sorted(calls, key=lambda call: call["started_at"])
        records = sorted(records, key=lambda record: record.invite_at)
        if len(calls) != len(records):
            outcomes = [call["disposition"] for call in calls]
            return [f"{number}: dialled {len(records)} times on the line, {len(calls)} in the log {outcomes}"]
        found: list[str] = []
        for record, call in zip(records, calls, strict=True):
            found += [f"{number} {call['id']}: {what}" for what in self._call(record, call)]
        return found

    def _call(self, record: CallRecord, call: dict[str, Any]) -> list[str]:
        found: list[str] = []
        outcome = call["attempts"][0]["outcome"]
        if outcome not in expected(record):
            found.append(f"is {outcome}, on the line {record.final_code} ({record.script})")
        if record.answered != (call["answered_at"] is not None):
            found.append("answered on one side only")
        elif record.answered and abs(instant(call["answered_at"]) - (record.answered_at or 0)) > NEAR_SECONDS:
            found.append("answered at another time")
        if record.ended_at is not None and abs(instant(call["ended_at"]) - record.ended_at) > NEAR_SECONDS:
            found.append(f"ended {instant(call['ended_at']) - record.ended_at:+.2f} s apart")
        if outcome == "connected" and not self._agents_heard(record):
            found.append("connected, but no agent was on the line")
        if outcome != "connected" and self._agents_heard(record):
            found.append(f"{outcome}, but an agent was heard")
        return found

    def _agents_heard(self, record: CallRecord) -> list[CallRecord]:
        """The agents' calls in which this customer was heard, and who were heard by him."""
        names = {phone.party for phone in self._phones}
        heard = record.parties_heard() & names
        by_ear = record.script == "machine"  # a machine's greeting is nobody's tone
        return [p for p in self._phones if p.party in heard and (by_ear or two_way_at(record, p) is not None)]

    def retries(self) -> dict[str, list[float]]:
        """For each number the seconds from the end of each call to the next INVITE."""
        by_number: dict[str, list[CallRecord]] = defaultdict(list)
        for record in self._customers:
            by_number[record.party].append(record)
        return {
            number: [b.invite_at - (a.ended_at or a.invite_at) for a, b in pairwise(own)]
            for number, own in by_number.items()
        }
