"""`callwright report abandonment`: the ledgers of abandoned calls in whole numbers, by both formulas."""

from __future__ import annotations

from typing import Any

import typer
from rich.console import Group, RenderableType

from contact_center.console.context import Console, console_of
from contact_center.console.moments import stretch
from contact_center.console.output import local, table
from contact_center.console.report_sheets import abandonment_lines, abandonment_sheet
from contact_center.errors import UsageError
from contact_center.store.ledgers import abandonment_document
from contact_center.store.queries import find_campaign, list_campaigns

EXAMPLE = "Example: callwright report abandonment --campaign spring --from 2026-03-01 --to 2026-04-01"
FORMATS = ("table", "csv", "json")


def abandonment(
    ctx: typer.Context,
    campaign: str = typer.Option("", "--campaign", help="Only this campaign."),
    since: str = typer.Option("", "--from", help="Also count from this instant."),
    until: str = typer.Option("", "--to", help="To this instant; now when it is left out."),
    format: str = typer.Option("table", "--format", help="table, csv or json."),
) -> None:
    """Abandoned calls per campaign: the last 24 hours, the last 30 days, each 30-day period, and --from to --to.

    abandonment = abandoned / (abandoned + answered by an agent in time), by persons only; `ofcom` takes machines
    off the dropped calls by their share among those that agents handled.
    """
    console = console_of(ctx)
    if format not in FORMATS:
        raise UsageError(f"--format {format[:20]!r} is not known; one of {', '.join(FORMATS)} is wanted.")
    now, zone = console.clock.now(), console.settings.site.timezone
    asked = stretch(since, until, zone, now) if since or until else None
    with console.reading() as session:
        rows = [find_campaign(session, campaign)] if campaign else list_campaigns(session)
        documents = [abandonment_document(session, row, now, zone, asked) for row in rows]
    if console.json or format == "json":
        console.emit(documents)
    elif format == "csv":
        abandonment_sheet(documents).print()
    else:
        console.show(documents, lambda found: _view(console, found))


def _view(console: Console, documents: list[dict[str, Any]]) -> RenderableType:
    zone = console.settings.site.timezone
    columns = (
        *("window", "since", "abandoned / answered", "limit", "room", "ofcom", "with amd", "at most"),
        *("late", "left", "machines"),
    )
    return Group(
        *(
            table(
                columns,
                (
                    (
                        line["window"],
                        local(line["since_at"], zone),
                        f"{line['figures']}{'' if line['kept'] else '  OVER THE LIMIT'}",
                        _percent(line["limit"]),
                        line["room"],
                        _percent(line["abandonment_ofcom"]),
                        _percent(line["abandonment_with_false_machines"]),
                        _percent(line["abandonment_upper"]),
                        line["late"],
                        line["left_early"],
                        line["machines"] + line["agent_machines"],
                    )
                    for line in abandonment_lines(document)
                ),
                title=f"{document['campaign']} (profile {document['profile']})",
            )
            for document in documents
        )
    )


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.2f} %"
