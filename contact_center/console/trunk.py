"""`callwright trunk ...`: how the carriers' lines are, what they have carried out, and how much they may."""

from __future__ import annotations

from typing import Any

import typer
from rich.console import Group, RenderableType

from contact_center.console.context import Console, console_of
from contact_center.console.output import facts, local, table
from contact_center.errors import NotFound
from contact_center.settings import Caps
from contact_center.store.admin import By, pairs
from contact_center.store.trunk_use import set_caps, trunk_document, trunk_documents

app = typer.Typer(
    help="Trunks: how they are, and what they may carry out.",
    epilog="Example: callwright trunk list",
    no_args_is_help=False,
)
Name = typer.Argument(metavar="NAME", help="The NAME of its trunk.NAME section in the settings.")


@app.command("list", epilog="Example: callwright trunk list")
def list_(ctx: typer.Context) -> None:
    """Show the trunks, how they are, and what they have used of their caps."""
    console = console_of(ctx)
    console.show(_documents(console), lambda documents: _table(console, documents))


@app.command(epilog="Example: callwright trunk show main")
def show(ctx: typer.Context, name: str = Name) -> None:
    """Show one trunk: its caps, which of them were changed by `trunk set`, and what is used."""
    console = console_of(ctx)
    found = next((document for document in _documents(console) if document["name"] == name), None)
    if found is None:
        raise NotFound("trunk", name)
    console.show(found, lambda document: _sheet(console, document))


@app.command("set", epilog="Example: callwright trunk set main calls_per_hour=200 minutes_per_day=")
def set_(
    ctx: typer.Context,
    name: str = Name,
    words: list[str] = typer.Argument(None, metavar="KEY=VALUE...", help=f"{', '.join(Caps.model_fields)}."),
) -> None:
    """Change caps at once, until `KEY=` gives way to the settings again; 0 is no cap."""
    console = console_of(ctx)
    with console.writing() as session:
        by = By(console.actor, console.clock.now())
        kept = set_caps(session, by, console.settings, name, pairs(words or [], "calls_per_hour=100"))
        document = trunk_document(session, console.settings, name, kept, by.at)
    told = ", ".join(f"{key}={value:g}" for key, value in document["caps"].items() if value) or "no caps"
    console.done(f"Trunk {name} has {told} now.", document)
    console.note_applies()


def _documents(console: Console) -> list[dict[str, Any]]:
    now = console.clock.now()
    with console.reading() as session:
        return trunk_documents(session, console.settings, now)


def _table(console: Console, documents: list[dict[str, Any]]) -> RenderableType:
    columns = ("name", "state", "calls/h", "calls/day", "minutes/h", "minutes/day", "spent/day", "live", "why")
    keys = ("calls_per_hour", "calls_per_day", "minutes_per_hour", "minutes_per_day", "spend_per_day")
    return table(
        columns,
        (
            (
                *(document["name"], document["state"]),
                *(_of_cap(document, key) for key in keys),
                *(document["live"], _why(console, document)),
            )
            for document in documents
        ),
    )


def _sheet(console: Console, document: dict[str, Any]) -> RenderableType:
    head = [(key, document[key]) for key in ("name", "state", "live", "max_channels")]
    rows = (
        (
            key,
            document["used"].get(key),
            limit or None,
            "trunk set" if key in document["changed"] else "settings" if limit else None,
        )
        for key, limit in document["caps"].items()
    )
    return Group(facts([*head, ("why", _why(console, document))]), table(("cap", "used", "limit", "from"), rows))


def _of_cap(document: dict[str, Any], key: str) -> str:
    used, limit = document["used"][key], document["caps"][key]
    unit = f" {document['currency']}" if key == "spend_per_day" and (used or limit) else ""
    return f"{used:g}{f' of {limit:g}' if limit else ''}{unit}"


def _why(console: Console, document: dict[str, Any]) -> str:
    if not document["free_at"]:
        return str(document["reason"])
    return (
        f"{document['reason']}; free at {local(document['free_at'], console.settings.site.timezone)} if nothing is used"
    )
