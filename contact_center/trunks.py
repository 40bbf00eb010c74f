"""The carriers' lines: one ledger of them, from which every call to the outside takes one, to give it back.

Campaigns ask by :meth:`Trunks.choose` and come back later; who holds a person on the line (an agent's own call, a
consult, a callback, a caller who is sent on) asks by :meth:`Trunks.line`, which waits a moment. Callers are counted
too: they take the lines that are kept for them first. Campaigns leave ``reserve_inbound`` lines free, others may use
them; nobody goes beyond ``max_channels`` or ``max_cps``, and while somebody waits for a line campaigns take none.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import ceil

from contact_center.clock import Clock
from contact_center.dial_strings import dial_string
from contact_center.dialling import CallResult, DialOrder
from contact_center.errors import CallwrightError
from contact_center.settings import Settings, Trunk
from contact_center.store.facts import AttemptUncounted, Fact, TrunkNoted
from contact_center.terms import Outcome

__all__ = ["Line", "NoLine", "TrunkLines", "Trunks", "dial_string"]

DOWN_AFTER = 5  # dials in a row that the trunk swallowed or refused with 503
PROBE_SECONDS = 30.0  # one call each so often while it is down, until one gets through
LINE_SECONDS = 1.0
"""How long a call with a person on it waits for a line."""
LEAST_SECONDS = 0.001  # between two looks of who waits
_WINDOW_SECONDS = 1.02  # calls per second are counted over slightly more than one, for jitter on the wire
_BURST_SECONDS = 0.1  # no more than the share of so long at once: a burst delays its own last calls


class NoLine(CallwrightError):
    """No trunk can take the call now; the text says why, in one sentence."""


@dataclass(slots=True)
class TrunkLines:
    """One trunk: ``live`` calls of ours, ``inbound`` callers, and who waits for a line."""

    name: str
    settings: Trunk
    live: int = 0
    inbound: int = 0
    waiting: int = 0
    down_since: datetime | None = None
    reason: str = ""
    placed: deque[float] = field(default_factory=deque)
    streak: list[DialOrder | None] = field(default_factory=list)
    last_probe: float = float("-inf")

    def is_full(self, *, campaign: bool) -> bool:
        """Whether a call must end before another one may be placed."""
        kept = max(self.settings.reserve_inbound, self.inbound) if campaign else self.inbound
        return self.live >= self.settings.max_channels - kept

    def wait_seconds(self, now: float, *, campaign: bool = True) -> float | None:
        """Seconds until a call may be placed; None when a call must end first, or others are served first."""
        if self.is_full(campaign=campaign) or (campaign and self.waiting):
            return None
        since_probe = self.last_probe + PROBE_SECONDS - now if self.down_since is not None else 0.0
        return max(since_probe, self._pace_seconds(now), 0.0)

    def _pace_seconds(self, now: float) -> float:
        rate = self.settings.max_cps
        while self.placed and self.placed[0] <= now - max(_WINDOW_SECONDS, 1 / rate):
            self.placed.popleft()
        if len(self.placed) >= max(int(rate), 1):
            return max(self.placed[0] + max(_WINDOW_SECONDS, 1 / rate) - now, LEAST_SECONDS)
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


@dataclass(slots=True, eq=False)
class Line:
    """The line of one call, known by its channel; ``give_back`` ends it, and may be called again."""

    trunk: str
    channel_id: str
    inbound: bool
    _trunks: Trunks

    def carries(self) -> None:
        """The trunk has answered with more than a refusal."""
        self._trunks.rang(self.trunk)

    def failed(self, reason: str) -> None:
        """The trunk swallowed or refused the call, as ``reason`` says of it: "does not answer"."""
        self._trunks.note_failure(self.trunk, reason)

    def give_back(self) -> None:
        """The call has left the trunk, or was never placed."""
        self._trunks.release(self)


class Trunks:
    """All trunks of the settings, in the order in which they are written there."""

    def __init__(self, settings: Settings, clock: Clock, post: Callable[[Fact], None]) -> None:
        self._clock, self._post = clock, post
        self._server = settings.asterisk.external_address or settings.asterisk.sip_bind.rpartition(":")[0]
        self.lines: Mapping[str, TrunkLines] = {n: TrunkLines(n, t) for n, t in settings.trunk.items()}
        self._held: dict[str, Line] = {}
        self._freed = asyncio.Event()

    # -- campaigns ------------------------------------------------------------------------------------

    def choose(self, names: Sequence[str], now: float | None = None) -> str | None:
        """Take a line of the first trunk that has one, those that are up first; None when there is none."""
        return self._choose(names, self._clock.monotonic() if now is None else now, campaign=True)

    def take_lines(self, names: Sequence[str], most: int, now: float | None = None) -> list[str]:
        """Take up to ``most`` lines, one after the other as :meth:`choose` does."""
        at = self._clock.monotonic() if now is None else now
        lines: list[str] = []
        while len(lines) < most and (name := self.choose(names, at)):
            lines.append(name)
        return lines

    def wait_seconds(self, names: Sequence[str], *, campaign: bool = True) -> float | None:
        """Seconds until a line may be had; None when a call must end first."""
        now = self._clock.monotonic()
        waits = [trunk.wait_seconds(now, campaign=campaign) for trunk in self._named(names)]
        return min((wait for wait in waits if wait is not None), default=None)

    def give_back(self, name: str, taken: float | None = None) -> None:
        """The line was not used after all. ``taken``: when, so that it does not count as a call of that second."""
        trunk = self.lines[name]
        trunk.live -= 1
        if taken is not None and taken in trunk.placed:
            trunk.placed.remove(taken)
        self._stir()

    def adopt(self, name: str) -> None:
        """A call of an earlier process is still on this trunk."""
        if name in self.lines:
            self.lines[name].live += 1

    # -- calls with a person on them ------------------------------------------------------------------

    async def line(self, names: Sequence[str], channel_id: str, within: float = LINE_SECONDS) -> Line:
        """A line of the first of these trunks (none named: of all) that has one, waited for ``within`` seconds.

        Raises NoLine.
        """
        wanted = self._named(names)
        for trunk in wanted:
            trunk.waiting += 1
        try:
            async with asyncio.timeout(within):
                while (found := self._choose(names, self._clock.monotonic(), campaign=False)) is None:
                    await self._changed(names, wanted, within)
        except TimeoutError:
            raise NoLine(self._why(wanted)) from None
        finally:
            for trunk in wanted:
                trunk.waiting -= 1
        line = self._held[channel_id] = Line(found, channel_id, False, self)
        return line

    def has_line(self, names: Sequence[str]) -> bool:
        """Whether a call with a person on it would get a line within a moment."""
        wait = self.wait_seconds(names, campaign=False)
        return wait is not None and wait <= LINE_SECONDS

    def hold(self, name: str, channel_id: str, *, inbound: bool) -> Line | None:
        """A call is on this trunk whatever the limits: a caller's, or one of an earlier process. None: known."""
        if name not in self.lines or channel_id in self._held:
            return None
        if inbound:
            self.lines[name].inbound += 1
        else:
            self.lines[name].live += 1
        line = self._held[channel_id] = Line(name, channel_id, inbound, self)
        return line

    def release(self, line: Line) -> None:
        """A line's call has left the trunk; a second time nothing happens."""
        if self._held.get(line.channel_id) is not line:
            return
        del self._held[line.channel_id]
        if line.inbound:
            self.lines[line.trunk].inbound -= 1
        else:
            self.lines[line.trunk].live -= 1
        self._stir()

    async def _changed(self, names: Sequence[str], wanted: Sequence[TrunkLines], within: float) -> None:
        """Wait until it is worth looking again. Raises TimeoutError where nothing can come in time."""
        wait = self.wait_seconds(names, campaign=False)
        may_free = any(trunk.is_full(campaign=False) for trunk in wanted)
        if not may_free and (wait is None or wait > within):
            raise TimeoutError
        try:
            async with asyncio.timeout(None if wait is None else max(wait, LEAST_SECONDS)):
                await self._freed.wait()
        except TimeoutError:
            return

    def _why(self, wanted: Sequence[TrunkLines]) -> str:
        if not wanted:
            return "There is no trunk to call a number outside by; add a [trunk.NAME]."
        named = ", ".join(trunk.name for trunk in wanted)
        if all(trunk.down_since is not None for trunk in wanted):
            return f"Trunk {named} {wanted[0].reason}; try again in half a minute."
        if any(trunk.down_since is None and not trunk.is_full(campaign=False) for trunk in wanted):
            return f"Trunk {named} takes no more calls in this second; try again."
        return f"All lines of trunk {named} are in use; try again in a moment."

    def _choose(self, names: Sequence[str], now: float, *, campaign: bool) -> str | None:
        for trunk in sorted(self._named(names), key=lambda t: t.down_since is not None):
            if trunk.wait_seconds(now, campaign=campaign) == 0.0:
                trunk.take(now)
                return trunk.name
        return None

    def _named(self, names: Sequence[str]) -> list[TrunkLines]:
        return [self.lines[n] for n in (names or tuple(self.lines)) if n in self.lines]

    def _stir(self) -> None:
        freed, self._freed = self._freed, asyncio.Event()
        freed.set()

    # -- how the trunks are ---------------------------------------------------------------------------

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
        """A campaign's call left the trunk. Returns the result as it counts: a trunk that is down burns no attempt."""
        trunk = self.lines.get(order.trunk)
        if trunk is None:
            return result
        trunk.live = max(trunk.live - 1, 0)
        self._stir()
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

    def note_failure(self, name: str, reason: str) -> None:
        """The trunk did not take a call that is no campaign's."""
        trunk = self.lines[name]
        if trunk.down_since is None:
            trunk.streak.append(None)
            if len(trunk.streak) >= DOWN_AFTER:
                self._down(trunk, reason)

    def look_again(self) -> None:
        """Asterisk is new or was lost: a trunk that it could not reach, or refused to try, is probed at once."""
        for trunk in self.lines.values():
            trunk.last_probe = float("-inf")
        self._stir()

    def _down(self, trunk: TrunkLines, reason: str) -> None:
        now = self._clock.now()
        trunk.down_since, trunk.reason, trunk.last_probe = now, reason, self._clock.monotonic()
        burnt = tuple(order.attempt_id for order in trunk.streak[:-1] if order is not None)
        trunk.streak.clear()
        if burnt:
            self._post(AttemptUncounted(attempt_ids=burnt, next_attempt_at=now, reason=f"trunk {reason}", at=now))
        self._post(TrunkNoted(name=trunk.name, state="down", reason=reason, since_at=now))

    def _up(self, trunk: TrunkLines) -> None:
        trunk.streak.clear()
        if trunk.down_since is not None:
            trunk.down_since, trunk.reason = None, ""
            self._stir()
            self._post(TrunkNoted(name=trunk.name, state="up", reason="", since_at=self._clock.now()))


def _not_attempted(result: CallResult) -> CallResult:
    record = {**result.record, "disposition": Outcome.NOT_ATTEMPTED.value}
    record["attempts"] = [{**attempt, "outcome": Outcome.NOT_ATTEMPTED.value} for attempt in record.get("attempts", [])]
    return replace(result, outcome=Outcome.NOT_ATTEMPTED, record=record)
