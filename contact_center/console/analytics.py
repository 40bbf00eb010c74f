"""`callwright analytics ...`: Google Analytics properties that are told of ratings."""

from __future__ import annotations

from typing import Any

import typer
from rich.console import RenderableType

from contact_center.console.context import Console, console_of
from contact_center.console.output import local, table
from contact_center.store import analytics
from contact_center.store.admin import By
from contact_center.store.analytics import analytics_document

app = typer.Typer(
    help="Google Analytics, told of ratings.", epilog="Example: callwright analytics list", no_args_is_help=False
)
Name = typer.Argument(metavar="NAME", help="A name for people, such as shop.")


@app.command(epilog="Example: callwright analytics add shop G-ABC1234567 SECRET --value transaction --rating Sale")
def add(
    ctx: typer.Context,
    name: str = Name,
    measurement_id: str = typer.Argument(metavar="G-ID", help="The web stream's measurement id."),
    api_secret: str = typer.Argument(metavar="SECRET", help="An API secret of its Measurement Protocol."),
    rating: list[str] = typer.Option([], "--rating", help="Only ratings by these options; all by default."),
    value: str = typer.Option(
        "event", "--value", help="none; event: as the event's value; transaction: as a purchase."
    ),
    event_name: str = typer.Option("call_rated", "--event", help="What the event is called."),
) -> None:
    """Tell a property of ratings from now on. Only one may carry values as transactions."""
    console = console_of(ctx)
    with console.writing() as session:
        by = By(console.actor, console.clock.now())
        row = analytics.add_analytics(
            session, by, name,
            measurement_id=measurement_id, api_secret=api_secret, event_name=event_name, ratings=rating, value=value,
        )  # fmt: skip
        document = analytics_document(session, row)
    console.done(f"{name} is told of ratings.", document)
    console.note_applies()


@app.command("list", epilog="Example: callwright analytics list")
def list_(ctx: typer.Context) -> None:
    """Show all integrations."""
    console = console_of(ctx)
    with console.reading() as session:
        documents = [analytics_document(session, row) for row in analytics.list_analytics(session)]
    console.show(documents, lambda found: _table(console, found))


@app.command(epilog="Example: callwright analytics remove shop")
def remove(ctx: typer.Context, name: str = Name) -> None:
    """Tell it nothing any more."""
    console = console_of(ctx)
    with console.writing() as session:
        row = analytics.remove_analytics(session, By(console.actor, console.clock.now()), name)
        document = {"name": row.name, "measurement_id": row.measurement_id}
    console.done(f"{name} is removed.", document)
    console.note_applies()


def _table(console: Console, documents: list[dict[str, Any]]) -> RenderableType:
    zone = console.settings.site.timezone
    rows = (
        (d["name"], d["measurement_id"], d["event_name"], d["ratings"] or "all", d["value"], d["behind"],
         local(d["created_at"], zone))
        for d in documents
    )  # fmt: skip
    return table(("name", "property", "event", "ratings", "value", "behind", "since"), rows)
