"""SDP offers and answers (RFC 4566, RFC 3264) for one audio stream of PCMU or PCMA with telephone events."""

from __future__ import annotations

import re
from dataclasses import dataclass

CODECS = {"PCMU": 0, "PCMA": 8}
EVENT_TYPE = 101
MIRROR = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}
_RTPMAP = re.compile(r"rtpmap:(\d{1,3}) ([\w.-]+)/8000(?:/1)?$", re.IGNORECASE)


class SdpError(ValueError):
    """The body is not an SDP this far end can take; the text says why."""


@dataclass(frozen=True, slots=True)
class Sdp:
    """One side's view of the audio stream.

    `codecs`: payload type of each of PCMU and PCMA offered, best first. `event_type`: payload type of
    telephone-event, None when not offered. `direction`: as that side wrote it. `others`: the other m-lines,
    which an answer must refuse one by one; `audio_at` is where among them the audio line stood.
    """

    host: str
    port: int
    codecs: tuple[tuple[str, int], ...]
    event_type: int | None = EVENT_TYPE
    direction: str = "sendrecv"
    others: tuple[str, ...] = ()
    audio_at: int = 0

    @property
    def held(self) -> bool:
        """That side does not want to hear anything now."""
        return self.direction in ("sendonly", "inactive") or self.host == "0.0.0.0"


def parse(body: bytes) -> Sdp:
    """Read an offer or answer; SdpError when it holds no usable audio stream."""
    session: list[str] = []
    media: list[list[str]] = []
    for raw in body.decode("utf-8", "replace").splitlines():
        line = raw.strip()
        if line.startswith("m="):
            media.append([line])
        elif line:
            (media[-1] if media else session).append(line)
    for at, lines in enumerate(media):
        parts = lines[0][2:].split()
        if len(parts) >= 4 and parts[0] == "audio" and parts[2] == "RTP/AVP":
            others = tuple(section[0] for n, section in enumerate(media) if n != at)
            return _audio(parts, lines, session, others, at)
    raise SdpError("no audio stream of RTP/AVP")


def _audio(parts: list[str], lines: list[str], session: list[str], others: tuple[str, ...], at: int) -> Sdp:
    port = parts[1].split("/")[0]
    if not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise SdpError(f"bad port {port[:10]!r}")
    host = next((x for x in lines + session if x.startswith("c=")), "")
    address = re.match(r"c=IN IP4 (\d{1,3}(?:\.\d{1,3}){3})(?:/|$)", host)
    if address is None or any(int(part) > 255 for part in address[1].split(".")):
        raise SdpError(f"no usable connection address: {host[:60]!r}")
    names = {0: "PCMU", 8: "PCMA"}
    direction = "sendrecv"
    for line in session + lines:
        if line.startswith("a=") and line[2:] in MIRROR:
            direction = line[2:]
        match = _RTPMAP.match(line[2:])
        if match is not None and line.startswith("a="):
            names[int(match[1])] = match[2].upper()
    offered = [int(x) for x in parts[3:] if x.isascii() and x.isdigit() and len(x) < 4]
    codecs = tuple((names[n], n) for n in offered if names.get(n) in CODECS)
    event = next((n for n in offered if names.get(n) == "TELEPHONE-EVENT"), None)
    if not codecs:
        raise SdpError("neither PCMU nor PCMA offered")
    return Sdp(address[1], int(port), codecs, event, direction, others, at)


def choose(remote: Sdp, allowed: tuple[str, ...]) -> tuple[str, int]:
    """The codec (name, payload type) to use: the other side's best one that is in `allowed`; SdpError if
    none.
    """
    for name, number in remote.codecs:
        if name in allowed:
            return name, number
    raise SdpError(f"none of {', '.join(allowed)} among the codecs offered")


def write(mine: Sdp, *, session_id: int, version: int) -> bytes:
    """The body for `mine`; every one of `others` is refused with port 0."""
    audio = [f"m=audio {mine.port} RTP/AVP " + " ".join(str(n) for _, n in mine.codecs)]
    audio += [f"a=rtpmap:{number} {name}/8000" for name, number in mine.codecs]
    if mine.event_type is not None:
        audio[0] += f" {mine.event_type}"
        audio += [f"a=rtpmap:{mine.event_type} telephone-event/8000", f"a=fmtp:{mine.event_type} 0-16"]
    audio += ["a=ptime:20", f"a={mine.direction}"]
    refused = [[_refuse(line)] for line in mine.others]
    refused.insert(mine.audio_at, audio)
    lines = [
        "v=0",
        f"o=farend {session_id} {version} IN IP4 {mine.host}",
        "s=-",
        f"c=IN IP4 {mine.host}",
        "t=0 0",
    ]
    lines += [line for section in refused for line in section]
    return ("\r\n".join(lines) + "\r\n").encode()


def _refuse(line: str) -> str:
    parts = line[2:].split()
    kind, rest = (parts[0], parts[2:]) if parts else ("application", [])
    return f"m={kind} 0 {' '.join(rest) or 'RTP/AVP 0'}"
