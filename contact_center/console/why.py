"""`callwright why ...`: why a lead is not dialled, why the pace is what it is."""

from __future__ import annotations

from typing import Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from contact_center.console.context import Console, console_of
from contact_center.console.output import clean
from contact_center.console.pace import decisions_view, odds_view
from contact_center.store.queries import find_campaign
from contact_center.store.queries_leads import find_lead
from contact_center.store.queries_why import (
    Circumstances,
    campaign_facts,
    why_campaign,
    why_document,
    why_lead,
)

DECISIONS_SHOWN = 10

app = typer.Typer(
    help="Why a lead is not dialled; why the pace is what it is now.",
    epilog="Example: callwright why campaign spring",
    no_args_is_help=False,
)


def _seen(console: Console) -> Circumstances:
    return Circumstances(console.settings, console.clock.now(), console.serve_is_running())


@app.command(epilog="Example: callwright why lead 17")
def lead(ctx: typer.Context, lead_id: int = typer.Argument(metavar="ID")) -> None:
    """Why this lead is not dialled now, the rule that binds most first."""
    console = console_of(ctx)
    seen = _seen(console)
    with console.reading() as session:
        document = {"lead": lead_id, **why_document(why_lead(session, find_lead(session, lead_id), seen))}
    console.show(document, lambda found: _view(f"Lead {lead_id}", found))


@app.command(epilog="Example: callwright why campaign spring")
def campaign(ctx: typer.Context, name: str = typer.Argument(metavar="NAME")) -> None:
    """Why a campaign goes at its pace, with its last pacing decisions."""
    console = console_of(ctx)
    seen = _seen(console)
    with console.reading() as session:
        found = find_campaign(session, name)
        document = {
            **campaign_facts(session, found, seen),
            **why_document(why_campaign(session, found, seen)),
        }
    zone = console.settings.site.timezone
    console.show(document, lambda shown: _campaign_view(name, shown, zone))


def _campaign_view(name: str, document: dict[str, Any], zone: str) -> RenderableType:
    parts = [_view(f"Campaign {name}", document)]
    if document["decisions"]:
        parts.append(decisions_view(document["decisions"][:DECISIONS_SHOWN], zone))
    if document["odds"]:
        parts.append(odds_view(document["odds"]))
    return Group(*parts)


def _view(title: str, document: dict[str, Any]) -> RenderableType:
    verdict = "can be dialled now" if document["dialable"] else "is not dialled now"
    lines = [Text(f"{title} {verdict}.", "bold")]
    lines += [Text(f"{n}. {clean(reason['detail'])}") for n, reason in enumerate(document["reasons"], 1)]
    return Group(*lines)
