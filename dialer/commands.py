"""The dialer's own commands: `lead import` and `campaign trace`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from contact_center.carriers import Carriers
from contact_center.console import lead
from contact_center.console.context import Console, console_of
from contact_center.console.output import clean, count
from contact_center.errors import UsageError
from contact_center.store.carriage import NOT_CARRIED
from dialer import trace_commands
from dialer.lead_import import Dedupe, ImportOrder, ImportResult, LeadImporter, OnProgress

_DEDUPE: tuple[Dedupe, ...] = ("campaign", "system", "none")


def mount(app: typer.Typer) -> None:
    """Add the commands to the root app, which has those of contact_center.console already."""
    if not any(command.name == "import" for command in lead.app.registered_commands):
        lead.app.command("import", epilog="Example: callwright lead import spring customers.csv")(import_leads)
    trace_commands.mount()


def import_leads(
    ctx: typer.Context,
    campaign: str = typer.Argument(metavar="CAMPAIGN"),
    file: Path = typer.Argument(metavar="FILE.csv", help="CSV, or a pipe or tab list in VICIdial's standard order."),
    dedupe: str = typer.Option(
        "campaign", "--dedupe", help="Pass over numbers that this campaign has, or any (system); or none."
    ),
    rejects: Path | None = typer.Option(None, "--rejects", help="Where bad rows go; else FILE.csv.rejects.csv."),
    encoding: str = typer.Option("", "--encoding", help="As cp1250; else it is found out."),
) -> None:
    """Import leads from a CSV file. None can be dialled before the file has been read to its end.

    The number stands in a column phone_number (with phone_code), phone, number, tel or mobile; priority and
    timezone are known too, and every other column becomes a field of the lead.
    """
    console = console_of(ctx)
    chosen = next((known for known in _DEDUPE if known == dedupe), None)
    if chosen is None:
        raise UsageError(f"--dedupe {clean(dedupe)} is not known; one of {', '.join(_DEDUPE)} is wanted.")
    order = ImportOrder(campaign, file, chosen, encoding or None, rejects)
    with _progress(console) as on_progress:
        settings, carriers_of = console.settings, partial(Carriers.of, console.settings)
        importer = LeadImporter(console.engine, console.clock, settings.site, console.actor, on_progress, carriers_of)
        result = importer.run(order)
    console.done(_sentence(campaign, result), result.as_json())
    console.note_applies()


def _sentence(campaign: str, result: ImportResult) -> str:
    parts = [f"{count(result.imported, 'lead')} imported into {campaign} in {result.seconds:.1f} s"]
    if result.dnc:
        parts.append(f"{result.dnc} of them are on the do-not-call list")
    if result.not_carried:
        parts.append(f"{result.not_carried} of them are closed: {NOT_CARRIED}")
    if result.duplicates:
        parts.append(f"{result.duplicates} were there already")
    if result.rejected:
        parts.append(f"{count(result.rejected, 'row')} rejected, see {result.rejects_file}")
    return "; ".join(parts) + "."


@contextmanager
def _progress(console: Console) -> Iterator[OnProgress]:
    """A bar on a terminal, nothing elsewhere."""
    if console.json or not sys.stderr.isatty():
        yield lambda done, size: None
        return
    columns = (TextColumn("importing"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console.err, transient=True) as progress:
        task = progress.add_task("import", total=None)
        yield lambda done, size: progress.update(task, completed=done, total=max(size, 1))
