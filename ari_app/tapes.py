"""The recordings of all talks that go on: begun and ended with them, paused by their calls, and the disk watched."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from ari_app.channel import Channel
from ari_app.client import AriClient
from ari_app.errors import AriError, Refused
from ari_app.line import part
from ari_app.recording import ARGUMENT, TAPES, Tape, TapeOrder, ToRecord, is_seen
from ari_app.snapshot import Snapshot
from contact_center.clock import Clock
from contact_center.settings import Asterisk
from contact_center.store.fact import Fact
from contact_center.store.recording_facts import DiskNoted, RecordingNoted

DISK_SECONDS = 10.0  # how often the disk is looked at, and what is not wanted is deleted
CLAIM_SECONDS = 30.0  # what an earlier process recorded, and no talk of ours claims by then, ends
TROUBLE_SECONDS = 600.0  # so long health shows a talk that was not recorded
SPEECH_SECONDS, SPEECH_LOOK_SECONDS = 5.0, 0.25  # how long an announcement may take to be spoken into a file

log = structlog.get_logger(__name__)

Media = Callable[[str, str, str], tuple[str, ...]]
"""The sounds of a message that are ready to be played, by its word, text and language."""


class Tapes:
    """``post`` takes what is to be remembered and told; ``media`` gives an announcement's sounds."""

    def __init__(
        self, ari: AriClient, settings: Asterisk, clock: Clock, post: Callable[[Fact], object], media: Media
    ) -> None:
        self._ari, self._settings, self._clock, self._post, self._media = ari, settings, clock, post, media
        self._live: dict[str, Tape] = {}
        self._found: dict[str, tuple[Channel, float]] = {}
        self._folder = Path(settings.recordings) if settings.recordings else None
        self._is_used, self._disk = False, ""
        self._unwanted: set[str] = set()
        self._failed: tuple[float, str] = (float("-inf"), "")

    # -- for calls ------------------------------------------------------------------------------------

    def prepare(self, rules: ToRecord, language: str) -> None:
        """Have the announcement spoken before it is needed."""
        if rules.record and rules.record_announcement:
            self._media("record_announcement", rules.record_announcement, language)

    async def announcement(self, text: str, language: str) -> tuple[str, ...]:
        """Its sounds; nothing where they are not there in time."""
        for _ in range(int(SPEECH_SECONDS / SPEECH_LOOK_SECONDS)):
            if media := self._media("record_announcement", text, language):
                return media
            await asyncio.sleep(SPEECH_LOOK_SECONDS)
        return ()

    @contextmanager
    def recording(self, order: TapeOrder) -> Iterator[None]:
        """While the block lasts, the talk is recorded; nothing in it waits for that."""
        self._is_used = True
        found, _ = self._found.pop(order.call_id, (None, 0.0))
        tape = self._live[order.call_id] = Tape(self._ari, order, self._folder, self, found)
        running = self._ari.spawn(tape.run(), f"record {order.call_id}")
        try:
            yield
        finally:
            running.cancel()
            if self._live.get(order.call_id) is tape:
                del self._live[order.call_id]

    async def pause(self, call_id: str, *, on: bool) -> None:
        """Pause the recording of a call's talk, or go on with it."""
        tape = self._live.get(call_id)
        if tape is None:
            log.warning("nothing to pause", action="record", call_id=call_id)
        else:
            await tape.pause(on=on)

    def note(self, tape: Tape, what: str, reason: str = "") -> None:
        """Remember and tell what becomes of a recording."""
        if what == "alarm":
            self._failed = (self._clock.monotonic(), f"{tape.call_id}: {reason}")
        now = self._clock.now()
        self._post(RecordingNoted(call_id=tape.call_id, recording=tape.file, what=what, at=now, reason=reason))

    # -- after a crash --------------------------------------------------------------------------------

    def take_over(self, snapshot: Snapshot) -> None:
        """Keep the channels with which an earlier process recorded, until their talks claim them."""
        ours = {tape.snoop.id for tape in self._live.values()}
        for info in snapshot.channels.values():
            if info.id.startswith(TAPES) and info.id not in ours and info.app_args[:1] == (ARGUMENT,):
                self._found[info.app_args[1]] = self._ari.adopt(info), self._clock.monotonic()

    async def _drop_unclaimed(self) -> None:
        now = self._clock.monotonic()
        for call_id, (channel, since) in list(self._found.items()):
            if now - since >= CLAIM_SECONDS:
                del self._found[call_id]
                await channel.hang_up()

    def forget(self, call_id: str) -> None:
        """Delete the recording of a call that is over, as soon as Asterisk can be asked."""
        self._unwanted.add(call_id)

    async def _delete_unwanted(self) -> None:
        for call_id in tuple(self._unwanted):
            try:
                await self._ari.request("DELETE", f"recordings/stored/{part(call_id)}")
            except Refused as refused:
                if refused.status != 404:
                    log.error("a recording was not deleted", action="record", call_id=call_id, reason=str(refused))
            except AriError:
                return  # later
            self._unwanted.discard(call_id)

    # -- the disk -------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Watch the disk. Runs until cancelled."""
        while True:
            await asyncio.sleep(DISK_SECONDS)
            await self._drop_unclaimed()
            await self._delete_unwanted()
            if self._is_used and self._folder is not None:
                await self.look()

    async def look(self) -> None:
        """One look at the disk; an alarm when it becomes too full, or cannot be seen."""
        reason = await asyncio.to_thread(self._trouble)
        if bool(reason) != bool(self._disk):
            (log.error if reason else log.info)("disk of recordings", action="record", reason=reason or "there is room")
            self._post(DiskNoted(folder=str(self._folder), reason=reason, at=self._clock.now()))
        self._disk = reason

    def _trouble(self) -> str:
        assert self._folder is not None
        if not is_seen(self._folder):
            return f"{self._folder} cannot be seen from here, so nobody watches whether recordings grow"
        free = shutil.disk_usage(self._folder).free // 1_000_000
        limit = self._settings.recordings_free_mb
        return f"{free} MB are free in {self._folder}, less than {limit}" if free < limit else ""

    def health(self) -> tuple[bool, str]:
        """Whether talks are recorded as they should be, and why not."""
        at, reason = self._failed
        failed = [f"{tape.call_id}: {tape.trouble}" for tape in self._live.values() if tape.trouble]
        if not failed and self._clock.monotonic() - at < TROUBLE_SECONDS:
            failed = [reason]
        told = [self._disk] if self._disk else []
        return not (told or failed), "; ".join(told + failed) or f"{len(self._live)} talks are recorded"
