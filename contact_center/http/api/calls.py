"""Calls: seen, placed, listened to, hung up, and what came of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response
from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col
from starlette.requests import Request

from contact_center.console.moments import instant, past_instant
from contact_center.http.api import shapes
from contact_center.http.api.bodies import DisposeIn, ListenIn, PlaceIn
from contact_center.http.api.desk import ApiDesk
from contact_center.http.api.documents import Forbidden
from contact_center.http.api.gate import Allow, own_agent
from contact_center.http.api.leads import Limit, number_in
from contact_center.http.api.masking import Hidden
from contact_center.http.api.tokens import Caller
from contact_center.models import Attempt, Call
from contact_center.store.admin import By
from contact_center.store.admin_calls import dispose_call, hang_up_call, listen_to_call, pause_recording
from contact_center.store.admin_own import place_call
from contact_center.store.queries_agents import find_agent
from contact_center.store.queries_calls import (
    SORTS,
    CallFilter,
    find_call,
    lead_zone,
    list_calls,
    listed_documents,
    live_document,
)
from contact_center.terms import ApiRole, RecordWish

CallId = Path(max_length=60, description="The call's id.")
MAY_SEE_ALL = Depends(Allow(ApiRole.READ))
MAY_SEE = Depends(Allow(ApiRole.READ, ApiRole.AGENT))
MAY_DISPOSE = Depends(Allow(ApiRole.AGENT))
MAY_PLACE = Depends(Allow(ApiRole.AGENT))
MAY_CHANGE = Depends(Allow())


def add_routes(router: APIRouter, desk: ApiDesk) -> None:
    """Add the routes of calls."""
    _add_list(router, desk)
    _add_ringing(router, desk)
    _add_hangup(router, desk)
    _add_changing(router, desk)

    @router.get("/calls/{call_id}", tags=["calls"], responses=shapes.ok(shapes.Call))
    async def show(call_id: str = CallId, caller: Caller = MAY_SEE) -> Response:
        """One call, as `call show --json`; one that is up shows its story so far."""
        now, language = desk.clock.now(), desk.settings.site.language

        def found(session: Session) -> dict[str, Any]:
            call = find_call(session, call_id)
            own_call(session, caller, call)
            return Hidden.for_(session, caller).one(live_document(session, call, now, language))

        return await desk.show(found)


def _add_list(router: APIRouter, desk: ApiDesk) -> None:
    @router.get("/calls", tags=["calls"], responses=shapes.ok(list[shapes.Call]))
    async def list_(
        campaign: str = Query("", max_length=80),
        queue: str = Query("", max_length=80),
        agent: str = Query("", max_length=80, description="The agent's name."),
        kind: str = Query("", max_length=80),
        disposition: str = Query("", max_length=80),
        number: str = Query("", max_length=64, description="Only this number; where numbers are hidden: supervisors."),
        start: str = Query(
            "",
            max_length=60,
            alias="from",
            description="Started then or later: 2026-03-01T09:00Z, or local: 2026-03-01, 09:00.",
        ),
        end: str = Query("", max_length=60, alias="to", description="Started before."),
        limit: int = Limit,
        sort: str = Query("-started_at", max_length=20, description=f"One of {', '.join(SORTS)}."),
        caller: Caller = MAY_SEE_ALL,
    ) -> Response:
        """Calls, as `call list --json`, the newest first."""
        wanted = CallFilter(
            campaign=campaign,
            queue=queue,
            agent=agent,
            kind=kind,
            disposition=disposition,
            number=number_in(desk, number),
            start=_moment(desk, start, "from"),
            end=_moment(desk, end, "to"),
            sort=sort,
        )

        def found(session: Session) -> list[dict[str, Any]]:
            hidden = Hidden.for_(session, caller)
            hidden.refuse_number(number)
            now, language = desk.clock.now(), desk.settings.site.language
            return hidden.shown(listed_documents(session, list_calls(session, wanted, limit), now, language))

        return await desk.show(found)


def _add_ringing(router: APIRouter, desk: ApiDesk) -> None:
    @router.post("/calls", tags=["calls"], status_code=202, responses=shapes.asked(shapes.CallPlaced))
    async def place(request: Request, given: PlaceIn, caller: Caller = MAY_PLACE) -> Response:
        """Connect an agent with a number, or with another agent, as `call place`: his phone is rung first.

        Send an Idempotency-Key: the same request again then places no second call.
        """
        own_agent(caller, given.ext)

        def change(session: Session, by: By) -> dict[str, Any]:
            call_id = place_call(session, by, desk.settings, given.ext, given.number)
            return {"call_id": call_id, "place": "asked"}

        return await desk.act(request, caller, change, 202)

    @router.post("/calls/{call_id}/listen", tags=["calls"], status_code=202, responses=shapes.asked(shapes.Listening))
    async def listen(request: Request, given: ListenIn, call_id: str = CallId, caller: Caller = MAY_CHANGE) -> Response:
        """Ring a supervisor's phone and let him hear a talk, as `call listen`; hanging up ends it."""

        def change(session: Session, by: By) -> dict[str, Any]:
            listen_to_call(session, by, call_id, given.ext, given.ear)
            return {"call_id": call_id, "ext": given.ext, "ear": given.ear.value}

        return await desk.act(request, caller, change, 202)


def _add_hangup(router: APIRouter, desk: ApiDesk) -> None:
    @router.post("/calls/{call_id}/hangup", tags=["calls"], status_code=202)
    async def hangup(request: Request, call_id: str = CallId, caller: Caller = MAY_DISPOSE) -> Response:
        """End a call in progress: a supervisor any, an agent the one in which he talks, as if at his phone."""

        def change(session: Session, by: By) -> dict[str, Any]:
            own_call(session, caller, find_call(session, call_id))
            hang_up_call(session, by, call_id, caller.agent if caller.role is ApiRole.AGENT else "")
            return {"call_id": call_id, "hangup": "asked"}

        return await desk.act(request, caller, change, 202)


def _add_changing(router: APIRouter, desk: ApiDesk) -> None:
    @router.post("/calls/{call_id}/record/{wish}", tags=["calls"], status_code=202)
    async def record(
        request: Request, wish: RecordWish, call_id: str = CallId, caller: Caller = MAY_DISPOSE
    ) -> Response:
        """Pause the recording of a talk that goes on, or go on with it."""

        def change(session: Session, by: By) -> dict[str, Any]:
            own_call(session, caller, find_call(session, call_id))
            pause_recording(session, by, call_id, wish)
            return {"call_id": call_id, "record": wish.value}

        return await desk.act(request, caller, change, 202)

    @router.post("/calls/{call_id}/dispose", tags=["calls"], responses=shapes.ok(shapes.Call))
    async def dispose(
        request: Request, given: DisposeIn, call_id: str = CallId, caller: Caller = MAY_DISPOSE
    ) -> Response:
        """Say what came of a call; its lead is done, called back, or never called again."""
        now = desk.clock.now()

        def change(session: Session, by: By) -> dict[str, Any]:
            call = find_call(session, call_id)
            own_call(session, caller, call)
            zone = lead_zone(session, call, desk.settings.site.timezone)
            due = instant(given.callback_at, zone, now, "callback_at") if given.callback_at else None
            call = dispose_call(session, by, call_id, given.code, callback_at=due, anyone=given.anyone, dnc=given.dnc)
            return Hidden.for_(session, caller).one(live_document(session, call, now, desk.settings.site.language))

        return await desk.act(request, caller, change)


def _moment(desk: ApiDesk, text: str, name: str) -> datetime | None:
    return past_instant(text, desk.settings.site.timezone, desk.clock.now(), name) if text else None


def own_call(session: Session, caller: Caller, call: Call) -> None:
    """An agent's token sees and disposes of the calls that he has or had. Raises Forbidden."""
    if caller.role is not ApiRole.AGENT:
        return
    agent = find_agent(session, caller.agent)
    has_it = agent.call_id == call.id or agent.name in call.agents
    took = select(col(Attempt.id)).where(col(Attempt.call_id) == call.id, col(Attempt.agent) == agent.ext)
    if not has_it and session.scalars(took).first() is None:
        raise Forbidden(f"Call {call.id} is not one of agent {agent.ext}'s.")
