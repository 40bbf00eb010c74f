"""What all routes of reports share: which stretch of time, and JSON or CSV."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar

from fastapi import Query
from fastapi.responses import Response
from sqlalchemy.orm import Session

from contact_center.console.moments import past_instant
from contact_center.console.plain_csv import as_csv
from contact_center.console.report_sheets import Sheet
from contact_center.errors import UsageError
from contact_center.http.api.answers import json_answer
from contact_center.http.api.desk import ApiDesk
from contact_center.http.api.documents import dumped
from contact_center.store.queries_queues import midnight

MOST_DAYS = 31
"""A longer report is for the command line: it would keep a running serve busy."""
Form = Literal["json", "csv"]
FORM = Query("json", description="csv: RFC 4180, with no cell that a spreadsheet takes for a formula.")
SINCE_TODAY = Query("", max_length=60, alias="from", description="The local day's beginning when left out.")
SINCE = Query("", max_length=60, alias="from", description=f"{MOST_DAYS} days before `to` when left out.")
UNTIL = Query("", max_length=60, alias="to", description="Now when left out.")

Document = TypeVar("Document")


async def answer(
    desk: ApiDesk,
    format: Form,
    name: str,
    make: Callable[[Session], Document],
    sheet: Callable[[Document], Sheet],
) -> Response:
    """The document that ``make`` gives, or its ``sheet`` as a file of that ``name``; both are made in a thread."""

    def made(session: Session) -> bytes:
        document = make(session)
        if format == "json":
            return dumped(document)
        found = sheet(document)
        return as_csv(found.columns, found.rows).encode()

    body = await desk.read(made)
    return json_answer(body) if format == "json" else csv_answer(body, name)


def csv_answer(body: bytes, name: str) -> Response:
    """A response of CSV."""
    headers: dict[str, Any] = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="{name}.csv"',
    }
    return Response(body, 200, headers, media_type="text/csv; charset=utf-8; header=present")


def today(desk: ApiDesk, since: str, until: str) -> tuple[datetime, datetime]:
    """The stretch asked for; it begins with the local day where that is left out. Raises UsageError."""
    return _between(desk, since, until, midnight(desk.settings.site.timezone, desk.clock.now()))


def month(desk: ApiDesk, since: str, until: str) -> tuple[datetime, datetime]:
    """The stretch asked for; it is as long as it may be where its beginning is left out. Raises UsageError."""
    return _between(desk, since, until, None)


def _between(desk: ApiDesk, since: str, until: str, begin: datetime | None) -> tuple[datetime, datetime]:
    zone, now = desk.settings.site.timezone, desk.clock.now()
    end = past_instant(until, zone, now, "to") if until else now
    if since:
        begin = past_instant(since, zone, now, "from")
    elif begin is None:
        begin = _days_before(end)
    if end <= begin:
        raise UsageError("to is not after from; give a later instant.")
    if end - begin > timedelta(days=MOST_DAYS):
        raise UsageError(f"A report of the API has {MOST_DAYS} days at most; `callwright report` has no limit.")
    return begin, min(end, max(now, begin))


def _days_before(end: datetime) -> datetime:
    """Raises UsageError at the beginning of time."""
    try:
        return end - timedelta(days=MOST_DAYS)
    except OverflowError:
        raise UsageError("to is too early; give a later instant.") from None
