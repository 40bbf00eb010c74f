"""Ratings, categories, comments and scores of calls, given later than on the phone."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.requests import Request

from contact_center.http.api import shapes
from contact_center.http.api.bodies import Body, Line
from contact_center.http.api.calls import CallId, own_call
from contact_center.http.api.desk import ApiDesk
from contact_center.http.api.gate import Allow
from contact_center.http.api.masking import Hidden
from contact_center.http.api.tokens import Caller
from contact_center.models import Call
from contact_center.ratings.money import written_value
from contact_center.store import ratings
from contact_center.store.admin import By
from contact_center.store.categories import Note, annotate_call
from contact_center.store.queries_calls import find_call, live_document
from contact_center.terms import ApiRole

MAY_RATE = Depends(Allow(ApiRole.AGENT))
Money = Annotated[Line, Field(max_length=12, description="A decimal string, as 29.99.")]
Score = Annotated[int, Field(ge=1, le=5)]


class RateIn(Body):
    """An option by its digit or name, and a value where it asks one."""

    option: Annotated[Line, Field(min_length=1, max_length=80)]
    value: Money | None = None


class AnnotateIn(Body):
    """What is left out stays as it is. A score needs a comment in the same save."""

    comment: Annotated[Line, Field(max_length=2000)] | None = None
    categories: Annotated[list[int], Field(max_length=100)] = Field(default_factory=list)
    value: Money | None = None
    call_score: Score | None = None
    agent_score: Score | None = None


def add_routes(router: APIRouter, desk: ApiDesk) -> None:
    """Add the routes."""

    @router.post("/calls/{call_id}/rate", tags=["calls"], responses=shapes.ok(shapes.Call))
    async def rate(request: Request, given: RateIn, call_id: str = CallId, caller: Caller = MAY_RATE) -> Response:
        """Rate a call, or rate it anew, as `call rate`."""

        def change(session: Session, by: By) -> dict[str, Any]:
            own_call(session, caller, find_call(session, call_id))
            value = None if given.value is None else written_value(given.value)
            call = ratings.rate_call(session, by, call_id, given.option, value, source="api")
            return _shown(desk, session, caller, call)

        return await desk.act(request, caller, change)

    @router.post("/calls/{call_id}/annotate", tags=["calls"], responses=shapes.ok(shapes.Call))
    async def annotate(
        request: Request, given: AnnotateIn, call_id: str = CallId, caller: Caller = MAY_RATE
    ) -> Response:
        """Save categories, a value, a comment and scores of a call, as `call annotate`."""

        def change(session: Session, by: By) -> dict[str, Any]:
            own_call(session, caller, find_call(session, call_id))
            value = None if given.value is None else written_value(given.value)
            note = Note(given.comment, given.categories, value, given.call_score, given.agent_score)
            return _shown(desk, session, caller, annotate_call(session, by, call_id, note))

        return await desk.act(request, caller, change)


def _shown(desk: ApiDesk, session: Session, caller: Caller, call: Call) -> dict[str, Any]:
    document = live_document(session, call, desk.clock.now(), desk.settings.site.language)
    return Hidden.for_(session, caller).one(document)
