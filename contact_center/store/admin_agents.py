"""Agents: added, changed, put on line and off line, removed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.errors import CallwrightError, UsageError
from contact_center.models import Agent, Campaign, Lead
from contact_center.queues.skills import parse_levels
from contact_center.store.admin import By, checked_label, checked_text, fresh_password, shown
from contact_center.store.admin_tokens import remove_tokens_of
from contact_center.store.previews import preview_document
from contact_center.store.queries_agents import agent_document, find_agent
from contact_center.terms import AgentConnect, AgentState, AgentStatus, LeadState

HIGHEST_PENALTY = 100
_EXT = re.compile(r"[0-9]{2,10}\Z")
_ENDPOINT = re.compile(r"PJSIP/[A-Za-z0-9_.-]{1,74}\Z")
_OURS = "PJSIP/callwright-"
_IN_A_CALL = (AgentState.OFFERED, AgentState.TALKING)
SETTABLE = ("name", "endpoint", "team", "queues", "connect", "skills", "penalties")


@dataclass(frozen=True, slots=True)
class AgentDraft:
    """A new agent as people give him. Without an ``endpoint`` he gets a SIP account of his own."""

    ext: str
    name: str
    endpoint: str = ""
    team: str = ""
    queues: tuple[str, ...] = ()
    connect: str = AgentConnect.ON_DEMAND

    def checked(self) -> AgentDraft:
        """A copy whose every value is allowed. Raises UsageError."""
        if not _EXT.match(self.ext):
            raise UsageError(f"The extension {shown(self.ext)} is not allowed: 2 to 10 digits are wanted.")
        return AgentDraft(
            ext=self.ext,
            name=checked_text(self.name, "agent's name", 80),
            endpoint=checked_endpoint(self.endpoint) if self.endpoint else f"PJSIP/{self.ext}",
            team=checked_label(self.team, "team") if self.team else "",
            queues=tuple(dict.fromkeys(checked_label(queue, "queue") for queue in self.queues)),
            connect=checked_connect(self.connect),
        )


@dataclass(frozen=True, slots=True)
class AgentChange:
    """An agent after a change; ``withdrawn``: the endpoint whose SIP account is unwanted now, or empty."""

    agent: Agent
    withdrawn: str = ""


def checked_endpoint(text: str) -> str:
    """``PJSIP/name`` of a phone. Raises UsageError."""
    if not _ENDPOINT.match(text):
        raise UsageError(f"The endpoint {shown(text)} is not allowed: PJSIP/ and a name is wanted, as PJSIP/1001.")
    if text.startswith(_OURS):
        raise UsageError(f"The endpoint {shown(text)} is not allowed: {_OURS}... are the trunks.")
    return text


def checked_connect(text: str) -> str:
    """How customers reach the agent. Raises UsageError."""
    if text not in list(AgentConnect):
        raise UsageError(f"connect={text} is not allowed: {' or '.join(AgentConnect)} is wanted.")
    return text


def checked_skills(text: str) -> dict[str, int]:
    """``danish:3,billing`` as levels by name. Raises UsageError."""
    try:
        return parse_levels(_words(text))
    except ValueError as error:
        raise UsageError(f"skills={text[:40]} is not allowed: {error}.") from None


def checked_penalties(text: str) -> dict[str, int]:
    """``support:2,sales:0`` as numbers by queue. Raises UsageError."""
    penalties: dict[str, int] = {}
    for word in _words(text):
        queue, _, number = word.partition(":")
        if not number.isascii() or not number.isdigit() or int(number) > HIGHEST_PENALTY:
            raise UsageError(f"penalties={text[:40]} is not allowed: support:2 is wanted, {HIGHEST_PENALTY} at most.")
        penalties[checked_label(queue, "queue")] = int(number)
    return penalties


def add_agent(session: Session, by: By, draft: AgentDraft) -> Agent:
    """A new agent, off line. Raises UsageError when extension or endpoint are another agent's."""
    wanted = draft.checked()
    _refuse_taken(session, wanted.ext, wanted.endpoint)
    agent = Agent(
        ext=wanted.ext,
        name=wanted.name,
        endpoint=wanted.endpoint,
        password="" if draft.endpoint else fresh_password(),
        team=wanted.team,
        queues=list(wanted.queues),
        connect=wanted.connect,
        since_at=by.at,
    )
    session.add(agent)
    session.flush()
    by.note(session, "agent", agent.ext, "add", agent_document(agent), obey=True)
    return agent


def add_agents(session: Session, by: By, file: str, drafts: Sequence[tuple[int, AgentDraft]]) -> list[Agent]:
    """All of a file's agents or none; each draft comes with its line. Raises UsageError naming file and line."""
    agents = []
    for line, draft in drafts:
        try:
            agents.append(add_agent(session, by, draft))
        except UsageError as error:
            raise UsageError(f"{file}: line {line}: {error} Nobody was added.") from None
    return agents


def set_agent(session: Session, by: By, ext: str, values: dict[str, str]) -> AgentChange:
    """Change name, endpoint, team, queues (comma-separated), connect, skills (danish:3) or penalties (support:2)."""
    agent = find_agent(session, ext)
    unknown = next((key for key in values if key not in SETTABLE), None)
    if unknown is not None:
        raise UsageError(f"{unknown} is not a known key; known are {', '.join(SETTABLE)}.")
    if not values:
        raise UsageError(f"Say what to change, as name=Ann; known are {', '.join(SETTABLE)}.")
    draft = AgentDraft(
        ext=agent.ext,
        name=values.get("name", agent.name),
        endpoint=values.get("endpoint", agent.endpoint),
        team=values.get("team", agent.team),
        queues=_words(values["queues"]) if "queues" in values else tuple(agent.queues),
        connect=values.get("connect", agent.connect),
    ).checked()
    withdrawn = ""
    if draft.endpoint != agent.endpoint or (values.get("endpoint") == "" and not agent.password):
        _refuse_taken(session, None, draft.endpoint, besides=agent.ext)
        withdrawn = agent.endpoint if agent.password else ""
        agent.password = "" if values["endpoint"] else fresh_password()
    agent.name, agent.endpoint, agent.team = draft.name, draft.endpoint, draft.team
    agent.queues, agent.connect = list(draft.queues), draft.connect
    if "skills" in values:
        agent.skills = checked_skills(values["skills"])
    if "penalties" in values:
        agent.penalties = checked_penalties(values["penalties"])
    by.note(session, "agent", ext, "set", _with_withdrawal(agent, withdrawn), obey=True)
    return AgentChange(agent, withdrawn)


def set_status(session: Session, by: By, ext: str, status: AgentStatus, reason: str = "", *, served: bool) -> Agent:
    """What the agent chooses. ``served``: a serve is running, and tells the state that follows."""
    agent = find_agent(session, ext)
    if status is AgentStatus.PAUSED:
        reason = checked_text(reason, "pause reason", 80)
    action = {
        AgentStatus.ONLINE: "unpause" if agent.status == AgentStatus.PAUSED else "online",
        AgentStatus.OFFLINE: "offline",
        AgentStatus.PAUSED: "pause",
    }[status]
    agent.status, agent.pause_reason = status, reason
    if not served:
        state = AgentState.PAUSED if status is AgentStatus.PAUSED else AgentState.OFFLINE
        if agent.state != state:
            agent.state, agent.since_at, agent.call_id = state, by.at, ""
    by.note(session, "agent", ext, action, agent_document(agent), obey=True)
    return agent


def decide_preview(session: Session, by: By, ext: str, action: str, lead_id: int | None = None) -> Agent:
    """``take`` or ``skip`` the lead that the agent is shown.

    ``lead_id``: the lead that is meant, where that is known. Raises CallwrightError when he is shown none, or another.
    """
    agent = find_agent(session, ext)
    shown_now = preview_document(session, agent, by.at)
    if not shown_now:
        raise CallwrightError(f"Agent {ext} is shown no lead now; `callwright agent show {ext}` tells his state.")
    lead = shown_now["preview"]["lead_id"]
    if lead_id not in (None, lead):
        raise CallwrightError(f"Agent {ext} is shown lead {lead} now, not lead {lead_id}; look at it first.")
    by.note(session, "agent", ext, action, {"ext": ext, "lead_id": lead}, obey=True)
    return agent


def remove_agent(session: Session, by: By, ext: str, *, force: bool, served: bool) -> AgentChange:
    """Take an agent away; his calls stay in the records, and calls that he promised are anybody's.

    Refused while he is in a call, unless forced.
    """
    agent = find_agent(session, ext)
    if served and agent.state in _IN_A_CALL and not force:
        raise CallwrightError(
            f"Agent {ext} is in a call; wait for its end, or add --force to let it go on without him."
        )
    withdrawn = agent.endpoint if agent.password else ""
    remove_tokens_of(session, by, ext)
    campaigns = select(col(Campaign.id))
    due = (col(Lead.campaign_id).in_(campaigns), col(Lead.state) == LeadState.DUE)  # as the index has them
    session.connection().execute(update(Lead).where(*due, col(Lead.callback_agent) == ext).values(callback_agent=""))
    session.delete(agent)
    by.note(session, "agent", ext, "remove", _with_withdrawal(agent, withdrawn), obey=True)
    return AgentChange(agent, withdrawn)


def rotate_password(session: Session, by: By, ext: str) -> Agent:
    """A new SIP password. Raises UsageError when the phone is not an account of ours."""
    agent = find_agent(session, ext)
    if not agent.password:
        raise UsageError(
            f"Agent {ext} brings his own endpoint {agent.endpoint}; its password is kept where it was made."
        )
    agent.password = fresh_password()
    payload: dict[str, Any] = {"ext": ext, "endpoint": agent.endpoint}
    by.note(session, "agent", ext, "rotate", payload, obey=True)
    return agent


def _with_withdrawal(agent: Agent, withdrawn: str) -> dict[str, Any]:
    """What is noted of a change: an Asterisk that is away now is told later which account is unwanted."""
    document = agent_document(agent)
    return {**document, "withdrawn": withdrawn} if withdrawn else document


def _refuse_taken(session: Session, ext: str | None, endpoint: str, besides: str = "") -> None:
    if ext is not None:
        other = session.scalars(select(Agent).where(col(Agent.ext) == ext)).first()
        if other:
            raise UsageError(f"The extension {ext} is taken by agent {other.ext} ({other.name}); choose another.")
    taken = session.scalars(select(Agent).where(col(Agent.endpoint) == endpoint, col(Agent.ext) != besides)).first()
    if taken:
        raise UsageError(f"The endpoint {endpoint} is taken by agent {taken.ext} ({taken.name}); choose another.")


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())
