"""Bridges, sounds and recordings of the fake switch."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tests.support.fake_world import FakeBridge, FakeChannel, FakePlayback, FakeRecording

if TYPE_CHECKING:
    from tests.support.fake_ari import FakeAri

Params = dict[str, Any]
BEGIN_SECONDS = 0.01
"""A recording is queued so long before it begins."""


class No(Exception):
    """A status that says no."""

    def __init__(self, status: int, message: str, key: str = "message") -> None:
        super().__init__(message)
        self.status, self.body = status, {key: message}


class FakeSounds:
    """The part of REST that is about bridges and what is heard."""

    def __init__(self, fake: FakeAri) -> None:
        self.fake = fake

    def _channel(self, channel_id: str) -> FakeChannel:
        found = self.fake.channels.get(channel_id)
        if found is None:
            raise No(404, "Channel not found")
        return found

    def _stasis(self, channel_id: str) -> FakeChannel:
        channel = self._channel(channel_id)
        if not channel.in_stasis:
            raise No(409, "Channel not in Stasis application")
        return channel

    def _bridge(self, bridge_id: str) -> FakeBridge:
        found = self.fake.bridges.get(bridge_id)
        if found is None:
            raise No(404, "Bridge not found")
        return found

    def _playback(self, playback_id: str) -> FakePlayback:
        found = self.fake.playbacks.get(playback_id)
        if found is None:
            raise No(404, "Playback not found")
        return found

    # -- bridges ---------------------------------------------------------------------------------------------

    def _make_bridge(self, params: Params) -> Any:
        bridge_id = params["bridgeId"]
        if bridge_id in self.fake.bridges:
            raise No(409, f"Bridge with id '{bridge_id}' already exists")
        bridge = FakeBridge(bridge_id, params.get("name", ""), params.get("type", "mixing"))
        self.fake.bridges[bridge_id] = bridge
        return bridge.shown()

    def _unmake_bridge(self, _: Params, bridge_id: str) -> None:
        bridge = self._bridge(bridge_id)
        for playback in list(bridge.playing):
            self.end_playback(playback, "failed")
        if bridge.recording is not None:
            self.end_recording(bridge.recording)
        for channel in list(bridge.members):
            self.fake.leave_bridge(channel)
        del self.fake.bridges[bridge_id]

    def _add(self, bridge_id: str, params: Params) -> None:
        bridge, fake = self._bridge(bridge_id), self.fake
        channels = [fake.channels.get(one) for one in str(params["channel"]).split(",")]
        if None in channels:
            raise No(400, "Channel not found")
        for channel in channels:
            assert channel is not None
            if not channel.in_stasis:
                raise No(422, "Channel not in Stasis application")
            if channel.recording is not None:
                raise No(409, f"Channel {channel.id} currently recording")
        for channel in channels:
            assert channel is not None
            fake.leave_bridge(channel)
            channel.bridge, channel.absorbs_dtmf = bridge, params.get("absorbDTMF") == "true"
            channel.ringback = False
            bridge.members.append(channel)
            channel.bridge_log.append((fake.time(), bridge.id))

    def _remove(self, params: Params, bridge_id: str) -> None:
        bridge = self._bridge(bridge_id)
        channel = self.fake.channels.get(str(params["channel"]))
        if channel is None:
            raise No(400, "Channel not found")
        if channel.bridge is not bridge:
            raise No(422, "Channel not in this bridge")
        self.fake.leave_bridge(channel)

    def _bridge_moh(self, _: Params, method: str, bridge_id: str) -> None:
        self._bridge(bridge_id).moh = method == "POST"

    # -- sounds and recordings -------------------------------------------------------------------------------

    def _play_channel(self, params: Params, channel_id: str, playback_id: str) -> Any:
        return self._play(self._stasis(channel_id), params, playback_id)

    def _play_bridge(self, params: Params, bridge_id: str, playback_id: str) -> Any:
        return self._play(self._bridge(bridge_id), params, playback_id)

    def _play(self, target: FakeChannel | FakeBridge, params: Params, playback_id: str) -> Any:
        media = params["media"]
        playback = FakePlayback(playback_id, target, [media] if isinstance(media, str) else list(media))
        self.fake.playbacks[playback_id] = playback
        target.playing.append(playback)
        if target.playing[0] is playback:
            self._next_sound(playback)
        return playback.shown("queued")

    def _next_sound(self, playback: FakePlayback) -> None:
        fake = self.fake
        if not playback.left:
            self.end_playback(playback, "done")
            return
        playback.current = playback.left.pop(0)
        self._tell(playback.target, "PlaybackStarted", playback=playback.shown("playing"))
        if playback.current in fake.missing_sounds:
            if playback.left:
                self._next_sound(playback)
            else:
                self.end_playback(playback, "failed")
            return
        listeners = [playback.target] if isinstance(playback.target, FakeChannel) else playback.target.members
        for listener in listeners:
            listener.heard.append((fake.time(), playback.current))
        seconds = fake.sound_seconds.get(playback.current, 1.0)
        loop = asyncio.get_running_loop()
        playback.timer = loop.call_later(seconds, fake.act, lambda: self._next_sound(playback))

    def end_playback(self, playback: FakePlayback, state: str) -> None:
        """PlaybackFinished; what waited for it goes on."""
        if self.fake.playbacks.pop(playback.id, None) is None:
            return
        if playback.timer is not None:
            playback.timer.cancel()
        target = playback.target
        target.playing.remove(playback)
        self._tell(target, "PlaybackFinished", playback=playback.shown(state))
        if isinstance(target, FakeChannel) and target.id not in self.fake.channels:
            return
        if target.playing:
            self._next_sound(target.playing[0])
        elif isinstance(target, FakeChannel):
            blocked, target.blocked = target.blocked, []
            for resume in blocked:
                resume()

    def _stop_playback(self, _: Params, playback_id: str) -> None:
        self.end_playback(self._playback(playback_id), "done")

    def _record(self, target: FakeChannel | FakeBridge, params: Params) -> Any:
        name = params["name"]
        if name in self.fake.recordings:
            raise No(409, f"Recording '{name}' already exists and can not be overwritten")
        recording = FakeRecording(name, target, self.fake.time(), appends=params.get("ifExists") == "append")
        self.fake.recordings[name] = target.recording = recording
        return {"name": name, "format": params["format"], "state": "queued"}

    def _live_recording(self, name: str) -> Any:
        if name not in self.fake.recordings:
            raise No(404, "Recording not found")
        recording = self.fake.recordings[name]
        begun = self.fake.time() >= recording.began + BEGIN_SECONDS
        state = "paused" if recording.paused else "recording" if begun else "queued"
        return {"name": name, "format": "wav", "state": state}

    def _stored_recording(self, _: Params, method: str, name: str) -> Any:
        kept = [recording for recording in self.fake.stored if recording.name != name]
        if len(kept) == len(self.fake.stored):
            raise No(404, "Recording not found")
        if method == "GET":
            return {"name": name, "format": "wav"}
        self.fake.stored[:] = kept
        return None

    def _pause_recording(self, _: Params, method: str, name: str) -> None:
        if self._live_recording(name)["state"] == "queued":
            raise No(409, "Recording not in session")
        self.fake.recordings[name].paused = method == "POST"

    def _stop_recording(self, _: Params, name: str) -> None:
        self._live_recording(name)
        self.end_recording(self.fake.recordings[name])

    def end_recording(self, recording: FakeRecording) -> None:
        """RecordingFinished, with its length in whole seconds."""
        del self.fake.recordings[recording.name]
        recording.ended = self.fake.time()
        self.fake.stored.append(recording)
        recording.target.recording = None
        length = int(self.fake.time() - recording.began)
        shown = {"name": recording.name, "format": "wav", "state": "done", "duration": length}
        self._tell(recording.target, "RecordingFinished", recording=shown)

    def _tell(self, target: FakeChannel | FakeBridge, type_: str, **fields: Any) -> None:
        if isinstance(target, FakeChannel):
            self.fake.tell(target, type_, **fields)
            return
        for app in list(self.fake.apps.values()):
            self.fake.emit(app, {"type": type_, **fields})
