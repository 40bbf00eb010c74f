"""RTP packets (RFC 3550), telephone events (RFC 4733) and what a party sends every 20 ms."""

from __future__ import annotations

import random
import struct
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

DIGITS = "0123456789*#ABCD"
HEADER = struct.Struct("!BBHII")
FRAME_SAMPLES = 160
END_PACKETS = 3


@dataclass(frozen=True, slots=True)
class Packet:
    """What matters of a received RTP packet."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    payload: bytes


def parse(data: bytes) -> Packet | None:
    """Read a datagram as RTP; None when it is not (RTCP, STUN, noise)."""
    if len(data) < 12 or data[0] >> 6 != 2:
        return None
    flags, second, sequence, timestamp, _ = HEADER.unpack_from(data)
    if 64 <= second & 0x7F <= 95:  # RTCP on the same port (RFC 5761)
        return None
    start = 12 + 4 * (flags & 15)
    if flags & 16:
        if len(data) < start + 4:
            return None
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    end = len(data)
    if flags & 32:
        end -= data[-1]
    if end < start:
        return None
    return Packet(second & 0x7F, second > 127, sequence, timestamp, data[start:end])


@dataclass(frozen=True, slots=True)
class Event:
    """One telephone-event payload; `duration_seconds` so far."""

    digit: str
    end: bool
    duration_seconds: float


def parse_event(payload: bytes) -> Event | None:
    """Read a telephone-event payload; None when it is no DTMF digit."""
    if len(payload) < 4 or payload[0] >= len(DIGITS):
        return None
    return Event(DIGITS[payload[0]], bool(payload[1] & 128), int.from_bytes(payload[2:4], "big") / 8000)


class Sender:
    """Builds the packets of one stream: a constant frame, what is queued before it, and DTMF digits.

    `frame` None means that nothing is sent (other than the queue and digits).
    """

    def __init__(self, payload_type: int, event_type: int | None, frame: bytes | None) -> None:
        self.payload_type, self.event_type, self.frame = payload_type, event_type, frame
        self.sent = 0
        self.muted = False
        self._sequence = random.getrandbits(16)
        self._timestamp = random.getrandbits(32)
        self._ssrc = random.getrandbits(32)
        self._first = True
        self._queue: deque[bytes] = deque()
        self._events: deque[tuple[bytes, bool, bool]] = deque()
        self._event_started = 0

    @property
    def busy(self) -> bool:
        """Something queued is still to be sent."""
        return bool(self._queue or self._events)

    def play(self, frames: Iterable[bytes]) -> None:
        """Send these 20 ms frames before going on with `frame`."""
        self._queue.extend(frames)

    def stop_playing(self) -> None:
        """Forget what is queued."""
        self._queue.clear()

    def press(self, digit: str, seconds: float = 0.1, gap_seconds: float = 0.08) -> None:
        """Send one DTMF digit of `seconds` and a pause; ValueError for anything that is no digit."""
        if len(digit) != 1 or digit.upper() not in DIGITS:
            raise ValueError(f"{digit!r} is not a DTMF digit")
        code, steps = DIGITS.index(digit.upper()), max(2, round(seconds * 50))
        for step in range(1, steps + END_PACKETS):
            end = step >= steps
            body = struct.pack("!BBH", code, (128 if end else 0) | 10, min(step, steps) * FRAME_SAMPLES)
            self._events.append((body, step == 1, False))
        self._events.extend([(b"", False, True)] * max(1, round(gap_seconds * 50)))

    def packet(self) -> bytes | None:
        """The next 20 ms; None when nothing is sent in them."""
        self._timestamp = self._timestamp + FRAME_SAMPLES & 0xFFFFFFFF
        if self._events:
            body, begins, pause = self._events.popleft()
            if not pause:
                if begins:
                    self._event_started = self._timestamp
                return self._build(self.event_type or 101, body, self._event_started, begins)
        if self.muted:
            return None
        payload = self._queue.popleft() if self._queue else self.frame
        if payload is None:
            self._first = True
            return None
        first, self._first = self._first, False
        return self._build(self.payload_type, payload, self._timestamp, first)

    def _build(self, payload_type: int, payload: bytes, timestamp: int, marker: bool) -> bytes:
        self._sequence = self._sequence + 1 & 0xFFFF
        self.sent += 1
        second = payload_type | (128 if marker else 0)
        return HEADER.pack(128, second, self._sequence, timestamp, self._ssrc) + payload
