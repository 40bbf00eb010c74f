"""`report calls`: finished calls with the columns that were asked for, under the names of the trackers' API.

Existing scripts fetch such a report from a call tracker; they find the same names here. Instants are local times of the
site, as 2026-03-01 14:05:09; spans are whole seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.errors import UsageError
from contact_center.models import Call
from contact_center.store.queries_calls import call_document

Document = dict[str, Any]
MOST_ROWS = 100_000
PAGE_ROWS = 500
"""Read at once, so that a long report needs no more memory than a short one."""
DEFAULT_ROWS = 1000
DEFAULT_SORT = "triggerDatetime-desc"
DEFAULT_DISPLAY = ("triggerDatetime", "srcPhoneNumber", "callState")


def _plain(key: str) -> Callable[[Document, ZoneInfo], Any]:
    return lambda document, _: document[key]


def _local(key: str) -> Callable[[Document, ZoneInfo], Any]:
    def local(document: Document, zone: ZoneInfo) -> str | None:
        at = document[key]
        return f"{datetime.fromisoformat(at).astimezone(zone):%Y-%m-%d %H:%M:%S}" if at else None

    return local


def _whole(key: str) -> Callable[[Document, ZoneInfo], Any]:
    return lambda document, _: round(document[key] or 0)


def _inside(part: str, key: str) -> Callable[[Document, ZoneInfo], Any]:
    return lambda document, _: (document[part] or {}).get(key)


def _names(document: Document, _: ZoneInfo) -> str:
    return "; ".join(document["agents"])


def _categories(document: Document, _: ZoneInfo) -> str:
    return "; ".join(str(category["name"]) for category in document["categories"])


def _duration(document: Document, _: ZoneInfo) -> int | None:
    begun, ended = document["started_at"], document["ended_at"]
    return round((datetime.fromisoformat(ended) - datetime.fromisoformat(begun)).total_seconds()) if ended else None


FIELDS: Mapping[str, Callable[[Document, ZoneInfo], Any]] = {
    "triggerDatetime": _local("started_at"),
    "answerDatetime": _local("answered_at"),
    "endDatetime": _local("ended_at"),
    "srcPhoneNumber": _plain("caller_number"),
    "dstPhoneNumber": _plain("did"),
    "callState": _plain("call_state"),
    "callId": _plain("id"),
    "callKind": _plain("kind"),
    "callDirection": _plain("direction"),
    "queueName": _plain("queue"),
    "campaignName": _plain("campaign"),
    "agentName": _names,
    "hungUpBy": _plain("hung_up_by"),
    "disposition": _plain("disposition"),
    "waitDuration": _whole("wait_seconds"),
    "ringDuration": _whole("ring_seconds"),
    "talkDuration": _whole("talk_seconds"),
    "callDuration": _duration,
    "callRating": _inside("rating", "option"),
    "callRatingDigit": _inside("rating", "digit"),
    "callRatingValue": _inside("rating", "value"),
    "callRatingSource": _inside("rating", "source"),
    "callCategories": _categories,
    "callValue": _inside("value", "amount"),
    "callComment": _plain("comment"),
    "callScore": _plain("call_score"),
    "agentScore": _plain("agent_score"),
    "contextId": _inside("matching", "context_id"),
}
_TRACKERS = {
    "rowId": "callId",
    "destPhoneNumber": "dstPhoneNumber",
    "dgrpName": "queueName",
    "operatorRef": "agentName",
    "queueDuration": "waitDuration",
    "ringTime": "ringDuration",
    "bridgeDuration": "talkDuration",
    "vid": "contextId",
}
"""Further names that call trackers have for the same."""
FIELDS = {**FIELDS, **{name: FIELDS[same] for name, same in _TRACKERS.items()}}
"""What ``display[]`` may name."""

SORTS: Mapping[str, Any] = {
    "triggerDatetime": Call.started_at,
    "answerDatetime": Call.answered_at,
    "endDatetime": Call.ended_at,
    "srcPhoneNumber": Call.caller_number,
    "dstPhoneNumber": Call.did,
    "callState": Call.call_state,
    "callId": Call.id,
    "callKind": Call.kind,
    "queueName": Call.queue,
    "campaignName": Call.campaign,
    "disposition": Call.disposition,
    "waitDuration": Call.wait_seconds,
    "ringDuration": Call.ring_seconds,
    "talkDuration": Call.talk_seconds,
}
SORTS = {**SORTS, **{name: SORTS[same] for name, same in _TRACKERS.items() if same in SORTS}}
"""What ``sort[]`` may name, followed by -asc or -desc."""


@dataclass(frozen=True, slots=True)
class CallsWanted:
    """Checked by :meth:`checked`; ``since`` and ``until`` bound the beginning of the call, None is no bound.

    ``offset``: so many calls are passed over first.
    """

    display: tuple[str, ...] = DEFAULT_DISPLAY
    sort: tuple[tuple[str, bool], ...] = ((DEFAULT_SORT.partition("-")[0], True),)
    limit: int = DEFAULT_ROWS
    since: datetime | None = None
    until: datetime | None = None
    offset: int = 0

    @classmethod
    def checked(
        cls,
        display: Sequence[str],
        sort: Sequence[str],
        limit: int,
        since: datetime | None = None,
        until: datetime | None = None,
        offset: int = 0,
    ) -> CallsWanted:
        """Raises UsageError naming what is not known and what is."""
        for name in display:
            if name not in FIELDS:
                raise UsageError(f"display {name[:40]!r} is not known; known are {', '.join(FIELDS)}.")
        if not 1 <= limit <= MOST_ROWS:
            raise UsageError(f"limit={limit} is not allowed: 1 to {MOST_ROWS} is wanted.")
        orders = tuple(_order(text) for text in sort or (DEFAULT_SORT,))
        return cls(tuple(display) or DEFAULT_DISPLAY, orders, limit, since, until, offset)


def _order(text: str) -> tuple[str, bool]:
    name, _, way = text.partition("-")
    if name not in SORTS or way not in ("", "asc", "desc"):
        raise UsageError(
            f"sort {text[:40]!r} is not known; one of {', '.join(SORTS)} is wanted, followed by -asc or -desc."
        )
    return name, way == "desc"


def calls_report(
    session: Session, wanted: CallsWanted, zone: str, seen: Callable[[Document], Document] = lambda document: document
) -> list[Document]:
    """A row for each call that is over: the names asked for, in their order. ``seen``: as the asker may see a call."""
    query = select(Call).where(col(Call.ended_at).is_not(None)).limit(wanted.limit).offset(wanted.offset)
    if wanted.since is not None:
        query = query.where(col(Call.started_at) >= wanted.since)
    if wanted.until is not None:
        query = query.where(col(Call.started_at) < wanted.until)
    order: list[ColumnElement[Any]] = []
    for name, descending in wanted.sort:
        column: Any = col(SORTS[name])
        order.append(column.desc() if descending else column.asc())
    local = ZoneInfo(zone)
    rows = session.scalars(query.order_by(*order, col(Call.id)).execution_options(yield_per=PAGE_ROWS))
    documents = (seen(call_document(call)) for call in rows)
    return [{name: FIELDS[name](document, local) for name in wanted.display} for document in documents]
