"""`GET /reports/v2/triggers/calls`: the calls of `report calls` at the address that scripts of call trackers fetch."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from sqlalchemy.orm import Session

from contact_center.console.moments import instant
from contact_center.console.plain_csv import as_csv
from contact_center.http.api.answers import dumped, json_answer
from contact_center.http.api.desk import ApiDesk
from contact_center.http.api.gate import Allow
from contact_center.http.api.masking import Hidden
from contact_center.http.api.report_answers import csv_answer
from contact_center.http.api.tokens import Caller
from contact_center.store.report_calls import DEFAULT_ROWS, CallsWanted, calls_report
from contact_center.terms import ApiRole

MOST_ROWS = 10_000
"""More at once are for the command line: they would keep a running serve busy."""
ADDRESS = "/reports/v2/triggers/calls"
MAY_SEE = Depends(Allow(ApiRole.READ))


def add_routes(router: APIRouter, desk: ApiDesk) -> None:
    """Add the route."""

    @router.get(ADDRESS, tags=["reports"], response_class=Response)
    async def calls(
        igrp: str = Query("", max_length=100, description="An installation's id; there is one, so any will do."),
        limit: int = Query(DEFAULT_ROWS, ge=1, le=MOST_ROWS),
        format: Literal["csv", "json"] = "json",
        display: list[str] = Query([], alias="display[]", max_length=100, description="Columns, in their order."),
        sort: list[str] = Query([], alias="sort[]", max_length=20, description="A column and -asc or -desc."),
        since: str = Query("", max_length=60, alias="from", description="Calls begun then or later."),
        until: str = Query("", max_length=60, alias="to", description="Calls begun before."),
        caller: Caller = MAY_SEE,
    ) -> Response:
        """Finished calls. HTTP Basic with a token's name and the token as password, or the token as Bearer."""
        begin, end = _moment(desk, since, "from"), _moment(desk, until, "to")
        wanted = CallsWanted.checked(display, sort, limit, begin, end)
        zone = desk.settings.site.timezone

        def made(session: Session) -> bytes:
            seen = Hidden.for_(session, caller).call
            rows: list[dict[str, Any]] = calls_report(session, wanted, zone, seen)
            return as_csv(wanted.display, rows).encode() if format == "csv" else dumped(rows)

        body = await desk.read(made)
        return json_answer(body) if format == "json" else csv_answer(body, "calls")


def _moment(desk: ApiDesk, text: str, name: str) -> datetime | None:
    return instant(text, desk.settings.site.timezone, desk.clock.now(), name) if text else None
