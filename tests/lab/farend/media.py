"""The audio of all calls: one ticker sends and receives for every stream.

Sockets are not given to the event loop one by one; every 5 ms one epoll call tells which have packets, and
the kernel's receive time stamps say when they really came. A stream sends every 20 ms, on one of four phases.
"""

from __future__ import annotations

import asyncio
import select
import socket
import struct
from collections.abc import Callable
from enum import StrEnum

from tests.lab.farend import rtp
from tests.lab.farend.clock import Clock
from tests.lab.farend.hearing import Ear
from tests.lab.farend.tones import FRAME, Pairs, Sound, classify

PHASES = 4
PACKET_SECONDS = 0.02
STEP_SECONDS = PACKET_SECONDS / PHASES
SO_TIMESTAMPNS = 35
STAMP = struct.Struct("@qq")
KNOWN_SOUNDS = 20_000
FIRST_PORT, LAST_PORT = 16_384, 59_998


class Sending(StrEnum):
    """How much a stream sends: always, the first second after each change, or only when told."""

    FULL = "full"
    BURST = "burst"
    OFF = "off"


def stamped(ancillary: list[tuple[int, int, bytes]], clock: Clock) -> float:
    """The arrival time (epoch seconds) out of recvmsg's ancillary data; now when there is none."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(data) >= STAMP.size:
            seconds, nanoseconds = STAMP.unpack_from(data)
            return clock.from_kernel(seconds + nanoseconds * 1e-9)
    return clock.now()


class Stream:
    """The audio of one call: a socket of its own, what it sends, what it hears and the digits it gets."""

    def __init__(self, sock: socket.socket, address: tuple[str, int], ear: Ear | None, burst_seconds: float) -> None:
        self.sock, self.address, self.ear = sock, address, ear
        self.remote: tuple[str, int] | None = None
        self.sender: rtp.Sender | None = None
        self.codec, self.payload_type = "PCMU", 0
        self.event_type: int | None = 101
        self.phase = 0
        self.received = self.lost = 0
        self.first_packet_at: float | None = None
        self.dtmf: list[tuple[str, float, float]] = []
        self.on_digit: Callable[[str], None] | None = None
        self.on_heard: Callable[[], None] | None = None
        self.burst = round(burst_seconds / PACKET_SECONDS)
        self.to_send = float("inf")  # packets; by the clock a far end that stood still would have sent none
        self._event_timestamp: int | None = None
        self._sequence: int | None = None

    def take(self, data: bytes, at: float) -> tuple[bytes, float] | None:
        """Count a datagram that came at `at`; audio to be listened to is given back with its time."""
        packet = rtp.parse(data)
        if packet is None:
            return None
        self._count(packet.sequence, at)
        if packet.payload_type == self.event_type:
            self._event(packet, at)
            if self.ear is not None:
                self.ear.keep(at)
        elif packet.payload_type == self.payload_type and self.ear is not None and len(packet.payload) >= FRAME:
            return packet.payload[:FRAME], at
        return None

    def _count(self, sequence: int, at: float) -> None:
        if self.first_packet_at is None:
            self.first_packet_at = at
        self.received += 1
        if self._sequence is not None:
            ahead = (sequence - self._sequence) & 0xFFFF
            if 0 < ahead < 100:
                self.lost += ahead - 1
            elif ahead > 0xFF00 and self.lost:
                self.lost -= 1  # it came late, not lost after all
                return
        self._sequence = sequence

    def _event(self, packet: rtp.Packet, at: float) -> None:
        event = rtp.parse_event(packet.payload)
        if event is None:
            return
        if packet.timestamp != self._event_timestamp:
            self._event_timestamp = packet.timestamp
            self.dtmf.append((event.digit, at, event.duration_seconds))
            if self.on_digit is not None:
                self.on_digit(event.digit)
        elif self.dtmf:
            digit, began, so_far = self.dtmf[-1]
            self.dtmf[-1] = digit, began, max(so_far, event.duration_seconds)

    def hear(self, at: float, sound: Sound) -> None:
        """What a frame turned out to hold."""
        if self.ear is not None and self.ear.feed(at, sound):
            if self.to_send != float("inf"):
                self.to_send = self.burst
            if self.on_heard is not None:
                self.on_heard()


class Media:
    """Owner of all streams, their ports and the ticker. Runs only while there are streams."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.pairs = clock, Pairs()
        self.late_seconds = 0.0
        self._epoll: select.epoll | None = None
        self._streams: dict[int, Stream] = {}
        self._senders: list[dict[int, Stream]] = [{} for _ in range(PHASES)]
        self._sounds: dict[str, dict[bytes, Sound]] = {"PCMU": {}, "PCMA": {}}
        self._port = FIRST_PORT
        self._phase = 0
        self._next = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def open(self, host: str, *, listen: bool = True, burst_seconds: float = 1.0) -> Stream:
        """A stream on a free even port of `host`; OSError when none is left."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        port = self._bind(sock, host)
        ear = Ear(self.pairs, self.clock.now()) if listen else None
        stream = Stream(sock, (host, port), ear, burst_seconds)
        if self._epoll is None:
            self._epoll = select.epoll()
        self._streams[sock.fileno()] = stream
        self._epoll.register(sock.fileno(), select.EPOLLIN)
        self._run()
        return stream

    def _bind(self, sock: socket.socket, host: str) -> int:
        for _ in range((LAST_PORT - FIRST_PORT) // 2):
            port, self._port = self._port, self._port + 2 if self._port < LAST_PORT else FIRST_PORT
            try:
                sock.bind((host, port))
            except OSError:
                continue
            return port
        sock.close()
        raise OSError(f"no RTP port is free on {host}")

    def start_sending(self, stream: Stream, sender: rtp.Sender, sending: Sending) -> None:
        """Send from now on: the first packet at once, the next ones every 20 ms."""
        self.stop_sending(stream)
        stream.sender = sender
        stream.to_send = {Sending.FULL: float("inf"), Sending.BURST: stream.burst, Sending.OFF: 0.0}[sending]
        stream.phase = self._phase
        self._senders[self._phase][stream.sock.fileno()] = stream
        self._send(stream)

    def stop_sending(self, stream: Stream) -> None:
        """Send nothing more; listening goes on."""
        self._senders[stream.phase].pop(stream.sock.fileno(), None)

    def close(self, stream: Stream) -> None:
        """Take in what has arrived, then give the port back."""
        number = stream.sock.fileno()
        if number < 0:
            return
        self._receive()
        self.stop_sending(stream)
        if self._epoll is not None:
            self._epoll.unregister(number)
        del self._streams[number]
        stream.sock.close()

    def stop(self) -> None:
        """Close every stream and the ticker."""
        for stream in list(self._streams.values()):
            self.close(stream)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._epoll is not None:
            self._epoll.close()
            self._epoll = None

    def _run(self) -> None:
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._next = loop.time() + STEP_SECONDS
            self._timer = loop.call_at(self._next, self._tick)

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        self._receive()
        now = loop.time()
        self.late_seconds = max(self.late_seconds, now - self._next)
        if now - self._next > 0.2:
            self._next = now  # too late to catch up without a burst
        while self._next <= now:
            self._phase = (self._phase + 1) % PHASES
            for stream in list(self._senders[self._phase].values()):
                self._send(stream)
            self._next += STEP_SECONDS
        if self._streams:
            self._timer = loop.call_at(self._next, self._tick)

    def _send(self, stream: Stream) -> None:
        sender = stream.sender
        if sender is None or stream.remote is None or (stream.to_send <= 0 and not sender.busy):
            return
        packet = sender.packet()
        if packet is not None:
            stream.to_send -= 1
            try:
                stream.sock.sendto(packet, stream.remote)
            except OSError:
                sender.sent -= 1  # the port over there is closed or the buffer full: as lost as on a wire

    def _receive(self) -> None:
        if self._epoll is None or not self._streams:
            return
        waiting: list[tuple[Stream, bytes, float]] = []
        while ready := self._epoll.poll(0, 1024):
            for number, _ in ready:
                stream = self._streams[number]
                try:
                    data, ancillary, _, _ = stream.sock.recvmsg(2048, 64)
                except OSError:
                    continue  # an ICMP error taken off the socket; there is no packet
                heard = stream.take(data, stamped(ancillary, self.clock))
                if heard is not None and (waiting or not self._known(stream, *heard)):
                    waiting.append((stream, *heard))  # from the first new sound on all wait, so order stays
        if waiting:
            self._listen(waiting)

    def _known(self, stream: Stream, payload: bytes, at: float) -> bool:
        sound = self._sounds[stream.codec].get(payload)
        if sound is None:
            return False
        stream.hear(at, sound)
        return True

    def _listen(self, waiting: list[tuple[Stream, bytes, float]]) -> None:
        for codec, known in self._sounds.items():
            if len(known) > KNOWN_SOUNDS:
                known.clear()
            new = {payload for stream, payload, _ in waiting if stream.codec == codec and payload not in known}
            if new:
                known.update(zip(new, classify(list(new), codec), strict=True))
        for stream, payload, at in waiting:
            sound = self._sounds[stream.codec].get(payload)
            if sound is not None:
                stream.hear(at, sound)
