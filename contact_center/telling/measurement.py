"""Documents of Google Analytics 4's Measurement Protocol, within its published limits.

https://developers.google.com/analytics/devguides/collection/protocol/ga4/sending-events
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from contact_center.errors import UsageError

LONGEST_NAME = 40
LONGEST_VALUE = 100
MOST_PARAMETERS = 25
MOST_EVENTS = 25
MOST_BYTES = 130_000
OLDEST = timedelta(hours=72)
PURCHASE = "purchase"

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}\Z")
_MEASUREMENT_ID = re.compile(r"G-[A-Z0-9]{4,16}\Z")
_CLIENT_ID = re.compile(r"[0-9A-Za-z._-]{1,100}\Z")
_RESERVED_PREFIXES = ("_", "ga_", "google_", "firebase_", "gtag.")
_RESERVED = frozenset(
    (
        *("ad_activeview", "ad_click", "ad_exposure", "ad_query", "ad_reward", "adunit_exposure", "app_clear_data"),
        *("app_exception", "app_install", "app_remove", "app_store_refund", "app_update", "app_upgrade"),
        *("dynamic_link_app_open", "dynamic_link_app_update", "dynamic_link_first_open", "error"),
        *("firebase_campaign", "firebase_in_app_message_action", "first_open", "first_visit", "in_app_purchase"),
        *("notification_dismiss", "notification_foreground", "notification_open", "notification_receive"),
        *("notification_send", "os_update", "screen_view", "session_start", "user_engagement"),
    )
)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whose call it was; what the site told of his browser, else a stand-in made of the call's id."""

    client_id: str = ""
    session_id: str = ""
    source: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Rated:
    """One act of rating. ``value``: money of the rating, None without one."""

    event_id: int
    call_id: str
    option: str
    value: Decimal | None
    currency: str
    queue: str
    agent: str
    at: datetime


def checked_event_name(name: str) -> str:
    """An event's name as Google allows it. Raises UsageError."""
    if not _NAME.match(name) or name.startswith(_RESERVED_PREFIXES) or name in _RESERVED or name == PURCHASE:
        raise UsageError(
            f"{name[:60]!r} is not allowed as an event: a letter and up to 39 letters, digits and _ are wanted, and "
            "no name that Google keeps for itself."
        )
    return name


def checked_measurement_id(text: str) -> str:
    """The id of a web stream. Raises UsageError."""
    if not _MEASUREMENT_ID.match(text):
        raise UsageError(f"{text[:40]!r} is not a measurement id; Google shows it as G-XXXXXXXXXX.")
    return text


def document(rated: Rated, visitor: Visitor, *, event_name: str, value: str, now: datetime) -> dict[str, Any]:
    """The body to post. ``value``: none, event or transaction; the last makes a ``purchase`` beside the event."""
    parameters: dict[str, Any] = {
        "rating": rated.option,
        "call_id": rated.call_id,
        "event_id": rated.event_id,
        "queue": rated.queue,
        "agent": rated.agent,
        "call_source": visitor.source,
        "page_location": visitor.url,
        "session_id": visitor.session_id,
        "engagement_time_msec": 1,
    }
    money: dict[str, Any] = {}
    if rated.value is not None:
        money = {"value": float(rated.value), "currency": rated.currency}
    if value == "event":
        parameters |= money
    events = [{"name": event_name, "params": _fitting(parameters)}]
    if value == "transaction" and money:
        bought = {"item_name": rated.option[:LONGEST_VALUE] or "call", "price": money["value"], "quantity": 1}
        purchase = _fitting({**parameters, "transaction_id": rated.call_id, **money}) | {"items": [bought]}
        events.append({"name": PURCHASE, "params": purchase})
    body: dict[str, Any] = {"client_id": client_id(visitor, rated.call_id), "events": events}
    if timedelta() <= now - rated.at < OLDEST:
        body["timestamp_micros"] = int(rated.at.timestamp()) * 1_000_000 + rated.at.microsecond
    return body


def client_id(visitor: Visitor, call_id: str) -> str:
    """The browser's own id, or one of its form that is always the same for a call."""
    if _CLIENT_ID.match(visitor.client_id):
        return visitor.client_id
    digest = int.from_bytes(hashlib.sha256(call_id.encode()).digest()[:8])
    return f"{digest % 2_000_000_000}.{(digest >> 32) % 2_000_000_000}"


def _fitting(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is empty, texts cut to what is kept of them."""
    return {
        name: value[:LONGEST_VALUE] if isinstance(value, str) else value
        for name, value in parameters.items()
        if value not in ("", None)
    }
