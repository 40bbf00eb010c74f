"""Campaigns: seen, set, started and stopped; and leads pushed into them."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from fastapi import APIRouter, Body, Depends, Path
from fastapi.responses import Response
from sqlalchemy.orm import Session
from starlette.requests import Request

from contact_center.carriers import Carriers
from contact_center.errors import CallwrightError, UsageError
from contact_center.http.api import shapes
from contact_center.http.api.bodies import CampaignKeys, LeadIn, LeadsIn
from contact_center.http.api.desk import ApiDesk
from contact_center.http.api.gate import Allow, any_text
from contact_center.http.api.masking import Hidden
from contact_center.http.api.tokens import Caller
from contact_center.lead_drafts import lead_draft
from contact_center.models import Campaign
from contact_center.store import admin_campaigns
from contact_center.store.admin import By
from contact_center.store.admin_leads import LeadDraft, add_lead, add_leads
from contact_center.store.queries import campaign_document, campaign_options, find_campaign, list_campaigns
from contact_center.store.queries_leads import lead_document
from contact_center.store.queries_why import Circumstances, campaign_facts, why_campaign, why_document
from contact_center.terms import ApiRole

NameIn = Path(max_length=60, description="The campaign's name.")
MAY_SEE = Depends(Allow(ApiRole.READ))
MAY_CHANGE = Depends(Allow())
MAY_PUSH = Depends(Allow(ApiRole.LEAD_PUSH))


class Move(StrEnum):
    """What can be done with a campaign."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"


def add_routes(router: APIRouter, desk: ApiDesk) -> None:
    """Add the routes of campaigns."""
    _add_reading(router, desk)

    @router.post("/campaigns/{name}/leads", tags=["leads"], responses=shapes.PUSHED)
    async def push_leads(
        request: Request, name: str = NameIn, given: LeadIn | LeadsIn = Body(), caller: Caller = MAY_PUSH
    ) -> Response:
        """Push one lead, or many. With an Idempotency-Key the same request again changes nothing.

        One lead is answered as `lead show` prints it (201); a number that the campaign has already is refused (409).
        Many are answered with counts, and with the ids of the new leads (200).
        """
        if isinstance(given, LeadIn):
            return await _push_one(desk, request, caller, name, given)
        return await _push_many(desk, request, caller, name, given)

    _add_changing(router, desk)  # after it: {move} would take "leads"


def _add_reading(router: APIRouter, desk: ApiDesk) -> None:
    @router.get("/campaigns", tags=["campaigns"], responses=shapes.ok(list[shapes.Campaign]))
    async def list_(caller: Caller = MAY_SEE) -> Response:
        """All campaigns, as `campaign list --json`."""
        now = desk.clock.now()

        def found(session: Session) -> list[dict[str, Any]]:
            return [campaign_document(session, campaign, now) for campaign in list_campaigns(session)]

        return await desk.show_shared("campaigns", found)

    @router.get("/campaigns/{name}", tags=["campaigns"], responses=shapes.ok(shapes.Campaign))
    async def show(name: str = NameIn, caller: Caller = MAY_SEE) -> Response:
        """One campaign, as `campaign show --json`."""
        now = desk.clock.now()
        return await desk.show_shared(f"campaign {name}", lambda s: campaign_document(s, find_campaign(s, name), now))

    @router.get("/campaigns/{name}/why", tags=["campaigns"])
    async def why(name: str = NameIn, caller: Caller = MAY_SEE) -> Response:
        """Why its pace is what it is now, as `why campaign --json`."""
        seen = Circumstances(desk.settings, desk.clock.now(), served=True)

        def reasons(session: Session) -> dict[str, Any]:
            found = find_campaign(session, name)
            return {**campaign_facts(session, found, seen), **why_document(why_campaign(session, found, seen))}

        return await desk.show(reasons)


def _add_changing(router: APIRouter, desk: ApiDesk) -> None:
    @router.patch("/campaigns/{name}", tags=["campaigns"], responses=shapes.ok(shapes.Campaign))
    async def set_(
        request: Request, name: str = NameIn, keys: CampaignKeys = Body(), caller: Caller = MAY_CHANGE
    ) -> Response:
        """Change any key of `campaign set`, also while it runs."""
        values = {key: any_text(value) for key, value in keys.items()}

        def change(session: Session, by: By) -> dict[str, Any]:
            campaign = admin_campaigns.set_campaign(session, by, name, values, desk.settings.trunk)
            return campaign_document(session, campaign, by.at)

        return await desk.act(request, caller, change)

    @router.post("/campaigns/{name}/{move}", tags=["campaigns"], responses=shapes.ok(shapes.Campaign))
    async def move_(request: Request, move: Move, name: str = NameIn, caller: Caller = MAY_CHANGE) -> Response:
        """Start, pause, resume or stop it."""

        def change(session: Session, by: By) -> dict[str, Any]:
            campaign = admin_campaigns.move_campaign(session, by, name, move.value, served=True)
            return campaign_document(session, campaign, by.at)

        return await desk.act(request, caller, change)


async def _push_one(desk: ApiDesk, request: Request, caller: Caller, name: str, given: LeadIn) -> Response:
    draft = lead_draft(desk.settings.site, given.number, given.values(), desk.clock.now())

    def push(session: Session, by: By) -> dict[str, Any]:
        campaign = find_campaign(session, name)
        try:
            lead = add_lead(session, by, campaign, draft, _carriers(desk, campaign))
        except UsageError as error:  # the only one left: the campaign has it
            raise CallwrightError(str(error)) from None
        return Hidden.for_(session, caller).one(lead_document(lead, campaign.name))

    return await desk.act(request, caller, push, 201)


async def _push_many(desk: ApiDesk, request: Request, caller: Caller, name: str, given: LeadsIn) -> Response:
    drafts, rejected = await desk.prepare(lambda: _drafts(desk, given))

    def push(session: Session, by: By) -> dict[str, Any]:
        campaign = find_campaign(session, name)
        added = add_leads(session, by, campaign, drafts, given.dedupe, _carriers(desk, campaign))
        counts = {"imported": len(added.ids), "duplicates": added.duplicates, "rejected": len(rejected)}
        return {**counts, "dnc": added.dnc, "not_carried": added.not_carried, "leads": added.ids, "rejects": rejected}

    return await desk.act(request, caller, push)


def _carriers(desk: ApiDesk, campaign: Campaign) -> Carriers:
    return Carriers.of(desk.settings, campaign_options(campaign).trunk)


def _drafts(desk: ApiDesk, given: LeadsIn) -> tuple[list[LeadDraft], list[dict[str, Any]]]:
    """The leads that can be taken, and why the others cannot; ``n`` counts from 1."""
    drafts, rejected = list[LeadDraft](), list[dict[str, Any]]()
    for n, lead in enumerate(given.leads, 1):
        try:
            drafts.append(lead_draft(desk.settings.site, lead.number, lead.values(), desk.clock.now()))
        except UsageError as error:
            rejected.append({"n": n, "number": lead.number, "reason": str(error)})
    return drafts, rejected
