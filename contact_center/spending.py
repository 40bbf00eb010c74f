"""What each trunk has carried out, by the minute, and whether that is as much as it may carry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from contact_center.settings import Caps

HOUR, DAY = 60, 1440
"""Minutes in which calls and talk are counted together."""


@dataclass(slots=True)
class Sum:
    """Calls that were sent, and seconds of talk."""

    calls: int = 0
    seconds: float = 0.0

    def add(self, calls: int, seconds: float) -> None:
        """So many more."""
        self.calls += calls
        self.seconds += seconds


@dataclass(frozen=True, slots=True)
class UsedMinute:
    """What one trunk carried out in one minute; ``at``: up to when it is counted."""

    minute_at: datetime
    calls: int
    seconds: float
    at: datetime


@dataclass(frozen=True, slots=True)
class Reached:
    """The cap ``key`` of a trunk is used up: ``used`` of ``limit``, until ``free_at`` if nothing more is used."""

    key: str
    used: float
    limit: float
    free_at: datetime

    @property
    def reason(self) -> str:
        """As it is said of a trunk."""
        return f"its {self.key} of {self.limit:g} is reached"


def cap_sentence(name: str, reason: str) -> str:
    """What whoever wants to call by a trunk is told when a cap of it is reached."""
    return f"Trunk {name} takes no more calls: {reason}; a supervisor can raise it (`callwright trunk set {name}`)."


class Use:
    """The last 24 hours of a trunk. Whole minutes leave: no cap is exceeded in any 60 minutes or 24 hours."""

    def __init__(self, minutes: Iterable[UsedMinute] = ()) -> None:
        self._minutes = {_minute(kept.minute_at): Sum(kept.calls, kept.seconds) for kept in minutes}
        self._now = 0
        self._hour, self._day = Sum(), Sum()
        self._changed: set[int] = set()

    def add(self, at: datetime, calls: int = 0, seconds: float = 0.0) -> None:
        """Count what has just happened."""
        self._turn(at)
        for total in (self._minutes.setdefault(self._now, Sum()), self._hour, self._day):
            total.add(calls, seconds)
        self._changed.add(self._now)

    def hour(self, at: datetime) -> Sum:
        """Of the last 60 minutes."""
        self._turn(at)
        return self._hour

    def day(self, at: datetime) -> Sum:
        """Of the last 24 hours."""
        self._turn(at)
        return self._day

    def changed(self, at: datetime) -> list[UsedMinute]:
        """The minutes that have changed since this was asked last, with all that is known of each."""
        found = [
            UsedMinute(datetime.fromtimestamp(minute * 60, UTC), total.calls, total.seconds, at)
            for minute in sorted(self._changed)
            if (total := self._minutes.get(minute)) is not None
        ]
        self._changed.clear()
        return found

    def free_at(self, span: int, over: float, of: str) -> datetime:
        """When so many minutes have left that more than ``over`` of what is counted has gone; ``of``: a Sum's field."""
        gone, last = 0.0, self._now
        for minute in sorted(minute for minute in self._minutes if minute >= self._now - span):
            gone, last = gone + getattr(self._minutes[minute], of), minute
            if gone > over:
                break
        return datetime.fromtimestamp((last + span + 1) * 60, UTC)

    def _turn(self, at: datetime) -> None:
        """Sum up anew when another minute has begun."""
        now = _minute(at)
        if now == self._now:
            return
        self._now = now
        for minute in [minute for minute in self._minutes if minute < now - DAY]:
            del self._minutes[minute]
        self._day = _total(self._minutes.values())
        self._hour = _total(total for minute, total in self._minutes.items() if minute >= now - HOUR)


@dataclass(slots=True)
class Spending:
    """One trunk: its caps in force, what it used, and the talks that go on (by channel, since when uncounted).

    ``began``: since when each of them goes on, monotonic.
    ``counted_at``: up to when an earlier process had counted talks that this one finds going on.
    """

    caps: Caps
    use: Use = field(default_factory=Use)
    talks: dict[str, float] = field(default_factory=dict)
    began: dict[str, float] = field(default_factory=dict)
    counted_at: datetime | None = None

    def begins(
        self, channel_id: str, now: float, at: datetime, *, found: bool = False, since: datetime | None = None
    ) -> None:
        """A call was answered at the monotonic ``now``; ``found``: under an earlier process, ``since`` then."""
        self.began.setdefault(channel_id, now - max((at - since).total_seconds() if since else 0.0, 0.0))
        known = max(self.counted_at, since or self.counted_at) if found and self.counted_at is not None else None
        before = max((at - known).total_seconds(), 0.0) if known is not None else 0.0
        self.talks.setdefault(channel_id, now - before)

    def ends(self, channel_id: str, now: float, at: datetime) -> None:
        """A call has left the trunk, answered or not."""
        self.began.pop(channel_id, None)
        since = self.talks.pop(channel_id, None)
        if since is not None:
            self.use.add(at, seconds=max(now - since, 0.0))

    def count(self, now: float, at: datetime) -> None:
        """Count what goes on up to this moment."""
        if not self.talks:
            return
        self.use.add(at, seconds=sum(max(now - since, 0.0) for since in self.talks.values()))
        self.talks = dict.fromkeys(self.talks, now)

    def too_long(self, now: float) -> list[str]:
        """Talks that have lasted as long as one may."""
        longest = 60 * self.caps.max_call_minutes
        return [channel_id for channel_id, began in self.began.items() if longest and now - began >= longest]

    def reached(self, at: datetime, coming: int = 0) -> Reached | None:
        """The cap that is used up, that of the longer time first; ``coming``: calls that are about to be sent."""
        return next(reached(self.caps, self.use, at, coming), None)


def reached(caps: Caps, use: Use, at: datetime, coming: int = 0) -> Iterator[Reached]:
    """The caps that are used up."""
    day, hour, price = use.day(at), use.hour(at), caps.cost_per_minute
    spent = day.seconds / 60 * price
    for key, span, of, used, each in (
        ("spend_per_day", DAY, "seconds", spent, price / 60),
        ("minutes_per_day", DAY, "seconds", day.seconds / 60, 1 / 60),
        ("calls_per_day", DAY, "calls", day.calls + coming, 1),
        ("minutes_per_hour", HOUR, "seconds", hour.seconds / 60, 1 / 60),
        ("calls_per_hour", HOUR, "calls", hour.calls + coming, 1),
    ):
        limit = getattr(caps, key)
        if limit and used >= limit:
            yield Reached(key, used, limit, use.free_at(span, (used - limit) / each if each else 0.0, of))


def _minute(at: datetime) -> int:
    return int(at.timestamp() // 60)


def _total(sums: Iterable[Sum]) -> Sum:
    made = Sum()
    for one in sums:
        made.add(one.calls, one.seconds)
    return made
