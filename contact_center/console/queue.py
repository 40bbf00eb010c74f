"""`callwright queue ...`: lines of waiting callers."""

from __future__ import annotations

from typing import Any

import typer
from rich.console import RenderableType

from contact_center.console import queue_view
from contact_center.console.context import console_of
from contact_center.console.output import table
from contact_center.store import admin_queues
from contact_center.store.admin import By, pairs
from contact_center.store.queries_agents import list_agents, list_queues, queue_document

app = typer.Typer(
    help="Queues: lines of waiting callers.", epilog="Example: callwright queue show support", no_args_is_help=False
)
_KEYS = "Any key of the queue, such as ring_seconds=20 or hours='mon-fri 08:00-18:00'."


@app.command(epilog="Example: callwright queue add support --did 442079460018 --did 442079460019")
def add(
    ctx: typer.Context,
    name: str = typer.Argument(metavar="NAME"),
    did: list[str] = typer.Option([], "--did", help="A number whose callers come here; may be given again."),
    values: list[str] | None = typer.Argument(None, metavar="[KEY=VALUE...]", help=_KEYS),
) -> None:
    """Add a queue."""
    console = console_of(ctx)
    wanted = pairs(values or [])
    if did:
        wanted["dids"] = ",".join([*did, *([wanted["dids"]] if "dids" in wanted else [])])
    by = By(console.actor, console.clock.now())
    with console.writing() as session:
        settings = console.settings
        queue = admin_queues.add_queue(session, by, name, wanted, settings.trunk, settings.site.country)
        document = queue_document(session, queue, list_agents(session))
    console.done(f"Queue {name} is added.", document)
    console.note_applies()


@app.command("set", epilog="Example: callwright queue set support ring_seconds=15 callback=on")
def set_(
    ctx: typer.Context,
    name: str = typer.Argument(metavar="NAME"),
    values: list[str] = typer.Argument(..., metavar="KEY=VALUE...", help=_KEYS),
) -> None:
    """Change a queue."""
    console = console_of(ctx)
    by = By(console.actor, console.clock.now())
    with console.writing() as session:
        settings = console.settings
        queue = admin_queues.set_queue(session, by, name, pairs(values), settings.trunk, settings.site.country)
        document = queue_document(session, queue, list_agents(session))
    console.done(f"Queue {name} is changed.", document)
    console.note_applies()


@app.command(epilog="Example: callwright queue show support")
def show(ctx: typer.Context, name: str | None = typer.Argument(None, metavar="[NAME]")) -> None:
    """Show one queue now, with its settings and today's figures, or who serves and who waits in all of them."""
    console = console_of(ctx)
    documents = queue_view.look(console, name or "")
    if name is None:
        console.show(documents, queue_view.all_view)
    else:
        console.show(documents[0], queue_view.queue_view)


@app.command("list", epilog="Example: callwright queue list --json")
def list_(ctx: typer.Context) -> None:
    """Show all queues."""
    console = console_of(ctx)
    with console.reading() as session:
        agents = list_agents(session)
        documents = [queue_document(session, queue, agents) for queue in list_queues(session)]
    console.show(documents, _table)


@app.command(epilog="Example: callwright queue watch support")
def watch(
    ctx: typer.Context,
    name: str | None = typer.Argument(None, metavar="[NAME]", help="One queue; without it, all."),
    interval: float = typer.Option(1.0, "--interval", min=0.2, max=3600.0, help="Seconds between two looks."),
) -> None:
    """Watch queues live until Ctrl-C; with --json, one look."""
    queue_view.watch_queues(console_of(ctx), name or "", interval)


def _table(documents: list[dict[str, Any]]) -> RenderableType:
    columns = ("queue", "numbers", "strategy", "agents", "by state", "callbacks waiting")
    return table(
        columns,
        (
            (
                d["name"],
                d["options"]["dids"],
                d["options"]["strategy"],
                len(d["agents"]),
                d["agents_by_state"],
                d["callbacks_waiting"],
            )
            for d in documents
        ),
    )
