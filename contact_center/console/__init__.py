"""The command line of agents, queues, campaigns, leads, calls and the database."""

from __future__ import annotations

from importlib import import_module

import typer

from contact_center.console.context import Console, Hooks, console_of

__all__ = ["GROUPS", "Console", "Hooks", "console_of", "mount"]

GROUPS = {
    "db": ("setup", "database"),
    "agent": ("agent", "app"),
    "queue": ("queue", "app"),
    "campaign": ("campaign", "app"),
    "lead": ("lead", "app"),
    "dnc": ("dnc", "app"),
    "trunk": ("trunk", "app"),
    "call": ("call", "app"),
    "rating": ("rating", "app"),
    "category": ("category", "app"),
    "callback": ("callback", "app"),
    "why": ("why", "app"),
    "report": ("report", "app"),
    "token": ("token", "app"),
    "webhook": ("webhook", "app"),
    "analytics": ("analytics", "app"),
    "tracking": ("tracking", "app"),
    "visitor": ("tracking", "visitor_app"),
}
"""Each group of commands: the module here and the Typer in it. Loading all of them takes longer than most commands."""


def mount(app: typer.Typer, only: str = "") -> None:
    """Add the sub-commands to the root app; ``only`` a group, or all of them."""
    if not only:
        setup = import_module(f"{__name__}.setup")
        app.command("init", epilog="Example: callwright init --country GB --timezone Europe/London")(setup.init)
    for group, (module, name) in GROUPS.items():
        if only in ("", group):
            app.add_typer(getattr(import_module(f"{__name__}.{module}"), name), name=group)
