"""What every route is handed: readers in threads of their own, and the one writer that calls have, too."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from types import TracebackType
from typing import Any, Self, TypeVar

from fastapi.responses import Response
from sqlalchemy.orm import Session
from starlette.requests import Request

from contact_center.clock import Clock
from contact_center.errors import Unreachable, UsageError
from contact_center.http.api.answers import json_answer
from contact_center.http.api.documents import Busy, dumped
from contact_center.http.api.limits import RateLimit, RefusalLimit
from contact_center.http.api.shared import SharedDocuments
from contact_center.http.api.tail import OutboxTail
from contact_center.http.api.tokens import Caller, TokenBook
from contact_center.http.metrics import Meters
from contact_center.pops import ScreenPops
from contact_center.roster import Roster
from contact_center.settings import Settings
from contact_center.store.admin import By
from contact_center.store.api_answers import Answer, Key, answer_once
from contact_center.store.engine import open_engine, reading
from contact_center.store.errors import OutcomeUnknown
from contact_center.store.evidence import Reading
from contact_center.store.writer import Writer

READERS = 3
"""Threads that read for the API."""
MOST_WAITING = 100
"""Reads, and changes, that may wait; more are refused at once, so that no queue grows."""
READ_SECONDS = 10.0
PAGE_LINES = 100
"""Of a file that is written while it is read."""
WRITE_SECONDS = 4.0
AGAIN_SECONDS = 0.2
"""Between two tries of a change while the database is away, within the seconds above."""
MOST_STREAMS = 200
"""Event streams open at once."""
REQUESTS_PER_SECOND = 400.0
_KEY_CHARACTERS = frozenset(map(chr, range(0x21, 0x7F)))

T = TypeVar("T")


def _nothing() -> None:
    """Nobody needs to know."""


class ApiDesk:
    """``async with ApiDesk(...) as desk``. ``stir``: called when a change was stored that serve must obey.

    Reads use an engine of their own; changes go through the writer of serve, so that the two never wait for
    each other's lock.
    """

    def __init__(
        self,
        settings: Settings,
        writer: Writer,
        clock: Clock,
        roster: Roster,
        pops: ScreenPops,
        meters: Meters,
        *,
        stir: Callable[[], None] = _nothing,
        requests_per_second: float = REQUESTS_PER_SECOND,
    ) -> None:
        self.settings, self.clock, self.roster, self.pops, self.meters = settings, clock, roster, pops, meters
        self.meters.api_streams.set_function(lambda: self.streams)
        self.requests = RateLimit(requests_per_second)
        self.refusals = RefusalLimit()
        self.tokens = TokenBook(self.read, clock)
        self.tail = OutboxTail(self.read)
        self.shared = SharedDocuments()
        self.streams = 0
        self._writer, self._stir = writer, stir
        self._engine = open_engine(settings.database.url, pool_size=READERS)
        self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="callwright-api")
        self._reading = self._writing = 0

    async def __aenter__(self) -> Self:
        self._tailing = asyncio.create_task(self.tail.run(), name="api-tail")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tailing.cancel()
        await asyncio.wait({self._tailing})
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._engine.dispose()

    # -- reading --------------------------------------------------------------------------------------

    async def read(self, fn: Callable[[Session], T]) -> T:
        """What ``fn`` gives in a reading transaction, in a thread. Raises Busy, Unreachable and what it raises."""
        if self._reading >= READERS + MOST_WAITING:
            raise Busy("Too much is being asked of the API at once; try again in a second.")
        self._reading += 1
        work = asyncio.get_running_loop().run_in_executor(self._pool, self._read, fn)
        work.add_done_callback(self._read_is_over)
        try:
            async with asyncio.timeout(READ_SECONDS):
                return await asyncio.shield(work)
        except TimeoutError:
            raise Unreachable(f"The database took longer than {READ_SECONDS:g} s; try again.") from None

    def _read(self, fn: Callable[[Session], T]) -> T:
        with reading(self._engine) as session:
            return fn(session)

    def _read_is_over(self, work: asyncio.Future[Any]) -> None:
        self._reading -= 1
        if not work.cancelled():
            work.exception()  # whoever asked may have left

    async def show(self, fn: Callable[[Session], Any]) -> Response:
        """The JSON document that ``fn`` gives; it is written out in the thread as well."""
        return json_answer(await self.read(lambda session: dumped(fn(session))))

    async def show_shared(self, key: str, fn: Callable[[Session], Any]) -> Response:
        """As :meth:`show`, for what costs much to make and is asked for often: it may be half a second old."""
        body = await self.shared.get(key, lambda: self.read(lambda session: dumped(fn(session))))
        return json_answer(body)

    async def prepare(self, fn: Callable[[], T]) -> T:
        """Run work that only computes in a thread."""
        return await self.read(lambda _: fn())

    async def pages(self, lines: Callable[[Reading], Generator[bytes, None, None]]) -> AsyncGenerator[bytes, None]:
        """What is too long for one answer, some lines at a time; ``lines`` reads in transactions of its own."""
        found = lines(partial(reading, self._engine))
        try:
            while page := await self.read(lambda _: b"".join(islice(found, PAGE_LINES))):
                yield page
        finally:
            self._pool.submit(found.close)  # whoever asked may have left, and then nothing can be awaited here

    # -- changing -------------------------------------------------------------------------------------

    async def act(
        self, request: Request, caller: Caller, work: Callable[[Session, By], Any], status: int = 200
    ) -> Response:
        """Change something in one transaction, once per Idempotency-Key; the document that ``work`` gives.

        ``work`` may be run again after a rollback. Raises as ``Writer.commit`` does, and what it raises.
        """
        key = await _key(request, caller)

        def change(session: Session) -> Answer:
            by = By(caller.actor, self.clock.now())

            def act() -> Answer:
                return Answer(status, dumped(work(session, by)))

            return answer_once(session, key, by.at, act) if key else act()

        answer = await self._commit(change)
        self.shared.forget()
        self._stir()
        return json_answer(answer.body, answer.status, {"Idempotent-Replayed": "true"} if answer.replayed else None)

    async def note(self, work: Callable[[Session], None]) -> None:
        """Write something down that nobody has to obey. Raises as ``Writer.commit`` does."""
        await self._commit(work)

    async def _commit(self, change: Callable[[Session], T]) -> T:
        """Through the writer; where the database is away for a moment only, nobody needs to hear of it."""
        if self._writing >= MOST_WAITING:
            raise Busy("Too much is being changed at once; try again in a second.")
        loop = asyncio.get_running_loop()
        end = loop.time() + WRITE_SECONDS
        self._writing += 1
        try:
            while True:
                try:
                    return await self._writer.commit(change, max(end - loop.time(), AGAIN_SECONDS))
                except OutcomeUnknown:
                    raise
                except Unreachable:  # not done, and never will be: it may be tried again
                    if loop.time() + AGAIN_SECONDS >= end:
                        raise
                await asyncio.sleep(AGAIN_SECONDS)
        finally:
            self._writing -= 1


async def _key(request: Request, caller: Caller) -> Key | None:
    given = request.headers.getlist("idempotency-key")
    if not given:
        return None
    if len(given) > 1 or not 1 <= len(given[0]) <= 200 or not _KEY_CHARACTERS.issuperset(given[0]):
        raise UsageError("An Idempotency-Key has 1 to 200 visible ASCII characters, such as a UUID.")
    digest = hashlib.sha256(f"{request.method} {request.url.path}?{request.url.query}\n".encode())
    digest.update(await request.body())
    return Key(caller.id, given[0], digest.hexdigest())
