"""`callwright callback ...`: customers who are to be called back."""

from __future__ import annotations

from typing import Any

import typer
from rich.console import RenderableType

from contact_center.console.context import Console, console_of
from contact_center.console.output import facts, local, table
from contact_center.store.admin import By
from contact_center.store.admin_callbacks import (
    callback_document,
    callback_with_dials,
    cancel_callback,
    find_callback,
    list_callbacks,
)
from contact_center.store.queries_agents import find_queue

app = typer.Typer(
    help="Callbacks: customers who keep their place and are called.",
    epilog="Example: callwright callback list --queue support",
    no_args_is_help=False,
)
CallbackId = typer.Argument(metavar="ID", help="The id, as `callback list` shows it, or that of the ordering call.")


@app.command("list", epilog="Example: callwright callback list --queue support --state waiting")
def list_(
    ctx: typer.Context,
    queue: str = typer.Option("", "--queue", help="Only this queue."),
    state: str = typer.Option("", "--state", help="Only this state, such as waiting or done."),
    limit: int = typer.Option(1000, "--limit", min=1, max=100_000, help="At most so many."),
) -> None:
    """Show callbacks: those that wait in the order of their places, then those that are over."""
    console = console_of(ctx)
    with console.reading() as session:
        if queue:
            find_queue(session, queue)
        rows = list_callbacks(session, queue=queue, state=state, limit=limit)
        documents = [callback_document(row) for row in rows]
    console.show(documents, lambda found: _table(console, found))


@app.command(epilog="Example: callwright callback show cb-06d2k1mz8q4v7w3xyz --json")
def show(ctx: typer.Context, callback_id: str = CallbackId) -> None:
    """Show one callback with every dial that was made for it."""
    console = console_of(ctx)
    with console.reading() as session:
        document = callback_with_dials(session, find_callback(session, callback_id))
    console.show(document, lambda found: _view(console, found))


@app.command(epilog="Example: callwright callback cancel cb-06d2k1mz8q4v7w3xyz")
def cancel(ctx: typer.Context, callback_id: str = CallbackId) -> None:
    """Take a callback out of its queue: the customer is not called any more."""
    console = console_of(ctx)
    with console.writing() as session:
        by = By(console.actor, console.clock.now())
        document = callback_document(cancel_callback(session, by, callback_id, console.settings.site.language))
    console.done(f"Callback {document['id']} is cancelled.", document)
    console.note_applies()


def _table(console: Console, documents: list[dict[str, Any]]) -> RenderableType:
    zone = console.settings.site.timezone
    rows = (
        (
            d["id"],
            d["queue"],
            d["number"],
            d["state"],
            d["attempt"],
            local(d["entered_at"], zone),
            local(d["due_at"], zone) if d["ended_at"] is None else "",
            d["reason"],
        )
        for d in documents
    )
    return table(("id", "queue", "number", "state", "attempt", "place since", "due", "reason"), rows)


def _view(console: Console, document: dict[str, Any]) -> RenderableType:
    zone = console.settings.site.timezone
    shown = {
        key: local(value, zone) if key.endswith("_at") else value for key, value in document.items() if key != "dials"
    }
    dials = [
        f"{d['n']}. {local(d['at'], zone)} {d['agent']} {d['outcome'] or 'in progress'}"
        + ("" if d["counted"] else " (uses up no attempt)")
        for d in document["dials"]
    ]
    return facts([*shown.items(), ("dials", "; ".join(dials) or "none")])
