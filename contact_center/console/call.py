"""`callwright call ...`: the records of calls, and calls in progress."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import typer
from rich.console import RenderableType

from contact_center.console import category, rating
from contact_center.console.chart import call_view
from contact_center.console.context import Console, console_of
from contact_center.console.lead import number_of, refuse_json_to_stdout
from contact_center.console.moments import bounds, instant
from contact_center.console.output import count, local, seconds, table
from contact_center.console.spreadsheet import CsvSheet, written
from contact_center.errors import CallwrightError, NotFound, Unreachable, UsageError
from contact_center.models import Call
from contact_center.store.admin import By
from contact_center.store.admin_calls import dispose_call, hang_up_call, listen_to_call, pause_recording
from contact_center.store.admin_own import checked_own_call, place_call
from contact_center.store.queries_calls import (
    COLUMNS,
    RATED_COLUMNS,
    SORTS,
    CallFilter,
    call_document,
    call_pages,
    check_names,
    exported,
    find_call,
    lead_zone,
    list_calls,
    listed_documents,
    live_document,
)
from contact_center.terms import Ear, RecordWish

app = typer.Typer(
    help="Calls: records, and calls in progress.",
    epilog="Example: callwright call list --disposition SALE",
    no_args_is_help=False,
)
app.command(epilog=rating.RATE_EXAMPLE)(rating.rate)
app.command(epilog=category.ANNOTATE_EXAMPLE)(category.annotate)
CallId = typer.Argument(metavar="ID", help="The call's id, as `call list` shows it.")
OfCampaign = typer.Option("", "--campaign", help="Only this campaign.")
OfQueue = typer.Option("", "--queue", help="Only this queue.")
OfAgent = typer.Option("", "--agent", help="Only calls of the agent of this name or extension.")
OfKind = typer.Option(
    "", "--kind", help="inbound, callback, manual, preview, progressive, power, predictive, internal."
)
OfDisposition = typer.Option("", "--disposition", help="Only this disposition, such as SALE.")
OfNumber = typer.Option("", "--number", help="Only calls with this number.")
From = typer.Option("", "--from", help="Started at or after: 2026-03-01, '2026-03-01 09:00', 09:00.")
To = typer.Option("", "--to", help="Started before.")


@app.command("list", epilog="Example: callwright call list --campaign spring --from 2026-03-01 --disposition SALE")
def list_(
    ctx: typer.Context,
    campaign: str = OfCampaign,
    queue: str = OfQueue,
    agent: str = OfAgent,
    kind: str = OfKind,
    disposition: str = OfDisposition,
    number: str = OfNumber,
    start: str = From,
    end: str = To,
    limit: int = typer.Option(100, "--limit", min=1, max=100_000, help="At most so many."),
    sort: str = typer.Option("-started_at", "--sort", help=f"One of {', '.join(SORTS)}; - in front turns it round."),
) -> None:
    """Show calls, the newest first."""
    console = console_of(ctx)
    begin, stop = bounds(start, end, console.settings.site.timezone, console.clock.now())
    wanted = CallFilter(
        campaign=campaign,
        queue=queue,
        agent=agent,
        kind=kind,
        disposition=disposition,
        number=number_of(console, number) if number else "",
        start=begin,
        end=stop,
        sort=sort,
    )
    with console.reading() as session:
        check_names(session, wanted)
        found, language = list_calls(session, wanted, limit), console.settings.site.language
        documents = listed_documents(session, found, console.clock.now(), language)
    console.show(documents, lambda found: _table(console, found))


@app.command(epilog="Example: callwright call show call-06d2k1mz8q4v7w3xyz --json")
def show(ctx: typer.Context, call_id: str = CallId) -> None:
    """Show one call; in the terminal with a chart of its timeline."""
    console = console_of(ctx)
    with console.reading() as session:
        call, language = find_call(session, call_id), console.settings.site.language
        document = live_document(session, call, console.clock.now(), language)
    console.show(document, lambda found: call_view(found, console.settings.site.timezone))


@app.command(epilog="Example: callwright call export calls.csv --from 2026-03-01 --to 2026-04-01")
def export(
    ctx: typer.Context,
    file: Path | None = typer.Argument(None, metavar="[FILE]", help="A CSV file; without it, stdout."),
    campaign: str = OfCampaign,
    queue: str = OfQueue,
    agent: str = OfAgent,
    kind: str = OfKind,
    disposition: str = OfDisposition,
    start: str = From,
    end: str = To,
) -> None:
    """Write calls as CSV that no spreadsheet takes for formulas, oldest first."""
    console = console_of(ctx)
    refuse_json_to_stdout(console, file)
    begin, stop = bounds(start, end, console.settings.site.timezone, console.clock.now())
    wanted = CallFilter(
        campaign=campaign,
        queue=queue,
        agent=agent,
        kind=kind,
        disposition=disposition,
        start=begin,
        end=stop,
    )
    with console.reading() as session:
        check_names(session, wanted)
    with written(file) as stream:
        sheet = CsvSheet(stream, (*COLUMNS, *RATED_COLUMNS))
        last: Call | None = None
        while page := _page(console, wanted, last):
            for call in page:
                sheet.write(exported(call_document(call)))
            last = page[-1]
    if file is not None and str(file) != "-":
        console.done(f"{count(sheet.rows, 'call')} written to {file}.", {"exported": sheet.rows, "file": str(file)})


def _page(console: Console, wanted: CallFilter, last: Call | None) -> list[Call]:
    with console.reading() as session:
        return call_pages(session, wanted, last)


@app.command(epilog="Example: callwright call dispose call-06d2k1mz8q4v7w3xyz CALLBK --callback-at '2026-03-02 15:00'")
def dispose(
    ctx: typer.Context,
    call_id: str = CallId,
    code: str = typer.Argument(metavar="CODE", help="SALE, NI, CALLBK, DNC, ... or a digit as keyed: 1 is SALE."),
    callback_at: str = typer.Option(
        "",
        "--callback-at",
        metavar="T",
        help="Call him then: ISO, or local time of the lead, as 15:00 or +2h.",
    ),
    anyone: bool = typer.Option(False, "--anyone", help="Whoever is free may make the promised call."),
    dnc: bool = typer.Option(False, "--dnc", help="And never call the number again."),
) -> None:
    """Say what came of a call; its lead is done, called back, or never called again."""
    console = console_of(ctx)
    now = console.clock.now()
    due = _callback(console, call_id, callback_at, now) if callback_at else None
    with console.writing() as session:
        call = dispose_call(session, By(console.actor, now), call_id, code, callback_at=due, anyone=anyone, dnc=dnc)
        document = live_document(session, call, now, console.settings.site.language)
    when = f", to be called back at {local(due, console.settings.site.timezone)}" if due else ""
    console.done(f"Call {call_id} is {call.disposition}{when}.", document)


def _callback(console: Console, call_id: str, text: str, now: datetime) -> datetime:
    """The instant of a promised call, read in the lead's own zone when that is one."""
    with console.reading() as session:
        zone = lead_zone(session, find_call(session, call_id), console.settings.site.timezone)
    return instant(text, zone, now, "--callback-at")


@app.command(epilog="Example: callwright call place 1001 '020 7946 0018'")
def place(
    ctx: typer.Context,
    ext: str = typer.Argument(metavar="EXT", help="The agent's extension; his phone is rung first."),
    number: str = typer.Argument(metavar="NUMBER", help="A number in any notation, or another agent's extension."),
) -> None:
    """Connect an agent with a number, in the queue Outbound; only a running serve can."""
    console = console_of(ctx)
    served = console.serve_is_running()
    with console.reading() as session:
        try:
            checked_own_call(session, console.settings, ext, number)
        except (UsageError, NotFound):
            raise
        except CallwrightError:
            if served:  # else what the last serve wrote of agents and trunks means nothing
                raise
    if not served:
        raise Unreachable("No serve is running, so nobody can call; start `callwright serve`.")
    with console.writing() as session:
        call_id = place_call(session, By(console.actor, console.clock.now()), console.settings, ext, number)
    console.done(f"Call {call_id}: the phone of {ext} is being rung.", {"call_id": call_id, "place": "asked"})


@app.command(epilog="Example: callwright call listen call-06d2k1mz8q4v7w3xyz --on 1009 --as whisper")
def listen(
    ctx: typer.Context,
    call_id: str = CallId,
    ext: str = typer.Option(..., "--on", metavar="EXT", help="Whose phone is rung: a supervisor's."),
    ear: Ear = typer.Option(Ear.LISTEN, "--as", help="Heard by nobody, by the agent alone (whisper), or by both."),
) -> None:
    """Listen to a talk, whisper to its agent, or barge in; hanging up ends it."""
    console = console_of(ctx)
    if not console.serve_is_running():
        raise Unreachable("No serve is running, so there is no talk to listen to; start `callwright serve`.")
    with console.writing() as session:
        listen_to_call(session, By(console.actor, console.clock.now()), call_id, ext, ear)
    console.done(f"The phone of {ext} rings.", {"call_id": call_id, "ext": ext, "ear": ear.value})


@app.command(epilog="Example: callwright call record call-06d2k1mz8q4v7w3xyz pause")
def record(
    ctx: typer.Context,
    call_id: str = CallId,
    wish: RecordWish = typer.Argument(metavar="pause|resume", help="Pause the recording, or go on with it."),
) -> None:
    """Pause the recording of a talk, as while a card number is said, or go on with it."""
    console = console_of(ctx)
    with console.reading() as session:
        find_call(session, call_id)
    if not console.serve_is_running():
        raise Unreachable("No serve is running, so nobody can pause; start `callwright serve`.")
    with console.writing() as session:
        pause_recording(session, By(console.actor, console.clock.now()), call_id, wish)
    told = "pauses" if wish is RecordWish.PAUSE else "goes on"
    console.done(f"The recording of call {call_id} {told}.", {"call_id": call_id, "record": wish.value})


@app.command(epilog="Example: callwright call hangup call-06d2k1mz8q4v7w3xyz --agent 1001")
def hangup(
    ctx: typer.Context,
    call_id: str = CallId,
    ext: str = typer.Option("", "--agent", metavar="EXT", help="As if this agent, who talks in it, hung up."),
) -> None:
    """End a call in progress for all; only a running serve can. Its agent may still rate it."""
    console = console_of(ctx)
    with console.reading() as session:
        find_call(session, call_id)
    if not console.serve_is_running():
        raise Unreachable("No serve is running, so nobody can hang up; start `callwright serve`.")
    with console.writing() as session:
        hang_up_call(session, By(console.actor, console.clock.now()), call_id, ext)
    console.done(f"Call {call_id} is being hung up.", {"call_id": call_id, "hangup": "asked"})


def _table(console: Console, documents: list[dict[str, Any]]) -> RenderableType:
    zone = console.settings.site.timezone
    columns = (
        "id",
        "started",
        "kind",
        "queue/campaign",
        "number",
        "agents",
        "wait",
        "talk",
        "disposition",
        "ended by",
    )
    rows = (
        (
            d["id"],
            local(d["started_at"], zone),
            d["kind"],
            d["campaign"] or d["queue"],
            d["caller_number"],
            d["agents"],
            seconds(d["wait_seconds"]),
            seconds(d["talk_seconds"]),
            d["disposition"],
            d["hung_up_by"],
        )
        for d in documents
    )
    return table(columns, rows)
