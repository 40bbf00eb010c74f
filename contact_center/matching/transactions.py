"""A call as a transaction event, in the shape that data platforms take."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any


class TransactionType(StrEnum):
    """What kind of basket it is: a shop's, a traveller's, or one of finance."""

    SHOP = "ecBasketTransactionSummary"
    TRAVEL = "trPackageTransactionSummary"
    FINANCE = "fiBasketTransactionSummary"


@dataclass(frozen=True, slots=True)
class Order:
    """An order taken over the phone; its id keeps its leading zeros."""

    id: str
    total: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Visit:
    """The page view to which a call was matched; ``at`` is when it was."""

    context_id: str
    url: str
    source: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whose call it is: a visitor's id, or a vendor's own one of an offline call; empty where nobody is known."""

    context_id: str
    matched: bool
    offline: bool


def transaction(
    kind: TransactionType,
    *,
    property_id: str,
    source: str,
    at: datetime,
    call_id: str,
    visit: Visit | None,
    order: Order | None,
    visitor: Visitor | None = None,
) -> dict[str, Any]:
    """The body to post. ``property_id``: the client's tracking id; ``source``: who tells.

    Without an order the call's own id is the transaction's, and there is no basket. An offline call has no url.
    ``visitor``: told, with what is known of his visit, in a part of its own; None: there is no such part.
    """
    event: dict[str, Any] = {
        "context": {"id": property_id},
        "meta": {"type": str(kind), "ts": int(at.timestamp()), "url": visit.url if visit else "", "source": source},
    }
    if order is not None:
        event["basket"] = {"total": {"value": float(order.total), "currency": order.currency}}
    event["transaction"] = {"id": order.id if order is not None else call_id}
    if visitor is not None:
        event["visitor"] = _visitor(visitor, visit)
    return {"events": [event]}


def _visitor(visitor: Visitor, visit: Visit | None) -> dict[str, Any]:
    return {
        "context_id": visitor.context_id or None,
        "matched": visitor.matched,
        "offline": visitor.offline,
        "source": visit.source if visit else "",
        "viewed_at": int(visit.at.timestamp()) if visit else None,
    }
