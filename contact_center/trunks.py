"""The carriers' lines: one ledger of them, from which every call to the outside takes one, to give it back.

Campaigns ask by :meth:`Trunks.choose` and come back later; who holds a person on the line (an agent's own call, a
consult, a callback, a caller who is sent on) asks by :meth:`Trunks.line`, which waits a moment. Callers are counted
too: they take the lines that are kept for them first. Campaigns leave ``reserve_inbound`` lines free, others may use
them; nobody goes beyond ``max_channels`` or ``max_cps``, and while somebody waits for a line campaigns take none.
A trunk that comes back after trouble starts slowly: campaigns have a call per second first, and less patience with it.
A trunk that has reached a cap gets no more calls until some of what it used is old enough, or the cap is raised.

A campaign's line is taken before its intent is stored, which may take long: until the call is ``sent``, or the line
given back, it counts as a call of this very moment. So ``max_cps`` holds on the wire.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from contact_center.clock import Clock
from contact_center.dial_strings import dial_string
from contact_center.dialling import CallResult, DialOrder
from contact_center.errors import CallwrightError
from contact_center.settings import Caps, Settings
from contact_center.spending import Spending, Sum, Use, UsedMinute, cap_sentence
from contact_center.store.facts import AttemptUncounted, Fact, TrunkNoted, TrunkUsed
from contact_center.terms import Outcome
from contact_center.trunk_pace import LEAST_SECONDS, PROBE_SECONDS, TrunkLines

__all__ = ["PROBE_SECONDS", "Line", "NoLine", "TrunkLines", "Trunks", "dial_string"]

NO_LINE, CAPPED = "no_line", "capped"
"""Prompts for whom no line is found: all are in use, or may not be used any more."""
DOWN_AFTER = 5  # dials in a row that the trunk swallowed or refused with 503
DOWN_AGAIN_AFTER = 2  # the same while it starts slowly
LINE_SECONDS = 1.0
"""How long a call with a person on it waits for a line."""


class NoLine(CallwrightError):
    """No trunk can take the call now; the text says why, in one sentence, and ``word`` names the prompt that does."""

    def __init__(self, why: str, word: str = NO_LINE) -> None:
        super().__init__(why)
        self.word = word


@dataclass(slots=True, eq=False)
class Line:
    """The line of one call, known by its channel; ``give_back`` ends it, and may be called again."""

    trunk: str
    channel_id: str
    inbound: bool
    _trunks: Trunks
    found: bool = False

    def answered(self, since: datetime | None = None) -> None:
        """Somebody answered, ``since`` then if he was found talking: from here on it costs."""
        self._trunks.answered(self.trunk, self.channel_id, found=self.found, since=since if self.found else None)

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
        self.lines: Mapping[str, TrunkLines] = {n: TrunkLines(n, t, Spending(t)) for n, t in settings.trunk.items()}
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

    def sent(self, name: str) -> None:
        """The call for which a line was taken is sent in this moment."""
        self.lines[name].send(self._clock.monotonic(), self._clock.now())

    def give_back(self, name: str) -> None:
        """The line was not used after all: nothing was sent."""
        trunk = self.lines[name]
        trunk.untake()
        self._weigh(trunk)
        self._stir()

    def adopt(self, name: str, channel_id: str, *, answered: bool, since: datetime | None = None) -> None:
        """A call of an earlier process is still on this trunk, ``since`` then if it is answered."""
        if name in self.lines:
            self.lines[name].live += 1
            if answered:
                self.answered(name, channel_id, found=True, since=since)

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
            raise NoLine(self._why(wanted), CAPPED if _all_capped(wanted) else NO_LINE) from None
        finally:
            for trunk in wanted:
                trunk.waiting -= 1
        self.sent(found)
        self._keep_use(self.lines[found])
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
        line = self._held[channel_id] = Line(name, channel_id, inbound, self, found=True)
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
            self._ends(self.lines[line.trunk], line.channel_id)
        self._stir()

    async def _changed(self, names: Sequence[str], wanted: Sequence[TrunkLines], within: float) -> None:
        """Wait until it is worth looking again. Raises TimeoutError where nothing can come in time."""
        wait = self.wait_seconds(names, campaign=False)
        may_free = any(trunk.capped is None and trunk.is_full(campaign=False) for trunk in wanted)
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
        if _all_capped(wanted):
            return " ".join(cap_sentence(trunk.name, trunk.capped.reason) for trunk in wanted if trunk.capped)
        if all(trunk.down_since is not None for trunk in wanted):
            return f"Trunk {named} {wanted[0].reason}; try again in half a minute."
        if any(trunk.down_since is None and not trunk.is_full(campaign=False) for trunk in wanted):
            return f"Trunk {named} takes no more calls in this second; try again."
        return f"All lines of trunk {named} are in use; try again in a moment."

    def _choose(self, names: Sequence[str], now: float, *, campaign: bool) -> str | None:
        for trunk in sorted(self._named(names), key=lambda t: t.down_since is not None):
            if trunk.wait_seconds(now, campaign=campaign) == 0.0:
                trunk.take(now, campaign=campaign)
                self._weigh(trunk)
                return trunk.name
        return None

    def _named(self, names: Sequence[str]) -> list[TrunkLines]:
        return [self.lines[n] for n in (names or tuple(self.lines)) if n in self.lines]

    def _stir(self) -> None:
        freed, self._freed = self._freed, asyncio.Event()
        freed.set()

    # -- what they may carry --------------------------------------------------------------------------

    def answered(self, name: str, channel_id: str, *, found: bool = False, since: datetime | None = None) -> None:
        """A call on this trunk was answered; ``found``: under an earlier process, ``since`` then."""
        if name in self.lines:
            now, at = self._clock.monotonic(), self._clock.now()
            self.lines[name].spending.begins(channel_id, now, at, found=found, since=since)

    def too_long(self) -> list[tuple[str, str]]:
        """Trunk and channel of each call that has lasted as long as one may on its trunk."""
        now = self._clock.monotonic()
        return [(line.name, channel) for line in self.lines.values() for channel in line.spending.too_long(now)]

    def take_caps(self, name: str, caps: Caps) -> None:
        """Its caps are others now: they hold for the next call."""
        if name in self.lines:
            self.lines[name].spending.caps = caps
            self._weigh(self.lines[name])
            self._note(self.lines[name])
            self._stir()

    def remember(self, name: str, minutes: Sequence[UsedMinute], noted: tuple[str, str]) -> None:
        """What earlier processes wrote down: its use, and its state as others were told it."""
        if name in self.lines:
            spending = self.lines[name].spending
            spending.use = Use(minutes)
            spending.counted_at = max((minute.at for minute in minutes), default=None)
            self.lines[name].noted = noted
            self._weigh(self.lines[name])

    def spent(self, names: Sequence[str]) -> str:
        """Why none of these trunks (none named: of all) may carry a call any more; empty where one may."""
        wanted = self._named(names)
        return self._why(wanted) if _all_capped(wanted) else ""

    def figures(self) -> list[tuple[str, bool, Sum]]:
        """Of each trunk: its name, whether a cap is reached, and what it carried out in 24 hours."""
        now = self._clock.now()
        return [(line.name, line.capped is not None, line.spending.use.day(now)) for line in self.lines.values()]

    def tick(self) -> None:
        """Count what goes on and write it down; called every second, and before the process ends."""
        freed = False
        for trunk in self.lines.values():
            was = trunk.capped
            trunk.spending.count(self._clock.monotonic(), self._clock.now())
            self._weigh(trunk)
            self._note(trunk)
            self._keep_use(trunk)
            freed = freed or (was is not None and trunk.capped is None)
        if freed:
            self._stir()

    def _ends(self, trunk: TrunkLines, channel_id: str) -> None:
        trunk.spending.ends(channel_id, self._clock.monotonic(), self._clock.now())
        self._weigh(trunk)

    def _weigh(self, trunk: TrunkLines) -> None:
        trunk.capped = trunk.spending.reached(self._clock.now(), trunk.pending)

    def _keep_use(self, trunk: TrunkLines) -> None:
        for minute in trunk.spending.use.changed(self._clock.now()):
            self._post(TrunkUsed(trunk.name, minute.minute_at, minute.calls, round(minute.seconds, 3), minute.at))

    def _note(self, trunk: TrunkLines) -> None:
        """Tell others how it is, where that is news."""
        state, reason = "up", ""
        if trunk.down_since is not None:
            state, reason = "down", trunk.reason
        elif trunk.capped is not None and trunk.pending:
            return  # not all of these calls may be sent
        elif trunk.capped is not None:
            state, reason = "capped", trunk.capped.reason
        if (state, reason) != trunk.noted:
            trunk.noted = state, reason
            since = trunk.down_since or self._clock.now()
            self._post(TrunkNoted(name=trunk.name, state=state, reason=reason, since_at=since))

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
        self._ends(trunk, order.channel_id)
        self._stir()
        if result.withdrawn:
            return result
        refused = result.sip_code == 503 and result.outcome is Outcome.TECHNICAL_ERROR
        if not refused and result.outcome is not Outcome.NOT_ATTEMPTED:
            self._up(trunk)
            return result
        if trunk.down_since is not None or (trunk.back_at is not None and order.ordered_at < trunk.back_at):
            return _not_attempted(result)
        trunk.streak.append(order)
        if not self._is_enough(trunk):
            return result
        self._down(trunk, "answers 503" if refused else "does not answer")
        return _not_attempted(result)

    def note_failure(self, name: str, reason: str) -> None:
        """The trunk did not take a call that is no campaign's."""
        trunk = self.lines[name]
        if trunk.down_since is None:
            trunk.streak.append(None)
            if self._is_enough(trunk):
                self._down(trunk, reason)

    def _is_enough(self, trunk: TrunkLines) -> bool:
        """Whether so many calls have failed that the trunk is taken to be away."""
        return len(trunk.streak) >= (DOWN_AGAIN_AFTER if trunk.starts(self._clock.monotonic()) else DOWN_AFTER)

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
        self._note(trunk)

    def _up(self, trunk: TrunkLines) -> None:
        trunk.streak.clear()
        if trunk.down_since is not None:
            trunk.down_since, trunk.reason = None, ""
            trunk.back, trunk.back_at = self._clock.monotonic(), self._clock.now()
            self._stir()
            self._note(trunk)


def _all_capped(wanted: Iterable[TrunkLines]) -> bool:
    trunks = list(wanted)
    return bool(trunks) and all(trunk.capped is not None for trunk in trunks)


def _not_attempted(result: CallResult) -> CallResult:
    record = {**result.record, "disposition": Outcome.NOT_ATTEMPTED.value}
    record["attempts"] = [{**attempt, "outcome": Outcome.NOT_ATTEMPTED.value} for attempt in record.get("attempts", [])]
    return replace(result, outcome=Outcome.NOT_ATTEMPTED, record=record)
