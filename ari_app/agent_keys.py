"""The keys of an agent who talks: codes for us, everything else for the customer.

His leg absorbs what he keys, so that the customer never hears a code, finished or not, allowed or not; digits
that are none are sent on.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ari_app.channel import Channel
from ari_app.errors import AriError

CODE_SECONDS = 3.0  # a star whose next key does not come within this time was meant for the customer
DISPOSITION_SECONDS = 6.0  # *8 whose next key does not come within this time is forgotten
LONGEST_CODE = 12  # keys between *8 and #


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


Action = PassOn | ForceHangUp | Dispose


class KeyReader:
    """Turns keys into actions. Pure: time is told by calling :meth:`expire`."""

    def __init__(self, *, may_force: bool) -> None:
        self._may_force, self._held = may_force, ""

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
        if held in ("*", "*8"):
            self._held = held
            return []
        if held.startswith("*8"):
            return self._disposition(held)
        if held == "*2":
            return [ForceHangUp()] if self._may_force else []
        if held.endswith("*") and len(held) > 1:
            self._held = "*"
            return [PassOn(held[:-1])]
        return [PassOn(held)]

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


async def read_keys(agent: Channel, reader: KeyReader, act: asyncio.Queue[Action | None]) -> None:
    """Put what the agent keys into ``act``, in order, until his channel goes."""
    with agent.listen_dtmf() as keys:
        while True:
            try:
                async with asyncio.timeout(reader.patience):
                    digit = await keys.next()
            except TimeoutError:
                actions = reader.expire()
            else:
                actions = reader.key(digit.digit)
            for action in actions:
                act.put_nowait(action)


async def pass_on(customer: Channel, keys: str) -> None:
    """Send keys to the customer; a customer who has gone needs none."""
    try:
        await customer.send_dtmf(keys)
    except AriError:
        return
