"""`callwright token ...`: who may use the HTTP API."""

from __future__ import annotations

from typing import Any

import typer
from rich.console import RenderableType

from contact_center.console.context import Console, console_of
from contact_center.console.output import local, table
from contact_center.store import admin_tokens
from contact_center.store.admin import By
from contact_center.store.admin_tokens import token_document

app = typer.Typer(
    help="Tokens of the HTTP API.", epilog="Example: callwright token add crm --role lead_push", no_args_is_help=False
)
Name = typer.Argument(metavar="NAME", help="A name for people, such as crm.")


@app.command(epilog="Example: callwright token add crm --role lead_push")
def add(
    ctx: typer.Context,
    name: str = Name,
    role: str = typer.Option(..., "--role", help="supervisor, agent, lead_push or read."),
    agent: str = typer.Option("", "--agent", metavar="EXT", help="With the role agent: whom it speaks for."),
) -> None:
    """Make a token and print it: it is shown this once, and only a digest of it is kept."""
    console = console_of(ctx)
    with console.writing() as session:
        made = admin_tokens.add_token(session, By(console.actor, console.clock.now()), name, role, agent)
        document = {**token_document(made.row), "token": made.token}
    console.show(document, lambda shown: str(shown["token"]))
    if not console.json:
        console.err.print("It is not shown again: keep it where secrets are kept.", markup=False, soft_wrap=True)


@app.command("list", epilog="Example: callwright token list")
def list_(ctx: typer.Context) -> None:
    """Show all tokens, without what opens the door."""
    console = console_of(ctx)
    with console.reading() as session:
        documents = [token_document(row) for row in admin_tokens.list_tokens(session)]
    console.show(documents, lambda found: _table(console, found))


@app.command(epilog="Example: callwright token remove crm")
def remove(ctx: typer.Context, name: str = Name) -> None:
    """Take a token away; a running serve refuses it within a second, also in streams that are open."""
    console = console_of(ctx)
    with console.writing() as session:
        row = admin_tokens.remove_token(session, By(console.actor, console.clock.now()), name)
    console.done(f"Token {name} is removed.", token_document(row))


def _table(console: Console, documents: list[dict[str, Any]]) -> RenderableType:
    zone = console.settings.site.timezone
    rows = ((d["name"], d["role"], d["agent"] or "", local(d["created_at"], zone)) for d in documents)
    return table(("token", "role", "agent", "since"), rows)
