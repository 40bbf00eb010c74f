"""The web application: health, metrics, and whatever routers are given; served in our own event loop."""

from __future__ import annotations

import asyncio
import inspect
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from types import TracebackType
from typing import Any, Self

import structlog
import uvicorn
from fastapi import APIRouter, FastAPI
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from contact_center.http.api import answers
from contact_center.http.api.desk import ApiDesk
from contact_center.http.api.gate import Gate
from contact_center.http.api.site import api_routers
from contact_center.http.listening import listen
from contact_center.http.watched import limits

PROBE_SECONDS = 1.0
STOP_SECONDS = 3.0
MOST_CONNECTIONS = 512

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Part:
    """Whether one part works, and why (not), in a sentence."""

    ok: bool
    why: str = ""


Probe = Callable[[], Part | Awaitable[Part]]


class Health:
    """The parts we live on. A probe that takes more than a second, or raises, counts as not working.

    A probe that hangs is not started a second time: later questions wait for the same answer.
    """

    def __init__(self, *, probe_seconds: float = PROBE_SECONDS) -> None:
        self._probes: dict[str, tuple[Probe, bool]] = {}
        self._asking: dict[str, asyncio.Task[Part]] = {}
        self._probe_seconds = probe_seconds

    def add(self, name: str, probe: Probe, *, required: bool = True) -> None:
        """Ask ``probe`` about ``name``; what is not required is shown and does not make us unready."""
        self._probes[name] = (probe, required)

    async def ask(self) -> tuple[bool, dict[str, dict[str, Any]]]:
        """Whether we are ready, and every part by name: {"ok": bool, "required": bool, "why": str}."""
        parts = await asyncio.gather(*(self._one(name) for name in self._probes))
        shown = {
            name: {"ok": part.ok, "required": required, "why": part.why}
            for part, (name, (_, required)) in zip(parts, self._probes.items(), strict=True)
        }
        return all(part["ok"] or not part["required"] for part in shown.values()), shown

    async def _one(self, name: str) -> Part:
        task = self._asking.get(name)
        if task is None or task.done():
            task = self._asking[name] = asyncio.create_task(self._probe(name), name=f"probe {name}")
        try:
            async with asyncio.timeout(self._probe_seconds):
                return await asyncio.shield(task)
        except TimeoutError:
            return Part(False, f"no answer within {self._probe_seconds:g} s")

    async def _probe(self, name: str) -> Part:
        probe, _ = self._probes[name]
        try:
            answer = probe()
            return await answer if inspect.isawaitable(answer) else answer
        except Exception as error:
            log.warning("probe failed", action="health", part=name, why=str(error))
            return Part(False, f"the probe failed: {type(error).__name__}")

    async def close(self) -> None:
        """End probes that still hang."""
        for task in self._asking.values():
            task.cancel()
        await asyncio.gather(*self._asking.values(), return_exceptions=True)
        self._asking.clear()


def make_app(
    health: Health, registry: CollectorRegistry, routers: Sequence[APIRouter] = (), desk: ApiDesk | None = None
) -> FastAPI:
    """The application, with the API when its ``desk`` is given. It has no pages that load anything from elsewhere."""
    app = FastAPI(
        title="Callwright",
        version=version("callwright"),
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    answers.install(app)

    @app.get("/health/live", tags=["health"])
    async def live() -> dict[str, bool]:
        """200 while the event loop runs."""
        return {"live": True}

    @app.get("/health/ready", tags=["health"])
    async def ready() -> JSONResponse:
        """200 when every required part works, else 503; either way each part and why."""
        is_ready, parts = await health.ask()
        return JSONResponse({"ready": is_ready, "parts": parts}, status_code=200 if is_ready else 503)

    @app.get("/metrics", tags=["health"], response_class=Response)
    async def metrics() -> Response:
        """Prometheus text format."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    for router in (*routers, *(api_routers(desk) if desk else ())):
        app.include_router(router)
    if desk:
        app.add_middleware(Gate, desk=desk)
    return app


class _Uvicorn(uvicorn.Server):
    """uvicorn without its signal handlers: signals are the business of ``serve``."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpServer:
    """``async with HttpServer("127.0.0.1:8080", app): ...`` serves until the block is left.

    ``listener``: the socket of that address, where it was taken before.
    """

    def __init__(self, bind: str, app: FastAPI, listener: socket.socket | None = None) -> None:
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
