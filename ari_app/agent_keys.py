"""The keys of an agent who talks: codes for us, everything else for the customer.

His leg absorbs what he keys, so that the customer never hears a code, finished or not, allowed or not; digits
that are none are sent on.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum

import structlog

from ari_app.channel import Channel
from ari_app.errors import AriError
from ari_app.media import Digit
from ari_app.scope import finish

CODE_SECONDS = 3.0  # a star whose next key does not come within this time was meant for the customer
DISPOSITION_SECONDS = 6.0  # *8 whose next key does not come within this time is forgotten
LONGEST_CODE = 12  # keys between *8 and #
LONGEST_NUMBER = 20  # keys between *7 and #

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PassOn:
    """Keys for the customer."""

    keys: str


@dataclass(frozen=True, slots=True)
class ForceHangUp:
    """``*2``: end the customer's leg."""


@dataclass(frozen=True, slots=True)
class Dispose:
    """``*8`` CODE ``#``: what came of the call."""

    code: str


@dataclass(frozen=True, slots=True)
class ConsultWith:
    """``*7`` EXT ``#``: the customer waits, and somebody else is rung."""

    digits: str


class InConsult(StrEnum):
    """Keys that mean something while a consult lasts, and go to whoever is heard otherwise."""

    BACK = "*1"
    THREE_WAY = "*3"
    SWAP = "*4"


Action = PassOn | ForceHangUp | Dispose | ConsultWith | InConsult


def _never() -> bool:
    return False


class KeyReader:
    """Turns keys into actions. Pure: time is told by calling :meth:`expire`.

    ``consulting``: whether a consult lasts; None: none can be begun, and its codes are keys like others.
    """

    def __init__(self, *, may_force: bool, consulting: Callable[[], bool] | None = None) -> None:
        self._may_force, self._held = may_force, ""
        self._may_consult, self._consulting = consulting is not None, consulting or _never

    @property
    def patience(self) -> float | None:
        """How long the next key of a code that has been begun may take; None while there is none."""
        if not self._held:
            return None
        return CODE_SECONDS if self._held == "*" else DISPOSITION_SECONDS

    def key(self, key: str) -> list[Action]:
        """One key. A code that is not known goes to the customer as it was keyed."""
        held = self._held + key
        self._held = ""
        if held in ("*", "*8") or (held == "*7" and self._may_consult):
            self._held = held
            return []
        if held.startswith("*8") or (held.startswith("*7") and self._may_consult):
            return self._disposition(held) if held[1] == "8" else self._consult(held)
        if held == "*2":
            return [ForceHangUp()] if self._may_force else []
        if held in tuple(InConsult) and self._consulting():
            return [InConsult(held)]
        return self._pass_on(held)

    def _pass_on(self, held: str) -> list[Action]:
        """No code: a star that comes last may begin one."""
        if held.endswith("*") and len(held) > 1:
            self._held = "*"
            return [PassOn(held[:-1])]
        return [PassOn(held)]

    def _consult(self, held: str) -> list[Action]:
        if held.endswith("#"):
            digits = held[2:-1]
            return [ConsultWith(digits)] if 0 < len(digits) <= LONGEST_NUMBER else []
        self._held = "*" if held.endswith("*") else held[: LONGEST_NUMBER + 3]
        return []

    def _disposition(self, held: str) -> list[Action]:
        if held.endswith("#"):
            code = held[2:-1]
            return [Dispose(code)] if 0 < len(code) <= LONGEST_CODE else []
        self._held = "*" if held.endswith("*") else held[: LONGEST_CODE + 3]  # a star: he begins again
        return []

    def expire(self) -> list[Action]:
        """The code was not finished in time: a lone star is a key like others."""
        held, self._held = self._held, ""
        return [PassOn(held)] if held == "*" else []


@asynccontextmanager
async def obeyed_keys(
    agent: Channel,
    obey: Callable[[Action], Awaitable[None]],
    *,
    may_force: bool,
    consulting: Callable[[], bool] | None = None,
) -> AsyncIterator[None]:
    """While the block lasts, what the agent keys is obeyed, one action after the other.

    What he keyed before its end is obeyed to its end, and no task runs while he keys nothing.
    """
    desk = _Desk(KeyReader(may_force=may_force, consulting=consulting), obey)
    with agent.on_keys(desk.key):
        try:
            yield
        finally:
            if desk.close():
                await finish(desk.done())


class _Desk:
    """Takes keys as they come, and obeys what they mean."""

    def __init__(self, reader: KeyReader, obey: Callable[[Action], Awaitable[None]]) -> None:
        self._reader, self._obey = reader, obey
        self._actions: deque[Action] = deque()
        self._patience: asyncio.TimerHandle | None = None
        self._worker: asyncio.Task[None] | None = None

    def key(self, digit: Digit | None) -> None:
        """A key; None: no more will come."""
        if digit is None:
            return
        self._stop_waiting()
        self._take(self._reader.key(digit.digit))
        if (seconds := self._reader.patience) is not None:
            self._patience = asyncio.get_running_loop().call_later(seconds, self._expire)

    def _expire(self) -> None:
        self._take(self._reader.expire())

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _take(self, actions: list[Action]) -> None:
        self._actions.extend(actions)
        if self._actions and (self._worker is None or self._worker.done()):
            self._worker = asyncio.create_task(self._work(), name="keys of an agent")

    async def _work(self) -> None:
        while self._actions:
            action = self._actions.popleft()
            try:
                await self._obey(action)
            except Exception:
                log.exception("what an agent keyed could not be done", action="keys", keyed=repr(action))

    def close(self) -> bool:
        """Take no more; whether something is still being done."""
        self._stop_waiting()
        return self._worker is not None and not self._worker.done()

    async def done(self) -> None:
        """Wait until all is done."""
        if self._worker is not None:
            await asyncio.wait([self._worker])


async def pass_on(customer: Channel, keys: str) -> None:
    """Send keys to the customer; a customer who has gone needs none."""
    try:
        await customer.send_dtmf(keys)
    except AriError:
        return
