"""Rows as a running contact centre leaves them."""

from __future__ import annotations

from datetime import UTC, datetime

from contact_center.models import Attempt, Call, Lead
from contact_center.store.engine import writing
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
