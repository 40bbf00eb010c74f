"""Where channels hear each other, and a pool of bridges made beforehand."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING, Self
from uuid import uuid4

import structlog

from ari_app.channel import Channel
from ari_app.errors import AriDown, AriError, Refused, Uncertain
from ari_app.line import Line, part
from ari_app.media import Playback, Recording
from ari_app.scope import finish

if TYPE_CHECKING:
    from ari_app.client import AriClient

TALK = "mixing,dtmf_events"
"""Without the second word Asterisk lets the sound of two like phones pass by its core, and with it every key."""
MOST_READY = 200
"""Bridges given back are kept up to this many: as many as calls were up at once at the busiest."""
EMPTY_SECONDS = 2.0
"""A bridge given back with somebody inside is destroyed unless it is empty by then."""

log = structlog.get_logger(__name__)


class Bridge:
    """A bridge by an id of our choice; nothing is sent before ``create``.

    ``members`` are all who may be inside, also those of whom it is not known.
    """

    def __init__(self, line: Line, bridge_id: str, *, name: str = "", types: str = TALK) -> None:
        self.id, self.name, self.types = bridge_id, name, types
        self.members: set[Channel] = set()
        self._unsure: set[Channel] = set()
        self.plain = True
        self._line = line
        self._playbacks: set[Playback] = set()
        self._numbers = count(1)

    def __repr__(self) -> str:
        return f"<Bridge {self.id}>"

    async def create(self) -> None:
        """Make it; one of this id that is there already is taken as this one."""
        query = {"type": self.types, "bridgeId": self.id, "name": self.name}
        try:
            await self._line.request("POST", "bridges", query=query)
        except Refused as refused:
            if refused.status != 409:
                raise

    async def add(self, *channels: Channel, absorb_dtmf: bool = False) -> None:
        """Let `channels` in, out of whatever bridge they are in; HungUp where one of them has gone.

        `absorb_dtmf`: what they key is told to us and not heard by the others. Sounds still playing to one of
        them are stopped: Asterisk would hold the command back until their end.
        """
        for channel in channels:
            await channel.stop_sounds()
        query = {"channel": ",".join(channel.id for channel in channels)}
        if absorb_dtmf:
            query["absorbDTMF"] = "true"
        path, busy = f"bridges/{part(self.id)}/addChannel", any(channel.busy for channel in channels)
        self.members.update(channels)
        self._unsure.update(channels)
        try:
            await self._line.request("POST", path, query=query, may_block=busy)
        except BaseException as error:  # a command that was sent may be done although nobody waits for it any more
            self.plain = False  # it may also be the bridge that has gone: never to be used again
            if isinstance(error, Refused):
                for channel in channels:
                    await channel.raise_if_gone(error)
            raise
        self._unsure.difference_update(channels)
        for channel in channels:
            channel.tell_bridged(self.id)

    def holds(self, channel: Channel) -> bool:
        """Whether he was let in, and it is known."""
        return channel in self.members and channel not in self._unsure

    async def remove_unsure(self, keep: Channel) -> None:
        """Let out all but `keep` who may be inside by a command of which nobody knows what came. Raises AriError."""
        for channel in self._unsure - {keep}:
            if channel.gone.happened:
                self._unsure.discard(channel)
            else:
                await self._let_out(channel)  # not told: he may be in another bridge by now

    async def remove(self, *channels: Channel) -> None:
        """Let `channels` out; harmless where one is out already or has gone."""
        for channel in channels:
            channel.tell_bridged("")
            await self._let_out(channel)

    async def _let_out(self, channel: Channel) -> None:
        self._unsure.add(channel)
        try:
            query = {"channel": channel.id}
            await self._line.request("POST", f"bridges/{part(self.id)}/removeChannel", query=query)
        except Refused as refused:
            log.debug("already out of the bridge", bridge=self.id, channel=channel.id, error=str(refused))
        self.members.discard(channel)
        self._unsure.discard(channel)

    async def play(self, *media: str) -> Playback:
        """Play sounds to all in the bridge, mixed with what they say; blocks no command."""
        self.plain = False
        playback = Playback(self._line, f"{self.id}.p{next(self._numbers)}", media)
        self._playbacks.add(playback)
        playback.finished.add_done_callback(lambda _: self._playbacks.discard(playback))
        if playback.finished.happened:
            return playback
        path = f"bridges/{part(self.id)}/play/{part(playback.id)}"
        try:
            await self._line.request("POST", path, body={"media": list(media)})
        except AriError:
            playback.finish("gone")
            raise
        return playback

    def stop_soon(self, playback: Playback) -> None:
        """Stop a sound from a task of the client's: for code that is being cancelled."""
        self._line.spawn(playback.stop(), f"stop {playback.id}")

    async def start_moh(self, klass: str = "") -> None:
        """Music for all in the bridge."""
        self.plain = False
        query = {"mohClass": klass} if klass else None
        await self._line.request("POST", f"bridges/{part(self.id)}/moh", query=query)

    async def stop_moh(self) -> None:
        """End the music."""
        await self._line.request("DELETE", f"bridges/{part(self.id)}/moh")

    async def record(self, name: str, *, file_format: str = "wav", query: Mapping[str, str] | None = None) -> Recording:
        """Record all that is said in the bridge, to the file `name` below Asterisk's recording folder."""
        self.plain = False
        recording = Recording(self._line, name)
        wanted = {"name": name, "format": file_format, "ifExists": "overwrite", **(query or {})}
        try:
            await self._line.request("POST", f"bridges/{part(self.id)}/record", query=wanted)
        except AriError:
            self._line.recordings.pop(name, None)
            raise
        return recording

    async def destroy(self) -> None:
        """Unmake it; channels inside live on. Harmless where it is gone already."""
        try:
            await self._line.request("DELETE", f"bridges/{part(self.id)}")
        except Refused as refused:
            if refused.status != 404:
                raise
        for playback in list(self._playbacks):
            playback.finish("gone")

    async def __aenter__(self) -> Self:
        try:
            await self.create()
        except BaseException:
            await finish(self.destroy())
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await finish(self.destroy())


class BridgePool:
    """Keeps at least `size` bridges ready, so that an answer waits for no bridge to be made.

    A bridge that was only used to connect channels, all of them gone, is used again; any other is destroyed
    and replaced. ``async with`` owns them all.
    """

    def __init__(self, ari: AriClient, *, size: int = 8, prefix: str = "callwright-pool") -> None:
        self.size, self.prefix = size, prefix
        self._ari = ari
        self._ready: deque[tuple[str, Bridge]] = deque()
        self._own: set[str] = set()
        self._filling = False
        self._open = False

    async def __aenter__(self) -> Self:
        self._open = True
        self._fill_soon()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._open = False
        ready, self._ready = [bridge for _, bridge in self._ready], deque()
        await finish(_destroy_all(ready))

    @property
    def ready(self) -> int:
        """Bridges that can be taken at once."""
        return len(self._ready)

    async def sweep(self) -> int:
        """Destroy what an earlier process left, never what is ours; how many."""
        return await sweep_pool(self._ari, self.prefix, keep=self._own)

    @asynccontextmanager
    async def take(self) -> AsyncIterator[Bridge]:
        """A bridge of one's own while the block lasts."""
        bridge = self._take_ready()
        if bridge is None:
            bridge = self._stage()
            await self._create(bridge)
        self._fill_soon()
        boot_id = self._ari.boot_id
        try:
            yield bridge
        finally:
            if not self._keep(boot_id, bridge):
                self._ari.spawn(self._give_back(boot_id, bridge), "give back a bridge")

    def _take_ready(self) -> Bridge | None:
        while self._ready:
            boot_id, bridge = self._ready.popleft()
            if boot_id == self._ari.boot_id:  # else Asterisk restarted, and it is no more
                return bridge
            self._own.discard(bridge.id)
        return None

    def _stage(self) -> Bridge:
        bridge = self._ari.bridge(f"{self.prefix}-{uuid4().hex[:12]}", name=self.prefix)
        self._own.add(bridge.id)
        return bridge

    async def _create(self, bridge: Bridge) -> None:
        try:
            await bridge.create()
        except BaseException:
            self._own.discard(bridge.id)  # if it was made after all, the next sweep finds it
            raise

    def _keep(self, boot_id: str, bridge: Bridge) -> bool:
        """Take it back as a ready one, where it is as good as new and everybody in it has gone."""
        room = self._open and len(self._ready) < max(self.size, MOST_READY) and boot_id == self._ari.boot_id
        if not (room and bridge.plain) or any(not channel.gone.happened for channel in bridge.members):
            return False
        bridge.members.clear()
        bridge._unsure.clear()
        self._ready.append((boot_id, bridge))
        return True

    async def _give_back(self, boot_id: str, bridge: Bridge) -> None:
        if await self._emptied(bridge) and self._keep(boot_id, bridge):
            return
        self._own.discard(bridge.id)
        await _destroy_all([bridge])
        self._fill_soon()

    async def _emptied(self, bridge: Bridge) -> bool:
        """Whether all who were in it go soon: a call may hang up its legs after it lets go of the bridge."""
        try:
            async with asyncio.timeout(EMPTY_SECONDS if self._open else 0.0):
                for channel in bridge.members:
                    await channel.left()
        except TimeoutError:
            return False
        return True

    def _fill_soon(self) -> None:
        if self._open and not self._filling and len(self._ready) < self.size:
            self._filling = True
            self._ari.spawn(self._fill(), "fill the bridge pool")

    async def _fill(self) -> None:
        try:
            await self._ari.until_live()
            while self._open and len(self._ready) < self.size:
                bridge, boot_id = self._stage(), self._ari.boot_id
                await self._create(bridge)
                self._ready.append((boot_id, bridge))
        except AriError as error:
            log.info("the bridge pool is not full; bridges are made when needed", error=str(error))
        finally:
            self._filling = False
        if not self._open:
            await self.__aexit__()


async def _destroy_all(bridges: list[Bridge]) -> None:
    for bridge in bridges:
        try:
            await bridge.destroy()
        except (AriDown, Uncertain, Refused) as error:
            log.info("a bridge was left behind", bridge=bridge.id, error=str(error))


async def sweep_pool(ari: AriClient, prefix: str = "callwright-pool", *, keep: Collection[str] = ()) -> int:
    """Destroy the empty pool bridges an earlier process left, but those in ``keep``; how many."""
    snapshot = await ari.snapshot()
    empty = [info for info in snapshot.bridges.values() if info.name == prefix and not info.channels]
    left = [info for info in empty if info.id not in keep]
    async with asyncio.TaskGroup() as group:
        for info in left:
            group.create_task(_destroy_all([ari.bridge(info.id)]))
    return len(left)
