"""`callwright rating ...` and `call rate`: groups of options, and ratings given after the call."""

from __future__ import annotations

from typing import Any

import typer
from rich.console import Group, RenderableType

from contact_center.console.context import console_of
from contact_center.console.output import facts, table
from contact_center.ratings.money import written_value
from contact_center.store import ratings
from contact_center.store.admin import By
from contact_center.store.queries_calls import live_document

GROUP_EXAMPLE = "Example: callwright rating group add sales"
OPTION_EXAMPLE = "Example: callwright rating option list sales"
app = typer.Typer(help="Ratings of calls: groups and their options.", epilog=GROUP_EXAMPLE, no_args_is_help=False)
group_app = typer.Typer(
    help="Groups of options; a queue or campaign has one.", epilog=GROUP_EXAMPLE, no_args_is_help=False
)
option_app = typer.Typer(help="Options of a group: a digit and its name.", epilog=OPTION_EXAMPLE, no_args_is_help=False)
app.add_typer(group_app, name="group")
app.add_typer(option_app, name="option")

RATE_EXAMPLE = "Example: callwright call rate call-06d2k1mz8q4v7w3xyz Sale --value 29.99"
GroupName = typer.Argument(metavar="GROUP", help="The group's name, such as sales.")
Speech = typer.Option(True, "--speech/--no-speech", help="Whether the options are spoken in the menu.")
Which = typer.Argument(metavar="OPTION", help="Its digit or its name.")


@group_app.command("add", epilog="Example: callwright rating group add sales --no-speech")
def add_group(ctx: typer.Context, name: str = GroupName, speech: bool = Speech) -> None:
    """Add a group; `queue set NAME rating_group=GROUP rating_ivr=on` has agents asked by it."""
    console = console_of(ctx)
    with console.writing() as session:
        row = ratings.add_group(session, By(console.actor, console.clock.now()), name, speech=speech)
        document = ratings.group_document(session, row)
    console.done(f"Rating group {name} is added; `callwright rating option add {name} 1 NAME` fills it.", document)
    console.note_applies()


@group_app.command("set", epilog="Example: callwright rating group set sales --speech")
def set_group(ctx: typer.Context, name: str = GroupName, speech: bool = Speech) -> None:
    """Have the options spoken, or only "please rate this call"."""
    console = console_of(ctx)
    with console.writing() as session:
        row = ratings.set_group(session, By(console.actor, console.clock.now()), name, speech=speech)
        document = ratings.group_document(session, row)
    console.done(f"Rating group {name} is changed.", document)
    console.note_applies()


@group_app.command("remove", epilog="Example: callwright rating group remove sales")
def remove_group(ctx: typer.Context, name: str = GroupName) -> None:
    """Take a group away that no queue and no campaign uses; calls keep their ratings."""
    console = console_of(ctx)
    with console.writing() as session:
        ratings.remove_group(session, By(console.actor, console.clock.now()), name)
    console.done(f"Rating group {name} is removed.", {"name": name})
    console.note_applies()


@group_app.command("list", epilog="Example: callwright rating group list")
def list_groups(ctx: typer.Context) -> None:
    """Show all groups."""
    console = console_of(ctx)
    with console.reading() as session:
        documents = [ratings.group_document(session, row) for row in ratings.list_groups(session)]
    console.show(documents, _groups)


@group_app.command("show", epilog="Example: callwright rating group show sales")
def show_group(ctx: typer.Context, name: str = GroupName) -> None:
    """Show one group with its options, and those that were removed."""
    console = console_of(ctx)
    with console.reading() as session:
        document = ratings.group_document(session, ratings.find_group(session, name))
    console.show(document, _group)


@option_app.command("add", epilog="Example: callwright rating option add sales 1 Sale --asks-value --goal bought")
def add_option(
    ctx: typer.Context,
    group: str = GroupName,
    digit: str = typer.Argument(metavar="DIGIT", help="1 to 9."),
    name: str = typer.Argument(metavar="NAME", help="Short: it is spoken."),
    asks_value: bool = typer.Option(False, "--asks-value", help="Ask for a sum: 2999# is 29.99."),
    goal: str = typer.Option("", "--goal", metavar="NAME", help="What a call reaches that is rated so."),
) -> None:
    """Add an option to a group."""
    console = console_of(ctx)
    with console.writing() as session:
        by = By(console.actor, console.clock.now())
        row = ratings.add_option(session, by, group, digit, name, asks_value=asks_value, goal=goal)
        document = {"group": group, **ratings.option_document(row)}
    console.done(f"Option {digit} of {group} is {row.name}.", document)
    console.note_applies()


@option_app.command("remove", epilog="Example: callwright rating option remove sales 1")
def remove_option(ctx: typer.Context, group: str = GroupName, which: str = Which) -> None:
    """Take an option away from the next call on; calls that were rated so keep it."""
    console = console_of(ctx)
    with console.writing() as session:
        row = ratings.remove_option(session, By(console.actor, console.clock.now()), group, which)
        document = {"group": group, **ratings.option_document(row)}
    console.done(f"Option {row.digit} {row.name} of {group} is removed.", document)
    console.note_applies()


@option_app.command("list", epilog="Example: callwright rating option list sales")
def list_options(ctx: typer.Context, group: str = GroupName) -> None:
    """Show a group's options."""
    console = console_of(ctx)
    with console.reading() as session:
        document = ratings.group_document(session, ratings.find_group(session, group))
    console.show(document["options"], _options)


def rate(
    ctx: typer.Context,
    call_id: str = typer.Argument(metavar="ID", help="The call's id, as `call list` shows it."),
    which: str = Which,
    value: str = typer.Option("", "--value", metavar="29.99", help="For options that ask one."),
) -> None:
    """Rate a call, or rate it anew: the newest rating is the call's, all stay in its history."""
    console = console_of(ctx)
    worth = written_value(value) if value else None
    with console.writing() as session:
        call = ratings.rate_call(session, By(console.actor, console.clock.now()), call_id, which, worth)
        document = live_document(session, call, console.clock.now(), console.settings.site.language)
    console.done(f"Call {call_id} is rated {document['rating']['option']}.", document)


def _groups(documents: list[dict[str, Any]]) -> RenderableType:
    rows = (
        (d["name"], d["speech"], [f"{option['digit']} {option['name']}" for option in d["options"]]) for d in documents
    )
    return table(("group", "spoken", "options"), rows)


def _group(document: dict[str, Any]) -> RenderableType:
    head = facts([("name", document["name"]), ("spoken", document["speech"])])
    return Group(head, _options([*document["options"], *document["removed"]]))


def _options(documents: list[dict[str, Any]]) -> RenderableType:
    rows = ((d["digit"], d["name"], d["asks_value"], d["goal"], d.get("removed_at")) for d in documents)
    return table(("digit", "name", "asks a value", "goal", "removed"), rows)
