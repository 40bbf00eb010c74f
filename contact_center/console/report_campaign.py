"""`callwright report campaign` and `report hours`: how a campaign went, and at what hours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from contact_center.console.context import console_of
from contact_center.console.moments import stretch
from contact_center.console.output import facts, local, percent, seconds, table
from contact_center.console.pace import reliability_view
from contact_center.console.report_sheets import HOURS_BY, campaign_sheet, hours_sheet
from contact_center.errors import UsageError
from contact_center.law.abandonment import Stretch
from contact_center.models import Campaign
from contact_center.store.queries import find_campaign, list_campaigns
from contact_center.store.report_campaign import campaign_report
from contact_center.store.report_hours import hours_report

CAMPAIGN_EXAMPLE = "Example: callwright report campaign spring --from 2026-03-01 --to 2026-04-01 --format csv"
HOURS_EXAMPLE = "Example: callwright report hours spring --from 2026-03-01 --by weekday"
FORMATS = ("table", "csv", "json")
Name = typer.Argument("", metavar="[NAME]", help="The campaign; all of them when left out.")
Since = typer.Option("", "--from", help="From this instant; the campaign's beginning when it is left out.")
Until = typer.Option("", "--to", help="To this instant; now when it is left out.")
Form = typer.Option("table", "--format", help="table, csv or json.")


def campaign(ctx: typer.Context, name: str = Name, since: str = Since, until: str = Until, format: str = Form) -> None:
    """A campaign: leads, dials and outcomes, abandonment by both formulas, times, agents, and how good its odds were.

    Penetration = dialled / loaded leads; contact rate = persons who answered / dials that a trunk took; abandonment =
    dropped / (dropped + connected); agents' hours = talk and wrap-up of its calls and free time while it ran;
    occupancy = (talk + wrap-up) / those hours, utilization = talk / those hours.
    """
    console = console_of(ctx)
    _checked(format)
    zone, now = console.settings.site.timezone, console.clock.now()
    asked = stretch(since, until, zone, now)
    with console.reading() as session:
        rows = [find_campaign(session, name)] if name else list_campaigns(session)
        documents = [campaign_report(session, row, _begun(asked, since, [row]), now, zone) for row in rows]
    if console.json or format == "json":
        console.emit(documents)
    elif format == "csv":
        campaign_sheet(documents).print()
    else:
        console.show(documents, lambda found: Group(*(_campaign_view(one, zone) for one in found)))


def hours(
    ctx: typer.Context,
    name: str = Name,
    since: str = Since,
    until: str = Until,
    by: str = typer.Option("hour", "--by", help="For table and csv: hour (of the day), or weekday (and hour)."),
    format: str = Form,
) -> None:
    """Dials, answers, connects, drops and agents' hours, by the hour of the dial on the site's clock."""
    console = console_of(ctx)
    _checked(format)
    if by not in HOURS_BY:
        raise UsageError(f"--by {by[:20]!r} is not known; one of {', '.join(HOURS_BY)} is wanted.")
    zone, now = console.settings.site.timezone, console.clock.now()
    asked = stretch(since, until, zone, now)
    with console.reading() as session:
        chosen = find_campaign(session, name) if name else None
        rows = [chosen] if chosen is not None else list_campaigns(session)
        document = hours_report(session, chosen, _begun(asked, since, rows), now, zone)
    keys = ("hour",) if by == "hour" else ("weekday", "hour")
    if console.json or format == "json":
        console.emit(document)
    elif format == "csv":
        hours_sheet(document, by).print()
    else:
        console.show(document, lambda found: _hours_view(found, keys, HOURS_BY[by], zone))


def _checked(format: str) -> None:
    if format not in FORMATS:
        raise UsageError(f"--format {format[:20]!r} is not known; one of {', '.join(FORMATS)} is wanted.")


def _begun(asked: Stretch, since: str, rows: Sequence[Campaign]) -> Stretch:
    """Without --from a report begins with the first of its campaigns, not with time itself."""
    first: datetime | None = min((row.created_at for row in rows), default=None)
    return asked if since or first is None or first >= asked.until else replace(asked, since=first)


def _campaign_view(d: dict[str, Any], zone: str) -> RenderableType:
    title = f"{d['campaign']} ({d['mode']}, {d['state']}), {local(d['since_at'], zone)} to {local(d['until_at'], zone)}"
    ended = [
        (one["outcome"], one["count"], percent(one["share"]))
        for one in sorted(d["outcomes"], key=lambda one: -one["count"])
        if one["count"]
    ]
    odds = d["calibration"]
    parts: list[RenderableType] = [facts(_lines(d, zone), title)]
    parts.append(table(("outcome", "dials", "share"), ended, title="Outcomes"))
    parts.append(Text(f"Odds per lead: {odds['words']}"))
    if odds["calls"]:
        score = f"Brier score {odds['brier']:.4f}, of the plain answer rate {odds['brier_of_plain_rate']:.4f}."
        parts += [Text(score), reliability_view(odds["reliability"])]
    return Group(*parts)


def _lines(d: dict[str, Any], zone: str) -> Iterator[tuple[str, str]]:
    leads, law, agents = d["leads"], d["law"], d["agents"]
    dialled = f"{leads['dialled']} dialled, penetration {percent(leads['penetration'])}"
    expired = f", {leads['expired']} expired" if leads["expired"] else ""
    yield "leads", f"{leads['loaded']} loaded, {dialled}, {leads['reached']} reached{expired}"
    states = ", ".join(f"{count} {state}" for state, count in leads["by_state"].items() if count)
    yield "leads now", states or "none"
    apart = f"{d['in_progress']} in progress, {d['not_attempted']} not taken by a trunk"
    yield "dials", f"{d['dials']}: {d['completed']} completed, {apart}"
    yield "answered", f"{d['answered']} ({percent(d['answer_rate'])} of the completed)"
    yield "persons", f"{d['people']}, contact rate {percent(d['contact_rate'])}"
    yield "connected", f"{d['connected']}{_per_hour(agents)}"
    yield "abandonment", f"{d['dropped']} dropped of {d['dropped'] + d['connected']}: {percent(d['abandonment'], 2)}"
    ofcom = f"UK formula {percent(law['abandonment_ofcom'], 2)}"
    yield "as law counts", f"{law['figures']}, limit {percent(law['limit'], 2)}; {ofcom}"
    if agents["words"]:
        yield "agents", agents["words"]
    else:
        busy = f"occupancy {percent(agents['occupancy'])}, utilization {percent(agents['utilization'])}"
        since = "" if agents["since_at"] == d["since_at"] else f" (since {local(agents['since_at'], zone)})"
        yield "agents", f"{agents['hours']:.2f} hours{since}, {busy}"
    spans = (("ring", "ring"), ("until answer", "wait"), ("talk", "talk"), ("wrap-up", "wrap_up"))
    yield "on average", ", ".join(f"{word} {seconds(d[f'{key}_seconds'])}" for word, key in spans)
    mean, half, most = (d[f"answer_to_agent{part}_seconds"] for part in ("", "_p50", "_p95"))
    ranks = "-" if mean is None else f"{mean:.2f} s on average, half within {half:.2f} s, 95 % within {most:.2f} s"
    yield "answer to agent", ranks


def _per_hour(agents: dict[str, Any]) -> str:
    rate = agents["connects_per_agent_hour"]
    return "" if rate is None else f", {rate:.2f} per agent-hour"


def _hours_view(document: dict[str, Any], keys: tuple[str, ...], part: str, zone: str) -> RenderableType:
    rows = [one for one in document[part] if one["dials"] or one["agent_hours"]]
    cells = (
        (
            *(one[key] if key == "weekday" else f"{one[key]:02}:00" for key in keys),
            *(one[name] for name in ("dials", "answered")),
            percent(one["answer_rate"]),
            *(one[name] for name in ("connected", "dropped")),
            percent(one["abandonment"], 2),
            f"{one['agent_hours']:.2f}",
        )
        for one in rows
    )
    columns = (*keys, "dials", "answered", "of the completed", "connected", "dropped", "abandonment", "agents' hours")
    begun = f"{local(document['since_at'], zone)} to {local(document['until_at'], zone)}"
    parts: list[RenderableType] = [table(columns, cells, title=f"{document['campaign'] or 'All campaigns'}, {begun}")]
    if document["agents_since_at"] not in (None, document["since_at"]):
        parts.append(Text(f"Agents' hours are known since {local(document['agents_since_at'], zone)}."))
    return Group(*parts)
