"""Reports, as `report ... --json` prints them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from sqlalchemy.orm import Session

from contact_center.console.moments import instant
from contact_center.errors import UsageError
from contact_center.http.api.desk import ApiDesk
from contact_center.http.api.gate import Allow
from contact_center.http.api.tokens import Caller
from contact_center.store import report_queues
from contact_center.store.ledgers import abandonment_document
from contact_center.store.queries import find_campaign, list_campaigns
from contact_center.store.queries_queues import midnight
from contact_center.terms import ApiRole

MOST_DAYS = 31
"""A longer report is for the command line: it would keep a running serve busy."""
MAY_SEE = Depends(Allow(ApiRole.READ))


def add_routes(router: APIRouter, desk: ApiDesk) -> None:
    """Add the routes of reports."""

    @router.get("/reports/queues", tags=["reports"])
    async def queues(
        queue: str = Query("", max_length=60),
        since: str = Query("", max_length=60, alias="from", description="The local day's beginning when left out."),
        until: str = Query("", max_length=60, alias="to", description="Now when left out."),
        caller: Caller = MAY_SEE,
    ) -> Response:
        """Service level, abandonment, waits and handle time per queue, as `report queues`."""
        begin, end = _between(desk, since, until)
        return await desk.show(lambda s: report_queues.queue_rows(s, queue, begin, end))

    @router.get("/reports/agents", tags=["reports"])
    async def agents(
        queue: str = Query("", max_length=60),
        agent: str = Query("", max_length=20, description="Only this extension."),
        since: str = Query("", max_length=60, alias="from", description="The local day's beginning when left out."),
        until: str = Query("", max_length=60, alias="to", description="Now when left out."),
        caller: Caller = MAY_SEE,
    ) -> Response:
        """Calls taken, handle time, and time spent talking, wrapping up, free and paused, as `report agents`."""
        begin, end = _between(desk, since, until)
        return await desk.show(lambda s: report_queues.agent_rows(s, queue, agent, begin, end))

    @router.get("/reports/abandonment", tags=["reports"])
    async def abandonment(campaign: str = Query("", max_length=60), caller: Caller = MAY_SEE) -> Response:
        """The ledgers of abandoned calls per campaign: the last 24 hours, 30 days, and each period."""
        now, zone = desk.clock.now(), desk.settings.site.timezone

        def found(session: Session) -> list[dict[str, Any]]:
            rows = [find_campaign(session, campaign)] if campaign else list_campaigns(session)
            return [abandonment_document(session, row, now, zone, None) for row in rows]

        return await desk.show(found)


def _between(desk: ApiDesk, since: str, until: str) -> tuple[datetime, datetime]:
    zone, now = desk.settings.site.timezone, desk.clock.now()
    begin = instant(since, zone, now, "from") if since else midnight(zone, now)
    end = instant(until, zone, now, "to") if until else now
    if end <= begin:
        raise UsageError("to is not after from; give a later instant.")
    if end - begin > timedelta(days=MOST_DAYS):
        raise UsageError(f"A report of the API has {MOST_DAYS} days at most; `callwright report` has no limit.")
    return begin, min(end, max(now, begin))
