"""Keeps the event socket open and says truthfully whether events come.

One task, for ever: connect, prepare (filter, reconcile), prove by a heartbeat that an event we cause comes
back, and begin again when it does not. `live` is False from the first doubt until the proof is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from ari_app.backoff import Backoff
from ari_app.counters import Counters
from ari_app.errors import AriError, Refused
from ari_app.transport import EventSocket, Transport

BEAT = "callwright-beat"
"""Name of the heartbeat's user events; a number follows."""
PREPARE_SECONDS = 60.0
"""Deadline of one preparation (filter, snapshot, the reconciler)."""
BEATS_MISSED = 4
"""Heartbeats in a row that may go missing before the socket is given up."""
ABSENT_LOG_SECONDS = 60.0
"""While Asterisk is away one line is logged this often."""
THIEF_FIRST_SECONDS = 1.0
"""After another program took our name: one try after this, then 5 s doubling to 60 s."""
UNDISTURBED_SECONDS = 120.0
"""A connection that lasted this long makes the next theft a first one again."""

log = structlog.get_logger(__name__)


class Link:
    """The event socket's supervisor."""

    def __init__(
        self,
        *,
        transport: Transport,
        app: str,
        deliver: Callable[[bytes], None],
        prepare: Callable[[], Awaitable[None]],
        beat: Callable[[str], Awaitable[object]],
        heartbeat_seconds: float,
        counters: Counters,
    ) -> None:
        self.live = False
        self.status = "connecting"
        self.generation = 0
        self.on_live: list[Callable[[bool], None]] = []
        self._transport, self._app, self._deliver = transport, app, deliver
        self._prepare, self._beat, self._counters = prepare, beat, counters
        self._heartbeat_seconds = heartbeat_seconds
        self._live_event = asyncio.Event()
        self._broken: asyncio.Future[str] | None = None
        self._prepared = False
        self._replaced = False
        self._beats = 0
        self._awaited: tuple[str, asyncio.Future[None]] | None = None
        self._logged_at = float("-inf")

    async def until_live(self) -> None:
        """Wait until `live`."""
        await self._live_event.wait()

    def on_beat(self, name: str) -> None:
        """A heartbeat came back; one that comes late ends the doubt it caused."""
        if self._awaited is not None and name == self._awaited[0] and not self._awaited[1].done():
            self._awaited[1].set_result(None)
        if name == f"{BEAT}.{self.generation}.{self._beats}":
            self._proven()

    def on_replaced(self) -> None:
        """Another program opened a socket with our application's name: events go there now."""
        self._counters.replaced += 1
        self._replaced = True
        self._set_live(False, f"another program has taken the application name {self._app!r}")
        log.error("another program has taken our application name", application=self._app)
        self._break("replaced", self._broken)

    async def run(self) -> None:
        """Connect, serve, and again, for ever."""
        loop, backoff, thieves = asyncio.get_running_loop(), Backoff(0.1, 5.0), Backoff(5.0, 60.0)
        while True:
            try:
                socket = await self._transport.open_events(self._deliver)
            except AriError as error:
                await asyncio.sleep(self._absent(error, backoff.next_seconds()))
                continue
            except Exception as error:
                log.exception("connecting to Asterisk failed in a way nobody foresaw; it is tried again")
                await asyncio.sleep(self._absent(error, backoff.next_seconds()))
                continue
            began = loop.time()
            why = await self._serve(socket)
            lasted, self._logged_at = loop.time() - began, loop.time()
            log.warning("the line to Asterisk was lost", why=why, generation=self.generation)
            if lasted > UNDISTURBED_SECONDS:
                thieves.reset()
            if lasted > backoff.most_seconds:
                backoff.reset()
            await asyncio.sleep(_after_theft(thieves) if self._replaced else backoff.next_seconds())

    def _absent(self, error: Exception, wait: float) -> float:
        """Note why there is no connection; how long to wait before the next try."""
        if isinstance(error, Refused) and error.status in (401, 403):
            self.status = f"Asterisk refuses: {error.status} (check ari_user and ari_password)"
        elif isinstance(error, Refused):
            self.status = f"Asterisk refuses: {error.status} {error.message}".rstrip()
        else:
            self.status = str(error)
        now = asyncio.get_running_loop().time()
        if now - self._logged_at >= ABSENT_LOG_SECONDS:
            self._logged_at = now
            log.warning("no connection to Asterisk", status=self.status)
        return max(wait, 1.0) if isinstance(error, Refused) else wait

    async def _serve(self, socket: EventSocket) -> str:
        """Live with one socket until it ends; why it ended."""
        self.generation += 1
        self._counters.connects += 1
        self._replaced = self._prepared = False
        self.status = "connected, reconciling"
        self._broken = broken = asyncio.get_running_loop().create_future()
        socket.lost.add_done_callback(lambda lost: self._break(lost.result(), broken))
        worker = asyncio.create_task(self._work(), name="ari link")
        try:
            await asyncio.wait([worker, broken], return_when=asyncio.FIRST_COMPLETED)
            why = broken.result() if broken.done() else _outcome(worker)
        finally:
            self._prepared = False
            self._broken = None
            if not self._replaced:
                self._set_live(False, "the line to Asterisk was lost")
            worker.cancel()
            await asyncio.wait([worker])
            await socket.close()
        return why

    def _break(self, why: str, broken: asyncio.Future[str] | None) -> None:
        """End the connection that `broken` stands for; nothing where that is over already."""
        if broken is not None and broken is self._broken and not broken.done():
            broken.set_result(why)
            if not self._replaced:
                self._set_live(False, why)

    async def _work(self) -> str:
        """Prepare, then beat, until this socket is no good; why."""
        backoff = Backoff(0.5, 5.0)
        while True:
            try:
                if await self._prepared_once():
                    return await self._keep_beating()
            except Refused as error:
                # The clean-up of an older socket of this name took the application away under the new one.
                return f"Asterisk does not know our application: {error}"
            await asyncio.sleep(backoff.next_seconds())

    async def _prepared_once(self) -> bool:
        """Prepare; Refused (404) where this socket is no good, else whether it succeeded."""
        try:
            async with asyncio.timeout(PREPARE_SECONDS):
                await self._prepare()
        except (AriError, TimeoutError) as error:
            if isinstance(error, Refused) and error.status == 404:
                raise
            self.status = f"connected, but reconciling failed: {error or type(error).__name__}"
            log.warning("reconciling failed; it is tried again", error=repr(error))
            return False
        except Exception as error:
            self.status = f"connected, but reconciling failed: {error!r}"
            log.exception("reconciling failed; it is tried again")
            return False
        self._prepared = True
        return True

    async def _keep_beating(self) -> str:
        """Beat until too many go missing; why the socket is given up."""
        loop, missed = asyncio.get_running_loop(), 0
        while missed < BEATS_MISSED:
            began = loop.time()
            self._beats += 1
            try:
                async with asyncio.timeout(self._heartbeat_seconds):
                    await self._one_beat(f"{BEAT}.{self.generation}.{self._beats}")
            except Refused as error:
                return f"Asterisk does not know our application any more: {error}"
            except (AriError, TimeoutError) as error:
                missed += 1
                self._counters.beats_missed += 1
                self._set_live(False, f"in doubt: no heartbeat for {self._heartbeat_seconds:g} s")
                log.warning("a heartbeat went missing", error=str(error), missed=missed)
            else:
                missed = 0
                self._proven()
            await asyncio.sleep(max(0.0, began + self._heartbeat_seconds - loop.time()))
        return f"{missed} heartbeats went missing"

    async def _one_beat(self, name: str) -> None:
        self._awaited = (name, asyncio.get_running_loop().create_future())
        await self._beat(name)
        await self._awaited[1]

    def _proven(self) -> None:
        """An event we caused came back on the connection we have."""
        if self._prepared and self._broken is not None and not self._broken.done():
            self._set_live(True, "live")

    def _set_live(self, live: bool, status: str) -> None:
        self.status = status
        if live == self.live:
            return
        self.live = live
        if live:
            self._live_event.set()
        else:
            self._live_event.clear()
        log.info("line to Asterisk", live=live, status=status)
        for callback in list(self.on_live):
            try:
                callback(live)
            except Exception:
                log.exception("a listener of the line failed", live=live)


def _outcome(worker: asyncio.Task[str]) -> str:
    """Why the worker ended; a bug in it must cost a connection, not the supervisor."""
    error = worker.exception()
    if error is None:
        return worker.result()
    log.error("the supervisor of the line failed", exc_info=error)
    return f"a fault of our own: {error!r}"


def _after_theft(thieves: Backoff) -> float:
    """How long to leave the application to whoever took it."""
    if not thieves.fresh:
        return thieves.next_seconds()
    thieves.fresh = False
    return THIEF_FIRST_SECONDS
