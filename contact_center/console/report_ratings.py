"""`callwright report ratings`, `report goals` and `report calls`."""

from __future__ import annotations

from typing import Any

import typer
from rich.console import Group, RenderableType

from contact_center.console.context import Console, console_of
from contact_center.console.moments import bounds, stretch
from contact_center.console.output import local, share, table
from contact_center.console.plain_csv import as_csv
from contact_center.console.report_sheets import RATING_COLUMNS, RATINGS_BY, goals_sheet, ratings_sheet
from contact_center.console.spreadsheet import written
from contact_center.errors import UsageError
from contact_center.store.report_calls import DEFAULT_ROWS, DEFAULT_SORT, CallsWanted, calls_report
from contact_center.store.report_ratings import goals_report, ratings_report

RATINGS_EXAMPLE = "Example: callwright report ratings --from 2026-03-01 --to 2026-04-01 --by agent --format csv"
GOALS_EXAMPLE = "Example: callwright report goals --from 2026-03-01"
CALLS_EXAMPLE = (
    "Example: callwright report calls --display triggerDatetime --display srcPhoneNumber --display callState"
)
FORMATS = ("table", "csv", "json")
Since = typer.Option("", "--from", help="From this instant; the beginning of all when it is left out.")
Until = typer.Option("", "--to", help="To this instant; now when it is left out.")
Form = typer.Option("table", "--format", help="table, csv or json.")


def ratings(
    ctx: typer.Context,
    since: str = Since,
    until: str = Until,
    by: str = typer.Option(
        "channel", "--by", help="For csv: channel, agent, category, or habit (who rates, who hangs up)."
    ),
    format: str = Form,
) -> None:
    """What calls are rated, by channel and by agent; their categories; how often agents rate, who hangs up first."""
    console = console_of(ctx)
    if by not in RATINGS_BY:
        raise UsageError(f"--by {by[:20]!r} is not known; one of {', '.join(RATINGS_BY)} is wanted.")
    begin, end = _between(console, since, until)
    with console.reading() as session:
        document = ratings_report(session, begin, end)
    _print(console, document, format, lambda found: ratings_sheet(found, by), _ratings_view)


def goals(ctx: typer.Context, since: str = Since, until: str = Until, format: str = Form) -> None:
    """Goals reached, per rating: every act of rating counts, also one that was replaced since. csv is the log."""
    console = console_of(ctx)
    begin, end = _between(console, since, until)
    with console.reading() as session:
        document = goals_report(session, begin, end)
    _print(console, document, format, goals_sheet, _goals_view)


def calls(
    ctx: typer.Context,
    since: str = Since,
    until: str = Until,
    display: list[str] = typer.Option([], "--display", help="A column; may be given again. Their order is kept."),
    sort: list[str] = typer.Option([DEFAULT_SORT], "--sort", help="A column and -asc or -desc; may be given again."),
    limit: int = typer.Option(DEFAULT_ROWS, "--limit", help="At most so many calls."),
    format: str = Form,
) -> None:
    """Finished calls with their states, as GET /reports/v2/triggers/calls gives them; times are the site's."""
    console = console_of(ctx)
    zone, now = console.settings.site.timezone, console.clock.now()
    begin, end = bounds(since, until, zone, now)
    wanted = CallsWanted.checked(display, sort, limit, begin, end)
    _checked(format)
    with console.reading() as session:
        rows = calls_report(session, wanted, zone)
    if console.json or format == "json":
        console.emit(rows)
    elif format == "csv":
        _write(as_csv(wanted.display, rows))
    else:
        console.show(rows, lambda found: table(wanted.display, (tuple(row.values()) for row in found)))


def _between(console: Console, since: str, until: str) -> tuple[Any, Any]:
    asked = stretch(since, until, console.settings.site.timezone, console.clock.now())
    return asked.since, asked.until


def _checked(format: str) -> None:
    if format not in FORMATS:
        raise UsageError(f"--format {format[:20]!r} is not known; one of {', '.join(FORMATS)} is wanted.")


def _print(console: Console, document: dict[str, Any], format: str, sheet: Any, view: Any) -> None:
    _checked(format)
    if console.json or format == "json":
        console.emit(document)
    elif format == "csv":
        found = sheet(document)
        _write(as_csv(found.columns, found.rows))
    else:
        console.show(document, lambda found: view(found, console.settings.site.timezone))


def _write(text: str) -> None:
    with written(None) as stream:
        stream.write(text)


def _ratings_view(document: dict[str, Any], _: str) -> RenderableType:
    parts = [
        table(RATING_COLUMNS[part], (tuple(row.values()) for row in document[part]), title)
        for part, title in (("channels", "by channel"), ("agents", "by agent"), ("categories", "by category"))
    ]
    habits = (
        tuple(share(value) if key == "rated_share" and value is not None else value for key, value in row.items())
        for row in document["habits"]
    )
    parts.append(
        table([name.replace("_", " ") for name in RATING_COLUMNS["habits"]], habits, "who rates, who hangs up")
    )
    return Group(*parts)


def _goals_view(document: dict[str, Any], zone: str) -> RenderableType:
    goals = table(("goal", "rating", "reached", "calls", "value"), (tuple(r.values()) for r in document["goals"]))
    columns = ("at", "goal", "option", "value", "call_id", "agent")
    log = (tuple(local(row[key], zone) if key == "at" else row[key] for key in columns) for row in document["log"])
    return Group(goals, table(columns, log, "log"))
