"""Reports of queues, agents and abandonment, as `report ... --json` prints them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from sqlalchemy.orm import Session

from contact_center.console.report_sheets import abandonment_sheet, rows_sheet
from contact_center.http.api.desk import ApiDesk
from contact_center.http.api.gate import Allow
from contact_center.http.api.report_answers import FORM, SINCE_TODAY, UNTIL, Form, answer, today
from contact_center.http.api.tokens import Caller
from contact_center.store import report_queues
from contact_center.store.ledgers import abandonment_document
from contact_center.store.queries import find_campaign, list_campaigns
from contact_center.terms import ApiRole

MAY_SEE = Depends(Allow(ApiRole.READ))


def add_routes(router: APIRouter, desk: ApiDesk) -> None:
    """Add the routes of reports."""
    _add_queues(router, desk)
    _add_abandonment(router, desk)


def _add_queues(router: APIRouter, desk: ApiDesk) -> None:
    @router.get("/reports/queues", tags=["reports"])
    async def queues(
        queue: str = Query("", max_length=60),
        since: str = SINCE_TODAY,
        until: str = UNTIL,
        format: Form = FORM,
        caller: Caller = MAY_SEE,
    ) -> Response:
        """Service level, abandonment, waits and handle time per queue, as `report queues`."""
        begin, end = today(desk, since, until)
        return await answer(
            desk, format, "queues", lambda s: report_queues.queue_rows(s, queue, begin, end), rows_sheet
        )

    @router.get("/reports/agents", tags=["reports"])
    async def agents(
        queue: str = Query("", max_length=60),
        agent: str = Query("", max_length=20, description="Only this extension."),
        since: str = SINCE_TODAY,
        until: str = UNTIL,
        format: Form = FORM,
        caller: Caller = MAY_SEE,
    ) -> Response:
        """Calls taken, handle time, and time spent talking, wrapping up, free and paused, as `report agents`."""
        begin, end = today(desk, since, until)
        return await answer(
            desk, format, "agents", lambda s: report_queues.agent_rows(s, queue, agent, begin, end), rows_sheet
        )


def _add_abandonment(router: APIRouter, desk: ApiDesk) -> None:
    @router.get("/reports/abandonment", tags=["reports"])
    async def abandonment(
        campaign: str = Query("", max_length=60), format: Form = FORM, caller: Caller = MAY_SEE
    ) -> Response:
        """The ledgers of abandoned calls per campaign: the last 24 hours, 30 days, and each period."""
        now, zone = desk.clock.now(), desk.settings.site.timezone

        def found(session: Session) -> list[dict[str, Any]]:
            rows = [find_campaign(session, campaign)] if campaign else list_campaigns(session)
            return [abandonment_document(session, row, now, zone, None) for row in rows]

        return await answer(desk, format, "abandonment", found, abandonment_sheet)
