"""`callwright report amd`: how often machine detection is wrong, and what it costs persons."""

from __future__ import annotations

from typing import Any

import typer
from rich.console import RenderableType

from contact_center.console.context import console_of
from contact_center.console.moments import stretch
from contact_center.console.output import table
from contact_center.console.report_sheets import detection_sheet
from contact_center.errors import UsageError
from contact_center.store.queries import find_campaign, list_campaigns
from contact_center.store.report_detection import detection_rows

EXAMPLE = "Example: callwright report amd --campaign spring --from 2026-03-01 --to 2026-04-01"
FORMATS = ("table", "csv", "json")


def amd(
    ctx: typer.Context,
    campaign: str = typer.Option("", "--campaign", help="Only this campaign."),
    since: str = typer.Option("", "--from", help="From this instant; from the beginning when it is left out."),
    until: str = typer.Option("", "--to", help="To this instant; now when it is left out."),
    format: str = typer.Option("table", "--format", help="table, csv or json."),
) -> None:
    """Verdicts of answering machine detection against the agents' word, per campaign.

    Persons among those judged to be machines are measured by a sample that agents get all the same ([amd]
    sample_share); the interval is Wilson's of 95 %.
    """
    console = console_of(ctx)
    if format not in FORMATS:
        raise UsageError(f"--format {format[:20]!r} is not known; one of {', '.join(FORMATS)} is wanted.")
    asked = stretch(since, until, console.settings.site.timezone, console.clock.now())
    with console.reading() as session:
        rows = [find_campaign(session, campaign)] if campaign else list_campaigns(session)
        documents = detection_rows(session, rows, asked.since, asked.until)
    if console.json or format == "json":
        console.emit(documents)
    elif format == "csv":
        detection_sheet(documents).print()
    else:
        console.show(documents, _view)


def _view(documents: list[dict[str, Any]]) -> RenderableType:
    columns = (
        *("campaign", "judged", "humans", "unsure", "machines", "checked", "persons among machines", "95 %"),
        *("machines among persons", "delay p50", "p95", "max"),
    )
    rows = []
    for d in documents:
        low, high = d["false_machine_rate_low"], d["false_machine_rate_high"]
        rows.append(
            (
                *(d["campaign"], d["judged"], d["humans"], d["unsure"], d["machines"], d["checked_by_agents"]),
                _percent(d["false_machine_rate"]),
                "" if low is None else f"{_percent(low)} to {_percent(high)}",
                _percent(d["missed_machine_rate"]),
                *(_seconds(d[f"person_delay_{name}_seconds"]) for name in ("p50", "p95", "max")),
            )
        )
    return table(columns, rows)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} s"
