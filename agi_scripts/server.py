"""The FastAGI server: path to script, one task per connection, and nobody can disturb another.

A script that fails never hurts the call: the dialplan goes on after ``AGI()`` with ``CALLWRIGHT_RESULT``
set to ``error``. A script that ends well, or refuses in words, hangs up.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType, TracebackType
from typing import Self

import structlog

from agi_scripts import agent_online, agent_pause, agent_status
from agi_scripts.session import (
    HEADER_BYTES,
    HEADER_SECONDS,
    AgiError,
    AgiHungUp,
    AgiSession,
    BadHeader,
    read_header,
)
from agi_scripts.voice import Voice
from agi_scripts.whoami import Result, endpoint_of
from contact_center.desk import Desk
from contact_center.errors import CallwrightError, Unreachable, UsageError

Script = Callable[[AgiSession, Desk], Awaitable[Result]]

SCRIPTS: Mapping[str, Script] = MappingProxyType(
    {
        "agent_online": agent_online.run,
        "agent_pause": agent_pause.run,
        "agent_status": agent_status.run,
    }
)
SCRIPT_SECONDS = 60.0
MAX_CONNECTIONS = 50
EVICT_AFTER_SECONDS = 1.0
"""A connection that has not sent its header by then gives way when all places are taken: Asterisk sends it
at once, so idle sockets cannot keep agents out."""

log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class _Connection:
    writer: asyncio.StreamWriter
    since: float
    task: asyncio.Task[None] | None = None
    has_header: bool = False


class _Strangers:
    """Port scans and the like: the first is logged, then one line a minute with how many there were."""

    def __init__(self) -> None:
        self._seen = 0
        self._quiet_until = 0.0

    def note(self, why: str) -> None:
        self._seen += 1
        if time.monotonic() >= self._quiet_until:
            log.warning("connections that were no AGI calls", action="agi_header", count=self._seen, last=why)
            self._seen, self._quiet_until = 0, time.monotonic() + 60.0


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)


class AgiServer:
    """``async with AgiServer("127.0.0.1:4573", desk): ...`` serves until the block is left.

    ``on_run(script, result)`` is told of each script that ran, for the metrics.
    """

    def __init__(
        self,
        bind: str,
        desk: Desk,
        *,
        scripts: Mapping[str, Script] = SCRIPTS,
        max_connections: int = MAX_CONNECTIONS,
        header_seconds: float = HEADER_SECONDS,
        script_seconds: float = SCRIPT_SECONDS,
        on_run: Callable[[str, str], None] | None = None,
    ) -> None:
        self.bind = bind
        self.counts: Counter[str] = Counter()
        self._desk, self._scripts = desk, scripts
        self._max_connections = max_connections
        self._header_seconds, self._script_seconds = header_seconds, script_seconds
        self._on_run = on_run or (lambda script, result: None)
        self._voice = Voice(time.monotonic)
        self._strangers = _Strangers()
        self._connections: set[_Connection] = set()
        self._tasks = asyncio.TaskGroup()

    @property
    def open_connections(self) -> int:
        """How many sockets are open now."""
        return len(self._connections)

    async def __aenter__(self) -> Self:
        """Listen; raises UsageError when the address cannot be had."""
        host, _, port = self.bind.rpartition(":")
        await self._tasks.__aenter__()
        try:
            self._server = await asyncio.start_server(
                self._accept, host.strip("[]"), int(port), limit=HEADER_BYTES, backlog=256
            )
        except OSError as error:
            await self._tasks.__aexit__(None, None, None)
            raise UsageError(f"[fastagi] bind: {self.bind} cannot be had ({_reason(error)}); choose another.") from None
        self.bind = f"{host}:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening and end every connection."""
        self._server.close()
        for connection in self._connections:
            if connection.task is not None:
                connection.task.cancel()
        await self._tasks.__aexit__(None, None, None)  # the body's own exception goes on as it is

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A plain function, so that the connection's task is ours and not asyncio's."""
        self.counts["accepted"] += 1
        if len(self._connections) >= self._max_connections and not self._evict():
            self.counts["turned_away"] += 1
            self._strangers.note("all places are taken")
            writer.transport.abort()
            return
        connection = _Connection(writer, asyncio.get_running_loop().time())
        self._connections.add(connection)
        connection.task = self._tasks.create_task(self._serve(connection, reader), name="fastagi")

    def _evict(self) -> bool:
        """Close the oldest connection that still owes its header, if it had its second."""
        waiting = [c for c in self._connections if not c.has_header]
        oldest = min(waiting, key=lambda c: c.since, default=None)
        if oldest is None or asyncio.get_running_loop().time() - oldest.since < EVICT_AFTER_SECONDS:
            return False
        self.counts["evicted"] += 1
        self._drop(oldest)
        return True

    def _drop(self, connection: _Connection) -> None:
        self._connections.discard(connection)
        connection.writer.transport.abort()

    async def _serve(self, connection: _Connection, reader: asyncio.StreamReader) -> None:
        try:
            header = await read_header(reader, within=self._header_seconds)
            connection.has_header = True
            session = AgiSession(header, reader, connection.writer, self._voice)
            with self._desk.calling(endpoint_of(session), session.call_id):
                await self._run(session)
            connection.writer.write_eof()
        except BadHeader as error:
            self.counts["bad_header"] += 1
            self._strangers.note(str(error))
        except OSError as error:
            log.info("AGI connection broke", action="agi_end", why=str(error))
        finally:
            self._finish(connection)

    def _finish(self, connection: _Connection) -> None:
        self._connections.discard(connection)
        connection.writer.close()

    async def _run(self, session: AgiSession) -> None:
        """Choose the script and run it; whatever goes wrong stays in here, logged once."""
        name = session.header.script
        script = self._scripts.get(name)
        if script is None:
            self.counts["unknown_script"] += 1
            log.warning("unknown AGI script", action="agi", script=name[:80], call_id=session.call_id)
            await self._tell(session, Result.ERROR, hang_up=False)
            return
        result = Result.ERROR
        try:
            async with asyncio.timeout(self._script_seconds):
                result = await self._obey(script, session)
        except AgiHungUp:
            result = Result.HUNG_UP
        except TimeoutError:
            log.error("AGI script took too long", action="agi", script=name, call_id=session.call_id)
        except Exception as error:
            expected = isinstance(error, (AgiError, Unreachable))
            log.error(
                "AGI script failed", action="agi", script=name, call_id=session.call_id, why=str(error),
                exc_info=None if expected else error,
            )  # fmt: skip
        self.counts[result.value] += 1
        self._on_run(name, result.value)
        await self._tell(session, result, hang_up=result in (Result.OK, Result.REFUSED))

    async def _obey(self, script: Script, session: AgiSession) -> Result:
        try:
            return await script(session, self._desk)
        except (AgiError, Unreachable):
            raise
        except CallwrightError as error:
            log.info("refused on the phone", action="agi", call_id=session.call_id, why=str(error))
            await session.say("agent-refused")
            return Result.REFUSED

    async def _tell(self, session: AgiSession, result: Result, *, hang_up: bool) -> None:
        """Leave the result with the dialplan."""
        if session.hung_up:
            return
        try:
            await session.set_variable("CALLWRIGHT_RESULT", result.value)
            if hang_up:
                await session.hang_up()
        except AgiError as error:
            log.info("AGI call ended early", action="agi", call_id=session.call_id, why=str(error))
