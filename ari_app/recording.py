"""A talk recorded: both sides in one file, made by Asterisk from a channel that snoops on the customer's.

What the customer says and hears is in it, whoever talks to him: nothing while he is on hold, and never what a
supervisor whispers. Nothing here is waited for by the call, and none of its troubles reach it.
"""

from __future__ import annotations

import asyncio
import os
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
        self._has_begun = False
        self._stirred, self._has_moved, self._is_in = asyncio.Event(), False, True

    async def run(self) -> None:
        """Announce it, record until cancelled or the customer leaves, and see to it that it grows."""
        customer = self._order.customer
        customer.on_bridged.append(self._on_moved)
        try:
            await self._begin()
            while self._recording is not None and await self._watch(self._recording):
                await self._rest()
        except HungUp as hangup:
            if hangup.channel is not customer:
                self.alarm("the channel that records has gone")
        except (AriError, TimeoutError) as error:
            self.alarm(f"it could not be made: {error or 'Asterisk is too slow'}")
        finally:
            customer.on_bridged.remove(self._on_moved)
            await finish(self._end(self._recording))

    async def pause(self, *, on: bool) -> None:
        """Nothing is recorded until the pause is over; what is said meanwhile is left out of the file."""
        if on == self.paused:
            return
        self.paused, recording = on, self._recording
        if recording is not None:
            try:
                await recording.pause(on=on)
            except AriError as error:
                if recording is self._recording:
                    self.paused = not on
                    self.alarm(f"it could not be {'paused' if on else 'resumed'}: {error}")
                    return
        if self._has_begun:  # else it will begin so; and so will the next one where he is on hold
            self._told.note(self, "paused" if on else "resumed")

    def alarm(self, reason: str) -> None:
        """Tell everybody that this talk is not recorded as it should be."""
        self.trouble = reason
        log.error("a talk is not recorded", action="record", call_id=self.call_id, reason=reason)
        self._told.note(self, "alarm", reason)

    # -- how it begins and ends -----------------------------------------------------------------------

    async def _begin(self) -> None:
        if self._found is not None and (state := await self._state("live")) in ("queued", "recording", "paused"):
            self._recording, self.paused = Recording(self._ari, self.name), state == "paused"
            self._has_begun = True
            self._recording.finished.add_done_callback(lambda _: self._stirred.set())
            self._told.note(self, "adopted")
            return
        was_cut = self._order.adopted and bool(await self._state("stored"))
        if not was_cut and self._order.announce is not None and not await self._order.announce():
            self.alarm("its announcement could not be played")
            return
        if self._found is not None:  # it snoops, and records nothing
            await self._found.hang_up()
        await self._record()
        self._told.note(self, "cut" if was_cut else "began")

    async def _record(self) -> None:
        self.snoop = self._ari.channel(f"{TAPES}{self.call_id}-{uuid4().hex[:6]}")
        snoop = await self._order.customer.snoop(self.snoop.id, spy="both", app_args=(ARGUMENT, self.call_id))
        async with asyncio.timeout(ENTER_SECONDS):
            await snoop.entered
        self._recording = await snoop.record(self.name, query={"ifExists": "append"})
        self._recording.finished.add_done_callback(lambda _: self._stirred.set())
        self._has_begun = True
        if self.paused:
            await self._recording.pause(on=True)

    async def _end(self, recording: Recording | None) -> None:
        try:
            if recording is not None:
                await recording.stop()
        finally:
            await self.snoop.hang_up()

    async def _rest(self) -> None:
        """While he is on hold; and then with a new channel: one that was there before may have lost a side."""
        recording, self._recording = self._recording, None
        await self._end(recording)
        if recording is not None:
            async with asyncio.timeout(END_SECONDS):
                await recording.finished
        while not self._is_in:
            await self._stirred.wait()
            self._stirred.clear()
        self._has_moved = False
        await self._record()

    def _on_moved(self, is_in: bool) -> None:
        self._has_moved, self._is_in = True, is_in
        self._stirred.set()

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

    async def _watch(self, recording: Recording) -> bool:
        """Until he is put on hold or joined to somebody else (True), or it ends by itself; its growth is watched."""
        size, grew_at, loop = -1, asyncio.get_running_loop().time(), asyncio.get_running_loop()
        while not (self._has_moved or recording.finished.happened):
            self._stirred.clear()
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._stirred.wait()
            except TimeoutError:
                now = await asyncio.to_thread(_size, self._path) if self._path is not None else None
                if now is None or now > size or self.paused:
                    size, grew_at, self.trouble = size if now is None else now, loop.time(), ""
                elif not self.trouble and loop.time() - grew_at >= STILL_SECONDS:
                    self.alarm(f"its file stands still at {now} bytes" if now >= 0 else "its file is not there")
        if self._has_moved:
            return True
        await self._order.customer.gone_within(END_SECONDS)
        if not self._order.customer.gone.happened:
            self.alarm(f"Asterisk ended it: {recording.finished.value.cause or 'no reason given'}")
        return False


def is_seen(folder: Path) -> bool:
    """Whether a folder can be looked into from here. It may take long: not to be asked on the loop."""
    try:
        return folder.is_dir() and os.access(folder, os.X_OK)
    except OSError:  # a folder above it is closed to us
        return False


def _size(path: Path) -> int | None:
    """Bytes of a file; -1 where it is not there, None where its folder cannot be seen from here."""
    try:
        return path.stat().st_size
    except OSError:
        return -1 if is_seen(path.parent) else None
