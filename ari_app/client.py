"""The ARI client: one object that keeps the line to an Asterisk and hands out channels and bridges."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Self, TypeVar

import structlog

from ari_app.bridge import TALK, Bridge
from ari_app.channel import Channel, Gone, GoneKind
from ari_app.counters import Counters
from ari_app.errors import AriError, HungUp, NoAnswer, Refused
from ari_app.events import WANTED, WANTED_OF_AGENTS, ChannelInfo, ChannelUserevent, RecordingEvent
from ari_app.line import part
from ari_app.link import BEAT, Link
from ari_app.media import Playback, Recording
from ari_app.router import Arrival, Router
from ari_app.scope import finish, heard_late, until_hangup
from ari_app.snapshot import Snapshot, take_snapshot
from ari_app.transport import Transport, agents_name, quiet_name
from ari_app.wire import AsteriskTransport
from contact_center.crash_points import reached

T = TypeVar("T")

RING_GRACE_SECONDS = 5.0
"""Asterisk ends an unanswered dial by itself; so much later we stop waiting for it to say so."""
DEBT_SECONDS = 60.0
"""A channel whose originate is uncertain and which shows no sign of life for this long never was."""
DEBT_WAIT_SECONDS = (0.25, 0.5, 1.0, 2.0, 5.0)
"""Waits between tries to hang up a channel that could not be hung up; the last one repeats."""

log = structlog.get_logger(__name__)


def utc_now() -> datetime:
    """Aware UTC instant."""
    return datetime.now(UTC)


class AriClient:
    """``async with AriClient(...) as ari``: keeps the line to one Asterisk until the block ends.

    `on_connect` is awaited after each connect, before `live`; events are routed meanwhile. Where it raises,
    the client stays not live and tries it again.
    """

    def __init__(
        self,
        *,
        url: str = "",
        user: str = "",
        password: str = "",
        app: str = "callwright",
        heartbeat_seconds: float = 1.0,
        request_seconds: float = 3.0,
        command_sockets: int = 2,
        on_connect: Callable[[], Awaitable[None]] | None = None,
        transport: Transport | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.app, self.now, self.request_seconds = app, now, request_seconds
        self.on_connect = on_connect
        self.boot_id = ""
        self.quiet_app = self.agents_app = app  # until Asterisk has shown that it knows the others
        self.counters = Counters()
        self._heartbeat_seconds = heartbeat_seconds
        self._transport: Transport = transport or AsteriskTransport(
            url=url,
            user=user,
            password=password,
            app=app,
            command_sockets=command_sockets,
            counters=self.counters,
        )
        self._tasks: set[asyncio.Task[Any]] = set()
        self._debts: set[str] = set()
        self._closed = False

    async def __aenter__(self) -> Self:
        self._router = Router(counters=self.counters, stage=self.channel, now=self.now)
        self._router.on_user_event = self._on_user_event
        self._router.on_arrival = lambda channel: self.spawn(self._subscribe(channel), f"subscribe {channel.id}")
        self._link = Link(
            transport=self._transport,
            app=self.app,
            deliver=self._router.deliver,
            prepare=self._prepare,
            beat=self._beat,
            heartbeat_seconds=self._heartbeat_seconds,
            counters=self.counters,
        )
        self._router.on_replaced = self._link.on_replaced
        await self._transport.start()
        self.spawn(self._link.run(), "ari")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closed = True
        if self._debts:
            log.warning("left without hanging up", channels=sorted(self._debts))
        while tasks := list(self._tasks):  # one that is cancelled may start another to clean up
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        await self._transport.close()

    # -- the line --------------------------------------------------------------------------------------------

    @property
    def live(self) -> bool:
        """Whether events are proven to come; nothing is dialled while it is False."""
        return self._link.live

    @property
    def status(self) -> str:
        """The state of the line as one phrase for people."""
        return self._link.status

    @property
    def generation(self) -> int:
        """How many times we connected."""
        return self._link.generation

    @property
    def replaced(self) -> int:
        """How many times another program took our application name."""
        return self.counters.replaced

    @property
    def on_live(self) -> list[Callable[[bool], None]]:
        """Called at each change of `live`."""
        return self._link.on_live

    async def until_live(self) -> None:
        """Wait until `live`."""
        await self._link.until_live()

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        within: float | None = None,
        may_block: bool = False,
    ) -> Any:
        """One command; the decoded reply, of a GET only. Raises AriDown, Uncertain or Refused."""
        seconds = self.request_seconds if within is None else within
        reply = await self._transport.request(method, path, query or {}, body, seconds, may_block=may_block)
        if not reply.ok:
            raise Refused(reply.status, reply.message, method, path)
        return reply.json() if method == "GET" else None

    def spawn(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Run `work` as a task that ends with the client at the latest; its failure is logged."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, AriError):
            log.debug("not done", task=task.get_name(), error=str(error))
        else:
            log.error("a task of the ARI client failed", task=task.get_name(), exc_info=error)

    # -- after a connect -------------------------------------------------------------------------------------

    async def _prepare(self) -> None:
        await self._filter(self.app, WANTED)
        self.quiet_app = await self._known(quiet_name(self.app), ("ApplicationReplaced",))
        self.agents_app = await self._known(agents_name(self.app), WANTED_OF_AGENTS)
        self.boot_id = await self._asterisk_boot()
        await self._settle_handles()
        if self.on_connect is not None:
            await self.on_connect()

    async def _filter(self, app: str, types: Sequence[str]) -> None:
        body = {"allowed": [{"type": name} for name in types], "disallowed": []}
        await self.request("PUT", f"applications/{part(app)}/eventFilter", body=body)

    async def _known(self, app: str, types: Sequence[str]) -> str:
        """`app`, of which only events of these types are sent; our own where Asterisk does not know that one."""
        try:
            await self._filter(app, types)
        except Refused as refused:
            if refused.status != 404:
                raise
            return self.app
        return app

    async def _asterisk_boot(self) -> str:
        info = await self.request("GET", "asterisk/info", query={"only": "status,system"})
        system, status = info.get("system") or {}, info.get("status") or {}
        return f"{system.get('entity_id', '')}@{status.get('startup_time', '')}"

    async def _settle_handles(self) -> None:
        """Bring handles from before the connect in line with what Asterisk holds now."""
        known = [channel for channel in self.channels.values() if channel.sent]
        playbacks, recordings = list(self.playbacks.values()), list(self.recordings.values())
        if known:
            snapshot = await self.snapshot()
            for channel in known:
                channel.settle(snapshot.channels.get(channel.id))
        for playback in playbacks:
            if not await self._has(f"playbacks/{part(playback.id)}"):
                playback.finish("done")
        for recording in recordings:
            if not await self._has(f"recordings/live/{part(recording.name)}"):
                recording.finish(RecordingEvent("RecordingFinished", "", recording.name))

    async def _has(self, path: str) -> bool:
        try:
            await self.request("GET", path)
        except Refused as refused:
            if refused.status != 404:
                raise
            return False
        return True

    async def _beat(self, name: str) -> None:
        if self.agents_app != self.app:  # 404 where it was taken away; the event itself is not sent to us
            await self.request("POST", f"events/user/{name}", query={"application": self.agents_app})
        await self.request("POST", f"events/user/{name}", query={"application": self.app})

    def _on_user_event(self, event: ChannelUserevent) -> None:
        if event.name.startswith(BEAT):
            self._link.on_beat(event.name)

    # -- channels --------------------------------------------------------------------------------------------

    @property
    def channels(self) -> Mapping[str, Channel]:
        """Handles of channels that have not gone, by id."""
        return self._router.channels

    @property
    def playbacks(self) -> dict[str, Playback]:
        """Sounds being played, by id."""
        return self._router.playbacks

    @property
    def recordings(self) -> dict[str, Recording]:
        """Recordings being made, by name."""
        return self._router.recordings

    def channel(self, channel_id: str) -> Channel:
        """Stage a channel: from now on its events are routed to it. Nothing is sent."""
        found = self._router.channels.get(channel_id)
        if found is None:
            found = self._router.channels[channel_id] = Channel(self, channel_id)
        return found

    def find(self, channel_id: str) -> Channel | None:
        """The handle of a channel that has not gone."""
        return self._router.channels.get(channel_id)

    def adopt(self, info: ChannelInfo) -> Channel:
        """The handle of a channel found in a snapshot, in the state it is in."""
        channel = self.channel(info.id)
        channel.settle(info)
        return channel

    def forget(self, channel: Channel) -> None:
        """Stop routing events to `channel`."""
        if self._router.channels.get(channel.id) is channel:
            del self._router.channels[channel.id]

    async def arrivals(self) -> AsyncIterator[Arrival]:
        """Channels that enter our application and that nobody staged, as they come; one reader."""
        while True:
            yield await self._router.arrivals.get()

    async def _subscribe(self, channel: Channel) -> None:
        try:
            await channel.subscribe()
        except AriError as error:
            log.debug("not subscribed", channel=channel.id, error=str(error))

    @asynccontextmanager
    async def dial(
        self,
        endpoint: str,
        *,
        channel_id: str,
        ring_seconds: float,
        app_args: Sequence[str] = (),
        caller_id: str = "",
        variables: Mapping[str, str] | None = None,
        originator: str | None = None,
        formats: str | None = None,
        app: str = "",
        meanwhile: Callable[[], Awaitable[None]] | None = None,
    ) -> AsyncIterator[Channel]:
        """Dial `endpoint`: the block runs with the answered channel and hangs it up when it ends.

        `meanwhile` is awaited once Asterisk has taken the dial, before the answer is waited for. Raises NoAnswer
        where it ended unanswered; AriDown, Refused or Uncertain as ``Channel.originate``.
        """
        channel = self.channel(channel_id)
        try:
            await channel.originate(
                endpoint,
                ring_seconds=ring_seconds,
                app_args=app_args,
                caller_id=caller_id,
                variables=variables,
                originator=originator,
                formats=formats,
                app=app,
            )
            reached("agent_leg_sent")
            if meanwhile is not None:
                await meanwhile()
            await self._answered(channel, ring_seconds + RING_GRACE_SECONDS)
            reached("agent_answered")
            yield channel
        finally:
            if not channel.gone.happened:
                await finish(channel.hang_up())

    async def _answered(self, channel: Channel, within: float) -> None:
        try:
            async with asyncio.timeout(within) as limit, until_hangup(channel):
                await channel.entered
        except HungUp:
            raise NoAnswer(channel, channel.gone.value) from None
        except TimeoutError:
            await heard_late(limit, channel.entered, channel.gone)
            if not channel.entered.happened:
                raise NoAnswer(channel, Gone(GoneKind.LOST, self.now())) from None

    def owe(self, channel: Channel) -> None:
        """Hang up `channel` as soon and as often as needed."""
        if channel.id not in self._debts and not channel.gone.happened and not self._closed:
            self._debts.add(channel.id)
            self.spawn(self._pay(channel), f"hang up {channel.id}")

    async def _pay(self, channel: Channel) -> None:
        loop = asyncio.get_running_loop()
        began, waits = loop.time(), iter(DEBT_WAIT_SECONDS)
        wait = next(waits)
        try:
            while not channel.gone.happened:
                if channel.placing is not None:
                    await asyncio.wait([channel.placing], timeout=self.request_seconds)
                sure = await channel.try_hang_up()
                if not sure and channel.uncertain and self.live and loop.time() - began > DEBT_SECONDS:
                    channel.lost()
                await channel.gone_within(wait)
                wait = next(waits, DEBT_WAIT_SECONDS[-1])
        finally:
            self._debts.discard(channel.id)

    # -- everything else -------------------------------------------------------------------------------------

    def bridge(self, bridge_id: str, *, name: str = "", types: str = TALK) -> Bridge:
        """Stage a bridge; ``async with`` makes and unmakes it."""
        return Bridge(self, bridge_id, name=name, types=types)

    async def snapshot(self) -> Snapshot:
        """All channels and bridges of Asterisk now."""
        return await take_snapshot(self)

    async def endpoint_state(self, tech: str, resource: str) -> str | None:
        """ "online", "offline" or "unknown"; None where there is no such endpoint."""
        try:
            reply = await self.request("GET", f"endpoints/{part(tech)}/{part(resource)}")
        except Refused as refused:
            if refused.status != 404:
                raise
            return None
        return str(reply.get("state") or "unknown")

    async def put_dynamic(self, config_class: str, object_type: str, object_id: str, fields: Mapping[str, str]) -> None:
        """Make or change one object of Asterisk's configuration, e.g. res_pjsip / endpoint / 1001."""
        body = {"fields": [{"attribute": key, "value": value} for key, value in fields.items()]}
        await self.request("PUT", _dynamic(config_class, object_type, object_id), body=body)

    async def delete_dynamic(self, config_class: str, object_type: str, object_id: str) -> None:
        """Remove one object of Asterisk's configuration; harmless where there is none."""
        try:
            await self.request("DELETE", _dynamic(config_class, object_type, object_id))
        except Refused as refused:
            if refused.status != 404:
                raise


def _dynamic(config_class: str, object_type: str, object_id: str) -> str:
    return f"asterisk/config/dynamic/{part(config_class)}/{part(object_type)}/{part(object_id)}"
