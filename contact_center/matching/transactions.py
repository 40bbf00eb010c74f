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
    """The visit to which a call was matched."""

    context_id: str
    url: str
    source: str


def transaction(
    kind: TransactionType,
    *,
    property_id: str,
    source: str,
    at: datetime,
    call_id: str,
    visit: Visit | None,
    order: Order | None,
) -> dict[str, Any]:
    """The body to post. ``property_id``: the client's tracking id; ``source``: who tells.

    Without an order the call's own id is the transaction's, and there is no basket. An offline call has no url.
    """
    event: dict[str, Any] = {
        "context": {"id": property_id},
        "meta": {"type": str(kind), "ts": int(at.timestamp()), "url": visit.url if visit else "", "source": source},
    }
    if order is not None:
        event["basket"] = {"total": {"value": float(order.total), "currency": order.currency}}
    event["transaction"] = {"id": order.id if order is not None else call_id}
    return {"events": [event]}
