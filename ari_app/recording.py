"""A talk recorded: both sides in one file, made by Asterisk from a channel that snoops on the customer's.

What the customer says and hears is in it, whoever talks to him: not what his agent says to a colleague while he is on
hold, nor what a supervisor whispers. Nothing here is waited for by the call, and none of its troubles reach it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import structlog

from ari_app.channel import Channel
from ari_app.client import AriClient
from ari_app.errors import AriError, HungUp, Refused
from ari_app.line import part
from ari_app.media import Recording
from ari_app.scope import finish

ENTER_SECONDS = 2.0  # how long the snooping channel may take to be there
LOOK_SECONDS = 2.0  # how often it is looked whether the file grows
STILL_SECONDS = 6.0  # a file that has not grown for so long is not being written: Asterisk writes 2 s of sound at once
END_SECONDS = 1.0  # a recording ends a little before it is told that the customer has gone
TAPES = "cw-rec-"  # what the ids of these channels begin with
ARGUMENT = "rec"  # and their first argument; the second is the call

Announce = Callable[[], Awaitable[bool]]

log = structlog.get_logger(__name__)


class ToRecord(Protocol):
    """What a campaign or a queue says of recording; a DialOrder and QueueOptions are some."""

    @property
    def record(self) -> bool:
        """Whether its talks are recorded."""
        ...

    @property
    def record_announcement(self) -> str:
        """What is said before: words or the name of a sound; empty: nothing."""
        ...


class Told(Protocol):
    """Who is told what becomes of a recording."""

    def note(self, tape: Tape, what: str, reason: str = "") -> None:
        """``what``: began, adopted, cut, paused, resumed, or alarm with its reason."""
        ...


@dataclass(frozen=True, slots=True)
class TapeOrder:
    """One talk to be recorded. ``announce`` says what is to be said before, and whether it was heard; None: nothing.

    ``adopted``: an earlier process had begun this talk.
    """

    call_id: str
    customer: Channel
    announce: Announce | None = None
    adopted: bool = False


class Tape:
    """The recording of one talk; :meth:`run` is its life, ended by cancelling it. ``trouble``: why there is none."""

    def __init__(
        self, ari: AriClient, order: TapeOrder, folder: Path | None, told: Told, found: Channel | None
    ) -> None:
        self.call_id, self.name, self.file = order.call_id, order.call_id, f"{order.call_id}.wav"
        self.paused, self.trouble = False, ""
        self._ari, self._order, self._told = ari, order, told
        self._path = folder / self.file if folder is not None else None
        self._found = found
        self.snoop = found or ari.channel(f"{TAPES}{order.call_id}-{uuid4().hex[:6]}")
        self._recording: Recording | None = None

    async def run(self) -> None:
        """Announce it, record until cancelled or the customer leaves, and see to it that it grows."""
        try:
            await self._begin()
            if self._recording is not None:
                await self._watch(self._recording)
        except HungUp as hangup:
            if hangup.channel is not self._order.customer:
                self.alarm("the channel that records has gone")
        except (AriError, TimeoutError) as error:
            self.alarm(f"it could not be made: {error or 'Asterisk is too slow'}")
        finally:
            await finish(self._end())

    async def pause(self, *, on: bool) -> None:
        """Nothing is recorded until the pause is over; what is said meanwhile is left out of the file."""
        if on == self.paused:
            return
        self.paused = on
        if self._recording is None:
            return  # it has not begun, and will begin so
        try:
            await self._pause(on=on)
        except AriError as error:
            self.paused = not on
            self.alarm(f"it could not be {'paused' if on else 'resumed'}: {error}")
        else:
            self._told.note(self, "paused" if on else "resumed")

    def alarm(self, reason: str) -> None:
        """Tell everybody that this talk is not recorded as it should be."""
        self.trouble = reason
        log.error("a talk is not recorded", action="record", call_id=self.call_id, reason=reason)
        self._told.note(self, "alarm", reason)

    # -- how it begins and ends -----------------------------------------------------------------------

    async def _begin(self) -> None:
        if self._found is not None and (state := await self._state("live")) in ("recording", "paused"):
            self._recording, self.paused = Recording(self._ari, self.name), state == "paused"
            self._told.note(self, "adopted")
            return
        was_cut = self._order.adopted and bool(await self._state("stored"))
        if not was_cut and self._order.announce is not None and not await self._order.announce():
            self.alarm("its announcement could not be played")
            return
        if self._found is not None:  # it snoops, and records nothing
            await self._found.hang_up()
            self.snoop = self._ari.channel(f"{TAPES}{self.call_id}-{uuid4().hex[:6]}")
        snoop = await self._order.customer.snoop(self.snoop.id, spy="both", app_args=(ARGUMENT, self.call_id))
        async with asyncio.timeout(ENTER_SECONDS):
            await snoop.entered
        self._recording = await snoop.record(self.name, query={"ifExists": "append"})
        if self.paused:
            await self._pause(on=True)
        self._told.note(self, "cut" if was_cut else "began")

    async def _end(self) -> None:
        if self._recording is not None:
            await self._recording.stop()
        await self.snoop.hang_up()

    async def _pause(self, *, on: bool) -> None:
        await self._ari.request("POST" if on else "DELETE", f"recordings/live/{part(self.name)}/pause")

    async def _state(self, where: str) -> str:
        """How Asterisk's recording of this name is (``live``), or whether there is one (``stored``); else empty."""
        try:
            reply = await self._ari.request("GET", f"recordings/{where}/{part(self.name)}")
        except Refused as refused:
            if refused.status != 404:
                raise
            return ""
        return str((reply or {}).get("state") or where)

    # -- while it is made -----------------------------------------------------------------------------

    async def _watch(self, recording: Recording) -> None:
        """Until it is over: an alarm when it ends by itself, or its file stands still."""
        loop = asyncio.get_running_loop()
        size, grew_at = -1, loop.time()
        while not recording.finished.happened:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await recording.finished
            except TimeoutError:
                now = await asyncio.to_thread(_size, self._path) if self._path is not None else size + 1
                if now > size or self.paused:
                    size, grew_at, self.trouble = now, loop.time(), ""
                elif not self.trouble and loop.time() - grew_at >= STILL_SECONDS:
                    self.alarm(f"its file stands still at {now} bytes" if now >= 0 else "its file is not there")
        event = recording.finished.value
        await self._order.customer.gone_within(END_SECONDS)
        if not self._order.customer.gone.happened:
            self.alarm(f"Asterisk ended it: {event.cause or 'no reason given'}")


def _size(path: Path) -> int:
    """Bytes of a file; -1 where it cannot be seen from here."""
    try:
        return path.stat().st_size
    except OSError:
        return -1
