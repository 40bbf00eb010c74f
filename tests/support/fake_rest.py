"""REST of the fake switch: a table of routes and what each does, with Asterisk's own statuses and words."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from tests.support.fake_sounds import FakeSounds, No, Params
from tests.support.fake_world import FakeChannel

if TYPE_CHECKING:
    from tests.support.fake_ari import FakeAri

Answer = Callable[[int, Any], None]
Route = tuple[str, str, Callable[..., Any]]
OK, EMPTY = 200, 204


class FakeRest(FakeSounds):
    """All commands we use; an unknown one is an error of the test, not a 404."""

    def __init__(self, fake: FakeAri) -> None:
        super().__init__(fake)
        routes = (*self._switch_routes(), *self._channel_routes(), *self._bridge_routes(), *self._sound_routes())
        self._routes = [(re.compile(m), re.compile(p), do) for m, p, do in routes]
        self._blocking = re.compile(r"channels/([^/]+)/(answer|variable)|bridges/([^/]+)/(addChannel)")

    def _switch_routes(self) -> list[Route]:
        return [
            ("GET", "asterisk/ping", lambda _: {"ping": "pong"}),
            ("GET", "asterisk/info", self._info),
            ("GET", "asterisk/variable", self._get_global),
            ("POST", "asterisk/variable", self._set_global),
            ("PUT", "asterisk/config/dynamic/([^/]+)/([^/]+)/([^/]+)", self._put_dynamic),
            ("DELETE", "asterisk/config/dynamic/([^/]+)/([^/]+)/([^/]+)", self._delete_dynamic),
            ("GET", "endpoints/([^/]+)/([^/]+)", self._endpoint),
            ("PUT", "applications/([^/]+)/eventFilter", self._filter),
            ("GET", "applications/([^/]+)", self._application),
            ("POST", "applications/([^/]+)/subscription", self._subscribe),
            ("POST", "events/user/([^/]+)", self._user_event),
        ]

    def _channel_routes(self) -> list[Route]:
        return [
            ("GET", "channels", lambda _: [c.shown() for c in self.fake.channels.values()]),
            ("POST", "channels", self._originate),
            ("POST", "channels/create", self._create),
            ("GET", "channels/([^/]+)", lambda p, i: self._channel(i).shown()),
            ("DELETE", "channels/([^/]+)", self._hang_up),
            ("POST", "channels/([^/]+)/dial", self._dial),
            ("POST", "channels/([^/]+)/continue", self._continue),
            ("GET", "channels/([^/]+)/variable", self._get_variable),
            ("GET", "channels/([^/]+)/rtp_statistics", self._rtp),
            ("POST", "channels/([^/]+)/snoop/([^/]+)", self._snoop),
            ("POST", "channels/([^/]+)/play", self._whisper),
            ("POST", "channels/([^/]+)/play/([^/]+)", self._play_channel),
            ("POST", "channels/([^/]+)/record", lambda p, i: self._record(self._stasis(i), p)),
            ("POST", "channels/([^/]+)/transfer_progress", lambda p, i: self._stasis(i).told.append(p["states"])),
            ("(POST|DELETE)", "channels/([^/]+)/(moh|ring|hold|mute|dtmf)", self._toggle),
        ]

    def _bridge_routes(self) -> list[Route]:
        return [
            ("GET", "bridges", lambda _: [b.shown() for b in self.fake.bridges.values()]),
            ("POST", "bridges", self._make_bridge),
            ("GET", "bridges/([^/]+)", lambda p, i: self._bridge(i).shown()),
            ("DELETE", "bridges/([^/]+)", self._unmake_bridge),
            ("POST", "bridges/([^/]+)/removeChannel", self._remove),
            ("POST", "bridges/([^/]+)/play/([^/]+)", self._play_bridge),
            ("POST", "bridges/([^/]+)/record", lambda p, i: self._record(self._bridge(i), p)),
            ("(POST|DELETE)", "bridges/([^/]+)/moh", self._bridge_moh),
        ]

    def _sound_routes(self) -> list[Route]:
        return [
            ("GET", "playbacks/([^/]+)", lambda p, i: self._playback(i).shown("playing")),
            ("DELETE", "playbacks/([^/]+)", self._stop_playback),
            ("GET", "recordings/live/([^/]+)", lambda p, i: self._live_recording(i)),
            ("POST", "recordings/live/([^/]+)/stop", self._stop_recording),
            ("(POST|DELETE)", "recordings/live/([^/]+)/pause", self._pause_recording),
            ("(GET|DELETE)", "recordings/stored/([^/]+)", self._stored_recording),
        ]

    def handle(self, method: str, path: str, params: Params, answer: Answer) -> None:
        """Do one command and answer it, perhaps much later."""
        try:
            blocking = self._blocking.fullmatch(path) if method == "POST" else None
            if blocking is not None:
                self._maybe_later(blocking, params, answer)
                return
            body = self._call(method, path, params)
        except No as no:
            answer(no.status, no.body)
        else:
            answer(EMPTY if body is None else OK, body)

    def _call(self, method: str, path: str, params: Params) -> Any:
        for methods, pattern, do in self._routes:
            verb, found = methods.fullmatch(method), pattern.fullmatch(path)
            if verb is not None and found is not None:
                names = [unquote(part) for part in found.groups()]
                return do(params, method, *names) if verb.groups() else do(params, *names)
        raise AssertionError(f"the fake does not know {method} {path}")

    def _maybe_later(self, found: re.Match[str], params: Params, answer: Answer) -> None:
        """answer, variable and addChannel wait until nothing plays to the channel any more."""
        channel_id, verb, bridge_id, add = found.groups()

        def go() -> None:
            try:
                if add:
                    self._add(unquote(bridge_id), params)
                elif verb == "answer":
                    self._answer(self._stasis(unquote(channel_id)))
                else:
                    self._set_variable(self._stasis(unquote(channel_id)), params["variable"], params.get("value", ""))
            except No as no:
                answer(no.status, no.body)
            else:
                answer(EMPTY, None)

        ids = str(params.get("channel", "")).split(",") if add else [unquote(channel_id)]
        for one in ids:
            channel = self.fake.channels.get(one)
            if channel is not None and channel.playing:
                channel.blocked.append(go)
                return
        go()

    # -- asterisk, endpoints, applications -------------------------------------------------------------------

    def _info(self, _: Params) -> Any:
        return {"system": {"entity_id": "fake"}, "status": {"startup_time": f"boot-{self.fake.boots}"}}

    def _get_global(self, params: Params) -> Any:
        return {"value": self.fake.globals.get(params["variable"], "")}

    def _set_global(self, params: Params) -> None:
        self.fake.globals[params["variable"]] = params.get("value", "")

    def _put_dynamic(self, params: Params, *key: str) -> Any:
        fields = {pair["attribute"]: pair["value"] for pair in params["fields"]}
        self.fake.dynamic[(key[0], key[1], key[2])] = fields
        return params["fields"]

    def _delete_dynamic(self, _: Params, *key: str) -> None:
        if self.fake.dynamic.pop((key[0], key[1], key[2]), None) is None:
            raise No(404, "Object not found")

    def _endpoint(self, _: Params, tech: str, resource: str) -> Any:
        state = self.fake.endpoint_states.get(resource)
        if state is None:
            raise No(404, "Endpoint not found")
        return {"technology": tech, "resource": resource, "state": state, "channel_ids": []}

    def _filter(self, params: Params, name: str) -> Any:
        if name not in self.fake.apps:
            raise No(404, "Application not found")
        self.fake.apps[name].allowed = frozenset(entry["type"] for entry in params.get("allowed", ()))
        return {"name": name}

    def _application(self, _: Params, name: str) -> Any:
        if name not in self.fake.apps:
            raise No(404, "Application not found")
        ids = [c.id for c in self.fake.channels.values() if c.app == name or name in c.subscribers]
        return {"name": name, "channel_ids": ids, "bridge_ids": []}

    def _subscribe(self, params: Params, name: str) -> Any:
        channel = self.fake.channels.get(params["eventSource"].removeprefix("channel:"))
        if channel is None:
            raise No(422, "Event source does not exist")
        channel.subscribers.add(name)
        return {"name": name}

    def _user_event(self, params: Params, name: str) -> None:
        app = self.fake.apps.get(params["application"])
        if app is None or app.deliver is None:
            raise No(404, "Application not found")
        self.fake.emit(app, {"type": "ChannelUserevent", "eventname": name, "userevent": {}})

    # -- channels: beginning and end -------------------------------------------------------------------------

    def _new(self, params: Params) -> FakeChannel:
        fake = self.fake
        channel_id, endpoint = params["channelId"], params["endpoint"]
        if any(other.startswith(channel_id) for other in fake.channels):
            raise No(409, "Channel with given unique ID already exists")
        channel = FakeChannel(channel_id, "", endpoint, fake.time(), caller_id=params.get("callerId", ""))
        channel.variables.update(params.get("variables") or {})
        channel.far = fake.far_end(channel)
        if not channel.far.exists:
            raise No(500, "Allocation failed", "error")
        channel.name = fake.new_name(endpoint)
        channel.app = params.get("app", "")
        channel.args = tuple(filter(None, params.get("appArgs", "").split(",")))
        channel.context, channel.extension = params.get("context", ""), params.get("extension", "s")
        if channel.app:
            channel.subscribers.add(channel.app)
        fake.channels[channel_id] = channel
        return channel

    def _originate(self, params: Params) -> Any:
        if params.get("originator") and params.get("formats"):
            raise No(400, "Originator and formats can't both be specified")
        if params.get("originator") and params["originator"] not in self.fake.channels:
            raise No(400, "Provided originator channel was not found")
        channel = self._new(params)
        shown = channel.shown()
        self._ring_out(channel, float(params.get("timeout", 30)), self._answered_out)
        return shown

    def _create(self, params: Params) -> Any:
        channel = self._new(params)
        self.fake.enter(channel, channel.app, channel.args)
        return channel.shown()

    def _dial(self, params: Params, channel_id: str) -> None:
        channel = self._stasis(channel_id)

        def answered(channel: FakeChannel) -> None:
            self._answer(channel)
            self._live_on(channel)

        self._ring_out(channel, float(params.get("timeout", 30)), answered)

    def _ring_out(self, channel: FakeChannel, timeout: float, answered: Callable[[FakeChannel], None]) -> None:
        """The INVITE goes out; the far end does as it is scripted."""
        fake, far = self.fake, channel.far

        def dial(status: str, state: str = "") -> None:
            if state:
                channel.state = state
                fake.tell(channel, "ChannelStateChange", channel=channel.shown())
            fake.tell(channel, "Dial", dialstatus=status, peer=channel.shown())

        def up() -> None:
            for timer in channel.timers:
                timer.cancel()
            channel.timers.clear()
            dial("ANSWER", "Up")
            answered(channel)

        dial("")
        fake.later(channel, timeout, lambda: fake.destroy(channel, 19, 480))
        if far.rings_after is not None:
            fake.later(channel, far.rings_after, lambda: dial("RINGING", "Ringing"))
        if far.progress_after is not None:
            fake.later(channel, far.progress_after, lambda: dial("PROGRESS"))
        if far.rejects_after is not None:
            cause, sip, final = far.rejects_with
            fake.later(channel, far.rejects_after, lambda: fake.destroy(channel, cause, sip, final))
        if far.answers_after is not None:
            fake.later(channel, far.answers_after, up)

    def _answered_out(self, channel: FakeChannel) -> None:
        fake = self.fake
        channel.answered_at = fake.time()
        if channel.context:
            self._to_dialplan(channel)
        elif not fake.enter(channel, channel.app, channel.args):
            fake.destroy(channel, 0)  # nobody is there for it: the person who answered is hung up on
            return
        self._live_on(channel)

    def _live_on(self, channel: FakeChannel) -> None:
        fake, far = self.fake, channel.far
        for seconds, digits in far.keys:
            fake.later(channel, seconds, lambda digits=digits: fake.press(channel.id, digits))  # type: ignore[misc]
        if far.hangs_up_after is not None:
            fake.later(channel, far.hangs_up_after, lambda: fake.destroy(channel, 16))

    def _to_dialplan(self, channel: FakeChannel) -> None:
        entry = self.fake.dialplan.get((channel.context, channel.extension))
        if entry is not None:
            entry(channel)

    def _hang_up(self, params: Params, channel_id: str) -> None:
        channel = self._channel(channel_id)
        reasons = {"busy": 17, "congestion": 34, "no_answer": 19, "rejected": 21}
        cause = int(params.get("reason_code") or reasons.get(params.get("reason", ""), 16))
        channel.cause = cause  # of two, the later one's, until the channel's own thread obeys

        def obey() -> None:
            self.fake.destroy(channel, channel.cause, dial="NOANSWER" if channel.state != "Up" else "")

        if self.fake.hang_up_seconds:
            self.fake.later(channel, self.fake.hang_up_seconds, obey)
        else:
            obey()

    def _answer(self, channel: FakeChannel) -> None:
        channel.state = "Up"
        channel.ringback = False
        if channel.answered_at is None:
            channel.answered_at = self.fake.time()

    def _continue(self, params: Params, channel_id: str) -> None:
        channel = self._stasis(channel_id)
        for playback in list(channel.playing):
            self.end_playback(playback, "done")
        self.fake.leave_stasis(channel)
        channel.context, channel.extension = params.get("context", ""), params.get("extension", "s")
        asyncio.get_running_loop().call_soon(self._to_dialplan, channel)

    def _whisper(self, params: Params, snoop_id: str) -> None:
        """A sound that only the party hears who is snooped on."""
        target = self._channel(self._channel(snoop_id).name.removeprefix("Snoop/"))
        target.heard.extend((self.fake.time(), media) for media in params["media"])

    def _snoop(self, params: Params, channel_id: str, snoop_id: str) -> Any:
        target = self._channel(channel_id)
        snoop = FakeChannel(snoop_id, f"Snoop/{target.id}", f"Snoop/{target.id}", self.fake.time(), state="Up")
        snoop.app, snoop.args = params["app"], tuple(filter(None, params.get("appArgs", "").split(",")))
        self.fake.channels[snoop_id] = snoop
        target.ears.append(snoop)
        self.fake.enter(snoop, snoop.app, snoop.args)
        return snoop.shown()

    # -- channels: while alive -------------------------------------------------------------------------------

    def _set_variable(self, channel: FakeChannel, name: str, value: str) -> None:
        channel.variables[name] = value
        self.fake.on_variable(channel, name)

    def _rtp(self, _: Params, channel_id: str) -> Any:
        channel = self._stasis(channel_id)
        now = asyncio.get_running_loop().time()
        until = now if channel.quiet_at is None else min(now, channel.quiet_at)
        return {"rxcount": round(50 * (until - channel.created))}

    def _get_variable(self, params: Params, channel_id: str) -> Any:
        channel = self.fake.channels.get(channel_id)
        if channel is None:
            raise No(404, "Provided channel was not found")
        if params["variable"] == "CHANNEL(rtp,hold)":
            return {"value": channel.variables.get("CHANNEL(rtp,hold)", "0")}
        if params["variable"] not in channel.variables:
            raise No(404, "Provided variable was not found")
        return {"value": channel.variables[params["variable"]]}

    def _toggle(self, params: Params, method: str, channel_id: str, what: str) -> None:
        channel, on = self._stasis(channel_id), method == "POST"
        if what == "moh":
            channel.moh = on
        elif what == "ring":
            channel.ringback = on
        elif what == "hold":
            channel.held = on
        elif what == "mute":
            (channel.muted.add if on else channel.muted.discard)(params.get("direction", "both"))
        else:
            channel.heard.append((self.fake.time(), f"dtmf:{params['dtmf']}"))
