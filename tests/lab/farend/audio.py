"""The audio side of one call: SDP offer and answer, the stream, the party's tones and digits."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from tests.lab.farend import rtp, sdp, tones
from tests.lab.farend.hearing import NOTHING, Interval
from tests.lab.farend.media import Media, Sending, Stream


class Voice(StrEnum):
    """What a party sends once it talks."""

    TONES = "tones"  # its own pair
    SILENCE = "silence"  # packets of silence
    NONE = "none"  # no packets
    HELLO = "hello"  # a short word, 2 s of silence, then its tones
    MACHINE = "machine"  # a greeting, a beep, then silence
    RINGBACK = "ringback"  # early media


@dataclass(frozen=True, slots=True)
class AudioOptions:
    """How a party's calls carry audio. `codecs`: allowed ones; the other side's order decides."""

    codecs: tuple[str, ...] = ("PCMU", "PCMA")
    sending: Sending = Sending.FULL
    listen: bool = True
    burst_seconds: float = 1.0


class Audio:
    """Nothing is opened before the first offer or answer is written."""

    def __init__(self, media: Media, host: str, side: str, party: str, options: AudioOptions) -> None:
        self._media, self._host, self._side, self._party = media, host, side, party
        self.options = options
        self.stream: Stream | None = None
        self.remote: sdp.Sdp | None = None
        self.direction = "sendrecv"
        self.on_hold = False
        self.on_change: Callable[[], None] | None = None
        self.pair: tones.Pair | None = None
        self.dtmf_sent: list[tuple[str, float, float]] = []
        self._session_id = random.getrandbits(31)
        self._version = 0
        self._digits_end_at = 0.0
        self._closed: list[Interval] = []
        self._opened_at = 0.0

    def offer(self, direction: str = "sendrecv") -> bytes:
        """An offer of all allowed codecs (or the one in use)."""
        stream = self._open()
        self.direction = direction
        names = (stream.codec,) if self.remote is not None else self.options.codecs
        codecs = tuple((name, sdp.CODECS[name]) for name in names)
        return self._write(sdp.Sdp(*stream.address, codecs, stream.event_type, direction))

    def answer(self, body: bytes) -> bytes:
        """The answer to the offer in `body`; SdpError when there is nothing to agree on."""
        remote = sdp.parse(body)
        codec = sdp.choose(remote, self.options.codecs)
        stream = self._open()
        self._take(remote, codec)
        self.direction = sdp.MIRROR[remote.direction]
        others = sdp.Sdp(*stream.address, (codec,), remote.event_type, self.direction, remote.others, remote.audio_at)
        return self._write(others)

    def accept(self, body: bytes) -> None:
        """Take the answer to our own offer; SdpError when it does not fit."""
        remote = sdp.parse(body)
        self._take(remote, sdp.choose(remote, self.options.codecs))

    @property
    def agreed(self) -> bool:
        """Offer and answer have been exchanged."""
        return self.remote is not None

    @property
    def digits(self) -> str:
        """The DTMF digits received so far."""
        return "".join(digit for digit, _, _ in self.stream.dtmf) if self.stream else ""

    def heard(self, now: float) -> list[Interval]:
        """What has been heard up to `now`."""
        if self.stream is None or self.stream.ear is None:
            return list(self._closed)
        return self.stream.ear.until(now)

    def hears(self, now: float) -> frozenset[str]:
        """What is heard now."""
        told = self.heard(now)
        return told[-1].heard if told else frozenset({NOTHING})

    def speak(self, voice: Voice, greeting_seconds: float = 0.0) -> None:
        """Send `voice` from now on (nothing before offer and answer have been exchanged)."""
        stream = self.stream
        if stream is None or self.remote is None:
            return
        codec, silence = stream.codec, tones.silent_frame(stream.codec)
        frame: bytes | None = silence
        queue: list[bytes] = []
        if voice in (Voice.TONES, Voice.HELLO):
            frame = self._tones(codec)
        elif voice is Voice.RINGBACK:
            frame = tones.ringback_frame(codec)
        elif voice is Voice.NONE:
            frame = None
        if voice is Voice.HELLO:
            queue = [silence] * 15 + list(tones.speech_frames(greeting_seconds or 0.6, codec)) + [silence] * 100
        elif voice is Voice.MACHINE:
            queue = [*tones.speech_frames(greeting_seconds or 5.0, codec), *tones.beep_frames(0.4, codec)]
        if stream.sender is None:
            sender = rtp.Sender(stream.payload_type, stream.event_type, frame)
            sender.play(queue)
            self._media.start_sending(stream, sender, self.options.sending)
        else:
            stream.sender.stop_playing()
            stream.sender.frame = frame
            stream.sender.play(queue)
            if self.options.sending is Sending.BURST:
                stream.to_send = stream.burst
        self._mute()

    def press(self, digits: str, seconds: float = 0.1) -> None:
        """Send DTMF digits as telephone events; ValueError when this call cannot."""
        stream = self.stream
        if stream is None or stream.sender is None or stream.event_type is None:
            raise ValueError("no audio with telephone events has been agreed on")
        now = self._media.clock.now()
        for digit in digits:
            at = max(now, self._digits_end_at)
            stream.sender.press(digit, seconds)
            self.dtmf_sent.append((digit, at, seconds))
            self._digits_end_at = at + seconds + 0.12

    def close(self) -> None:
        """Stop the stream and give port and tones back; what was heard stays known."""
        if self.stream is not None:
            self._media.close(self.stream)
            if self.stream.ear is not None:
                self._closed = self.stream.ear.until(self._media.clock.now())
                self.stream.ear = None
        if self.pair is not None:
            self._media.pairs.release(self.pair)
            self.pair = None

    def _tones(self, codec: str) -> bytes:
        if self.pair is None:
            self.pair = self._media.pairs.take(self._side, self._party)
        return tones.tone_frame(self.pair, codec)

    def _open(self) -> Stream:
        if self.stream is None:
            options = self.options
            self.stream = self._media.open(self._host, listen=options.listen, burst_seconds=options.burst_seconds)
            self.stream.on_heard = self.stream.on_digit = self._changed
        return self.stream

    def _changed(self, *_: object) -> None:
        if self.on_change is not None:
            self.on_change()

    def _take(self, remote: sdp.Sdp, codec: tuple[str, int]) -> None:
        stream = self._open()
        self.remote = remote
        changed = codec[0] != stream.codec
        stream.codec, stream.payload_type = codec
        stream.event_type = remote.event_type
        stream.remote = (remote.host, remote.port) if remote.port and remote.host != "0.0.0.0" else None
        if stream.sender is not None:
            stream.sender.payload_type, stream.sender.event_type = codec[1], remote.event_type
            if changed and self.pair is not None:
                stream.sender.frame = tones.tone_frame(self.pair, stream.codec)
        self._mute()

    def _mute(self) -> None:
        """Send no audio while one of the two sides has the call on hold."""
        if self.stream is not None and self.stream.sender is not None and self.remote is not None:
            closed = self.remote.held or self.direction in ("recvonly", "inactive")
            self.stream.sender.muted = closed or self.on_hold

    def _write(self, mine: sdp.Sdp) -> bytes:
        self._version += 1
        return sdp.write(mine, session_id=self._session_id, version=self._version)
