"""The command line of agents, queues, campaigns, leads, calls and the database."""

from __future__ import annotations

import typer

from contact_center.console import (
    agent,
    analytics,
    call,
    callback,
    campaign,
    category,
    dnc,
    lead,
    queue,
    rating,
    report,
    setup,
    token,
    tracking,
    webhook,
    why,
)
from contact_center.console.context import Console, Hooks, console_of

__all__ = ["Console", "Hooks", "console_of", "mount"]


def mount(app: typer.Typer) -> None:
    """Add the sub-commands to the root app."""
    app.command("init", epilog="Example: callwright init --country GB --timezone Europe/London")(setup.init)
    app.add_typer(setup.database, name="db")
    app.add_typer(agent.app, name="agent")
    app.add_typer(queue.app, name="queue")
    app.add_typer(campaign.app, name="campaign")
    app.add_typer(lead.app, name="lead")
    app.add_typer(dnc.app, name="dnc")
    app.add_typer(call.app, name="call")
    app.add_typer(rating.app, name="rating")
    app.add_typer(category.app, name="category")
    app.add_typer(callback.app, name="callback")
    app.add_typer(why.app, name="why")
    app.add_typer(report.app, name="report")
    app.add_typer(token.app, name="token")
    app.add_typer(webhook.app, name="webhook")
    app.add_typer(analytics.app, name="analytics")
    app.add_typer(tracking.app, name="tracking")
    app.add_typer(tracking.visitor_app, name="visitor")
