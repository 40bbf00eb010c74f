"""JSON out, and every refusal as one sentence: ``{"error": "..."}``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException
from starlette.requests import Request

from contact_center.errors import CallwrightError, NotFound, Unreachable, UsageError
from contact_center.http.api.documents import Busy, Forbidden, dumped
from contact_center.store.errors import is_trouble

_STATUS = ((NotFound, 404), (UsageError, 422), (Unreachable, 503))
_LONGEST_SENTENCE = 400
_PHRASES = {
    404: "There is nothing at this address; /openapi.json tells what there is.",
    405: "This address does not take that method; /openapi.json tells what it takes.",
    400: "The body is not JSON that can be read.",
}

log = structlog.get_logger(__name__)


def json_answer(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A response of JSON that was dumped already."""
    return Response(body, status, {"Cache-Control": "no-store", **(headers or {})}, media_type="application/json")


def refusal(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> Response:
    """A response of one sentence."""
    plain = " ".join("".join(c if c.isprintable() else " " for c in sentence).split())[:_LONGEST_SENTENCE]
    return json_answer(dumped({"error": plain.encode("utf-8", "replace").decode()}), status, headers)


def status_of(error: CallwrightError) -> int:
    """404 no such thing, 422 bad input, 409 not in this state, 403 not with this token, 429 later, 503 away."""
    if isinstance(error, Forbidden):
        return 403
    if isinstance(error, Busy):
        return 429
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 409)


def install(app: FastAPI) -> None:
    """Every error of the app in this form."""

    async def ours(_: Request, error: Exception) -> Response:
        assert isinstance(error, CallwrightError)
        status = status_of(error)
        return refusal(status, str(error), {"Retry-After": "1"} if status in (429, 503) else None)

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return refusal(422, invalid_sentence(error))

    async def plain(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return refusal(error.status_code, _PHRASES.get(error.status_code, str(error.detail)), error.headers)

    async def database(_: Request, error: Exception) -> Response:
        assert isinstance(error, DBAPIError)
        if is_trouble(error):
            return refusal(503, "The database cannot be used now; try again.", {"Retry-After": "1"})
        log.error("the database refused", action="api", reason=str(error.orig))
        return refusal(500, "The database refused this; the log of serve tells why.")

    app.add_exception_handler(CallwrightError, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, plain)
    app.add_exception_handler(DBAPIError, database)


def invalid_sentence(error: RequestValidationError) -> str:
    """What is wrong with the first of what is wrong."""
    first = _closest(error.errors())[0]
    where, *path = first["loc"]
    name = ".".join(str(part) for part in path if not _is_model(part))
    if first["type"] == "json_invalid":
        return "The body is not JSON that can be read."
    if first["type"] == "extra_forbidden":
        return f"{name} is not a known key of the {where}."
    if first["type"] == "missing":
        return f"{name} is missing in the {where}." if name else f"The {where} is missing."
    what = f"{name} in the {where}" if name else f"The {where}"
    if first["type"] in ("model_attributes_type", "model_type", "dict_type"):
        return f"{what} is not allowed: a JSON object is wanted."
    message = str(first["msg"]).removeprefix("Value error, ").rstrip(".")
    return f"{what} is not allowed: {message[:1].lower()}{message[1:]}."


def _closest(errors: Sequence[Any]) -> list[Any]:
    """Of a body that may have several forms: what is wrong with the one whose keys it has."""
    forms: dict[tuple[object, ...], list[Any]] = {}
    for one in errors:
        forms.setdefault(tuple(part for part in one["loc"] if _is_model(part)), []).append(one)

    def strange(found: list[Any]) -> int:
        keys = (one for one in found if one["type"] in ("missing", "extra_forbidden"))
        return sum(len([part for part in one["loc"][1:] if not _is_model(part)]) == 1 for one in keys)

    return min(forms.values(), key=strange)


def _is_model(part: object) -> bool:
    """Names of our own classes say nothing to others."""
    return isinstance(part, str) and (part[:1].isupper() or "(" in part or "[" in part)
