"""Whose number an agent's phone and screen must not show: that of a lead whose campaign hides them, however he came.

It is looked up when a caller arrives or a callback is about to be made, and asked of memory when a phone is rung.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Protocol, TypeVar

import structlog
from sqlalchemy.orm import Session

from contact_center.errors import CallwrightError
from contact_center.http.api.masking import Hidden

KNOWN_SECONDS = 0.3
"""So long the ring of a first agent waits at most; then the number stays hidden."""
KEPT = 5000
"""Numbers of which is remembered whether they are hidden; each arrival looks anew."""

T = TypeVar("T")

log = structlog.get_logger(__name__)


class Read(Protocol):
    """How the store is read: Writer.read."""

    async def __call__(self, fn: Callable[[Session], T], within: float = 2.0) -> T:
        """What ``fn`` finds in a read transaction."""
        ...


class HiddenNumbers:
    """What was looked up. A number not known yet counts as hidden, unless it is known that no campaign hides any.

    ``_some``: whether any does, None before the first look. As long as none does nothing is asked: `campaigns_changed`
    tells when to ask anew.
    """

    def __init__(self, read: Read, spawn: Callable[[Coroutine[Any, Any, Any], str], object]) -> None:
        self._read, self._spawn = read, spawn
        self._known: dict[str, bool] = {}
        self._some: bool | None = None
        self._looks: dict[str, asyncio.Event] = {}
        self._changes = 0
        self._looked_at = -1  # how many changes there had been when it was asked what `_some` is

    def campaigns_changed(self) -> None:
        """A supervisor changed a campaign: the next caller is looked up, whatever was known of the campaigns."""
        self._changes += 1

    @property
    def _none_hides(self) -> bool:
        """Whether it is known that no campaign hides its numbers."""
        return self._some is False and self._looked_at == self._changes

    def look_up(self, number: str) -> None:
        """A call of this number has come, or will be made; nobody waits for the answer but `known`."""
        if number not in self._looks and not self._none_hides:
            self._looks[number] = asyncio.Event()
            self._spawn(self._look_once(number), "hidden number")

    async def _look_once(self, number: str) -> None:
        try:
            await self.look(number)
        finally:
            self._looks.pop(number).set()

    async def known(self, number: str) -> None:
        """Wait for the look at a number that is new, where campaigns hide some; KNOWN_SECONDS at most."""
        if not self._none_hides and number not in self._known:
            self.look_up(number)  # a campaign's customer, or an earlier process's caller, was not looked up before
            looked = self._looks[number]
            with suppress(TimeoutError):
                async with asyncio.timeout(KNOWN_SECONDS):
                    await looked.wait()

    def hides(self, number: str) -> bool:
        """Whether agents must not see it."""
        return self._known.get(number, self._some is not False)

    async def look(self, number: str) -> None:
        """Ask the store now. Where it cannot be asked, what was known of the number stands."""
        changes = self._changes
        try:
            some, is_hidden = await self._read(lambda session: _of(session, number))
        except CallwrightError as error:
            log.warning("not known whether a number is hidden", action="hidden", reason=str(error))
            return
        self._some, self._looked_at = some, changes
        if not some:
            self._known.clear()
            return
        self._known.pop(number, None)
        self._known[number] = is_hidden
        while len(self._known) > KEPT:
            del self._known[next(iter(self._known))]


def _of(session: Session, number: str) -> tuple[bool, bool]:
    """Whether any campaign hides numbers, and whether this is one of them."""
    hidden = Hidden.of(session)
    return bool(hidden.campaigns), hidden.one({"number": number})["number"] != number
