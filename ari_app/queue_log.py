"""Standard queue_log records, written by Asterisk itself so that their order is that of one file.

One line per record, as app_queue writes it: ``seconds|uniqueid|queue|interface|event|data1|data2|...``.
The seconds are Asterisk's at the moment it gets the record.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Protocol, Self

import structlog

from ari_app.ami_link import LINE_BYTES, AmiDown, AmiError, AmiUncertain, Fields

LIMIT = 10_000
"""Records kept while AMI is away: half an hour of 100 calls a minute; the oldest gives way."""

PAUSE_SECONDS = 0.1
"""Between finding AMI away and asking again whether it is back."""

GATHER_SECONDS = 0.1
"""A record waits so long for others to travel with: one write and one wake-up for all of them."""

TOGETHER = 20
"""Records sent in one write at most."""

NONE = "NONE"
NAME_BYTES = 120
DATA_BYTES = LINE_BYTES - len("Message: ")
_HARMLESS = dict.fromkeys((*range(0x20), 0x7F), " ") | {ord("|"): "/"}

log = structlog.get_logger(__name__)


class Sender(Protocol):
    """What is needed of ``Ami``."""

    async def until_live(self) -> None:
        """Wait for a connection."""
        ...

    async def send_all(self, action: str, each: Sequence[Fields]) -> list[AmiError | None]:
        """Send an action once for each, in this order; what went wrong with each, None for nothing."""
        ...


def plain(value: object, at_most: int) -> str:
    """Text that cannot break the record: ``|`` becomes ``/``, control characters spaces, long text is cut."""
    text = str(value).translate(_HARMLESS)
    if len(text) <= at_most and text.isascii():
        return text
    return text.encode("utf-8", "replace")[:at_most].decode("utf-8", "ignore")


def fields_of(queue: str, uniqueid: str, interface: str, event: str, data: tuple[object, ...]) -> dict[str, Any]:
    """The AMI fields of one record; empty names become NONE as app_queue has it."""
    message = "|".join(plain(item, DATA_BYTES) for item in data)
    return {
        "Queue": plain(queue, NAME_BYTES) or NONE,
        "Uniqueid": plain(uniqueid, NAME_BYTES) or NONE,
        "Interface": plain(interface, NAME_BYTES) or NONE,
        "Event": plain(event, NAME_BYTES),
        "Message": message.encode()[:DATA_BYTES].decode("utf-8", "ignore"),
    }


class QueueLog:
    """``async with QueueLog(ami) as queue_log: queue_log.write(...)``; writing never waits and never raises.

    A record that was sent and not answered is counted in ``uncertain`` and not sent again, as it may stand in
    the file. One that was refused, or gave way to newer ones, is counted in ``dropped``.
    """

    def __init__(self, ami: Sender, *, limit: int = LIMIT) -> None:
        self.dropped = 0
        self.uncertain = 0
        self._ami, self._limit = ami, limit
        self._waiting: deque[Fields] = deque()
        self._more = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._tasks = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self._writer = self._tasks.create_task(self._drain(), name="queue_log")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.cancel()
        await self._tasks.__aexit__(None, None, None)  # the body's own exception goes on as it is

    @property
    def backlog(self) -> int:
        """Records not yet written."""
        return len(self._waiting)

    def write(self, queue: str, uniqueid: str, interface: str, event: str, *data: object) -> None:
        """Add one record, such as ``write("sales", uniqueid, "PJSIP/1001", "CONNECT", 5, agent_id, 4)``.

        Empty ``queue``, ``uniqueid`` or ``interface`` stand as NONE.
        """
        if len(self._waiting) >= self._limit:
            self._waiting.popleft()
            self.dropped += 1
            if self.dropped == 1:
                log.error("queue_log records are lost while AMI is away", action="queue_log", limit=self._limit)
        self._waiting.append(fields_of(queue, uniqueid, interface, event, data))
        self._empty.clear()
        self._more.set()

    async def flush(self, within: float) -> bool:
        """Wait until every record has been written; False when that took longer than ``within`` seconds."""
        try:
            async with asyncio.timeout(within):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True

    async def _drain(self) -> None:
        while True:
            await self._more.wait()
            await asyncio.sleep(GATHER_SECONDS)
            while self._waiting:
                await self._ami.until_live()
                await self._send([self._waiting.popleft() for _ in range(min(TOGETHER, len(self._waiting)))])
            self._more.clear()
            self._empty.set()

    async def _send(self, records: list[Fields]) -> None:
        try:
            ends = await self._ami.send_all("QueueLog", records)
        except AmiDown:
            self._waiting.extendleft(reversed(records))
            await asyncio.sleep(PAUSE_SECONDS)
            return
        for error in ends:
            if isinstance(error, AmiUncertain):
                self.uncertain += 1
                log.warning("a queue_log record may be missing", action="queue_log", why=str(error))
            elif error is not None:
                self.dropped += 1
                log.error("a queue_log record was refused", action="queue_log", why=str(error))
