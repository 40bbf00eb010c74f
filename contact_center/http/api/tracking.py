"""Visitors of a site: numbers handed to them, and what a call-tracking vendor or a shop knows of their calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from fastapi.responses import Response
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.requests import Request

from contact_center.errors import UsageError
from contact_center.http.api import shapes
from contact_center.http.api.bodies import Body, Line
from contact_center.http.api.desk import ApiDesk
from contact_center.http.api.gate import TRACKING, Allow
from contact_center.http.api.tokens import Caller
from contact_center.matching.orders import checked_order
from contact_center.store.admin import By
from contact_center.store.tracking import VisitNote, attach_context, match_document, note_visit, set_order
from contact_center.terms import ApiRole

MAY_TELL = Depends(Allow(ApiRole.LEAD_PUSH))


class VisitIn(Body):
    """A page view. ``context_id``: the visitor's; ``source``: where he came from."""

    context_id: Annotated[Line, Field(min_length=1, max_length=100)]
    url: Annotated[Line, Field(max_length=2000)] = ""
    source: Annotated[Line, Field(max_length=100)] = ""
    pool: Annotated[Line, Field(max_length=40)] = ""
    client_id: Annotated[Line, Field(max_length=100, description="Google Analytics' id of the browser.")] = ""
    session_id: Annotated[Line, Field(max_length=40, description="Google Analytics' id of the session.")] = ""


class OrderIn(Body):
    """An order taken in the call; ``total`` is a decimal string, as 9.99."""

    id: Annotated[Line, Field(min_length=1, max_length=60)]
    total: Annotated[Line, Field(min_length=1, max_length=14)]
    currency: Annotated[Line, Field(max_length=3)] = ""


class CallIn(Body):
    """What is known of a call: whose it was, an order, or both."""

    context_id: Annotated[Line, Field(min_length=1, max_length=100)] | None = None
    order: OrderIn | None = None


class VisitOut(shapes.Document):
    """The number to show; null when none is free."""

    visit_id: int
    context_id: str
    pool: str
    number: str | None
    until_at: str | None


Act = Callable[[Session, By], Any]


def add_routes(router: APIRouter, desk: ApiDesk) -> None:
    """Add the routes of visits and of what is known of calls."""

    @router.post(f"{TRACKING}/visits", tags=["tracking"], responses=shapes.ok(VisitOut))
    async def visit(request: Request, given: VisitIn, caller: Caller = MAY_TELL) -> Response:
        """Tell of a page view; gives the number to show to this visitor."""
        settings = desk.settings.tracking
        note = VisitNote(**given.model_dump())

        def change(session: Session, by: By) -> dict[str, Any]:
            return note_visit(session, by, note, hold_seconds=settings.hold_seconds, rest_seconds=settings.rest_seconds)

        return await desk.act(request, caller, change)

    @router.post(TRACKING + "/calls/{call_id}", tags=["tracking"])
    async def call(
        request: Request, given: CallIn, call_id: str = Path(max_length=60), caller: Caller = MAY_TELL
    ) -> Response:
        """Tell whose call it was, as `tracking attach`, or of an order taken in it, as `tracking order`."""
        return await desk.act(request, caller, _call_change(desk, call_id, given))


def _call_change(desk: ApiDesk, call_id: str, given: CallIn) -> Act:
    if given.context_id is None and given.order is None:
        raise UsageError("Nothing is told of the call: give context_id, order or both.")
    order, country = given.order, desk.settings.site.country
    currency = (order.currency if order else "") or desk.settings.site.currency
    taken = checked_order(order.id, order.total, currency) if order else None

    def change(session: Session, by: By) -> dict[str, Any]:
        told: dict[str, Any] = {"call_id": call_id}
        if given.context_id is not None:
            told |= match_document(attach_context(session, by, call_id, given.context_id, country))
        if taken is not None:
            set_order(session, by, call_id, taken, country)
            told["order"] = {"id": taken.id, "total": str(taken.total), "currency": taken.currency}
        return told

    return change
