"""`callwright webhook ...`: who is told by HTTP."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import orjson
import typer
from rich.console import RenderableType

from contact_center.clock import iso
from contact_center.console.context import Console, console_of
from contact_center.console.moments import past_instant
from contact_center.console.output import local, table
from contact_center.errors import CallwrightError, UsageError
from contact_center.ids import new_id
from contact_center.store import webhooks
from contact_center.store.admin import By
from contact_center.store.webhooks import webhook_document
from contact_center.telling.post import Post, Reply
from contact_center.telling.signing import fresh_secret, headers, key_of

app = typer.Typer(
    help="Webhooks: who is told by HTTP what happens.",
    epilog="Example: callwright webhook test crm",
    no_args_is_help=False,
)
Name = typer.Argument(metavar="NAME", help="The webhook's name.")
TEST_TYPE = "webhook.test"


@app.command(epilog="Example: callwright webhook add crm https://crm.example.com/calls --type call.ended")
def add(
    ctx: typer.Context,
    name: str = typer.Argument(metavar="NAME", help="A name for people, such as crm."),
    url: str = typer.Argument(metavar="URL", help="Where to post: https, and a public address."),
    type_: list[str] = typer.Option([], "--type", help="Only these events, as call.ended or call.*; all by default."),
    mask: bool = typer.Option(False, "--mask", help="Numbers are sent masked."),
    secret: str = typer.Option("", "--secret", metavar="whsec_...", help="The secret to sign with; made if not given."),
) -> None:
    """Tell a receiver what happens from now on, and print the secret by which it checks our signature."""
    console = console_of(ctx)
    own = secret or fresh_secret()
    key_of(own)
    asyncio.run(_look(console, url))
    with console.writing() as session:
        by = By(console.actor, console.clock.now())
        row = webhooks.add_webhook(session, by, name, url, secret=own, types=type_, masked=mask)
        document = {**webhook_document(session, row), "secret": own}
    console.show(document, lambda shown: str(shown["secret"]))
    if not console.json:
        console.err.print("The receiver checks our signature by it; it is not shown again.", soft_wrap=True)


@app.command("list", epilog="Example: callwright webhook list")
def list_(ctx: typer.Context) -> None:
    """Show all webhooks: how far each has been told, and what waits or died."""
    console = console_of(ctx)
    with console.reading() as session:
        documents = [webhook_document(session, row) for row in webhooks.list_webhooks(session)]
    console.show(documents, lambda found: _table(console, found))


@app.command("test", epilog="Example: callwright webhook test crm")
def try_out(ctx: typer.Context, name: str = Name) -> None:
    """Send one signed message of the type webhook.test now, and say what came of it."""
    console = console_of(ctx)
    with console.reading() as session:
        row = webhooks.find_webhook(session, name)
        url, secret = row.url, row.secret
    reply = asyncio.run(_send_test(console, url, secret, name))
    document = {"name": name, "ok": reply.is_ok, "status": reply.status or None, "error": reply.error or None}
    if not reply.is_ok:
        if console.json:
            console.emit(document)
        raise CallwrightError(f"The receiver of {name} did not take it: {reply.why}.")
    console.done(f"The receiver of {name} took it and answered {reply.status}.", document)


@app.command(epilog="Example: callwright webhook replay crm --since 2026-03-01T09:00Z")
def replay(
    ctx: typer.Context,
    name: str = Name,
    after: int = typer.Option(-1, "--after", metavar="ID", help="Events after this id; 0 means all that are kept."),
    since: str = typer.Option("", "--since", metavar="T", help="Events since this instant."),
) -> None:
    """Send again, with the ids they had: what died, or with --after or --since whatever it was told already."""
    console = console_of(ctx)
    if after >= 0 and since:
        raise UsageError("Give --after or --since, not both.")
    now = console.clock.now()
    begin = past_instant(since, console.settings.site.timezone, now, "--since") if since else None
    with console.writing() as session:
        by = By(console.actor, now)
        count = webhooks.replay(session, by, name, after_id=after if after >= 0 else None, since=begin)
    console.done(f"{count} events are sent again to {name}.", {"name": name, "events": count})
    console.note_applies()


@app.command(epilog="Example: callwright webhook enable crm")
def enable(ctx: typer.Context, name: str = Name) -> None:
    """Tell a disabled webhook again, from where it was, with what was put aside for it or died."""
    console = console_of(ctx)
    with console.writing() as session:
        row = webhooks.enable_webhook(session, By(console.actor, console.clock.now()), name)
        document = webhook_document(session, row)
    console.done(f"Webhook {name} is told again.", document)
    console.note_applies()


@app.command(epilog="Example: callwright webhook rotate crm")
def rotate(ctx: typer.Context, name: str = Name) -> None:
    """A new secret; messages carry the signatures of both for a day."""
    console = console_of(ctx)
    own = fresh_secret()
    with console.writing() as session:
        webhooks.rotate_secret(session, By(console.actor, console.clock.now()), name, own)
    console.show({"name": name, "secret": own}, lambda shown: str(shown["secret"]))


@app.command(epilog="Example: callwright webhook remove crm")
def remove(ctx: typer.Context, name: str = Name) -> None:
    """Tell it nothing any more, and forget what waits for it."""
    console = console_of(ctx)
    with console.writing() as session:
        row = webhooks.remove_webhook(session, By(console.actor, console.clock.now()), name)
        document = {"name": row.name, "url": row.url}
    console.done(f"Webhook {name} is removed.", document)
    console.note_applies()


async def _look(console: Console, url: str) -> None:
    async with Post(console.settings.webhooks.allow_hosts) as post:
        await post.look(url)


async def _send_test(console: Console, url: str, secret: str, name: str) -> Reply:
    now, message = datetime.now(UTC), new_id("test")
    body = orjson.dumps({"type": TEST_TYPE, "timestamp": iso(now), "data": {"webhook": name}})
    signed = headers([secret], message, int(now.timestamp()), body)
    async with Post(console.settings.webhooks.allow_hosts) as post:
        return await post.send(url, {**signed, "content-type": "application/json"}, body)


def _table(console: Console, documents: list[dict[str, Any]]) -> RenderableType:
    zone = console.settings.site.timezone
    rows = (
        (d["name"], d["url"], d["types"] or "all", d["state"], d["behind"], d["retrying"], d["dead"],
         local(d["last_ok_at"], zone), d["reason"] or d["last_error"])
        for d in documents
    )  # fmt: skip
    return table(("webhook", "url", "events", "state", "behind", "retrying", "dead", "last ok", "why"), rows)
