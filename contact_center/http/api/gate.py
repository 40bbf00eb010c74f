"""The door of the API: who may pass is decided before anything of a request is read."""

from __future__ import annotations

import asyncio
import base64
import unicodedata
from typing import Any
from urllib.parse import unquote_to_bytes

import structlog
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contact_center.errors import CallwrightError, Unreachable
from contact_center.http.api.answers import refusal
from contact_center.http.api.desk import ApiDesk
from contact_center.http.api.documents import Forbidden
from contact_center.http.api.tokens import Caller
from contact_center.terms import ApiRole

PREFIX = "/v1"
TRACKING = "/tracking"
REPORTS = "/reports"
"""Here a browser or an old script may give a token's name and the token by HTTP Basic."""
_GUARDED = (PREFIX, TRACKING, REPORTS)
MOST_BODY_BYTES = 1_048_576
BODY_SECONDS = 10.0
"""How long the body of a request may take to come."""
LONGEST_ADDRESS = 4096
_CALLER = "callwright.caller"
_CLOSE = {"Connection": "close"}
_WHO = {"WWW-Authenticate": 'Bearer realm="callwright"'}
_WHO_BASIC = {"WWW-Authenticate": 'Basic realm="callwright", charset="UTF-8"'}

log = structlog.get_logger(__name__)


class _TooLong(HTTPException):
    """The body has more bytes than are taken."""

    def __init__(self) -> None:
        super().__init__(413, f"The body is too long; {MOST_BODY_BYTES} bytes are taken.", _CLOSE)


class _TooSlow(HTTPException):
    """The body did not come in time."""

    def __init__(self) -> None:
        super().__init__(408, f"The body did not come within {BODY_SECONDS:g} s.", _CLOSE)


class Gate:
    """ASGI middleware for everything under ``/v1``, ``/tracking`` and ``/reports``; the rest passes as it is."""

    def __init__(self, app: ASGIApp, desk: ApiDesk) -> None:
        self._app, self._desk = app, desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        path = str(scope.get("path", ""))
        if scope["type"] != "http" or not any(path == part or path.startswith(f"{part}/") for part in _GUARDED):
            await self._app(scope, receive, send)
            return
        refused = await self._refused(scope)
        caller: Caller | None = scope.get(_CALLER)
        role = caller.role.value if caller else "nobody"

        async def counting(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._desk.meters.api_requests.labels(role, message["status"]).inc()
            await send(message)

        if refused is not None:
            await refused(scope, receive, counting)
        else:
            await self._app(scope, _bounded(receive), counting)

    async def _refused(self, scope: Scope) -> Response | None:
        """A refusal, or None when the request may pass; then its caller stands in the scope."""
        if not self._desk.requests.take():
            return refusal(429, "The API takes no more requests this second; try again.", {"Retry-After": "1"})
        try:
            return await self._stranger(scope) or _malformed(scope)
        except Unreachable as error:
            return refusal(503, str(error), {"Retry-After": "1", **_CLOSE})
        except CallwrightError as error:
            return refusal(429, str(error), {"Retry-After": "1", **_CLOSE})

    async def _stranger(self, scope: Scope) -> Response | None:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        scheme, _, token = given[0].decode("latin-1").partition(" ") if len(given) == 1 else ("", "", "")
        scheme, token = scheme.lower(), token.strip()
        name: str | None = None
        is_report = str(scope.get("path", "")).startswith(f"{REPORTS}/")
        if scheme == "basic" and is_report:
            scheme, (name, token) = "bearer", _basic(token)
        if scheme != "bearer" or not token:
            sentence = "A token is wanted, as Authorization: Bearer cw_...; `callwright token add` makes one."
            return refusal(401, sentence, {**(_WHO_BASIC if is_report else _WHO), **_CLOSE})
        caller = await self._desk.tokens.caller(token)
        if caller is not None and name in (None, caller.name):
            scope[_CALLER] = caller
            return None
        address = str((scope.get("client") or ("unknown",))[0])
        wait_seconds = self._desk.refusals.refuse(address)
        if not wait_seconds:  # who goes on all the same must not fill the log
            log.warning("a wrong token", action="api", address=address)
        else:
            headers = {"Retry-After": str(round(wait_seconds) + 1), **_CLOSE}
            return refusal(429, "Too many wrong tokens came from this address; wait a minute.", headers)
        return refusal(401, "This token is not known, or was removed.", {**_WHO, **_CLOSE})


def _basic(text: str) -> tuple[str, str]:
    """Name and password of HTTP Basic; both empty where it is none."""
    try:
        name, _, password = base64.b64decode(text, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return name, password


def _malformed(scope: Scope) -> Response | None:
    raw = bytes(scope.get("raw_path") or b"") + b"?" + bytes(scope.get("query_string") or b"")
    if len(raw) > LONGEST_ADDRESS:
        return refusal(414, f"The address is too long; {LONGEST_ADDRESS} bytes are taken.", _CLOSE)
    try:
        text = unquote_to_bytes(raw.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        return refusal(422, "The address is not UTF-8.")
    if any(unicodedata.category(c) == "Cc" for c in text):
        return refusal(422, "The address has control characters; leave them out.")
    length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    if not length.isdigit() or len(length) > 12 or int(length) > MOST_BODY_BYTES:
        error = _TooLong()
        return refusal(error.status_code, error.detail, error.headers)
    return None


def _bounded(receive: Receive) -> Receive:
    """``receive`` with a deadline and a length for the body."""
    loop = asyncio.get_running_loop()
    end, taken, whole = loop.time() + BODY_SECONDS, 0, False

    async def bounded() -> Message:
        nonlocal taken, whole
        if whole:
            return await receive()  # only the end of the connection can come
        try:
            async with asyncio.timeout_at(end):
                message = await receive()
        except TimeoutError:
            raise _TooSlow from None
        taken += len(message.get("body", b""))
        whole = not message.get("more_body", False)
        if taken > MOST_BODY_BYTES:
            raise _TooLong
        return message

    return bounded


def caller_of(request: Request) -> Caller:
    """Who passed the gate."""
    caller: Caller = request.scope[_CALLER]
    return caller


class Allow:
    """A dependency: the caller, if his role is one of these. Raises Forbidden."""

    def __init__(self, *roles: ApiRole) -> None:
        self._roles = frozenset((ApiRole.SUPERVISOR, *roles))

    async def __call__(self, request: Request) -> Caller:
        """The caller."""
        caller = caller_of(request)
        if caller.role not in self._roles:
            raise Forbidden(f"A token of the role {caller.role} may not do this.")
        return caller


def own_agent(caller: Caller, ext: str) -> None:
    """An agent's token speaks for him alone. Raises Forbidden."""
    if caller.role is ApiRole.AGENT and caller.agent != ext:
        raise Forbidden(f"This token speaks for agent {caller.agent} only.")


def any_text(value: Any) -> str:
    """A value of JSON as the command line would have it: on and off for flags, commas between the items of a list."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list | tuple):
        return ",".join(any_text(item) for item in value)
    return str(value)
