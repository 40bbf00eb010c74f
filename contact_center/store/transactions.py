"""What a transaction event is made of: a call as it stood when something happened to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.matching.transactions import Order, Visit, Visitor
from contact_center.models import Call, Outbox
from contact_center.models_telling import CallMatch, TrackingVisit

ARRIVED, ENDED, ORDERED = "call.arrived", "call.ended", "call.order"


@dataclass(frozen=True, slots=True)
class TransactionFacts:
    """Of one call. ``is_over``: it had ended already, and was told so, when this happened."""

    call_id: str
    started_at: datetime
    ended_at: datetime | None
    direction: str
    is_tracked: bool
    is_over: bool
    matched: bool
    visit: Visit | None
    order: Order | None
    visitor: Visitor


def transaction_facts(session: Session, call_id: str, event_id: int) -> TransactionFacts | None:
    """Of a call when this event happened, however late it is told. None when the call was erased.

    The order is the one of the events up to here: so one that is written down while the call ends is told once,
    by the call's end or by itself.
    """
    call = session.get(Call, call_id)
    if call is None:
        return None
    row = session.get(CallMatch, call_id)
    stored = session.get(TrackingVisit, row.visit_id) if row is not None and row.visit_id else None
    before = session.scalars(
        select(Outbox)
        .where(
            col(Outbox.entity) == "call",
            col(Outbox.entity_id) == call_id,
            col(Outbox.id) <= event_id,
            col(Outbox.type).in_((ENDED, ORDERED)),
        )
        .order_by(col(Outbox.seq))
    ).all()
    orders = [event.payload for event in before if event.type == ORDERED and "order" in event.payload]  # not erased
    return TransactionFacts(
        call_id=call_id,
        started_at=call.started_at,
        ended_at=call.ended_at,
        direction=str(call.direction),
        is_tracked=row is not None,
        is_over=any(event.type == ENDED for event in before),
        matched=row is not None and row.matched,
        visit=Visit(stored.context_id, stored.url, stored.source, stored.handed_at) if stored else None,
        order=_order(orders[-1]) if orders else None,
        visitor=Visitor(row.context_id, row.matched, row.offline) if row is not None else Visitor("", False, True),
    )


def _order(payload: dict[str, str]) -> Order:
    return Order(payload["order"], Decimal(payload["total"]), payload["currency"])
