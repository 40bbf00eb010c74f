"""`GET /reports/v2/triggers/calls`: the calls of `report calls` at the address that scripts of call trackers fetch."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from sqlalchemy.orm import Session

from contact_center.console.moments import past_instant
from contact_center.console.plain_csv import as_csv
from contact_center.errors import UsageError
from contact_center.http.api.answers import json_answer
from contact_center.http.api.desk import ApiDesk
from contact_center.http.api.documents import dumped
from contact_center.http.api.gate import Allow
from contact_center.http.api.masking import Hidden
from contact_center.http.api.report_answers import csv_answer
from contact_center.http.api.tokens import Caller
from contact_center.store.report_calls import DEFAULT_ROWS, CallsWanted, calls_report
from contact_center.terms import ApiRole

MOST_ROWS = 50_000
"""As many as the trackers give at once; the next ones come by `offset`."""
MOST_OFFSET = 10_000_000
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
        first_day: str = Query("", max_length=10, alias="startDate", description="From this day on: 2026-03-01."),
        last_day: str = Query("", max_length=10, alias="endDate", description="To the end of this day."),
        tz: str = Query("", max_length=60, description="A zone for days and times, in place of the site's."),
        offset: int = Query(0, ge=0, le=MOST_OFFSET, description="So many are passed over."),
        caller: Caller = MAY_SEE,
    ) -> Response:
        """Finished calls. HTTP Basic with a token's name and the token as password, or the token as Bearer."""
        zone = _zone(tz) if tz else desk.settings.site.timezone
        begin = _moment(desk, since, zone, "from") or _day(first_day, zone, "startDate")
        end = _moment(desk, until, zone, "to") or _day(last_day, zone, "endDate", days=1)
        wanted = CallsWanted.checked(display, sort, limit, begin, end, offset)

        def made(session: Session) -> bytes:
            seen = Hidden.for_(session, caller).one
            rows: list[dict[str, Any]] = calls_report(session, wanted, zone, seen)
            return as_csv(wanted.display, rows).encode() if format == "csv" else dumped(rows)

        body = await desk.read(made)
        return json_answer(body) if format == "json" else csv_answer(body, "calls")


def _moment(desk: ApiDesk, text: str, zone: str, name: str) -> datetime | None:
    return past_instant(text, zone, desk.clock.now(), name) if text else None


def _day(text: str, zone: str, name: str, days: int = 0) -> datetime | None:
    """The beginning of a day, or of one some ``days`` later. Raises UsageError."""
    if not text:
        return None
    try:
        day = date.fromisoformat(text) + timedelta(days=days)
        return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(f"{name} {text[:20]!r} is no day; it is written as 2026-03-01.") from None


def _zone(text: str) -> str:
    """Raises UsageError where there is no such zone."""
    try:
        return ZoneInfo(text).key
    except (KeyError, ValueError, OSError):
        raise UsageError(f"tz {text[:40]!r} is not known; a zone such as Europe/London is wanted.") from None
