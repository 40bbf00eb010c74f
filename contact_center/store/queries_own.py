"""Calls that agents make themselves, as a starting ``serve`` finds them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.models import Call
from contact_center.store.own_facts import AGENT, CUSTOMER, EXT
from contact_center.store.talk_facts import talk_of_record
from contact_center.terms import CallKind

OWN_KINDS = (CallKind.MANUAL.value, CallKind.INTERNAL.value)


@dataclass(frozen=True, slots=True)
class OpenOwn:
    """An own call whose end was never written. ``talk``: who had the number so far (story_kept), where it moved.

    ``ring_seconds``: how long it rang there.
    """

    call_id: str
    kind: CallKind
    number: str
    ext: str
    agent_channel_id: str
    channel_id: str
    started_at: datetime
    answered_at: datetime | None
    talk: tuple[dict[str, str], ...] = ()
    ring_seconds: float = 0.0


def open_own(session: Session) -> list[OpenOwn]:
    """Agents' own calls without an end, oldest first."""
    calls = session.scalars(
        select(Call)
        .where(col(Call.ended_at).is_(None), col(Call.kind).in_(OWN_KINDS))
        .order_by(col(Call.started_at), col(Call.id))
    )
    return [
        OpenOwn(
            call_id=call.id,
            kind=CallKind(call.kind),
            number=call.caller_number,
            ext=str(call.record.get(EXT) or ""),
            agent_channel_id=str(call.record.get(AGENT) or ""),
            channel_id=str(call.record.get(CUSTOMER) or ""),
            started_at=call.started_at,
            answered_at=call.answered_at,
            talk=talk_of_record(call.record),
            ring_seconds=call.ring_seconds,
        )
        for call in calls
    ]
