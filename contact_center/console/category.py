"""`callwright category ...` and `call annotate`: kinds of calls, and what is said of a call by hand."""

from __future__ import annotations

from typing import Any

import typer
from rich.console import RenderableType

from contact_center.console.context import console_of
from contact_center.console.output import table
from contact_center.ratings.money import written_value
from contact_center.store import categories
from contact_center.store.admin import By
from contact_center.store.categories import Note
from contact_center.store.queries_calls import live_document

app = typer.Typer(
    help="Categories of calls: number, name and value.",
    epilog="Example: callwright category list",
    no_args_is_help=False,
)
ANNOTATE_EXAMPLE = (
    "Example: callwright call annotate call-06d2k1mz8q4v7w3xyz --category 3 --comment 'asked the way' --call-score 4"
)
Number = typer.Argument(metavar="NUMBER", help="By which it is keyed and named.")


@app.command(epilog="Example: callwright category add 3 'Asked for the address' --value 100")
def add(
    ctx: typer.Context,
    number: int = Number,
    name: str = typer.Argument(metavar="NAME"),
    value: str = typer.Option("0", "--value", metavar="V", help="What such a call is worth, as 100 or 29.99."),
) -> None:
    """Add a category; its value counts for calls whose own value is not known."""
    console = console_of(ctx)
    worth = written_value(value)
    with console.writing() as session:
        row = categories.add_category(session, By(console.actor, console.clock.now()), number, name, worth)
        document = categories.category_document(row)
    console.done(f"Category {number} is {document['name']}.", document)
    console.note_applies()


@app.command(epilog="Example: callwright category remove 3")
def remove(ctx: typer.Context, number: int = Number) -> None:
    """Take a category away; calls that have it keep it."""
    console = console_of(ctx)
    with console.writing() as session:
        row = categories.remove_category(session, By(console.actor, console.clock.now()), number)
        document = categories.category_document(row)
    console.done(f"Category {number} {document['name']} is removed.", document)
    console.note_applies()


@app.command("list", epilog="Example: callwright category list")
def list_(ctx: typer.Context) -> None:
    """Show all categories."""
    console = console_of(ctx)
    with console.reading() as session:
        documents = [categories.category_document(row) for row in categories.list_categories(session)]
    console.show(documents, _table)


def annotate(
    ctx: typer.Context,
    call_id: str = typer.Argument(metavar="ID", help="The call's id, as `call list` shows it."),
    comment: str | None = typer.Option(None, "--comment", metavar="T", help="What is to be said of the call."),
    category: list[int] = typer.Option([], "--category", metavar="N", help="Its number; may be given again."),
    value: str = typer.Option("", "--value", metavar="29.99", help="The sum it brought; else its categories' values."),
    call_score: int | None = typer.Option(None, "--call-score", metavar="1-5"),
    agent_score: int | None = typer.Option(None, "--agent-score", metavar="1-5"),
) -> None:
    """Save categories, a value, a comment and scores of a call; a score needs a comment in the same save."""
    console = console_of(ctx)
    note = Note(comment, category, written_value(value) if value else None, call_score, agent_score)
    with console.writing() as session:
        call = categories.annotate_call(session, By(console.actor, console.clock.now()), call_id, note)
        document = live_document(session, call, console.clock.now(), console.settings.site.language)
    console.done(f"Call {call_id} is annotated.", document)


def _table(documents: list[dict[str, Any]]) -> RenderableType:
    return table(("number", "category", "value"), ((d["number"], d["name"], d["value"]) for d in documents))
