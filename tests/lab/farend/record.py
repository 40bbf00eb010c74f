"""The far end's own record of every call: the judge of what the product says happened.

All instants are epoch seconds (UTC). One JSON line per call is appended to the record file when the call
ends.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, TextIO

from tests.lab.farend.hearing import NOTHING, RINGBACK, SILENCE, Interval


class Side(StrEnum):
    """Which of the far end's parties had this call."""

    CUSTOMER = "customer"
    PHONE = "phone"


class Direction(StrEnum):
    """`IN`: Asterisk called the party; `OUT`: the party called Asterisk."""

    IN = "in"
    OUT = "out"


@dataclass(slots=True)
class CallRecord:
    """One call of one party, as the party saw it on the wire.

    `party`: its name (a customer's E.164 number, a phone's user name). `number`: who was dialled, as it stood
    in the request URI, a customer's as E.164. `ended_by`: 'party' (this far end), 'switch' (Asterisk) or
    'time-out'. `heard`: intervals, see hearing.py. `dtmf_*`: (digit, instant, seconds). `problems`: breaches
    of SIP seen.
    """

    id: str
    side: Side
    direction: Direction
    party: str
    number: str
    attempt: int = 1
    script: str = ""
    from_user: str = ""
    from_display: str = ""
    p_asserted_identity: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    invite_at: float = 0.0
    trying_at: float | None = None
    progress_at: float | None = None
    ringing_at: float | None = None
    answered_at: float | None = None
    ack_at: float | None = None
    cancel_at: float | None = None
    bye_at: float | None = None
    ended_at: float | None = None
    final_code: int | None = None
    ended_by: str | None = None
    end_reason: str | None = None
    codec: str | None = None
    rtp_sent: int = 0
    rtp_received: int = 0
    rtp_lost: int = 0
    first_rtp_at: float | None = None
    heard: list[Interval] = field(default_factory=list)
    dtmf_sent: list[tuple[str, float, float]] = field(default_factory=list)
    dtmf_received: list[tuple[str, float, float]] = field(default_factory=list)
    holds: list[tuple[float, str, str]] = field(default_factory=list)
    repeats_sent: int = 0
    repeats_received: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def answered(self) -> bool:
        """A 200 to the INVITE was sent (IN) or received (OUT)."""
        return self.answered_at is not None

    @property
    def talk_seconds(self) -> float:
        """From the 200 to the end; 0 when not answered or not ended."""
        if self.answered_at is None or self.ended_at is None:
            return 0.0
        return self.ended_at - self.answered_at

    def heard_of(self, other: str) -> list[Interval]:
        """The intervals in which `other` (a party's name or one of the words) was heard."""
        return [interval for interval in self.heard if other in interval.heard]

    def first_heard_at(self, other: str) -> float | None:
        """When `other` was heard first."""
        return next((interval.start_at for interval in self.heard_of(other)), None)

    def parties_heard(self) -> set[str]:
        """Names of all parties, and OTHER, ever heard in this call."""
        return {name for interval in self.heard for name in interval.heard} - {SILENCE, NOTHING, RINGBACK}

    def to_json(self) -> str:
        """One line of JSON."""
        row = asdict(self)
        row["heard"] = [[x.start_at, x.end_at, sorted(x.heard)] for x in self.heard]
        return json.dumps(row, ensure_ascii=False)

    @classmethod
    def from_json(cls, line: str) -> CallRecord:
        """Read what `to_json` wrote."""
        row: dict[str, Any] = json.loads(line)
        row["heard"] = [Interval(a, b, frozenset(names)) for a, b, names in row["heard"]]
        row["side"], row["direction"] = Side(row["side"]), Direction(row["direction"])
        for key in ("dtmf_sent", "dtmf_received", "holds"):
            row[key] = [tuple(x) for x in row[key]]
        known = {f.name for f in fields(cls)}
        return cls(**{key: value for key, value in row.items() if key in known})


def two_way_at(one: CallRecord, other: CallRecord) -> float | None:
    """The instant from which both heard each other; None when that never was."""
    moments = [
        max(a.start_at, b.start_at)
        for a in one.heard_of(other.party)
        for b in other.heard_of(one.party)
        if min(a.end_at, b.end_at) > max(a.start_at, b.start_at)
    ]
    return min(moments, default=None)


class CallLog:
    """Every call of the far end, live ones included; the file gets a line when a call ends."""

    def __init__(self, path: Path | None = None) -> None:
        self.calls: list[CallRecord] = []
        self.path = path
        self._file: TextIO | None = path.open("a", encoding="utf-8") if path is not None else None
        self._attempts: Counter[str] = Counter()
        self._watchers: list[Callable[[CallRecord], None]] = []

    def begin(self, record: CallRecord) -> None:
        """A call began; its attempt number is set here."""
        key = f"{record.side} {record.direction} {record.party}"
        self._attempts[key] += 1
        record.attempt = self._attempts[key]
        self.calls.append(record)

    def end(self, record: CallRecord) -> None:
        """A call ended: write it."""
        if self._file is not None:
            self._file.write(record.to_json() + "\n")
            self._file.flush()
        for watcher in self._watchers:
            watcher(record)

    def on_end(self, watcher: Callable[[CallRecord], None]) -> None:
        """Call `watcher` with each call that ends from now on."""
        self._watchers.append(watcher)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def of(self, party: str) -> list[CallRecord]:
        """All calls of the party (number or phone), in order of their beginning."""
        return [call for call in self.calls if call.party == party]

    def attempts(self, number: str) -> list[CallRecord]:
        """The calls Asterisk made to a customer's number, in order."""
        return [c for c in self.of(number) if c.side is Side.CUSTOMER and c.direction is Direction.IN]

    def live(self) -> list[CallRecord]:
        """Calls that have not ended."""
        return [call for call in self.calls if call.ended_at is None]

    def select(self, side: Side | None = None, direction: Direction | None = None) -> list[CallRecord]:
        """The calls of one side and direction."""
        return [c for c in self.calls if side in (None, c.side) and direction in (None, c.direction)]


def read_log(path: Path) -> list[CallRecord]:
    """The calls in a record file."""
    with path.open(encoding="utf-8") as lines:
        return [CallRecord.from_json(line) for line in lines if line.strip()]


def in_flight(calls: Iterable[CallRecord]) -> Iterator[tuple[float, int]]:
    """(instant, calls at once from then on), a step at each beginning and end; an end counts before a
    beginning.
    """
    steps = [(call.invite_at, 1, 1) for call in calls]
    steps += [(call.ended_at, 0, -1) for call in calls if call.ended_at is not None]
    count = 0
    for at, _, change in sorted(steps):
        count += change
        yield at, count


def max_in_flight(calls: Iterable[CallRecord]) -> int:
    """The most calls there ever were at once."""
    return max((count for _, count in in_flight(list(calls))), default=0)


def max_at_once_per_number(calls: Iterable[CallRecord]) -> dict[str, int]:
    """For each party the most of its calls that lived at once; 2 or more to a customer is a double dial."""
    by_party: dict[str, list[CallRecord]] = {}
    for call in calls:
        by_party.setdefault(call.party, []).append(call)
    return {party: max_in_flight(own) for party, own in by_party.items()}
