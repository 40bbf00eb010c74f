"""`GET /v1/reports/evidence`: how a campaign called, as the file of `report evidence`, written as it is read."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing
from importlib.metadata import version

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response, StreamingResponse

from contact_center.http.api.desk import ApiDesk
from contact_center.http.api.documents import Busy
from contact_center.http.api.gate import Allow
from contact_center.http.api.report_answers import SINCE, UNTIL, month
from contact_center.http.api.tokens import Caller
from contact_center.law.abandonment import Stretch
from contact_center.law.chain import ChainWriter
from contact_center.models import Campaign
from contact_center.store.evidence import Asked, Reading
from contact_center.store.evidence import evidence as evidence_bodies
from contact_center.store.evidence_seal import seal
from contact_center.store.queries import find_campaign

MAY_MAKE = Depends(Allow())
AT_ONCE = 1
"""Files that are written at once: each reads every call of its time."""
MEDIA = "application/jsonl; charset=utf-8"


def add_routes(router: APIRouter, desk: ApiDesk) -> None:
    """Add the route."""
    writing: set[object] = set()

    @router.get("/reports/evidence", tags=["reports"], response_class=Response)
    async def evidence(
        campaign: str = Query(max_length=60, description="Whose calls."),
        since: str = SINCE,
        until: str = UNTIL,
        caller: Caller = MAY_MAKE,
    ) -> Response:
        """A file of JSON lines, each with the hash of the one before, as `report evidence FILE` writes it.

        The hash of its end is noted in the audit log before the last line is sent; a file without that line was cut.
        """
        begin, end = month(desk, since, until)
        row = await desk.read(lambda session: find_campaign(session, campaign))
        if len(writing) >= AT_ONCE:
            raise Busy("An evidence file is being written; try again when it is done.")
        asked = _asked(desk, caller, row, Stretch("asked for", begin, end))
        headers = {"Cache-Control": "no-store", "Content-Disposition": 'attachment; filename="evidence.jsonl"'}
        return StreamingResponse(_file(desk, row, asked, writing), 200, headers, media_type=MEDIA)


def _asked(desk: ApiDesk, caller: Caller, campaign: Campaign, stretch: Stretch) -> Asked:
    site = desk.settings.site
    return Asked(
        campaign=campaign.name,
        stretch=stretch,
        site_zone=site.timezone,
        telemarketer=site.name,
        made_by=caller.actor,
        made_at=desk.clock.now(),
        program=f"callwright {version('callwright')}",
    )


async def _file(desk: ApiDesk, campaign: Campaign, asked: Asked, writing: set[object]) -> AsyncGenerator[bytes, None]:
    chain, mine = ChainWriter(), object()

    def lines(reading: Reading) -> Generator[bytes, None, None]:
        for body in evidence_bodies(reading, campaign, asked):
            yield chain.line(body).encode()

    writing.add(mine)
    try:
        async with aclosing(desk.pages(lines)) as pages:
            async for part in pages:
                yield part
        last = chain.last().encode()
        await desk.note(lambda session: seal(session, asked, lines=chain.lines, end=chain.end))
        yield last
    finally:
        writing.discard(mine)
