"""An event as everybody is told it: one document, the same for webhooks and the broker.

{id, type, at, entity, entity_id, seq, version, payload}: ``id`` rises and is never used twice, so duplicates are
known by it; ``seq`` counts each entity's events from 1 without gaps, so a missing one is noticed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy.orm import Session

from contact_center.clock import iso
from contact_center.http.api.masking import Hidden, masked_event, plain_event
from contact_center.store.changes import Event

MOST_BYTES = 20_000
"""A message is shorter (Standard Webhooks 1.0); a longer payload is left out and has to be asked for."""


@dataclass(frozen=True, slots=True)
class Message:
    """An event, and its document for those who may see numbers and for those who may not."""

    event: Event
    clear: dict[str, Any]
    masked: dict[str, Any]


def messages(session: Session, events: Sequence[Event]) -> list[Message]:
    """Events as messages. In ``clear`` the numbers of campaigns that hide them are hidden all the same."""
    hidden = Hidden.of(session)
    campaigns = hidden.campaigns_of_calls(session, events)
    made = []
    for event in events:
        numbers = hidden.in_event(event, campaigns)
        masked = orjson.loads(masked_event(event, numbers or ()))
        made.append(Message(event, orjson.loads(plain_event(event)) if numbers is None else masked, masked))
    return made


def message_id(event: Event) -> str:
    """The id by which a receiver knows an event again, however often it comes."""
    return f"evt_{event.id}"


def webhook_body(message: Message, *, masked: bool) -> bytes:
    """``{type, timestamp, data}`` with the document as data; under 20 000 bytes."""
    data = message.masked if masked else message.clear
    body = _body(message.event, data)
    if len(body) < MOST_BYTES:
        return body
    return _body(message.event, {**data, "payload": {}, "payload_left_out": True})


def _body(event: Event, data: dict[str, Any]) -> bytes:
    return orjson.dumps({"type": event.type, "timestamp": iso(event.at), "data": data})
