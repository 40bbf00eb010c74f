"""`callwright agent ...`: who takes calls."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
from rich.console import RenderableType

from contact_center.console.agent_file import read_agents
from contact_center.console.context import Console, console_of
from contact_center.console.output import clean, facts, local, table
from contact_center.errors import Unreachable, UsageError, typed
from contact_center.models import Agent
from contact_center.store import admin_agents
from contact_center.store.admin import By, pairs
from contact_center.store.previews import preview_document
from contact_center.store.queries_agents import agent_document, find_agent, find_queue, list_agents, list_queues
from contact_center.terms import AgentState, AgentStatus

app = typer.Typer(
    help="Agents: the people who take calls.",
    epilog="Example: callwright agent list --state idle",
    no_args_is_help=False,
)
Ext = typer.Argument(metavar="EXT", help="The agent's extension, such as 1001.")
_NOT_PROVISIONED = "Asterisk cannot be told now: the SIP account applies at next start."


def _by(console: Console) -> By:
    return By(console.actor, console.clock.now())


def _view(console: Console, document: dict[str, Any]) -> RenderableType:
    zone = console.settings.site.timezone
    return facts((name, local(value, zone) if name.endswith("_at") else value) for name, value in document.items())


def _table(console: Console, documents: Sequence[dict[str, Any]]) -> RenderableType:
    zone = console.settings.site.timezone
    columns = (
        "ext",
        "name",
        "state",
        "since",
        "status",
        "team",
        "queues",
        "endpoint",
        "connect",
        "pause reason",
    )
    rows = (
        (
            d["ext"],
            d["name"],
            d["state"],
            local(d["since_at"], zone),
            d["status"],
            d["team"],
            d["queues"],
            d["endpoint"],
            d["connect"],
            d["pause_reason"],
        )
        for d in documents
    )
    return table(columns, rows)


def _provision(console: Console, agents: Sequence[Agent]) -> None:
    """Make the SIP accounts; an Asterisk that is away gets them at its next start."""
    own = [agent for agent in agents if agent.password]
    if not own:
        return
    try:
        console.hooks.provision(console.settings, own)
    except Unreachable:
        console.say(_NOT_PROVISIONED)


def _withdraw(console: Console, endpoint: str) -> None:
    if not endpoint:
        return
    try:
        console.hooks.withdraw(console.settings, [endpoint])
    except Unreachable:
        console.say(_NOT_PROVISIONED)


def _warn_of_queues(console: Console, names: Sequence[str]) -> None:
    with console.reading() as session:
        known = {queue.name for queue in list_queues(session)}
    for name in dict.fromkeys(names):
        if name not in known:
            console.say(f"There is no queue {name} yet; `callwright queue add {typed(name)}` makes it.")


@app.command(epilog="Example: callwright agent add 1001 --name 'Ann Lee' --team sales")
def add(
    ctx: typer.Context,
    ext: str = Ext,
    name: str = typer.Option(..., "--name", help="The name that records show."),
    endpoint: str = typer.Option("", "--endpoint", help="A phone of his own, as PJSIP/1001; else one is made."),
    queue: list[str] = typer.Option([], "--queue", help="A queue he serves; may be given again."),
    team: str = typer.Option("", "--team", help="The team whose campaigns he serves."),
    connect: str = typer.Option("", "--connect", help="on_demand or persistent; else as in the settings."),
) -> None:
    """Add an agent, and his SIP account unless he has an endpoint."""
    console = console_of(ctx)
    draft = admin_agents.AgentDraft(ext, name, endpoint, team, tuple(queue), connect or console.settings.agents.connect)
    with console.writing() as session:
        agent = admin_agents.add_agent(session, _by(console), draft)
    _provision(console, [agent])
    phone = "" if endpoint else f" `callwright agent phone {ext}` prints what his phone needs."
    console.done(f"Agent {ext} ({clean(agent.name)}) is added.{phone}", agent_document(agent))
    _warn_of_queues(console, queue)
    console.note_applies()


@app.command("list", epilog="Example: callwright agent list --team sales")
def list_(
    ctx: typer.Context,
    team: str = typer.Option("", "--team", help="Only this team."),
    state: str = typer.Option("", "--state", help="Only this state, such as idle."),
    queue: str = typer.Option("", "--queue", help="Only those who serve this queue."),
) -> None:
    """Show all agents."""
    console = console_of(ctx)
    if state and state not in list(AgentState):
        raise UsageError(f"The state {state[:20]!r} is not known; one of {', '.join(AgentState)} is wanted.")
    with console.reading() as session:
        if queue and not list_agents(session, queue=queue):
            find_queue(session, queue)
        documents = [agent_document(a) for a in list_agents(session, team=team, state=state, queue=queue)]
    console.show(documents, lambda found: _table(console, found))


@app.command(epilog="Example: callwright agent show 1001 --json")
def show(ctx: typer.Context, ext: str = Ext) -> None:
    """Show one agent."""
    console = console_of(ctx)
    with console.reading() as session:
        agent = find_agent(session, ext)
        document = {**agent_document(agent), **preview_document(session, agent, console.clock.now())}
    console.show(document, lambda found: _view(console, found))


@app.command(epilog="Example: callwright agent take 1001")
def take(ctx: typer.Context, ext: str = Ext) -> None:
    """Call the lead that a preview campaign shows the agent; he can dial *49 instead."""
    _decide(ctx, ext, "take", "The lead is called.")


@app.command(epilog="Example: callwright agent skip 1001")
def skip(ctx: typer.Context, ext: str = Ext) -> None:
    """Let the lead pass that a preview campaign shows the agent; another agent is shown it, and he the next."""
    _decide(ctx, ext, "skip", "The lead is passed over.")


def _decide(ctx: typer.Context, ext: str, action: str, done: str) -> None:
    console = console_of(ctx)
    if not console.serve_is_running():
        raise Unreachable("No serve is running, so no agent is shown a lead; start `callwright serve`.")
    with console.writing() as session:
        agent = admin_agents.decide_preview(session, _by(console), ext, action)
        document = agent_document(agent)
    console.done(done, document)


@app.command("set", epilog="Example: callwright agent set 1001 team=sales queues=support,billing")
def set_(
    ctx: typer.Context,
    ext: str = Ext,
    values: list[str] = typer.Argument(..., metavar="KEY=VALUE...", help="name, endpoint, team, queues, connect."),
) -> None:
    """Change an agent."""
    console = console_of(ctx)
    with console.writing() as session:
        change = admin_agents.set_agent(session, _by(console), ext, pairs(values, "team=sales"))
    _withdraw(console, change.withdrawn)
    _provision(console, [change.agent])
    console.done(f"Agent {ext} is changed.", agent_document(change.agent))
    _warn_of_queues(console, change.agent.queues)
    console.note_applies()


def _status(ctx: typer.Context, ext: str, status: AgentStatus, reason: str = "", only_from: str = "") -> None:
    console = console_of(ctx)
    served = console.serve_is_running()
    with console.writing() as session:
        agent = find_agent(session, ext)
        if not only_from or agent.status == only_from:
            agent = admin_agents.set_status(session, _by(console), ext, status, reason, served=served)
    word = {"online": "on line", "offline": "off line", "paused": "paused"}[str(agent.status)]
    console.done(f"Agent {ext} is {word}.", agent_document(agent))
    console.note_applies()


@app.command(epilog="Example: callwright agent online 1001")
def online(ctx: typer.Context, ext: str = Ext) -> None:
    """Put an agent on line: calls may come."""
    _status(ctx, ext, AgentStatus.ONLINE)


@app.command(epilog="Example: callwright agent offline 1001")
def offline(ctx: typer.Context, ext: str = Ext) -> None:
    """Take an agent off line; a call that talks goes on."""
    _status(ctx, ext, AgentStatus.OFFLINE)


@app.command(epilog="Example: callwright agent pause 1001 --reason lunch")
def pause(
    ctx: typer.Context,
    ext: str = Ext,
    reason: str = typer.Option(..., "--reason", help="Why, as reports show it."),
) -> None:
    """Pause an agent: no calls until unpause; a call that talks goes on."""
    _status(ctx, ext, AgentStatus.PAUSED, reason)


@app.command(epilog="Example: callwright agent unpause 1001")
def unpause(ctx: typer.Context, ext: str = Ext) -> None:
    """End a pause; an agent who is off line stays so."""
    _status(ctx, ext, AgentStatus.ONLINE, only_from=AgentStatus.PAUSED)


@app.command(epilog="Example: callwright agent remove 1001")
def remove(
    ctx: typer.Context,
    ext: str = Ext,
    force: bool = typer.Option(False, "--force", help="Even while he is in a call."),
) -> None:
    """Remove an agent and his SIP account; his calls stay in the records."""
    console = console_of(ctx)
    served = console.serve_is_running()
    with console.writing() as session:
        change = admin_agents.remove_agent(session, _by(console), ext, force=force, served=served)
    _withdraw(console, change.withdrawn)
    console.done(f"Agent {ext} is removed.", agent_document(change.agent))
    console.note_applies()


@app.command("import", epilog="Example: callwright agent import agents.csv")
def import_(
    ctx: typer.Context,
    file: Path = typer.Argument(..., metavar="FILE.csv", help="Columns ext, name, endpoint, team, queues, connect."),
) -> None:
    """Add the agents of a CSV file: all of them, or none."""
    console = console_of(ctx)
    drafts = read_agents(file, console.settings.agents.connect)
    with console.writing() as session:
        agents = admin_agents.add_agents(session, _by(console), str(file), drafts)
    _provision(console, agents)
    console.done(f"{len(agents)} agents are added.", {"imported": len(agents), "agents": [a.ext for a in agents]})
    _warn_of_queues(console, [queue for agent in agents for queue in agent.queues])
    console.note_applies()


@app.command(epilog="Example: callwright agent phone 1001 --rotate")
def phone(
    ctx: typer.Context,
    ext: str = Ext,
    rotate: bool = typer.Option(False, "--rotate", help="Make a new password first; the old one ends."),
) -> None:
    """Print what the agent's phone needs: server, user and password."""
    console = console_of(ctx)
    if rotate:
        with console.writing() as session:
            agent = admin_agents.rotate_password(session, _by(console), ext)
        _provision(console, [agent])
    else:
        with console.reading() as session:
            agent = find_agent(session, ext)
    asterisk = console.settings.asterisk
    host, _, port = asterisk.sip_bind.rpartition(":")
    document = {
        "ext": agent.ext,
        "server": f"{asterisk.external_address or host}:{port}",
        "user": agent.endpoint.removeprefix("PJSIP/"),
        "password": agent.password or None,
    }
    console.show(document, lambda found: facts(found.items()))
    if not agent.password:
        console.say(f"The endpoint {agent.endpoint} is his own; its password is kept where it was made.")
    elif rotate:
        console.note_applies()
    if agent.password and not asterisk.external_address and (hint := _where(host)):
        console.say(hint)


def _where(host: str) -> str:
    """What the server's address leaves open, in a sentence."""
    bare = host.strip("[]")
    if bare in ("0.0.0.0", "::"):
        return "Asterisk listens on every address: give the phone the one at which it reaches this machine."
    if bare == "127.0.0.1":
        return "sip_bind is 127.0.0.1, which only phones on this machine reach; set it in [asterisk]."
    return ""
