"""`callwright lead ...`: the people to reach. `lead import` is added by the dialer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer
from rich.console import RenderableType
from sqlalchemy.orm import Session

from contact_center import numbers
from contact_center.carriers import Carriers
from contact_center.console.context import Console, console_of
from contact_center.console.output import count, facts, local, table
from contact_center.console.spreadsheet import CsvSheet, written
from contact_center.errors import UsageError
from contact_center.lead_drafts import lead_draft
from contact_center.store.admin import By, pairs
from contact_center.store.admin_leads import add_lead, erase_number
from contact_center.store.lead_numbers import most_numbers, numbers_by_lead
from contact_center.store.queries import campaign_options, find_campaign
from contact_center.store.queries_leads import (
    SORTS,
    LeadFilter,
    campaign_names,
    find_lead,
    lead_document,
    lead_pages,
    lead_story,
    list_leads,
)
from contact_center.store.recycling import recycle_some
from contact_center.terms import LeadState

app = typer.Typer(
    help="Leads: the people to reach.", epilog="Example: callwright lead import spring leads.csv", no_args_is_help=False
)
_COLUMNS = (
    *(
        "id",
        "campaign",
        "number",
        "state",
        "disposition",
        "attempts",
        "next_attempt_at",
        "last_agent",
        "priority",
    ),
    *("timezones", "reason", "created_at", "closed_at", "callback_at", "callback_agent", "expires_at"),
)
_MOST_FIELDS = 1000
_TOLD_APART = ("history", "numbers")


def number_of(console: Console, text: str) -> str:
    """E.164 of a number on the command line. Raises UsageError."""
    site = console.settings.site
    return numbers.normalise(text, site.country, site.number_check)


def refuse_json_to_stdout(console: Console, file: Path | None) -> None:
    """An export is CSV; with ``--json`` stdout belongs to one JSON document. Raises UsageError."""
    if console.json and (file is None or str(file) == "-"):
        raise UsageError("With --json an export needs a FILE; stdout is for the JSON document.")


@app.command(epilog="Example: callwright lead add spring +442079460018 first_name=Ann priority=5")
def add(
    ctx: typer.Context,
    campaign: str = typer.Argument(metavar="CAMPAIGN"),
    number: str = typer.Argument(metavar="NUMBER"),
    values: list[str] | None = typer.Argument(
        None,
        metavar="[KEY=VALUE...]",
        help="phone2 to phone10, priority, timezone, callback_at, callback_agent, expires_at, or a field of your own.",
    ),
) -> None:
    """Add one lead to a campaign."""
    console = console_of(ctx)
    given = pairs(values or [], "first_name=Ann")
    draft = lead_draft(console.settings.site, number, given, console.clock.now())
    with console.writing() as session:
        by = By(console.actor, console.clock.now())
        owner = find_campaign(session, campaign)
        lead = add_lead(session, by, owner, draft, Carriers.of(console.settings, campaign_options(owner).trunk))
        document = lead_document(lead, campaign)
    held = f", but is never called: it is {lead.reason}" if lead.state == LeadState.DNC else ""
    held = f", but is closed: {lead.reason}" if lead.state == LeadState.CLOSED else held
    console.done(f"Lead {lead.id} ({lead.number}) is added to {campaign}{held}.", document)
    console.note_applies()


@app.command("list", epilog="Example: callwright lead list --campaign spring --state due --sort next_attempt_at")
def list_(
    ctx: typer.Context,
    name: str = typer.Argument("", metavar="[CAMPAIGN]", help="Only this campaign."),
    campaign: str = typer.Option("", "--campaign", help="The same."),
    state: str = typer.Option("", "--state", help="new, due, dialing, talking, done, closed or dnc."),
    number: str = typer.Option("", "--number", help="Only this number."),
    expression: str = typer.Option(
        "", "--filter", metavar="EXPRESSION", help="Only those of whom it is true, as `priority >= 5`."
    ),
    limit: int = typer.Option(100, "--limit", min=1, max=100_000, help="At most so many."),
    sort: str = typer.Option("id", "--sort", help=f"One of {', '.join(SORTS)}; - in front turns it round."),
) -> None:
    """Show leads."""
    console = console_of(ctx)
    wanted = LeadFilter(campaign or name, state, number_of(console, number) if number else "", sort, expression)
    with console.reading() as session:
        names = campaign_names(session)
        documents = [
            lead_document(lead, names.get(lead.campaign_id, "")) for lead in list_leads(session, wanted, limit)
        ]
    console.show(documents, lambda found: _table(console, found))


@app.command(epilog="Example: callwright lead show 17 --json")
def show(ctx: typer.Context, lead_id: int = typer.Argument(metavar="ID")) -> None:
    """Show one lead with its dials."""
    console = console_of(ctx)
    with console.reading() as session:
        lead = find_lead(session, lead_id)
        document = lead_story(session, lead, campaign_names(session).get(lead.campaign_id, ""))
    console.show(document, lambda found: _view(console, found))


@app.command(epilog="Example: callwright lead export leads.csv --campaign spring")
def export(
    ctx: typer.Context,
    file: Path | None = typer.Argument(None, metavar="[FILE]", help="A CSV file; without it, stdout."),
    campaign: str = typer.Option("", "--campaign", help="Only this campaign."),
    state: str = typer.Option("", "--state", help="Only this state."),
) -> None:
    """Write leads as CSV that no spreadsheet takes for formulas."""
    console = console_of(ctx)
    refuse_json_to_stdout(console, file)
    wanted = LeadFilter(campaign, state)
    keys = _field_names(console, wanted)
    names: dict[int, str] = {}
    with console.reading() as session:
        others = [f"phone{n}" for n in range(2, most_numbers(session) + 1)]
    with written(file) as stream:
        sheet, after = CsvSheet(stream, [*_COLUMNS, *others, *_headings(keys, [*_COLUMNS, *others])]), 0
        while page := _page(console, wanted, after, names):
            for document in page:
                own = [document[name] for name in _COLUMNS]
                more = dict(zip(others, document["others"], strict=False))
                sheet.write([*own, *map(more.get, others), *map(document["fields"].get, keys)])
            after = page[-1]["id"]
    if file is not None and str(file) != "-":
        console.done(f"{count(sheet.rows, 'lead')} written to {file}.", {"exported": sheet.rows, "file": str(file)})


def _headings(keys: list[str], own: list[str]) -> list[str]:
    """The columns of fields: one that is named as one of the lead's ``own`` columns stands as ``field_state``."""
    taken, headings = {*own, *keys}, list[str]()
    for key in keys:
        heading = key
        while key in own and heading in taken:
            heading = f"field_{heading}"
        taken.add(heading)
        headings.append(heading)
    return headings


def _page(console: Console, wanted: LeadFilter, after: int, names: dict[int, str]) -> list[dict[str, Any]]:
    with console.reading() as session:
        if not names:
            names.update(campaign_names(session))
        leads = lead_pages(session, wanted, after)
        found = numbers_by_lead(session, [lead.id or 0 for lead in leads])
        return [
            lead_document(lead, names.get(lead.campaign_id, ""))
            | {"others": [number for number in found.get(lead.id or 0, ()) if number != lead.number]}
            for lead in leads
        ]


def _field_names(console: Console, wanted: LeadFilter) -> list[str]:
    """The fields of all leads to be written: the header needs them before the first row."""
    found: dict[str, None] = {}
    after, session_page = 0, list[Any]()
    while True:
        with console.reading() as session:
            session_page = _fields(session, wanted, after)
        if not session_page:
            return list(found)[:_MOST_FIELDS]
        for _, fields in session_page:
            found.update(dict.fromkeys(fields))
        after = session_page[-1][0]


def _fields(session: Session, wanted: LeadFilter, after: int) -> list[tuple[int, dict[str, Any]]]:
    return [(lead.id or 0, lead.fields) for lead in lead_pages(session, wanted, after)]


@app.command(epilog="Example: callwright lead recycle spring --disposition busy --disposition NI")
def recycle(
    ctx: typer.Context,
    campaign: str = typer.Argument(metavar="CAMPAIGN"),
    dispositions: list[str] | None = typer.Option(
        None, "--disposition", help="Closed and done leads that came to this; more than one may be given."
    ),
) -> None:
    """Let leads that came to an end wait again, with all attempts before them.

    Without --disposition those whose attempts were used up. Numbers on a do-not-call list stay out.
    """
    console = console_of(ctx)
    recycled, after = 0, 0
    while True:
        with console.writing() as session:
            by, owner = By(console.actor, console.clock.now()), find_campaign(session, campaign)
            some, behind = recycle_some(session, by, owner, dispositions or (), after)
        recycled += some
        if behind is None:
            break
        after = behind
    console.done(
        f"{count(recycled, 'lead')} of {campaign} will be called again.", {"campaign": campaign, "recycled": recycled}
    )
    console.note_applies()


@app.command(epilog="Example: callwright lead erase +442079460018")
def erase(ctx: typer.Context, number: str = typer.Argument(metavar="NUMBER")) -> None:
    """Forget a person: his number and data go from leads, calls, dials and events.

    Counts stay true, and an entry on the do-not-call list stays, so that he is not called again.
    """
    console = console_of(ctx)
    own = number_of(console, number)
    with console.writing() as session:
        counts = erase_number(session, By(console.actor, console.clock.now()), own)
    kept = " His entry on the do-not-call list stays." if counts["dnc_entries_kept"] else ""
    console.done(
        f"{count(counts['leads'], 'lead')}, {count(counts['calls'], 'call')} and "
        f"{count(counts['attempts'], 'dial')} of "
        f"{numbers.mask(own)} no longer show who he is.{kept}",
        {"number": numbers.mask(own), **counts},
    )


def _table(console: Console, documents: list[dict[str, Any]]) -> RenderableType:
    zone = console.settings.site.timezone
    columns = (
        "id",
        "campaign",
        "number",
        "state",
        "disposition",
        "attempts",
        "next attempt",
        "agent",
        "prio",
        "fields",
    )
    return table(
        columns,
        (
            (
                d["id"],
                d["campaign"],
                d["number"],
                d["state"],
                d["disposition"],
                d["attempts"],
                local(d["next_attempt_at"], zone),
                d["last_agent"],
                d["priority"],
                d["fields"],
            )
            for d in documents
        ),
    )


def _number(one: dict[str, Any]) -> str:
    left_out = f" (left out: {one['left_out']})" if one["left_out"] else ""
    return f"{one['number']}{' (next)' if one['next'] else ''}{left_out}"


def _view(console: Console, document: dict[str, Any]) -> RenderableType:
    zone = console.settings.site.timezone
    rows = [(k, local(v, zone) if k.endswith("_at") else v) for k, v in document.items() if k not in _TOLD_APART]
    rows += [(f"number {n}", _number(one)) for n, one in enumerate(document["numbers"], 1)]
    for dial in document["history"]:
        told = f"{local(dial['at'], zone)} {dial['number']} {dial['outcome']}"
        told += f" (SIP {dial['sip_code']})" if dial["sip_code"] else ""
        told += f" agent {dial['agent']}" if dial["agent"] else ""
        rows.append((f"dial {dial['n']}", f"{told}  {dial['call_id']}"))
    return facts(rows)
