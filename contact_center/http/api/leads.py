"""Leads: seen, explained and erased."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response
from sqlalchemy.orm import Session
from starlette.requests import Request

from contact_center import numbers
from contact_center.http.api import shapes
from contact_center.http.api.bodies import NumberIn
from contact_center.http.api.desk import ApiDesk
from contact_center.http.api.gate import Allow
from contact_center.http.api.masking import Hidden
from contact_center.http.api.tokens import Caller
from contact_center.store.admin import By
from contact_center.store.admin_leads import erase_number
from contact_center.store.queries_leads import (
    SORTS,
    LeadFilter,
    campaign_names,
    find_lead,
    lead_document,
    lead_story,
    list_leads,
)
from contact_center.store.queries_why import Circumstances, why_document, why_lead
from contact_center.terms import ApiRole

LeadId = Path(ge=1, le=2**63 - 1, description="The lead's id.")
Limit = Query(100, ge=1, le=1000, description="At most so many.")
MAY_SEE = Depends(Allow(ApiRole.READ))
MAY_SEE_ONE = Depends(Allow(ApiRole.READ, ApiRole.LEAD_PUSH))
MAY_CHANGE = Depends(Allow())


def number_in(desk: ApiDesk, text: str) -> str:
    """E.164 of a number in a request; empty stays empty. Raises UsageError."""
    site = desk.settings.site
    return numbers.normalise(text, site.country, site.number_check) if text else ""


def add_routes(router: APIRouter, desk: ApiDesk) -> None:
    """Add the routes of leads."""

    @router.get("/leads", tags=["leads"], responses=shapes.ok(list[shapes.Lead]))
    async def list_(
        campaign: str = Query("", max_length=60),
        state: str = Query("", max_length=20, description="new, due, dialing, talking, done, closed or dnc."),
        number: str = Query("", max_length=64, description="Only this number; where numbers are hidden: supervisors."),
        limit: int = Limit,
        sort: str = Query("id", max_length=20, description=f"One of {', '.join(SORTS)}; - in front turns it round."),
        caller: Caller = MAY_SEE,
    ) -> Response:
        """Leads, as `lead list --json`."""
        wanted = LeadFilter(campaign, state, number_in(desk, number), sort)

        def found(session: Session) -> list[dict[str, Any]]:
            hidden, names = Hidden.for_(session, caller), campaign_names(session)
            hidden.refuse_number(number)
            leads = list_leads(session, wanted, limit)
            return hidden.shown(lead_document(lead, names.get(lead.campaign_id, "")) for lead in leads)

        return await desk.show(found)

    @router.get("/leads/{lead_id}", tags=["leads"], responses=shapes.ok(shapes.LeadWithHistory))
    async def show(lead_id: int = LeadId, caller: Caller = MAY_SEE_ONE) -> Response:
        """One lead with its dials, as `lead show --json`."""

        def found(session: Session) -> dict[str, Any]:
            lead = find_lead(session, lead_id)
            story = lead_story(session, lead, campaign_names(session).get(lead.campaign_id, ""))
            return Hidden.for_(session, caller).one(story)

        return await desk.show(found)

    @router.get("/leads/{lead_id}/why", tags=["leads"])
    async def why(lead_id: int = LeadId, caller: Caller = MAY_CHANGE) -> Response:
        """Why it is not dialled now, as `why lead --json`."""
        seen = Circumstances(desk.settings, desk.clock.now(), served=True)
        return await desk.show(
            lambda s: {"lead": lead_id, **why_document(why_lead(s, find_lead(s, lead_id), seen))},
        )

    @router.post("/leads/erase", tags=["leads"])
    async def erase(request: Request, given: NumberIn, caller: Caller = MAY_CHANGE) -> Response:
        """Forget a person, as `lead erase`: number and data go from leads, calls, dials and events."""
        own = number_in(desk, given.number)

        def change(session: Session, by: By) -> dict[str, Any]:
            return {"number": numbers.mask(own), **erase_number(session, by, own)}

        return await desk.act(request, caller, change)
