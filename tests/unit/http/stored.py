"""Rows as a running contact centre leaves them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from contact_center.models import Attempt, Call, Lead
from contact_center.models_callbacks import Callback
from contact_center.store.engine import writing
from contact_center.store.previews import PreviewNoted
from contact_center.store.queries_agents import find_agent
from contact_center.terms import AgentState
from tests.support.api_world import ApiWorld

NUMBER = "+447421000007"


def store_call(api: ApiWorld, lead_id: int, campaign: str, *, agent: str = "1001", up: bool = False) -> str:
    """A call of a lead as the ledger leaves it."""
    now = datetime.now(UTC)
    with writing(api.engine) as session:
        lead = session.get(Lead, lead_id)
        assert lead is not None
        made = Call(
            id=f"call-{lead_id}", campaign=campaign, lead_id=lead_id, caller_number=lead.number,
            started_at=now, ended_at=None if up else now, agents=[] if up else ["Ann Lee"],
        )  # fmt: skip
        session.add(made)
        session.flush()
        session.add(
            Attempt(
                call_id=made.id, channel_id=f"cw-{made.id}-1", lead_id=lead_id, campaign_id=lead.campaign_id, n=1,
                number=lead.number, trunk="main", state="connected" if up else "done", agent=agent, intent_at=now,
                live_number=lead.number if up else None,
            )
        )  # fmt: skip
        return made.id


def store_callback(api: ApiWorld, n: int, queue: str = "support", *, number: str = NUMBER) -> str:
    """A callback that waits, and the call that ordered it; its id."""
    now = datetime.now(UTC)
    with writing(api.engine) as session:
        call = Call(id=f"call-cb-{n}", queue=queue, caller_number=number, started_at=now, ended_at=now, kind="callback")
        session.add(call)
        session.flush()
        waiting = Callback(
            id=f"cb-{n}", call_id=call.id, queue=queue, number=number, state="waiting", entered_at=now,
            ordered_at=now, since_at=now, due_at=now, expires_at=now + timedelta(days=4), live_key=f"{queue} {n}",
        )  # fmt: skip
        session.add(waiting)
    return f"cb-{n}"


def show_lead(
    api: ApiWorld, ext: str, lead_id: int, number: str, campaign: str = "spring", *, seconds: float = 60.0
) -> None:
    """An agent is shown a lead, as the dialer tells of it."""
    now = datetime.now(UTC)
    until_at = now + timedelta(seconds=seconds)
    with writing(api.engine) as session:
        find_agent(session, ext).state = AgentState.OFFERED
        PreviewNoted(
            ext, f"call-{lead_id}", lead_id, campaign, number, {"first_name": "Zoë"}, until_at, now
        ).apply(session)  # fmt: skip
