"""An Asterisk in memory, as far as ARI shows it: for whole call lives on a virtual clock, and for faults.

``FakeAri().transport()`` is a ``Transport`` for ``AriClient``. The contract tests hold it to the real one.
The party at the far end of a dial does what ``far`` says; tests hang up, press keys and break the line by
the methods below. REST itself is in fake_rest.py.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import count
from typing import Any

import orjson

from ari_app.errors import AriDown, Refused, Uncertain
from ari_app.transport import Reply, agents_name
from tests.support.fake_rest import FakeRest
from tests.support.fake_world import (
    ANSWERS,
    BY_NAME,
    SILENT,
    UNREGISTERED,
    FakeApp,
    FakeBridge,
    FakeChannel,
    FakePlayback,
    FakeRecording,
    FarEnd,
)

OPEN_SECONDS = 5.0
"""How long the client waits for a handshake that does not come."""
ENTITY = "02:00:00:00:00:01"

__all__ = ["ANSWERS", "SILENT", "UNREGISTERED", "FakeAri", "FakeTransport", "FarEnd"]


class FakeAri:
    """The switch. All spans in seconds of the running loop."""

    def __init__(self, *, latency_seconds: float = 0.002) -> None:
        self.latency_seconds = latency_seconds
        self.channels: dict[str, FakeChannel] = {}
        self.bridges: dict[str, FakeBridge] = {}
        self.playbacks: dict[str, FakePlayback] = {}
        self.recordings: dict[str, FakeRecording] = {}
        self.stored: list[FakeRecording] = []
        self.apps: dict[str, FakeApp] = {}
        self.dynamic: dict[tuple[str, str, str], dict[str, str]] = {}
        self.globals: dict[str, str] = {}
        self.endpoint_states: dict[str, str] = {"trunk": "online"}
        self.dialplan: dict[tuple[str, str], Callable[[FakeChannel], None]] = {}
        self.past: list[FakeChannel] = []
        self.on_variable: Callable[[FakeChannel, str], None] = lambda *_: None
        self.requests: list[tuple[float, str, str]] = []
        self.sound_seconds: dict[str, float] = {}
        self.missing_sounds: set[str] = set()
        self.up = True
        self.refuses_with: int | None = None
        self.lose_event: Callable[[Mapping[str, Any]], bool] = lambda _: False
        self.lose_reply: Callable[[str, str], bool] = lambda *_: False
        self.hang_up_seconds = 0.0  # how long a channel's own thread takes to obey a hang-up
        self.slow: Callable[[str, str], float] = lambda *_: 0.0
        self.boots = 1
        self._far: list[tuple[str, FarEnd | Callable[[FakeChannel], FarEnd]]] = []
        self._rest = FakeRest(self)
        self._names = count(0)
        self.frozen = False
        self._waiting: deque[Callable[[], object]] = deque()
        self._in_flight: set[asyncio.Future[Reply]] = set()

    # -- for the client --------------------------------------------------------------------------------------

    def transport(self, app: str = "callwright") -> FakeTransport:
        """A line for one client."""
        return FakeTransport(self, app)

    # -- scripts ---------------------------------------------------------------------------------------------

    def far(self, endpoint: str, does: FarEnd | Callable[[FakeChannel], FarEnd]) -> None:
        """What endpoints matching `endpoint` (with wildcards) do when dialled; the last one said counts."""
        self._far.insert(0, (endpoint, does))

    def far_end(self, channel: FakeChannel) -> FarEnd:
        """What the party this channel dials will do."""
        for pattern, does in self._far:
            if fnmatchcase(channel.endpoint, pattern):
                return does if isinstance(does, FarEnd) else does(channel)
        tech, _, rest = channel.endpoint.partition("/")
        name, _, trunk = rest.partition("@")
        if trunk == "dead":
            return SILENT
        return BY_NAME.get(name, UNREGISTERED) if tech == "PJSIP" and trunk == "trunk" else UNREGISTERED

    def inbound(
        self,
        args: Sequence[str],
        *,
        channel_id: str = "",
        number: str = "+441632960001",
        app: str = "callwright",
        endpoint: str = "PJSIP/carrier",
        state: str = "Up",
        variables: Mapping[str, str] | None = None,
    ) -> FakeChannel:
        """A channel comes from the dialplan into Stasis(app, args); with the app away it is hung up there."""
        serial = next(self._names)
        channel = FakeChannel(channel_id or f"in-{serial}", f"{endpoint}-{serial:08x}", endpoint, self.time())
        channel.state, channel.caller_number, channel.far = state, number, FarEnd()
        channel.context, channel.extension = "callwright-inbound", "did"
        channel.variables.update(variables or {})
        self.channels[channel.id] = channel
        if not self.enter(channel, app, args):
            self.destroy(channel, 16)
        return channel

    def hang_up(self, channel_id: str, cause: int = 16) -> None:
        """The party hangs up; harmless where it has already."""
        channel = self.channels.get(channel_id)
        if channel is not None:
            self.destroy(channel, cause)

    def press(self, channel_id: str, digits: str) -> None:
        """The party presses keys; others in its bridge hear them unless they are absorbed."""
        channel = self.channels.get(channel_id)
        if channel is None:
            return
        for digit in digits:
            self.tell(channel, "ChannelDtmfReceived", digit=digit, duration_ms=120, channel=channel.shown())
            if channel.bridge is not None and not channel.absorbs_dtmf:
                for other in channel.bridge.members:
                    if other is not channel:
                        other.heard.append((self.time(), f"dtmf:{digit}"))

    def refer(self, channel_id: str, destination: str, *, replaces: str = "") -> None:
        """The party's phone asks by REFER to give its partner to `destination`, or to whom another channel talks."""
        channel = self.channels[channel_id]
        refer_to: dict[str, Any] = {"requested_destination": {"protocol_id": "SIP", "destination": destination}}
        if replaces:
            refer_to["destination_channel"] = self.channels[replaces].shown()
        source = {"source_channel": channel.shown()}
        self.tell(channel, "ChannelTransfer", state="channel_progress", refer_to=refer_to, referred_by=source)

    def hold(self, channel_id: str, *, on: bool = True) -> None:
        """The party's phone puts its call on hold: who is in its bridge hears Asterisk's music meanwhile."""
        channel = self.channels[channel_id]
        channel.variables["CHANNEL(rtp,hold)"] = str(int(on))
        for other in channel.bridge.members if channel.bridge is not None else ():
            other.held = on if other is not channel else other.held
        self.tell(channel, "ChannelHold" if on else "ChannelUnhold", channel=channel.shown())

    def together(self, one: str, other: str) -> bool:
        """Whether the two are in one bridge now, alive."""
        first, second = self.channels.get(one), self.channels.get(other)
        return first is not None and second is not None and first.bridge is not None and first.bridge is second.bridge

    def dialled(self, pattern: str = "*") -> list[FakeChannel]:
        """All channels ever made for endpoints matching `pattern`, oldest first."""
        alive = list(self.channels.values())
        found = [c for c in (*self.past, *alive) if fnmatchcase(c.endpoint, pattern)]
        return sorted(found, key=lambda c: c.created)

    # -- faults ----------------------------------------------------------------------------------------------

    def drop_sockets(self, why: str = "reset") -> None:
        """The TCP connections break; commands under way get no reply. Asterisk itself goes on."""
        for app in self.apps.values():
            if app.lost is not None and not app.lost.done():
                app.lost.set_result(why)
            app.deliver = app.lost = None
        for future in list(self._in_flight):
            if not future.done():
                future.set_exception(Uncertain("?", "?", "the connection broke"))

    def crash(self) -> None:
        """kill -9: every channel and bridge is gone, without a word."""
        self.up = False
        for channel in list(self.channels.values()):
            for timer in channel.timers:
                timer.cancel()
            channel.ended_at = self.time()
            self.past.append(channel)
        for playback in self.playbacks.values():
            if playback.timer is not None:
                playback.timer.cancel()
        self.channels.clear()
        self.bridges.clear()
        self.playbacks.clear()
        self.recordings.clear()
        self.drop_sockets("crashed")
        self.apps.clear()

    def boot(self) -> None:
        """Start it again after ``crash``."""
        self.up = True
        self.boots += 1

    def freeze(self) -> None:
        """SIGSTOP: nothing is answered, no event comes; sockets stay open."""
        self.frozen = True

    def thaw(self) -> None:
        """SIGCONT: all that waited happens now, in order."""
        self.frozen = False
        while self._waiting and not self.frozen:
            self._waiting.popleft()()

    def steal(self, app: str = "callwright") -> None:
        """Another program opens a socket with the name of `app`, and leaves at once."""
        self.emit(self.apps[app], {"type": "ApplicationReplaced"})
        self.apps[app].deliver = None

    def forget_app(self, app: str = "callwright") -> None:
        """The clean-up of an older socket takes the application away; the open one is deaf now."""
        del self.apps[app]

    # -- the machine -----------------------------------------------------------------------------------------

    def time(self) -> float:
        """Seconds of the running loop."""
        return asyncio.get_running_loop().time()

    def later(self, channel: FakeChannel, seconds: float, do: Callable[[], object]) -> None:
        """Do it after `seconds` unless the channel has gone by then."""
        channel.timers.append(asyncio.get_running_loop().call_later(seconds, self.act, do))

    def act(self, do: Callable[[], object]) -> None:
        """Do it now, or once thawed."""
        if self.frozen:
            self._waiting.append(do)
        else:
            do()

    def new_name(self, endpoint: str) -> str:
        """A channel's name."""
        tech, _, rest = endpoint.partition("/")
        rest = rest.partition("/sip:")[0]  # an endpoint and the address that is dialled by it
        return f"{tech}/{rest.rpartition('@')[2]}-{next(self._names):08x}"

    def app(self, name: str) -> FakeApp:
        """The application of that name, made where there is none."""
        return self.apps.setdefault(name, FakeApp(name))

    def emit(self, app: FakeApp, event: dict[str, Any]) -> None:
        """Send an event to an application's socket, past filter and faults."""
        if app.deliver is None or (app.allowed and event["type"] not in app.allowed) or self.lose_event(event):
            return
        frame = orjson.dumps({**event, "application": app.name, "asterisk_id": ENTITY, "timestamp": ""})
        deliver = app.deliver
        asyncio.get_running_loop().call_soon(deliver, frame)

    def tell(self, channel: FakeChannel, type_: str, /, **fields: Any) -> None:
        """Send an event about a channel to all applications that are to know."""
        names = channel.subscribers | ({channel.app} if channel.in_stasis else set())
        for name in names:
            if name in self.apps:
                self.emit(self.apps[name], {"type": type_, **fields})

    def enter(self, channel: FakeChannel, app: str, args: Sequence[str]) -> bool:
        """Stasis(app, args); False where the application is away."""
        found = self.apps.get(app)
        if found is None or found.deliver is None:
            return False
        channel.app, channel.args, channel.in_stasis = app, tuple(args), True
        self.tell(channel, "StasisStart", args=list(args), channel=channel.shown())
        return True

    def leave_stasis(self, channel: FakeChannel) -> None:
        """StasisEnd."""
        if channel.in_stasis:
            self.leave_bridge(channel)
            self.tell(channel, "StasisEnd", channel=channel.shown())
            channel.in_stasis = False

    def leave_bridge(self, channel: FakeChannel) -> None:
        """Out of its bridge, if it is in one."""
        if channel.bridge is not None:
            channel.bridge.members.remove(channel)
            channel.bridge, channel.held = None, False
            channel.bridge_log.append((self.time(), ""))

    def destroy(self, channel: FakeChannel, cause: int, tech_cause: int | None = None, dial: str = "") -> None:
        """The channel ends; `dial` is the final Dial status, where there is one."""
        if self.channels.pop(channel.id, None) is None:
            return
        for timer in channel.timers:
            timer.cancel()
        for ear in channel.ears:
            self.destroy(ear, 16)
        for playback in list(channel.playing):
            self._rest.end_playback(playback, "failed")
        if channel.recording is not None:
            self._rest.end_recording(channel.recording)
        for snoop in [other for other in self.channels.values() if other.endpoint == f"Snoop/{channel.id}"]:
            self.destroy(snoop, 16)
        if dial:
            self.tell(channel, "Dial", dialstatus=dial, peer=channel.shown())
        self.leave_stasis(channel)
        channel.ended_at, channel.cause, channel.tech_cause = self.time(), cause, tech_cause
        event = {"cause": cause, "cause_txt": "", "channel": channel.shown()}
        if tech_cause is not None:
            event["tech_cause"] = tech_cause
        self.tell(channel, "ChannelDestroyed", **event)
        self.past.append(channel)
        for resume in channel.blocked:
            resume()

    async def serve(self, method: str, path: str, params: dict[str, Any], within: float) -> Reply:
        """One command: it takes effect although its caller may be cancelled or out of patience by then."""
        if not self.up:
            raise AriDown("Asterisk cannot be reached: connection refused.")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Reply] = loop.create_future()
        self._in_flight.add(future)
        half = self.latency_seconds / 2

        def answer(status: int, body: Any) -> None:
            if not self.lose_reply(method, path):
                loop.call_later(half, settle, Reply(status, b"" if body is None else orjson.dumps(body)))

        def settle(reply: Reply) -> None:
            if not future.done():
                future.set_result(reply)

        def take() -> None:
            if self.up:
                self.requests.append((loop.time(), method, path))
                self._rest.handle(method, path, params, answer)

        loop.call_later(half + self.slow(method, path), self.act, take)
        try:
            async with asyncio.timeout(within):
                return await future
        except TimeoutError:
            raise Uncertain(method, path, f"no reply within {within:g} s") from None
        except Uncertain as error:
            raise Uncertain(method, path, error.why) from None
        finally:
            self._in_flight.discard(future)


class FakeSocket:
    """An event socket of the fake."""

    def __init__(self, *apps: FakeApp) -> None:
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._apps = apps

    async def close(self) -> None:
        """Close it; harmless when closed already."""
        for app in self._apps:
            if app.lost is self.lost:
                app.deliver = app.lost = None
        if not self.lost.done():
            self.lost.set_result("closed")


class FakeTransport:
    """``Transport`` to a FakeAri."""

    def __init__(self, fake: FakeAri, app: str) -> None:
        self.fake, self.app = fake, app

    async def start(self) -> None:
        """Nothing to get ready."""

    async def close(self) -> None:
        """Nothing to close."""

    async def open_events(self, deliver: Callable[[bytes], None]) -> FakeSocket:
        """Open the event socket; one of the same name that is open is told that it is replaced."""
        fake = self.fake
        await asyncio.sleep(OPEN_SECONDS if fake.frozen else fake.latency_seconds)
        if not fake.up or fake.frozen:
            raise AriDown("Asterisk cannot be reached: connection refused.")
        if fake.refuses_with is not None:
            raise Refused(fake.refuses_with, "Unauthorized", "GET", "events")
        app = fake.app(self.app)
        fake.emit(app, {"type": "ApplicationReplaced"})
        beside = fake.app(agents_name(self.app))
        socket = FakeSocket(app, beside)
        for one in (app, beside):
            one.deliver, one.lost = deliver, socket.lost
        return socket

    async def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Mapping[str, Any] | None,
        within: float,
        *,
        may_block: bool = False,
    ) -> Reply:
        """One command; raises AriDown or Uncertain."""
        return await self.fake.serve(method, path, {**query, **(body or {})}, within)
