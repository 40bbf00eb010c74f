"""Agents and queues as people and JSON see them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.clock import iso
from contact_center.errors import NotFound
from contact_center.models import Agent, Audit, Queue
from contact_center.models_callbacks import Callback
from contact_center.options import OUTBOUND_QUEUE, QueueOptions


def find_agent(session: Session, ext: str) -> Agent:
    """The agent of an extension. Raises NotFound."""
    agent = session.scalars(select(Agent).where(col(Agent.ext) == ext)).first()
    if agent is None:
        raise NotFound("agent", ext)
    return agent


def list_agents(session: Session, *, team: str = "", state: str = "", queue: str = "") -> list[Agent]:
    """Agents by extension; empty filters mean all."""
    query = select(Agent).order_by(func.length(col(Agent.ext)), col(Agent.ext))
    if team:
        query = query.where(col(Agent.team) == team)
    if state:
        query = query.where(col(Agent.state) == state)
    agents = session.scalars(query).all()
    return [agent for agent in agents if not queue or queue in agent.queues]


def agent_document(agent: Agent) -> dict[str, Any]:
    """The contract's `agent`, with what he chose (``status``) beside what the system sees (``state``).

    ``call_id`` (the call that he is offered, talks in or wraps up), ``skills`` and ``penalties`` stand there where he
    has any.
    """
    return {
        "ext": agent.ext,
        "name": agent.name,
        "endpoint": agent.endpoint,
        "state": str(agent.state),
        "since_at": iso(agent.since_at),
        "queues": list(agent.queues),
        "team": agent.team,
        "connect": str(agent.connect),
        "status": str(agent.status),
        "pause_reason": agent.pause_reason,
        **({"call_id": agent.call_id} if agent.call_id else {}),
        **{key: value for key in ("skills", "penalties") if (value := dict(getattr(agent, key)))},
    }


def withdrawn_accounts(session: Session) -> set[str]:
    """Endpoints (``PJSIP/1001``) whose SIP accounts of ours must not exist any more."""
    noted = select(col(Audit.detail)).where(col(Audit.entity) == "agent", col(Audit.action).in_(("remove", "set")))
    once = {str(detail["withdrawn"]) for detail in session.scalars(noted) if detail.get("withdrawn")}
    return once - set(session.scalars(select(col(Agent.endpoint))))


def find_queue(session: Session, name: str) -> Queue:
    """The queue of a name; that of own calls is there without a row. Raises NotFound."""
    queue = session.scalars(select(Queue).where(col(Queue.name) == name)).first()
    if queue is None and name == OUTBOUND_QUEUE:
        return Queue(name=name, options=QueueOptions().model_dump(mode="json"))
    if queue is None:
        raise NotFound("queue", name)
    return queue


def list_queues(session: Session) -> list[Queue]:
    """All queues by name."""
    return list(session.scalars(select(Queue).order_by(col(Queue.name))))


def queue_options(queue: Queue) -> QueueOptions:
    """A queue's options; keys that are gone from the program are forgotten."""
    known = {key: value for key, value in queue.options.items() if key in QueueOptions.model_fields}
    return QueueOptions.model_validate(known)


def queue_document(session: Session, queue: Queue, agents: Sequence[Agent]) -> dict[str, Any]:
    """A queue with its options, its agents by state and its waiting callbacks; ``agents`` are all agents."""
    members = [agent for agent in agents if queue.name in agent.queues]
    waiting = session.scalar(
        select(func.count()).where(col(Callback.queue) == queue.name, col(Callback.state) == "waiting")
    )
    return {
        "name": queue.name,
        "agents": [agent.ext for agent in members],
        "agents_by_state": dict(Counter(str(agent.state) for agent in members)),
        "callbacks_waiting": waiting or 0,
        "options": queue_options(queue).model_dump(mode="json"),
    }
