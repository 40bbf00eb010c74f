"""Frames to events: real ones are understood, anything else is refused without harm."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ari_app.channel import Channel
from ari_app.counters import Counters
from ari_app.events import (
    MAX_FRAME_BYTES,
    WANTED,
    ChannelDestroyed,
    ChannelDtmfReceived,
    ChannelTransfer,
    Dial,
    Event,
    Malformed,
    PlaybackEvent,
    RecordingEvent,
    StasisStart,
    decode,
)
from ari_app.router import Router
from tests.support.virtual_clock import on_virtual_clock, virtual_now

CHANNEL = {
    "id": "c1",
    "name": "PJSIP/trunk-00000000",
    "state": "Up",
    "protocol_id": "47546dba",
    "caller": {"name": "Zoë", "number": "+441632960001"},
    "connected": {"name": "", "number": ""},
    "accountcode": "",
    "dialplan": {"context": "x", "exten": "did", "priority": 1, "app_name": "Stasis", "app_data": "cw,a,b"},
    "creationtime": "2026-11-22T05:33:55.267+0000",
    "language": "en",
}


def frame(**fields: object) -> bytes:
    return orjson.dumps(fields)


def test_a_stasis_start_carries_the_arguments_and_the_channel() -> None:
    event = decode(frame(type="StasisStart", args=["a", "b"], channel=CHANNEL))
    assert isinstance(event, StasisStart)
    assert event.channel_id == "c1"
    assert event.args == ("a", "b")
    assert event.channel is not None
    assert event.channel.caller_name == "Zoë"
    assert event.channel.app_args == ("a", "b")


def test_a_destroyed_channel_carries_both_causes() -> None:
    event = decode(frame(type="ChannelDestroyed", cause=17, tech_cause=486, cause_txt="User busy", channel=CHANNEL))
    assert event == ChannelDestroyed("ChannelDestroyed", "c1", 17, 486)


def test_the_other_events_we_use_are_understood() -> None:
    assert decode(frame(type="Dial", dialstatus="RINGING", peer=CHANNEL)) == Dial("Dial", "c1", "RINGING")
    assert decode(
        frame(type="ChannelDtmfReceived", digit="#", duration_ms=120, channel=CHANNEL)
    ) == ChannelDtmfReceived("ChannelDtmfReceived", "c1", "#", 120)
    playback = {"id": "p", "state": "failed", "target_uri": "channel:c1"}
    assert decode(frame(type="PlaybackFinished", playback=playback)) == PlaybackEvent(
        "PlaybackFinished", "", "p", "failed"
    )
    recording = {"name": "rec/1", "format": "wav", "state": "done", "duration": 8}
    assert decode(frame(type="RecordingFinished", recording=recording)) == RecordingEvent(
        "RecordingFinished", "", "rec/1", 8.0
    )
    assert decode(frame(type="ApplicationReplaced")) == Event("ApplicationReplaced")
    transfer = decode(
        frame(
            type="ChannelTransfer",
            state="channel_declined",
            refer_to={"requested_destination": {"protocol_id": "", "destination": "1002"}},
            referred_by={"source_channel": CHANNEL},
        )
    )
    assert transfer == ChannelTransfer("ChannelTransfer", "c1", "channel_declined", "1002")


def test_a_type_we_do_not_use_is_no_error() -> None:
    assert decode(frame(type="ChannelVarset", channel=CHANNEL)) is None


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"null",
        b"[]",
        b"not json",
        b'{"type": NaN}',
        b'{"type": 7}',
        b'{"type": "StasisStart"}',
        b'{"type": "StasisStart", "args": [1], "channel": {"id": "x", "name": "n", "state": "Up"}}',
        b'{"type": "StasisStart", "args": [], "channel": {"id": 7, "name": "n", "state": "Up"}}',
        b'{"type": "StasisEnd", "channel": []}',
        b'{"type": "Dial", "peer": null, "dialstatus": ""}',
        b'{"type": "PlaybackFinished", "playback": "x"}',
        b'{"type": "ChannelTransfer", "refer_to": {}, "referred_by": {}}',
        b'{"type": "StasisEnd", "channel": {"id": "\\ud800"}}',
        b'{"type": "StasisEnd", "channel": {"id": "\xff"}}',
        b'{"type": "StasisEnd", "x": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        b'{"type": "' + b"x" * MAX_FRAME_BYTES + b'"}',
    ],
)
def test_a_frame_that_is_no_event_is_malformed(bad: bytes) -> None:
    with pytest.raises(Malformed):
        decode(bad)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    ["channel", "args", "peer", "dialstatus", "playback", "recording", "digit", "cause", "tech_cause",
     "eventname", "userevent", "refer_to", "referred_by", "duration", "state", "id", "name"]
)  # fmt: skip


@given(st.binary(max_size=400))
@settings(max_examples=500, deadline=None)
def test_any_bytes_are_an_event_nothing_or_malformed(noise: bytes) -> None:
    try:
        event = decode(noise)
    except Malformed:
        return
    assert event is None or isinstance(event, Event)


@given(st.sampled_from(WANTED), st.dictionaries(FIELDS, JSON | st.just(CHANNEL), max_size=6))
@settings(max_examples=400, deadline=None)
def test_any_fields_are_an_event_nothing_or_malformed(type_: str, fields: dict[str, object]) -> None:
    try:
        raw = orjson.dumps({**fields, "type": type_})
    except (orjson.JSONEncodeError, TypeError):  # integers beyond 64 bits, lone surrogates
        return
    try:
        event = decode(raw)
    except Malformed:
        return
    assert event is None or (isinstance(event, Event) and event.type == type_)


@on_virtual_clock
async def test_the_router_drops_and_counts_what_it_cannot_use() -> None:
    counters = Counters()
    staged: list[str] = []

    def stage(channel_id: str) -> Channel:
        staged.append(channel_id)
        raise RuntimeError("a bug in a handler")

    router = Router(counters=counters, stage=stage, now=virtual_now)
    router.deliver(b"{")
    router.deliver(frame(type="ChannelVarset"))
    router.deliver(frame(type="StasisEnd", channel={"id": "unknown"}))
    router.deliver(frame(type="StasisStart", args=[], channel=CHANNEL))
    assert dict(counters.dropped) == {"malformed": 1, "unused": 1, "crashed": 1}
    assert counters.events["StasisEnd"] == 1
    assert staged == ["c1"]
