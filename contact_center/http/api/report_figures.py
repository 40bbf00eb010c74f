"""Reports of campaigns, hours, machine detection, ratings, goals and the marketing match, as `report ... --json`.

None of them names a customer's number, so there is nothing to mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from sqlalchemy.orm import Session

from contact_center.console import report_sheets as sheets
from contact_center.http.api.desk import ApiDesk
from contact_center.http.api.gate import Allow
from contact_center.http.api.report_answers import FORM, MOST_DAYS, SINCE, UNTIL, Form, answer, month
from contact_center.http.api.tokens import Caller
from contact_center.law.abandonment import Stretch
from contact_center.models import Campaign
from contact_center.store.queries import find_campaign, list_campaigns
from contact_center.store.report_campaign import campaign_report
from contact_center.store.report_detection import detection_rows
from contact_center.store.report_hours import hours_report
from contact_center.store.report_matching import matching_report
from contact_center.store.report_ratings import goals_report, ratings_report
from contact_center.terms import ApiRole

MAY_SEE = Depends(Allow(ApiRole.READ))
CAMPAIGN = Query("", max_length=60, description="Only this campaign.")
SINCE_BEGUN = Query(
    "", max_length=60, alias="from", description=f"The campaign's beginning, or {MOST_DAYS} days before `to`."
)


def add_routes(router: APIRouter, desk: ApiDesk) -> None:
    """Add the routes."""
    _add_campaigns(router, desk)
    _add_detection(router, desk)
    _add_ratings(router, desk)


def _add_campaigns(router: APIRouter, desk: ApiDesk) -> None:
    @router.get("/reports/campaign", tags=["reports"])
    async def campaign(
        campaign: str = CAMPAIGN,
        since: str = SINCE_BEGUN,
        until: str = UNTIL,
        format: Form = FORM,
        caller: Caller = MAY_SEE,
    ) -> Response:
        """Leads, dials and outcomes, abandonment, times, agents and odds per campaign, as `report campaign`."""
        asked, now, zone = _stretch(desk, since, until), desk.clock.now(), desk.settings.site.timezone

        def found(session: Session) -> list[dict[str, Any]]:
            rows = _campaigns(session, campaign)
            return [campaign_report(session, row, _begun(asked, since, [row]), now, zone) for row in rows]

        return await answer(desk, format, "campaign", found, sheets.campaign_sheet)

    @router.get("/reports/hours", tags=["reports"])
    async def hours(
        campaign: str = CAMPAIGN,
        since: str = SINCE_BEGUN,
        until: str = UNTIL,
        by: Literal["hour", "weekday"] = Query("hour", description="For csv."),
        format: Form = FORM,
        caller: Caller = MAY_SEE,
    ) -> Response:
        """Dials, answers, connects, drops and agents' hours by the hour of the dial, as `report hours`."""
        asked, now, zone = _stretch(desk, since, until), desk.clock.now(), desk.settings.site.timezone

        def found(session: Session) -> dict[str, Any]:
            rows = _campaigns(session, campaign)
            chosen = rows[0] if campaign else None
            return hours_report(session, chosen, _begun(asked, since, rows), now, zone)

        return await answer(desk, format, "hours", found, lambda document: sheets.hours_sheet(document, by))


def _add_detection(router: APIRouter, desk: ApiDesk) -> None:
    @router.get("/reports/amd", tags=["reports"])
    async def amd(
        campaign: str = CAMPAIGN, since: str = SINCE, until: str = UNTIL, format: Form = FORM, caller: Caller = MAY_SEE
    ) -> Response:
        """Verdicts of machine detection against the agents' word per campaign, as `report amd`."""
        begin, end = month(desk, since, until)
        return await answer(
            desk,
            format,
            "amd",
            lambda session: detection_rows(session, _campaigns(session, campaign), begin, end),
            sheets.detection_sheet,
        )


def _add_ratings(router: APIRouter, desk: ApiDesk) -> None:
    @router.get("/reports/ratings", tags=["reports"])
    async def ratings(
        since: str = SINCE,
        until: str = UNTIL,
        by: Literal["channel", "agent", "category", "habit"] = Query("channel", description="For csv."),
        format: Form = FORM,
        caller: Caller = MAY_SEE,
    ) -> Response:
        """What calls are rated, by channel and by agent, and who rates and hangs up first, as `report ratings`."""
        begin, end = month(desk, since, until)
        return await answer(
            desk,
            format,
            "ratings",
            lambda session: ratings_report(session, begin, end),
            lambda document: sheets.ratings_sheet(document, by),
        )

    @router.get("/reports/goals", tags=["reports"])
    async def goals(since: str = SINCE, until: str = UNTIL, format: Form = FORM, caller: Caller = MAY_SEE) -> Response:
        """Goals reached, per act of rating, as `report goals`; csv is the log."""
        begin, end = month(desk, since, until)
        return await answer(
            desk, format, "goals", lambda session: goals_report(session, begin, end), sheets.goals_sheet
        )

    @router.get("/reports/matching", tags=["reports"])
    async def matching(
        since: str = SINCE, until: str = UNTIL, format: Form = FORM, caller: Caller = MAY_SEE
    ) -> Response:
        """How many calls to tracked numbers were matched to a visitor, as `report matching`."""
        begin, end = month(desk, since, until)
        return await answer(
            desk, format, "matching", lambda session: matching_report(session, begin, end), sheets.matching_sheet
        )


def _campaigns(session: Session, name: str) -> list[Campaign]:
    return [find_campaign(session, name)] if name else list_campaigns(session)


def _stretch(desk: ApiDesk, since: str, until: str) -> Stretch:
    return Stretch("asked for", *month(desk, since, until))


def _begun(asked: Stretch, since: str, rows: Sequence[Campaign]) -> Stretch:
    """Without `from` a report begins with the first of its campaigns, if that is within its time."""
    first = min((row.created_at for row in rows), default=asked.since)
    return asked if since or not asked.since < first < asked.until else replace(asked, since=first)
