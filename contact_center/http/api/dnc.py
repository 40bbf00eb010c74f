"""The do-not-call list."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response
from sqlalchemy.orm import Session
from starlette.requests import Request

from contact_center.http.api import shapes
from contact_center.http.api.bodies import DncIn
from contact_center.http.api.desk import ApiDesk
from contact_center.http.api.gate import Allow
from contact_center.http.api.leads import Limit, number_in
from contact_center.http.api.masking import Hidden
from contact_center.http.api.tokens import Caller
from contact_center.store.admin import By
from contact_center.store.admin_dnc import EVERYBODY, add_dnc, remove_dnc
from contact_center.store.queries import campaign_id, find_campaign
from contact_center.store.queries_leads import campaign_names, dnc_document, list_dnc
from contact_center.terms import ApiRole

OfCampaign = Query("", max_length=60, description="The list of this campaign; else everybody's.")
MAY_SEE = Depends(Allow(ApiRole.READ))
MAY_ADD = Depends(Allow(ApiRole.LEAD_PUSH))
MAY_REMOVE = Depends(Allow())


def add_routes(router: APIRouter, desk: ApiDesk) -> None:
    """Add the routes of the list."""

    @router.get("/dnc", tags=["dnc"], responses=shapes.ok(list[shapes.DncEntry]))
    async def list_(
        campaign: str = Query("", max_length=60, description="Only the list of this campaign."),
        number: str = Query("", max_length=64, description="Only this number; where numbers are hidden: supervisors."),
        limit: int = Limit,
        caller: Caller = MAY_SEE,
    ) -> Response:
        """The list, newest first, as `dnc list --json`."""
        own = number_in(desk, number)

        def found(session: Session) -> list[dict[str, Any]]:
            hidden, names = Hidden.for_(session, caller), campaign_names(session)
            hidden.refuse_number(number)
            key = _key(session, campaign) if campaign else None
            return hidden.shown(dnc_document(entry, names) for entry in list_dnc(session, key, own, limit))

        return await desk.show(found)

    @router.post("/dnc", tags=["dnc"])
    async def add(request: Request, given: DncIn, caller: Caller = MAY_ADD) -> Response:
        """Never call this number again; its waiting leads are closed off."""
        own = number_in(desk, given.number)

        def change(session: Session, by: By) -> dict[str, Any]:
            done = add_dnc(session, by, [own], _key(session, given.campaign), given.reason)
            return _document(own, given.campaign) | {"added": bool(done.numbers), "leads": done.leads}

        return await desk.act(request, caller, change)

    @router.delete("/dnc/{number}", tags=["dnc"])
    async def remove(
        request: Request,
        number: str = Path(max_length=64),
        campaign: str = OfCampaign,
        caller: Caller = MAY_REMOVE,
    ) -> Response:
        """Take a number off the list; leads that only the list held back may be called again."""
        own = number_in(desk, number)

        def change(session: Session, by: By) -> dict[str, Any]:
            done = remove_dnc(session, by, own, _key(session, campaign))
            return _document(own, campaign) | {"leads": done.leads}

        return await desk.act(request, caller, change)


def _key(session: Session, campaign: str) -> int:
    return campaign_id(find_campaign(session, campaign)) if campaign else EVERYBODY


def _document(number: str, campaign: str) -> dict[str, Any]:
    return {"number": number, "campaign": campaign or None}
