"""`callwright dnc ...`: the do-not-call list."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import typer
from rich.console import RenderableType

from contact_center.console.context import Console, console_of
from contact_center.console.lead import number_of
from contact_center.console.output import count, local, table
from contact_center.errors import UsageError
from contact_center.store.admin import By
from contact_center.store.admin_dnc import EVERYBODY, add_dnc, import_dnc, remove_dnc
from contact_center.store.queries import campaign_id, find_campaign
from contact_center.store.queries_leads import campaign_names, dnc_document, list_dnc

app = typer.Typer(
    help="The do-not-call list.",
    epilog="Example: callwright dnc add '020 7946 0300' --reason 'asked on the phone'",
    no_args_is_help=False,
)
ForCampaign = typer.Option("", "--campaign", help="For this campaign only; else for everybody.")
_BATCH = 500
_LONGEST_LINE = 4096
_GAP_SECONDS = 0.03
"""Between two batches, so that a running serve gets the write lock."""

_AREA_CODE, _LOCAL = re.compile(r"[2-9]\d\d"), re.compile(r"\d{3}-?\d{4}")


@dataclass(slots=True)
class _Bad:
    """Lines that are no numbers: all are counted, the first twenty are told."""

    total: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, sentence: str) -> None:
        self.total += 1
        if len(self.first) < 20:
            self.first.append(sentence)


def _key(console: Console, campaign: str) -> int:
    if not campaign:
        return EVERYBODY
    with console.reading() as session:
        return campaign_id(find_campaign(session, campaign))


@app.command(epilog="Example: callwright dnc add +442079460018 --reason 'asked on the phone'")
def add(
    ctx: typer.Context,
    number: str = typer.Argument(metavar="NUMBER"),
    campaign: str = ForCampaign,
    reason: str = typer.Option("", "--reason", help="Why, for your records."),
) -> None:
    """Never call this number again; its waiting leads are closed off."""
    console = console_of(ctx)
    own, key = number_of(console, number), _key(console, campaign)
    with console.writing() as session:
        change = add_dnc(session, By(console.actor, console.clock.now()), [own], key, reason[:120])
    word = "is on the list" if change.numbers else "was on the list already"
    console.done(
        f"{own} {word}; {count(change.leads, 'lead')} held back.",
        {"number": own, "campaign": campaign or None, "added": bool(change.numbers), "leads": change.leads},
    )
    console.note_applies()


@app.command("import", epilog="Example: callwright dnc import blocked.csv")
def import_(
    ctx: typer.Context,
    file: Path = typer.Argument(
        metavar="FILE", help="A number at the start of each line, or area code and number; a header is skipped."
    ),
    campaign: str = ForCampaign,
    reason: str = typer.Option("imported", "--reason", help="Why, for your records."),
) -> None:
    """Put the numbers of a file on the list; a line that is no number is told and passed over.

    Takes a file of any length. What was read before an error stays on the list.
    """
    console = console_of(ctx)
    key, read, added, leads = _key(console, campaign), 0, 0, 0
    bad, served = _Bad(), console.serve_is_running()
    lines = _numbers(console, file, bad)
    while batch := list(islice(lines, _BATCH)):
        with console.writing() as session:
            by = By(console.actor, console.clock.now())
            change = import_dnc(session, by, list(dict.fromkeys(batch)), key, reason[:120])
        read, added, leads = read + len(batch), added + change.numbers, leads + change.leads
        if served:
            time.sleep(_GAP_SECONDS)
    if not read:
        raise UsageError(f"{file}: nothing in it is a number; one at the start of each line is wanted.")
    for sentence in bad.first:
        console.err.print(sentence, markup=False, highlight=False, soft_wrap=True)
    console.done(
        f"{count(added, 'number')} new on the list, {count(bad.total, 'line')} without a number; "
        f"{count(leads, 'lead')} held back.",
        {"imported": added, "rejected": bad.total, "leads": leads},
    )
    console.note_applies()


@app.command(epilog="Example: callwright dnc remove +442079460018")
def remove(ctx: typer.Context, number: str = typer.Argument(metavar="NUMBER"), campaign: str = ForCampaign) -> None:
    """Take a number off the list; leads that only the list held back may be called again."""
    console = console_of(ctx)
    own, key = number_of(console, number), _key(console, campaign)
    with console.writing() as session:
        change = remove_dnc(session, By(console.actor, console.clock.now()), own, key)
    console.done(
        f"{own} is off the list; {count(change.leads, 'lead')} may be called again.",
        {"number": own, "campaign": campaign or None, "leads": change.leads},
    )
    console.note_applies()


@app.command("list", epilog="Example: callwright dnc list --limit 20")
def list_(
    ctx: typer.Context,
    campaign: str = typer.Option("", "--campaign", help="Only the list of this campaign."),
    number: str = typer.Option("", "--number", help="Only this number."),
    limit: int = typer.Option(100, "--limit", min=1, max=1_000_000, help="At most so many."),
) -> None:
    """Show the list, newest first."""
    console = console_of(ctx)
    own = number_of(console, number) if number else ""
    key = _key(console, campaign) if campaign else None
    with console.reading() as session:
        names = campaign_names(session)
        documents = [dnc_document(entry, names) for entry in list_dnc(session, key, own, limit)]
    console.show(documents, lambda found: _table(console, found))


def _table(console: Console, documents: list[dict[str, Any]]) -> RenderableType:
    zone = console.settings.site.timezone
    rows = ((d["number"], d["campaign"] or "everybody", d["reason"], local(d["at"], zone)) for d in documents)
    return table(("number", "for", "reason", "since"), rows)


def _numbers(console: Console, file: Path, bad: _Bad) -> Iterator[str]:
    """The first cell of each line as E.164; what is none is told in ``bad``."""
    try:
        if not file.is_file():
            raise UsageError(
                f"{file}: {'this is a folder; name a file' if file.is_dir() else 'there is no such file'}."
            )
        with file.open("rb") as head:
            if b"\0" in head.read(_LONGEST_LINE):
                raise UsageError(f"{file}: the file is no text; save it as CSV UTF-8.")
        with file.open(encoding="utf-8-sig", errors="backslashreplace", newline=None) as stream:
            line = 0
            while text := stream.readline(_LONGEST_LINE):
                line += 1
                cell = _cell(text)
                if not cell or (line == 1 and not any(c.isdigit() for c in cell)):
                    continue
                try:
                    yield number_of(console, cell)
                except UsageError as error:
                    bad.add(f"{file}: line {line}: {error}")
    except OSError as error:
        raise UsageError(f"{file}: it cannot be read ({error.strerror}); mend its permissions.") from None


def _cell(line: str) -> str:
    """The number of a line: its first cell, or the first two where national lists split off the area code."""
    cells = [cell.strip().strip('"') for cell in line.replace(";", ",").replace("\t", ",").replace("|", ",").split(",")]
    if len(cells) > 1 and _AREA_CODE.fullmatch(cells[0]) and _LOCAL.fullmatch(cells[1]):
        return cells[0] + cells[1]
    return cells[0]
