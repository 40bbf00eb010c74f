"""Health and metrics as an ASGI application without a framework, in front of the API.

They are answered from the first moment. The API takes as long to load as all the rest and comes later; who asks it
before waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from contact_center.http.api.documents import dumped
from contact_center.http.health import Health

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Page:
    """What is answered."""

    body: bytes
    media_type: str = _JSON
    status: int = 200

    @classmethod
    def of(cls, document: Mapping[str, Any], status: int = 200) -> Page:
        """A JSON document."""
        return cls(dumped(document), _JSON, status)


class Pages:
    """``Pages(health, registry)`` is an ASGI application; `opened` hands it the API behind these pages."""

    def __init__(self, health: Health, registry: CollectorRegistry) -> None:
        self._health, self._registry = health, registry
        self._api: asyncio.Future[ASGIApp] = asyncio.get_running_loop().create_future()
        self.by_path: dict[str, Callable[[], Awaitable[Page]]] = {
            "/health/live": self.live,
            "/health/ready": self.ready,
            "/metrics": self.metrics,
        }

    def opened(self, api: ASGIApp) -> None:
        """The API is there; who waited for it is answered now."""
        self._api.set_result(api)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        page = self.by_path.get(str(scope.get("path", "")))
        if page is None or scope.get("method") != "GET":
            api = await asyncio.shield(self._api)
            await api(scope, receive, send)
            return
        shown = await page()
        headers = [
            (b"content-type", shown.media_type.encode()),
            (b"content-length", str(len(shown.body)).encode()),
        ]
        await send({"type": "http.response.start", "status": shown.status, "headers": headers})
        await send({"type": "http.response.body", "body": shown.body})

    async def live(self) -> Page:
        """200 while the event loop runs."""
        return Page.of({"live": True})

    async def ready(self) -> Page:
        """200 when every required part works, else 503; either way each part and why."""
        is_ready, parts = await self._health.ask()
        return Page.of({"ready": is_ready, "parts": parts}, 200 if is_ready else 503)

    async def metrics(self) -> Page:
        """Prometheus text format."""
        return Page(generate_latest(self._registry), CONTENT_TYPE_LATEST)
