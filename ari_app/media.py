"""Sounds being played, recordings being made, and keys being pressed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import structlog

from ari_app.errors import AriDown, HungUp, Refused, Uncertain
from ari_app.events import RecordingEvent
from ari_app.line import Line, part
from ari_app.moment import Moment

if TYPE_CHECKING:
    from ari_app.channel import Channel

FAILED_SECONDS = 0.5
"""A failed sound is counted so long afterwards, unless its channel turned out to be ending."""
STOP_SECONDS = 0.25
"""A sound told to stop has ended after so long, or is told again."""
MOST_STOPS = 4
BEGIN_WAIT_SECONDS = (0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32)
"""Waits between tries to pause a recording that Asterisk was told to make and has not begun."""
KEYS_KEPT = 64
"""Keys a listener that does not read keeps; more are dropped."""

log = structlog.get_logger(__name__)


SCHEMES = frozenset(("sound", "recording", "number", "digits", "characters", "tone"))
"""What Asterisk can play; of any other it says that it started, and then nothing more for ever."""


class Playback:
    """One or more sounds, one after the other, on a channel or in a bridge."""

    def __init__(self, line: Line, playback_id: str, media: tuple[str, ...], owner: Channel | None = None) -> None:
        self.id, self.media, self._owner = playback_id, media, owner
        self.begun: Moment[str] = Moment()
        self.started: Moment[datetime] = Moment()
        self.finished: Moment[str] = Moment()
        self._line = line
        line.playbacks[playback_id] = self
        if any(sound.partition(":")[0] not in SCHEMES for sound in media):
            self.finish("failed")

    @property
    def failed(self) -> bool:
        """Whether it ended because a sound is missing or unreadable."""
        return self.finished.happened and self.finished.value == "failed"

    def on_state(self, state: str) -> None:
        """Asterisk says "playing", "done" or "failed"."""
        now = self._line.now()
        self.begun.happen(state, now)
        if state in ("done", "failed"):
            self.finish(state)
        else:
            self.started.happen(now, now)

    def finish(self, state: str) -> None:
        """It is over: "done", "failed", or "gone" with what it was played to."""
        now = self._line.now()
        if not self.finished.happen(state, now):
            return
        self.begun.happen(state, now)
        self._line.playbacks.pop(self.id, None)
        if state == "failed":
            # A hang-up makes Asterisk say "failed" too, just before it says that the channel ends.
            asyncio.get_running_loop().call_later(FAILED_SECONDS, self._count_failure)

    def _count_failure(self) -> None:
        if self._owner is None or not self._owner.gone.happened:
            self._line.counters.sounds_failed += 1
            log.warning("a sound could not be played", action="play", media=self.media)

    async def done(self) -> str:
        """Wait for its end: "done", "failed" or "gone"."""
        return await self.finished

    async def stop(self) -> None:
        """Stop it now; harmless when it is over."""
        if self.finished.happened:
            return
        try:
            await self._line.request("DELETE", f"playbacks/{part(self.id)}")
        except Refused:
            self.finish("done")
        except (AriDown, Uncertain) as error:
            log.warning("a sound could not be stopped", playback=self.id, error=str(error))

    async def stop_for_sure(self) -> None:
        """Stop it and see it end. Asterisk loses a stop that reaches it just before the first frame is played."""
        for _ in range(MOST_STOPS):
            await self.stop()
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await self.finished
                return
            except TimeoutError:
                log.info("a sound goes on after its stop", playback=self.id)


class Recording:
    """A recording being made; `name` is the file's, below Asterisk's recording folder."""

    def __init__(self, line: Line, name: str) -> None:
        self.name = name
        self.finished: Moment[RecordingEvent] = Moment()
        self._line = line
        line.recordings[name] = self

    def on_event(self, event: RecordingEvent) -> None:
        """Asterisk says it started, finished or failed."""
        if event.type != "RecordingStarted":
            self.finish(event)

    def finish(self, event: RecordingEvent) -> None:
        """It is over."""
        self.finished.happen(event, self._line.now())
        if self._line.recordings.get(self.name) is self:
            del self._line.recordings[self.name]

    async def pause(self, *, on: bool) -> None:
        """Leave out what is said from now on, or go on; until Asterisk has begun to record it says 409."""
        path = f"recordings/live/{part(self.name)}/pause"
        for wait in (*BEGIN_WAIT_SECONDS, None):
            try:
                await self._line.request("POST" if on else "DELETE", path)
                return
            except Refused as refused:
                if refused.status != 409 or wait is None:
                    raise
            await asyncio.sleep(wait)

    async def stop(self) -> None:
        """Stop it and keep the file; harmless when it is over."""
        if self.finished.happened:
            return
        try:
            await self._line.request("POST", f"recordings/live/{part(self.name)}/stop")
        except Refused:
            self.finish(RecordingEvent("RecordingFinished", "", self.name))


@dataclass(frozen=True, slots=True)
class Digit:
    """A key as it was released."""

    digit: str
    at: datetime
    duration_ms: int = 0


class Keys:
    """The keys of one channel since this listener began; each listener gets its own copy."""

    def __init__(self, channel: Channel) -> None:
        self._queue: asyncio.Queue[Digit | None] = asyncio.Queue()
        self._channel = channel
        self.dropped = 0

    def put(self, digit: Digit | None) -> None:
        """Add a key; None: no more will come."""
        if digit is not None and self._queue.qsize() >= KEYS_KEPT:
            self.dropped += 1
            return
        self._queue.put_nowait(digit)

    async def next(self) -> Digit:
        """The next key; HungUp once the channel has gone and all keys were read."""
        digit = await self._queue.get()
        if digit is None:
            self._queue.put_nowait(None)
            raise HungUp(self._channel)
        return digit

    @property
    def waiting(self) -> bool:
        """Whether a key waits to be read."""
        return not self._queue.empty()

    def clear(self) -> None:
        """Forget what was keyed so far."""
        while not self._queue.empty():
            if self._queue.get_nowait() is None:
                self._queue.put_nowait(None)
                return

    def __aiter__(self) -> Keys:
        return self

    async def __anext__(self) -> Digit:
        try:
            return await self.next()
        except HungUp:
            raise StopAsyncIteration from None
