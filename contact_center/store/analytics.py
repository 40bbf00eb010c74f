"""Google Analytics properties that are told of ratings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.clock import iso
from contact_center.errors import NotFound, UsageError
from contact_center.models import Call
from contact_center.models_telling import Analytics, CallMatch, TrackingVisit
from contact_center.store.admin import By, checked_name, checked_text
from contact_center.store.changes import Event
from contact_center.store.telling import cursor_of, drop_cursor, newest_event_id, open_cursor
from contact_center.telling.measurement import Rated, Visitor, checked_event_name, checked_measurement_id

VALUES = ("none", "event", "transaction")
RATED = "call.rated"
"""The type of event by which a rating is told."""


@dataclass(frozen=True, slots=True)
class Property:
    """An integration as whoever sends needs it."""

    id: int
    name: str
    measurement_id: str
    api_secret: str
    event_name: str
    ratings: tuple[str, ...]
    value: str


def analytics_cursor(key: int) -> str:
    """The name of an integration's cursor."""
    return f"analytics:{key}"


def add_analytics(
    session: Session,
    by: By,
    name: str,
    *,
    measurement_id: str,
    api_secret: str,
    event_name: str,
    ratings: Sequence[str] = (),
    value: str = "event",
) -> Analytics:
    """A new integration, told what is rated from now on.

    Only one may carry values as transactions, or they would be counted twice. Raises UsageError.
    """
    checked_name(name, "integration")
    if value not in VALUES:
        raise UsageError(f"value={value[:40]} is not allowed: one of {', '.join(VALUES)} is wanted.")
    rows = list_analytics(session)
    if any(row.name == name for row in rows):
        raise UsageError(f"There is already an integration {name}; choose another name, or remove that one first.")
    carrier = next((row.name for row in rows if row.value == "transaction"), None)
    if value == "transaction" and carrier is not None:
        raise UsageError(
            f"The integration {carrier} carries the transaction value already, and only one may; take value=event."
        )
    row = Analytics(
        name=name,
        measurement_id=checked_measurement_id(measurement_id),
        api_secret=checked_text(api_secret, "API secret", 120),
        event_name=checked_event_name(event_name),
        ratings=list(dict.fromkeys(ratings)),
        value=value,
        created_at=by.at,
    )
    session.add(row)
    session.flush()
    payload = {"name": name, "measurement_id": row.measurement_id, "ratings": row.ratings, "value": value}
    by.note(session, "analytics", name, "add", payload, obey=False)
    open_cursor(session, analytics_cursor(_id(row)), by.at)
    return row


def remove_analytics(session: Session, by: By, name: str) -> Analytics:
    """It is told nothing any more. Raises NotFound."""
    row = session.scalars(select(Analytics).where(col(Analytics.name) == name)).first()
    if row is None:
        raise NotFound("analytics", name[:60])
    drop_cursor(session, analytics_cursor(_id(row)))
    session.delete(row)
    by.note(session, "analytics", name, "remove", {"name": name}, obey=False)
    return row


def list_analytics(session: Session) -> list[Analytics]:
    """All integrations by name."""
    return list(session.scalars(select(Analytics).order_by(col(Analytics.name))))


def live_properties(session: Session) -> list[Property]:
    """All integrations, as whoever sends needs them."""
    return [
        Property(_id(row), row.name, row.measurement_id, row.api_secret, row.event_name, tuple(row.ratings), row.value)
        for row in list_analytics(session)
    ]


def analytics_document(session: Session, row: Analytics) -> dict[str, Any]:
    """An integration as people see it: never its secret."""
    told = cursor_of(session, analytics_cursor(_id(row))) or 0
    return {
        "name": row.name,
        "measurement_id": row.measurement_id,
        "event_name": row.event_name,
        "ratings": list(row.ratings),
        "value": row.value,
        "behind": max(newest_event_id(session) - told, 0),
        "created_at": iso(row.created_at),
    }


def rated_calls(session: Session, events: Sequence[Event], currency: str) -> list[tuple[Rated, Visitor]]:
    """The ratings among these events, each with whose call it was."""
    found = []
    for event in events:
        if event.type == RATED:
            call = session.get(Call, event.entity_id)
            found.append((_rated(event, call, currency), visitor_of(session, event.entity_id)))
    return found


def _rated(event: Event, call: Call | None, currency: str) -> Rated:
    payload = event.payload
    try:
        value = Decimal(str(payload["value"])) if payload.get("value") is not None else None
    except InvalidOperation:
        value = None
    return Rated(
        event_id=event.id,
        call_id=event.entity_id,
        option=str(payload.get("option") or ""),
        value=value if value is None or value.is_finite() else None,
        currency=str(payload.get("currency") or currency),
        queue=(call.queue or call.campaign) if call else "",
        agent=str(payload.get("agent") or ""),
        at=event.at,
    )


def visitor_of(session: Session, call_id: str) -> Visitor:
    """Whose call it was; an empty visitor when nobody knows."""
    match = session.get(CallMatch, call_id)
    visit = session.get(TrackingVisit, match.visit_id) if match is not None and match.visit_id else None
    if visit is None:
        return Visitor(source=match.source if match else "")
    return Visitor(visit.client_id, visit.session_id, visit.source, visit.url)


def _id(row: Analytics) -> int:
    assert row.id is not None
    return row.id
