"""The wish that an agent be connected with a number."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.errors import CallwrightError, UsageError
from contact_center.ids import new_id
from contact_center.models import Agent
from contact_center.outside_calls import forbidden, outside_number
from contact_center.settings import Settings
from contact_center.store.admin import By
from contact_center.store.queries_agents import find_agent
from contact_center.store.trunk_use import capped_trunks
from contact_center.terms import AgentState


def checked_own_call(session: Session, settings: Settings, ext: str, number: str) -> str:
    """What is to be called: E.164, or another agent's extension.

    Raises NotFound (no such agent), UsageError (no number, or a rule forbids it) and CallwrightError (he has a call,
    or the trunks may carry no more).
    """
    agent = find_agent(session, ext)
    if agent.state in (AgentState.OFFERED, AgentState.TALKING):
        raise CallwrightError(f"Agent {ext} has a call; wait for its end.")
    other = session.scalars(select(Agent).where(col(Agent.ext) == number)).first()
    if other is not None:
        if other.ext == ext:
            raise UsageError(f"Agent {ext} cannot call himself; give another extension or a number.")
        return other.ext
    outside = outside_number(settings, number)
    wanted = outside.number
    if settings.agents.obey_dnc and forbidden(session, wanted):
        raise UsageError(f"{wanted} is on the do-not-call list; agents.obey_dnc = false would allow it.")
    if capped := capped_trunks(session, outside.trunks):
        raise CallwrightError(capped)
    return wanted


def place_call(session: Session, by: By, settings: Settings, ext: str, number: str) -> str:
    """Ask a running serve to connect an agent with a number; the id of the call. Raises as checked_own_call."""
    wanted, call_id = checked_own_call(session, settings, ext, number), new_id("call")
    by.note(session, "call", call_id, "place", {"call_id": call_id, "ext": ext, "number": wanted}, obey=True)
    return call_id
