"""`callwright campaign ...`: lists of leads and how to call them."""

from __future__ import annotations

from typing import Any

import typer
from rich.console import RenderableType
from sqlalchemy.orm import Session

from contact_center.console.context import Console, console_of
from contact_center.console.output import facts, local, share, table
from contact_center.console.watch import watch_campaign
from contact_center.errors import typed
from contact_center.models import Campaign
from contact_center.silent_text import silent_text
from contact_center.store import admin_campaigns
from contact_center.store.admin import By, pairs
from contact_center.store.queries import campaign_document, campaign_options, find_campaign, list_campaigns
from contact_center.store.queries_why import Circumstances, why_campaign
from contact_center.terms import CampaignState

app = typer.Typer(
    help="Campaigns: lists of leads and how to call them.",
    epilog="Example: callwright campaign show spring",
    no_args_is_help=False,
)
Name = typer.Argument(metavar="NAME")
_KEYS = "mode, multiplier, team or any option, such as ring_seconds=25 or hours=09:00-20:00."


@app.command(epilog="Example: callwright campaign add spring --mode power --multiplier 1.2 --team sales")
def add(
    ctx: typer.Context,
    name: str = Name,
    mode: str = typer.Option(..., "--mode", help="preview, progressive, power or predictive."),
    multiplier: str = typer.Option("1.0", "--multiplier", help="Power: calls at once per free agent, 0.1 to 10."),
    team: str = typer.Option("", "--team", help="Only agents of this team; else all."),
    values: list[str] | None = typer.Argument(None, metavar="[KEY=VALUE...]", help=_KEYS),
) -> None:
    """Add a campaign; it is stopped until `campaign start`."""
    console = console_of(ctx)
    wanted = pairs(values or []) | {"mode": mode, "multiplier": multiplier, "team": team}
    trunks = console.settings.trunk
    with console.writing() as session:
        by = By(console.actor, console.clock.now())
        campaign = admin_campaigns.add_campaign(session, by, name, wanted, trunks)
        document = campaign_document(session, campaign, by.at)
    console.done(f"Campaign {name} is added; `callwright lead import {typed(name)} FILE.csv` fills it.", document)
    console.note_applies()


@app.command("set", epilog="Example: callwright campaign set spring multiplier=1.5 retry_busy=10m")
def set_(
    ctx: typer.Context,
    name: str = Name,
    values: list[str] = typer.Argument(..., metavar="KEY=VALUE...", help=_KEYS),
) -> None:
    """Change a campaign, also while it runs."""
    console = console_of(ctx)
    trunks = console.settings.trunk
    with console.writing() as session:
        by = By(console.actor, console.clock.now())
        campaign = admin_campaigns.set_campaign(session, by, name, pairs(values), trunks)
        document = campaign_document(session, campaign, by.at)
    console.done(f"Campaign {name} is changed.", document)
    console.note_applies()


def _move(ctx: typer.Context, name: str, action: str) -> None:
    console = console_of(ctx)
    served = console.serve_is_running()
    if action in ("start", "resume"):
        _speak(console, name)
    with console.writing() as session:
        by = By(console.actor, console.clock.now())
        campaign = admin_campaigns.move_campaign(session, by, name, action, served=served)
        document = campaign_document(session, campaign, by.at)
        held = _held_back(console, session, campaign) if campaign.state == CampaignState.RUNNING else ""
    console.done(f"Campaign {name} is {campaign.state}.", document)
    if held:
        console.say(f"It does not dial now: {held}")
    console.note_applies()


def _speak(console: Console, name: str) -> None:
    """What people hear for whom nobody is free is there to be played before anybody is called."""
    with console.reading() as session:
        options = campaign_options(find_campaign(session, name))
    words = silent_text(options, console.settings.site.language, console.clock.now())
    for text in filter(None, (words.text, options.amd_message if options.amd else "")):
        console.hooks.speak(console.settings, text)


def _held_back(console: Console, session: Session, campaign: Campaign) -> str:
    """What keeps a campaign that was just set going from dialling, in a sentence; empty when nothing does."""
    seen = Circumstances(console.settings, console.clock.now(), served=True)  # no serve: note_applies says it
    return next((reason.detail for reason in why_campaign(session, campaign, seen) if reason.binds), "")


@app.command(epilog="Example: callwright campaign start spring")
def start(ctx: typer.Context, name: str = Name) -> None:
    """Begin to call; a finished campaign can be started again."""
    _move(ctx, name, "start")


@app.command(epilog="Example: callwright campaign pause spring")
def pause(ctx: typer.Context, name: str = Name) -> None:
    """Place no new calls until `campaign resume`; calls in progress go on."""
    _move(ctx, name, "pause")


@app.command(epilog="Example: callwright campaign resume spring")
def resume(ctx: typer.Context, name: str = Name) -> None:
    """Go on after a pause."""
    _move(ctx, name, "resume")


@app.command(epilog="Example: callwright campaign stop spring")
def stop(ctx: typer.Context, name: str = Name) -> None:
    """Place no new calls; it is `ending` while calls are in progress, then `stopped`."""
    _move(ctx, name, "stop")


@app.command(epilog="Example: callwright campaign show spring --json")
def show(ctx: typer.Context, name: str = Name) -> None:
    """Show one campaign with its numbers and settings."""
    console = console_of(ctx)
    with console.reading() as session:
        document = campaign_document(session, find_campaign(session, name), console.clock.now())
    console.show(document, lambda found: _view(console, found))


@app.command("list", epilog="Example: callwright campaign list")
def list_(ctx: typer.Context) -> None:
    """Show all campaigns."""
    console = console_of(ctx)
    with console.reading() as session:
        now = console.clock.now()
        documents = [campaign_document(session, campaign, now) for campaign in list_campaigns(session)]
    console.show(documents, _table)


@app.command(epilog="Example: callwright campaign watch spring")
def watch(
    ctx: typer.Context,
    name: str = Name,
    until_finished: bool = typer.Option(
        True, "--until-finished/--forever", help="End by itself when the campaign is finished or stopped."
    ),
    interval: float = typer.Option(2.0, "--interval", min=0.2, max=3600, help="Seconds between two looks."),
) -> None:
    """Watch a campaign live: agents, calls, abandonment, pace. Ends with the campaign, or with Ctrl-C."""
    watch_campaign(console_of(ctx), name, until_finished=until_finished, interval_seconds=interval)


def _view(console: Console, document: dict[str, Any]) -> RenderableType:
    zone = console.settings.site.timezone
    rows: list[tuple[str, Any]] = []
    for key, value in document.items():
        if key in ("abandonment", "occupancy"):
            rows.append((key, share(value)))
        elif key.endswith("_at"):
            rows.append((key, local(value, zone)))
        elif key != "options":
            rows.append((key, value))
    return facts(rows + list(document["options"].items()))


def _table(documents: list[dict[str, Any]]) -> RenderableType:
    columns = (
        "campaign",
        "mode",
        "state",
        "x",
        "team",
        "to call",
        "done",
        "live",
        "connected",
        "dropped",
        "abandoned",
    )
    rows = []
    for d in documents:
        leads = d["leads"]
        rows.append(
            (
                d["name"],
                d["mode"],
                d["state"],
                d["multiplier"],
                d["team"],
                leads["new"] + leads["due"],
                leads["done"],
                sum(d["live"].values()),
                d["connected"],
                d["dropped"],
                share(d["abandonment"]),
            )
        )
    return table(columns, rows)
