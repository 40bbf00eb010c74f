"""An ASGI application on an address, served in our own event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

import uvicorn

from contact_center.http.listening import listen
from contact_center.http.watched import limits

if TYPE_CHECKING:
    from starlette.types import ASGIApp

STOP_SECONDS = 3.0
MOST_CONNECTIONS = 512


class _Uvicorn(uvicorn.Server):
    """uvicorn without its signal handlers: signals are the business of ``serve``."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpServer:
    """``async with HttpServer("127.0.0.1:8080", app): ...`` serves until the block is left.

    ``listener``: the socket of that address, where it was taken before.
    """

    def __init__(self, bind: str, app: ASGIApp, listener: socket.socket | None = None) -> None:
        self.bind = bind
        self._listener = listener
        self._server = _Uvicorn(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                server_header=False,
                **limits(),
                timeout_graceful_shutdown=1,
                limit_concurrency=MOST_CONNECTIONS,
            )
        )
        self._tasks = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        """Listen; raises UsageError when the address cannot be had."""
        self._socket = self._listener or listen(self.bind)
        self.bind = f"{self.bind.rpartition(':')[0]}:{self._socket.getsockname()[1]}"
        await self._tasks.__aenter__()
        self._serving = self._tasks.create_task(self._server.serve(sockets=[self._socket]), name="http")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        done, _ = await asyncio.wait({self._serving}, timeout=STOP_SECONDS)
        if not done:
            self._serving.cancel()
        await self._tasks.__aexit__(None, None, None)  # the body's own exception goes on as it is
        self._socket.close()
