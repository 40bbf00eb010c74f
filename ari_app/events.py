"""The ARI events we use, typed, and the one way from a frame to an event.

Only the fields we act on are kept. ``decode`` answers None for a type we do not use and raises
``Malformed`` for a frame that is no event: the reader counts both and goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

MAX_FRAME_BYTES = 1 << 20
"""A longer frame is dropped undecoded: the longest real event is a few kB."""


class Malformed(ValueError):
    """A frame that is not JSON, too long, or lacks what its type promises."""


@dataclass(frozen=True, slots=True)
class ChannelInfo:
    """A channel as Asterisk shows it in events and lists."""

    id: str
    name: str
    state: str
    caller_number: str = ""
    caller_name: str = ""
    created_at: str = ""
    application: str = ""
    application_data: str = ""
    extension: str = ""
    language: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def in_stasis(self) -> bool:
        """Whether an ARI application holds it now."""
        return self.application == "Stasis"

    @property
    def app_args(self) -> tuple[str, ...]:
        """The arguments given to Stasis(), without the application's name."""
        return tuple(self.application_data.split(",")[1:]) if self.in_stasis else ()


@dataclass(frozen=True, slots=True)
class Event:
    """Any event; `channel_id` is empty where it is not about one channel."""

    type: str
    channel_id: str = ""


@dataclass(frozen=True, slots=True)
class StasisStart(Event):
    """A channel is ours: it entered from the dialplan, or answered."""

    args: tuple[str, ...] = ()
    channel: ChannelInfo | None = None


@dataclass(frozen=True, slots=True)
class ChannelDestroyed(Event):
    """The channel is no more. `cause` is Q.850; `tech_cause` the SIP code where one decided it."""

    cause: int | None = None
    tech_cause: int | None = None


@dataclass(frozen=True, slots=True)
class ChannelHangupRequest(Event):
    """Somebody wants the channel ended; ChannelDestroyed follows."""

    cause: int | None = None
    tech_cause: int | None = None


@dataclass(frozen=True, slots=True)
class Dial(Event):
    """Progress of a dial; `channel_id` is the dialled one. Status: "" RINGING PROGRESS ANSWER BUSY ..."""

    status: str = ""


@dataclass(frozen=True, slots=True)
class ChannelDtmfReceived(Event):
    """A key, on release."""

    digit: str = ""
    duration_ms: int = 0


@dataclass(frozen=True, slots=True)
class PlaybackEvent(Event):
    """PlaybackStarted or PlaybackFinished; state "failed" where the sound could not be played."""

    playback_id: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True)
class RecordingEvent(Event):
    """RecordingStarted, RecordingFinished or RecordingFailed."""

    name: str = ""
    duration_seconds: float | None = None
    cause: str = ""


@dataclass(frozen=True, slots=True)
class ChannelUserevent(Event):
    """A user event: our heartbeat, or one sent by the dialplan's UserEvent()."""

    name: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChannelTransfer(Event):
    """The phone asks by REFER to be transferred to `destination`.

    `replaces`: the channel of another call of its own, by the header Replaces; "?" where Asterisk does not know it.
    """

    state: str = ""
    destination: str = ""
    replaces: str = ""


@dataclass(frozen=True, slots=True)
class ChannelTalking(Event):
    """ChannelTalkingStarted or ChannelTalkingFinished (TALK_DETECT); how long the speech was, at its end."""

    duration_ms: int = 0


def decode(frame: bytes | str) -> Event | None:
    """The event in `frame`; None for a type we do not use; Malformed where it is no event."""
    if len(frame) > MAX_FRAME_BYTES:
        raise Malformed(f"a frame of {len(frame)} bytes")
    try:
        raw = orjson.loads(frame)
    except (orjson.JSONDecodeError, RecursionError) as error:
        raise Malformed(str(error)) from None
    return build(raw)


def build(raw: object) -> Event | None:
    """The event in decoded JSON; as ``decode``."""
    if not isinstance(raw, dict) or not isinstance(raw.get("type"), str):
        raise Malformed("not an object with a type")
    builder = _BUILDERS.get(raw["type"])
    if builder is None:
        return None
    try:
        return builder(raw["type"], raw)
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise Malformed(f"{raw['type']}: {error!r}") from None


def channel_info(raw: Mapping[str, Any]) -> ChannelInfo:
    """A channel object of ARI as we keep it; KeyError or TypeError where it is none."""
    caller, plan = raw.get("caller") or {}, raw.get("dialplan") or {}
    return ChannelInfo(
        id=_text(raw["id"]),
        name=_text(raw["name"]),
        state=_text(raw["state"]),
        caller_number=str(caller.get("number") or ""),
        caller_name=str(caller.get("name") or ""),
        created_at=str(raw.get("creationtime") or ""),
        application=str(plan.get("app_name") or ""),
        application_data=str(plan.get("app_data") or ""),
        extension=str(plan.get("exten") or ""),
        language=str(raw.get("language") or ""),
        variables={str(k): str(v) for k, v in (raw.get("channelvars") or {}).items()},
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _start(type_: str, raw: dict[str, Any]) -> Event:
    info = channel_info(raw["channel"])
    return StasisStart(type_, info.id, tuple(_text(arg) for arg in raw["args"]), info)


def _plain(type_: str, raw: dict[str, Any]) -> Event:
    return Event(type_, _text(raw["channel"]["id"]))


def _destroyed(type_: str, raw: dict[str, Any]) -> Event:
    cause, tech = _number(raw.get("cause")), _number(raw.get("tech_cause"))
    return ChannelDestroyed(type_, _text(raw["channel"]["id"]), cause, tech)


def _hangup_request(type_: str, raw: dict[str, Any]) -> Event:
    cause, tech = _number(raw.get("cause")), _number(raw.get("tech_cause"))
    return ChannelHangupRequest(type_, _text(raw["channel"]["id"]), cause, tech)


def _dial(type_: str, raw: dict[str, Any]) -> Event:
    return Dial(type_, _text(raw["peer"]["id"]), _text(raw["dialstatus"]))


def _state(type_: str, raw: dict[str, Any]) -> Event:
    """What the phone of an agent shows of a dial, where ``Dial`` itself is not sent."""
    channel = raw["channel"]
    return Dial(type_, _text(channel["id"]), _DIAL_STATUS.get(channel.get("state"), ""))


def _dtmf(type_: str, raw: dict[str, Any]) -> Event:
    digit = _text(raw["digit"])
    return ChannelDtmfReceived(type_, _text(raw["channel"]["id"]), digit, _number(raw.get("duration_ms")) or 0)


def _playback(type_: str, raw: dict[str, Any]) -> Event:
    playback = raw["playback"]
    return PlaybackEvent(type_, "", _text(playback["id"]), str(playback.get("state") or ""))


def _recording(type_: str, raw: dict[str, Any]) -> Event:
    recording = raw["recording"]
    length = recording.get("duration")
    seconds = float(length) if isinstance(length, int | float) and not isinstance(length, bool) else None
    return RecordingEvent(type_, "", _text(recording["name"]), seconds, str(recording.get("cause") or ""))


def _user(type_: str, raw: dict[str, Any]) -> Event:
    channel, fields = raw.get("channel"), raw.get("userevent")
    channel_id = _text(channel["id"]) if isinstance(channel, dict) else ""
    return ChannelUserevent(type_, channel_id, _text(raw["eventname"]), fields if isinstance(fields, dict) else {})


def _transfer(type_: str, raw: dict[str, Any]) -> Event:
    refer_to = raw["refer_to"]
    source = refer_to.get("source_channel") or raw["referred_by"]["source_channel"]
    wanted = refer_to.get("requested_destination") or {}
    destination, other = str(wanted.get("destination") or ""), refer_to.get("destination_channel")
    replaces = str(other.get("id") or "?") if other else _asked_to_replace(wanted)
    return ChannelTransfer(type_, _text(source["id"]), str(raw.get("state")), destination, replaces)


def _asked_to_replace(wanted: dict[str, Any]) -> str:
    more = wanted.get("additional_protocol_params") or ()
    return "?" if any(str(each.get("parameter_name")).lower() == "replaces" for each in more) else ""


def _talking(type_: str, raw: dict[str, Any]) -> Event:
    return ChannelTalking(type_, _text(raw["channel"]["id"]), _number(raw.get("duration")) or 0)


def _application(type_: str, raw: dict[str, Any]) -> Event:
    return Event(type_)


_DIAL_STATUS = {"Ringing": "RINGING", "Up": "ANSWER"}

_BUILDERS: Mapping[str, Callable[[str, dict[str, Any]], Event]] = {
    "StasisStart": _start,
    "StasisEnd": _plain,
    "ChannelDestroyed": _destroyed,
    "ChannelHangupRequest": _hangup_request,
    "Dial": _dial,
    "ChannelStateChange": _state,
    "ChannelDtmfReceived": _dtmf,
    "PlaybackStarted": _playback,
    "PlaybackFinished": _playback,
    "RecordingStarted": _recording,
    "RecordingFinished": _recording,
    "RecordingFailed": _recording,
    "ChannelUserevent": _user,
    "ChannelTransfer": _transfer,
    "ChannelHold": _plain,
    "ChannelUnhold": _plain,
    "ChannelTalkingStarted": _talking,
    "ChannelTalkingFinished": _talking,
    "ApplicationReplaced": _application,
    "ApplicationRegistered": _application,
}

WANTED = (
    "StasisStart",
    "StasisEnd",
    "ChannelDestroyed",
    "Dial",
    "ChannelDtmfReceived",
    "PlaybackStarted",
    "PlaybackFinished",
    "RecordingFinished",
    "RecordingFailed",
    "ChannelUserevent",
    "ChannelTransfer",
    "ChannelHold",
    "ChannelUnhold",
    "ChannelTalkingStarted",
    "ChannelTalkingFinished",
    "ApplicationReplaced",
    "RESTResponse",
)
"""The event filter: all else stays in Asterisk. Without RESTResponse replies over this socket would stop."""

WANTED_OF_AGENTS = (
    "ChannelStateChange",
    *(name for name in WANTED if name not in ("Dial", "StasisEnd", "ChannelUserevent")),
)
"""For phones rung by us: ringing and answer as one event each, and one end. ``Dial`` tells four things of which two
matter here, and a leg that leaves our application without ending is found when it ends."""
