"""HTTP to receivers: the address looked at is the address used, no redirect is followed, no wait is long."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Protocol, Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from contact_center.telling.addresses import (
    NoSuchHost,
    NotAllowed,
    Resolve,
    Target,
    addresses_of,
    checked_url,
    system_resolve,
)

TOTAL_SECONDS = 15.0
"""From the connection to the last byte of the answer (Standard Webhooks 1.0: 15 to 30 s)."""
CONNECT_SECONDS = 5.0
MOST_ANSWER_BYTES = 16_384
"""So much of an answer is read; nothing is done with it but to leave the connection clean."""
CONNECTIONS = 64
CONNECTIONS_PER_HOST = 8


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a message. ``status`` 0: there was no answer, and ``error`` says why.

    ``retry_after_seconds``: what the receiver asks for, None when it asks for nothing.
    """

    status: int
    error: str = ""
    retry_after_seconds: float | None = None

    @property
    def is_ok(self) -> bool:
        """Whether the receiver has it."""
        return 200 <= self.status < 300

    @property
    def why(self) -> str:
        """In a few words."""
        return self.error or f"answered {self.status}"


class Send(Protocol):
    """``Post.send``."""

    async def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Post it. Never raises for what the receiver does or does not do."""
        ...


class _Looked(AbstractResolver):
    """Gives the connection only addresses that were looked at."""

    def __init__(self, allowed: Collection[str], resolve: Resolve) -> None:
        self._allowed, self._resolve = allowed, resolve

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        names = {name.lower() for name in self._allowed}
        target = Target("", host, port, bool({host, f"{host}:{port}"} & names))
        return [
            ResolveResult(
                hostname=host, host=address, port=port, proto=0,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                flags=socket.AI_NUMERICHOST,
            )
            for address in await addresses_of(target, self._resolve)
        ]  # fmt: skip

    async def close(self) -> None:
        """Nothing is held."""


class Post:
    """``async with Post(allow_hosts) as post: await post.send(url, headers, body)``."""

    def __init__(
        self,
        allowed: Collection[str] = (),
        *,
        resolve: Resolve = system_resolve,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        self._allowed, self._resolve = tuple(allowed), resolve
        self._total_seconds = total_seconds

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=CONNECTIONS,
                limit_per_host=CONNECTIONS_PER_HOST,
                use_dns_cache=False,
                resolver=_Looked(self._allowed, self._resolve),
            ),
            timeout=aiohttp.ClientTimeout(total=self._total_seconds, connect=CONNECT_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            headers={"User-Agent": "Callwright", "Accept": "*/*"},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close()

    async def look(self, url: str) -> Target:
        """A URL as it may be saved, its name resolved. Raises NotAllowed and NoSuchHost."""
        target = checked_url(url, self._allowed)
        await addresses_of(target, self._resolve)
        return target

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Post it."""
        try:
            target = checked_url(url, self._allowed)  # what was allowed when it was saved need not be allowed now
            return await self._send(target, headers, body)
        except (NotAllowed, NoSuchHost) as error:
            return Reply(0, str(error))
        except TimeoutError:
            return Reply(0, f"no answer within {self._total_seconds:g} s")
        except (aiohttp.ClientError, OSError, ValueError, asyncio.IncompleteReadError) as error:
            return Reply(0, _words(error))

    async def _send(self, target: Target, headers: Mapping[str, str], body: bytes) -> Reply:
        url = URL(target.url)
        if (url.host or "").lower().rstrip(".") != target.host.rstrip(".") or url.port != target.port:
            raise NotAllowed("The URL is read in two ways; write it plainly.")
        async with self._http.post(url, data=body, headers=dict(headers), allow_redirects=False) as answer:
            await answer.content.read(MOST_ANSWER_BYTES)
            error = f"answered {answer.status}, and redirects are not followed" if 300 <= answer.status < 400 else ""
            return Reply(answer.status, error, _seconds(answer.headers.get("Retry-After", "")))


def _seconds(text: str) -> float | None:
    if text.isascii() and text.isdigit() and len(text) < 8:
        return float(text)
    try:
        return max((parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds(), 0.0) if text else None
    except (ValueError, TypeError):
        return None


def _words(error: BaseException) -> str:
    """An error without the URL, which may hold secrets."""
    cause: Any = error
    while isinstance(cause, aiohttp.ClientConnectorError) and cause.os_error is not None:
        cause = cause.os_error
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror[:120]
    return type(cause).__name__
