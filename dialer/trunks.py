"""The carrier's lines: how many calls a trunk carries, how fast, and whether it is there at all."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import ceil

from contact_center.clock import Clock
from contact_center.dial_strings import dial_string
from contact_center.dialling import CallResult, DialOrder
from contact_center.settings import Settings, Trunk
from contact_center.store.facts import AttemptUncounted, Fact, TrunkNoted
from contact_center.terms import Outcome

__all__ = ["TrunkLines", "Trunks", "dial_string"]

DOWN_AFTER = 5  # dials in a row that the trunk swallowed or refused with 503
PROBE_SECONDS = 30.0  # one call each so often while it is down, until one gets through
_WINDOW_SECONDS = 1.02  # calls per second are counted over slightly more than one, for jitter on the wire
_BURST_SECONDS = 0.1  # no more than the share of so long at once: a burst delays its own last calls


@dataclass(slots=True)
class TrunkLines:
    """One trunk as the dialer sees it."""

    name: str
    settings: Trunk
    live: int = 0
    down_since: datetime | None = None
    reason: str = ""
    placed: deque[float] = field(default_factory=deque)
    streak: list[DialOrder] = field(default_factory=list)
    last_probe: float = float("-inf")

    def wait_seconds(self, now: float) -> float | None:
        """Seconds until a call may be placed; None when a call must end first."""
        if self.live >= self.settings.max_channels - self.settings.reserve_inbound:
            return None
        if self.down_since is not None:
            return max(self.last_probe + PROBE_SECONDS - now, 0.0)
        rate = self.settings.max_cps
        while self.placed and self.placed[0] <= now - max(_WINDOW_SECONDS, 1 / rate):
            self.placed.popleft()
        if len(self.placed) >= max(int(rate), 1):
            return self.placed[0] + max(_WINDOW_SECONDS, 1 / rate) - now
        return self._spread_seconds(rate, now)

    def _spread_seconds(self, rate: float, now: float) -> float:
        """Seconds until a call keeps an even distance to the ones before; a few may follow each other at once."""
        burst = max(2, ceil(rate * _BURST_SECONDS))
        if len(self.placed) < burst:
            return 0.0
        return max(self.placed[-burst] + burst / rate - now, 0.0)

    def take(self, now: float) -> None:
        """A call is placed on it."""
        self.live += 1
        self.placed.append(now)
        if self.down_since is not None:
            self.last_probe = now


class Trunks:
    """All trunks of the settings, in the order in which they are written there."""

    def __init__(self, settings: Settings, clock: Clock, post: Callable[[Fact], None]) -> None:
        self._clock, self._post = clock, post
        self._server = settings.asterisk.external_address or settings.asterisk.sip_bind.rpartition(":")[0]
        self.lines: Mapping[str, TrunkLines] = {n: TrunkLines(n, t) for n, t in settings.trunk.items()}

    def choose(self, names: Sequence[str]) -> str | None:
        """Take a line of the first trunk that has one, those that are up first; None when there is none."""
        now = self._clock.monotonic()
        allowed = [self.lines[n] for n in (names or tuple(self.lines)) if n in self.lines]
        for trunk in sorted(allowed, key=lambda t: t.down_since is not None):
            if trunk.wait_seconds(now) == 0.0:
                trunk.take(now)
                return trunk.name
        return None

    def take_lines(self, names: Sequence[str], most: int) -> list[str]:
        """Take up to ``most`` lines, one after the other as :meth:`choose` does."""
        lines: list[str] = []
        while len(lines) < most and (name := self.choose(names)):
            lines.append(name)
        return lines

    def wait_seconds(self, names: Sequence[str]) -> float | None:
        """Seconds until a line may be had; None when a call must end first."""
        now = self._clock.monotonic()
        waits = [self.lines[n].wait_seconds(now) for n in (names or tuple(self.lines)) if n in self.lines]
        return min((w for w in waits if w is not None), default=None)

    def give_back(self, name: str) -> None:
        """The line was not used after all."""
        trunk = self.lines[name]
        trunk.live -= 1
        if trunk.placed:
            trunk.placed.pop()

    def adopt(self, name: str) -> None:
        """A call of an earlier process is still on this trunk."""
        if name in self.lines:
            self.lines[name].live += 1

    def dial_string(self, name: str, number: str) -> str:
        """See :func:`dial_string`."""
        return dial_string(name, self.lines[name].settings, number, self._server)

    def is_down(self, name: str) -> bool:
        """Whether the trunk is taken to be away."""
        return name in self.lines and self.lines[name].down_since is not None

    def rang(self, name: str) -> None:
        """The trunk carries calls."""
        if name in self.lines:
            self._up(self.lines[name])

    def ended(self, order: DialOrder, result: CallResult) -> CallResult:
        """A call left the trunk. Returns the result as it counts: a trunk that is down burns no attempt."""
        trunk = self.lines.get(order.trunk)
        if trunk is None:
            return result
        trunk.live = max(trunk.live - 1, 0)
        if result.withdrawn:
            return result
        refused = result.sip_code == 503 and result.outcome is Outcome.TECHNICAL_ERROR
        if not refused and result.outcome is not Outcome.NOT_ATTEMPTED:
            self._up(trunk)
            return result
        if trunk.down_since is not None:
            return _not_attempted(result)
        trunk.streak.append(order)
        if len(trunk.streak) < DOWN_AFTER:
            return result
        self._down(trunk, "answers 503" if refused else "does not answer")
        return _not_attempted(result)

    def _down(self, trunk: TrunkLines, reason: str) -> None:
        now = self._clock.now()
        trunk.down_since, trunk.reason, trunk.last_probe = now, reason, self._clock.monotonic()
        burnt = tuple(order.attempt_id for order in trunk.streak[:-1])
        trunk.streak.clear()
        if burnt:
            self._post(AttemptUncounted(attempt_ids=burnt, next_attempt_at=now, reason=f"trunk {reason}", at=now))
        self._post(TrunkNoted(name=trunk.name, state="down", reason=reason, since_at=now))

    def _up(self, trunk: TrunkLines) -> None:
        trunk.streak.clear()
        if trunk.down_since is not None:
            trunk.down_since, trunk.reason = None, ""
            trunk.placed.clear()
            self._post(TrunkNoted(name=trunk.name, state="up", reason="", since_at=self._clock.now()))


def _not_attempted(result: CallResult) -> CallResult:
    record = {**result.record, "disposition": Outcome.NOT_ATTEMPTED.value}
    record["attempts"] = [{**attempt, "outcome": Outcome.NOT_ATTEMPTED.value} for attempt in record.get("attempts", [])]
    return replace(result, outcome=Outcome.NOT_ATTEMPTED, record=record)
