"""`callwright tracking ...`, `report matching` and `visitor show`: whose calls they are."""

from __future__ import annotations

import re
from typing import Any

import typer
from rich.console import Group, RenderableType

from contact_center.console import output
from contact_center.console.context import Console, console_of
from contact_center.console.moments import stretch
from contact_center.console.output import clean, facts, local, table
from contact_center.console.report_sheets import matching_sheet
from contact_center.errors import UsageError
from contact_center.matching.orders import checked_order
from contact_center.store import report_matching, tracking
from contact_center.store.admin import By, shown

POOL_EXAMPLE = "Example: callwright tracking pool add shop 442079460001"
app = typer.Typer(help="Numbers handed to visitors of a site.", epilog=POOL_EXAMPLE, no_args_is_help=False)
pool_app = typer.Typer(help="Pools of numbers.", epilog=POOL_EXAMPLE, no_args_is_help=False)
visitor_app = typer.Typer(
    help="Visitors of a site.", epilog="Example: callwright visitor show 4f1c2a", no_args_is_help=False
)
app.add_typer(pool_app, name="pool")

MATCHING_EXAMPLE = "Example: callwright report matching --from 2026-03-01 --to 2026-04-01"
Pool = typer.Argument(metavar="POOL", help="The pool's name, such as shop.")
CallId = typer.Argument(metavar="CALL_ID", help="The call's id.")


@pool_app.command("add", epilog="Example: callwright tracking pool add shop 442079460001 442079460002")
def add_numbers(
    ctx: typer.Context,
    pool: str = Pool,
    numbers: list[str] = typer.Argument(metavar="NUMBER...", help="As the trunk sends them, as in a queue's dids."),
) -> None:
    """Put numbers into a pool. They must lead to a queue, too: `queue add NAME --did NUMBER`."""
    console = console_of(ctx)
    for number in numbers:
        if not re.fullmatch(r"\+?[0-9]{1,19}", number):
            raise UsageError(f"{shown(number)} is not a number as it is dialled in: digits are wanted.")
    with console.writing() as session:
        by, country = By(console.actor, console.clock.now()), console.settings.site.country
        count = tracking.add_numbers(session, by, pool, numbers, country)
    console.done(f"{count} numbers are in the pool {pool}.", {"pool": pool, "added": count})


@pool_app.command("remove", epilog="Example: callwright tracking pool remove shop 442079460001")
def remove_numbers(
    ctx: typer.Context,
    pool: str = Pool,
    numbers: list[str] = typer.Argument(None, metavar="[NUMBER]...", help="All of the pool when none is named."),
) -> None:
    """Take numbers out of a pool."""
    console = console_of(ctx)
    with console.writing() as session:
        by, country = By(console.actor, console.clock.now()), console.settings.site.country
        count = tracking.remove_numbers(session, by, pool, numbers or [], country)
    console.done(f"{count} numbers are out of the pool {pool}.", {"pool": pool, "removed": count})


@pool_app.command("list", epilog="Example: callwright tracking pool list")
def list_pools(ctx: typer.Context) -> None:
    """Show the pools, and how many of their numbers visitors hold now."""
    console = console_of(ctx)
    with console.reading() as session:
        documents = tracking.pools(session, console.clock.now())
    console.show(
        documents,
        lambda found: table(("pool", "held", "numbers"), ((d["pool"], d["held"], d["numbers"]) for d in found)),
    )


@app.command(epilog="Example: callwright tracking attach CALL_ID gbr0123456")
def attach(ctx: typer.Context, call_id: str = CallId, context_id: str = typer.Argument(metavar="CONTEXT_ID")) -> None:
    """Say whose call it was, as a call-tracking vendor knows it."""
    console = console_of(ctx)
    with console.writing() as session:
        by = By(console.actor, console.clock.now())
        document = tracking.match_document(
            tracking.attach_context(session, by, call_id, context_id, console.settings.site.country)
        )
    said = "matched" if document["matched"] else "offline"
    console.done(f"Call {call_id} is {said}.", {"call_id": call_id, **document})


@app.command(epilog="Example: callwright tracking order CALL_ID 09890809 9.99 --currency GBP")
def order(
    ctx: typer.Context,
    call_id: str = CallId,
    order_id: str = typer.Argument(metavar="ORDER_ID", help="It keeps its zeros."),
    total: str = typer.Argument(metavar="TOTAL", help="As 9.99."),
    currency: str = typer.Option("", "--currency", help="Three letters; the site's by default."),
) -> None:
    """Write down an order that was taken in a call: it goes into the call's transaction event."""
    console = console_of(ctx)
    taken = checked_order(order_id, total, currency or console.settings.site.currency)
    with console.writing() as session:
        by = By(console.actor, console.clock.now())
        tracking.set_order(session, by, call_id, taken, console.settings.site.country)
    document = {"call_id": call_id, "order": taken.id, "total": str(taken.total), "currency": taken.currency}
    console.done(f"The order {taken.id} of {taken.total} {taken.currency} is written down.", document)


def matching(
    ctx: typer.Context,
    since: str = typer.Option("", "--from", help="From this instant; the beginning when it is left out."),
    until: str = typer.Option("", "--to", help="To this instant; now when it is left out."),
    format: str = typer.Option("table", "--format", help="table, csv or json."),
) -> None:
    """How many calls to tracked numbers were matched to a visitor; between 67 and 96 % are usual."""
    console = console_of(ctx)
    if format not in ("table", "csv", "json"):
        raise UsageError(f"--format {shown(format)} is not known; table, csv or json is wanted.")
    asked = stretch(since, until, console.settings.site.timezone, console.clock.now())
    with console.reading() as session:
        document = report_matching.matching_report(session, asked.since, asked.until)
    if format == "csv" and not console.json:
        matching_sheet(document).print()
    elif format == "json" and not console.json:
        console.emit(document)
    else:
        console.show(document, _report)


def _share(value: float | None) -> str:
    return "-" if value is None else output.share(value)


def _report(document: dict[str, Any]) -> RenderableType:
    usual = document["usual"]
    sheet = matching_sheet(document)
    rows = (tuple(_share(row[key]) if key == "share" else row[key] for key in sheet.columns) for row in sheet.rows)
    sentence = (
        f"Matched: {_share(document['share'])}; usual are {_share(usual['least'])} to {_share(usual['most'])}: "
        f"{document['verdict']}."
    )
    return Group(table(sheet.columns, rows), sentence)


@visitor_app.command("show", epilog="Example: callwright visitor show 4f1c2a")
def show_visitor(ctx: typer.Context, context_id: str = typer.Argument(metavar="CONTEXT_ID")) -> None:
    """A visitor's trace: pages, calls, orders and every rating, in the order of time."""
    console = console_of(ctx)
    with console.reading() as session:
        document = report_matching.visitor_document(session, context_id)
    console.show(document, lambda found: _trace(console, found))


def _trace(console: Console, document: dict[str, Any]) -> RenderableType:
    zone = console.settings.site.timezone
    head = facts([(key, document[key]) for key in ("context_id", "visits", "calls", "ratings")])
    rows = ((local(step["at"], zone), step["what"], _more(step)) for step in document["trace"])
    return Group(head, table(("at", "what", "more"), rows))


def _more(step: dict[str, Any]) -> str:
    told = {key: value for key, value in step.items() if key not in ("at", "what") and value not in (None, "", [])}
    return ", ".join(f"{key} {clean(value)}" for key, value in told.items())
