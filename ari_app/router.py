"""From frames to handles: who gets which event. Called by the reader, so nothing here waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from ari_app.channel import Channel
from ari_app.counters import Counters
from ari_app.events import (
    ChannelInfo,
    ChannelUserevent,
    Event,
    Malformed,
    PlaybackEvent,
    RecordingEvent,
    StasisStart,
    decode,
)
from ari_app.media import Playback, Recording

ARRIVALS_KEPT = 1000
"""Channels that entered while nobody read ``arrivals()``; beyond it they are dropped and counted."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A channel that entered our application and that nobody had staged."""

    channel: Channel
    args: tuple[str, ...]
    at: datetime
    info: ChannelInfo


class Router:
    """Handles by id, and what to do with events that have none."""

    def __init__(self, *, counters: Counters, stage: Callable[[str], Channel], now: Callable[[], datetime]) -> None:
        self.channels: dict[str, Channel] = {}
        self.playbacks: dict[str, Playback] = {}
        self.recordings: dict[str, Recording] = {}
        self.arrivals: asyncio.Queue[Arrival] = asyncio.Queue(ARRIVALS_KEPT)
        self.on_user_event: Callable[[ChannelUserevent], None] = lambda _: None
        self.on_replaced: Callable[[], None] = lambda: None
        self.on_arrival: Callable[[Channel], object] = lambda _: None
        self._counters, self._stage, self._now = counters, stage, now

    def deliver(self, frame: bytes) -> None:
        """Take in one frame of the event socket; never raises."""
        self._counters.bytes_in += len(frame)
        try:
            event = decode(frame)
            if event is None:
                self._counters.dropped["unused"] += 1
                return
            self._counters.events[event.type] += 1
            self._route(event)
        except Malformed as error:
            self._counters.dropped["malformed"] += 1
            log.warning("a frame from Asterisk was dropped", why=str(error)[:200])
        except Exception:
            self._counters.dropped["crashed"] += 1
            log.exception("an event could not be handled", frame=frame[:2000])

    def _route(self, event: Event) -> None:
        match event:
            case PlaybackEvent():
                playback = self.playbacks.get(event.playback_id)
                if playback is not None:
                    playback.on_state(event.state)
            case RecordingEvent():
                recording = self.recordings.get(event.name)
                if recording is not None:
                    recording.on_event(event)
            case ChannelUserevent():
                self.on_user_event(event)
            case Event(type="ApplicationReplaced"):
                self.on_replaced()
            case _:
                self._to_channel(event)

    def _to_channel(self, event: Event) -> None:
        channel = self.channels.get(event.channel_id)
        if channel is not None:
            channel.on_event(event)
        elif isinstance(event, StasisStart) and event.channel is not None:
            self._arrived(event, event.channel)

    def _arrived(self, event: StasisStart, info: ChannelInfo) -> None:
        if self.arrivals.full():
            self._counters.dropped["arrival"] += 1
            log.error("a call entered and nobody takes it; reconcile", channel=event.channel_id)
            return
        channel = self._stage(event.channel_id)
        channel.on_event(event)
        self.arrivals.put_nowait(Arrival(channel, event.args, self._now(), info))
        self.on_arrival(channel)
