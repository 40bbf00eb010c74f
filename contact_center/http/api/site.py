"""The routers of the API."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi import APIRouter, Depends
from fastapi.responses import Response
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from pydantic import BaseModel
from starlette.requests import Request

from contact_center.http.api import (
    agents,
    callbacks,
    calls,
    campaigns,
    dnc,
    events,
    leads,
    queues,
    ratings,
    report_calls,
    report_evidence,
    report_figures,
    reports,
    tracking,
)
from contact_center.http.api.desk import ApiDesk
from contact_center.http.api.gate import PREFIX


class Refusal(BaseModel):
    """One sentence that says what is wrong and what to do."""

    error: str


REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": Refusal, "description": "No token, or a wrong one."},
    403: {"model": Refusal, "description": "The token's role does not allow it."},
    404: {"model": Refusal, "description": "There is no such thing."},
    409: {"model": Refusal, "description": "Not in the state it is in."},
    422: {"model": Refusal, "description": "The input is not allowed."},
    429: {"model": Refusal, "description": "Too much at once; try again."},
    503: {"model": Refusal, "description": "The database is away; try again."},
}


class _StrictRequest(Request):
    """Reads JSON to the letter: no NaN, no lone surrogates, no nesting without end."""

    async def json(self) -> Any:
        """The body's document. Raises json.JSONDecodeError."""
        try:
            return orjson.loads(await self.body())
        except orjson.JSONDecodeError as error:
            raise json.JSONDecodeError(error.msg, "", 0) from None


class _StrictRoute(APIRoute):
    """A route whose handler is given such requests."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler."""
        handler = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handler(_StrictRequest(request.scope, request.receive))

        return strict


def api_routers(desk: ApiDesk) -> list[APIRouter]:
    """All routes: under ``/v1``, and those of tracking, whose addresses web sites know."""
    bearer = HTTPBearer(auto_error=False, description="A token of `callwright token add`.")
    root = APIRouter(prefix=PREFIX, route_class=_StrictRoute, responses=REFUSALS, dependencies=[Depends(bearer)])
    parts = (campaigns, leads, agents, calls, callbacks, ratings, dnc, queues, events)
    for part in (*parts, reports, report_figures, report_evidence):
        part.add_routes(root, desk)
    beside = APIRouter(route_class=_StrictRoute, responses=REFUSALS, dependencies=[Depends(bearer)])
    tracking.add_routes(beside, desk)
    report_calls.add_routes(beside, desk)
    return [root, beside]
