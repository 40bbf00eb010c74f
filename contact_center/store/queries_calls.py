"""Calls as people, files and JSON see them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Select, String, and_, cast, or_, select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.clock import iso
from contact_center.errors import NotFound, UsageError
from contact_center.law.places import Places
from contact_center.models import Agent, Attempt, Call, Campaign, Lead, Queue
from contact_center.options import OUTBOUND_QUEUE
from contact_center.ratings.worth import value_of
from contact_center.store.queries_called_back import being_called_back, callback_so_far
from contact_center.store.queries_callers import caller_so_far
from contact_center.terms import CallKind, Direction, Outcome
from contact_center.timeline import Answered, CallLog, Connected, Ended, Header, Rang, fold

PAGE_ROWS = 2000
SORTS = ("started_at", "ended_at", "talk_seconds", "wait_seconds", "ring_seconds", "id")

COLUMNS = (
    *("id", "kind", "direction", "queue", "campaign", "lead_id", "did", "caller_number", "agents"),
    *("started_at", "answered_at", "ended_at", "wait_seconds", "ring_seconds", "talk_seconds"),
    *("answer_to_agent_seconds", "hung_up_by", "call_state", "disposition", "comment"),
)
"""What `call list` shows in a file: the record without its nested parts."""
RATED_COLUMNS = ("rating", "rating_value", "categories", "value", "call_score", "agent_score")
"""What `call export` adds, from the nested parts."""


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls; empty fields mean all. ``start`` and ``end`` bound ``started_at``, the end exclusive.

    ``agent``: a name, or the extension of somebody who is an agent now.
    """

    campaign: str = ""
    queue: str = ""
    agent: str = ""
    kind: str = ""
    disposition: str = ""
    number: str = ""
    start: datetime | None = None
    end: datetime | None = None
    sort: str = "-started_at"


def find_call(session: Session, call_id: str) -> Call:
    """The call of an id. Raises NotFound."""
    call = session.get(Call, call_id)
    if call is None:
        raise NotFound("call", call_id[:60])
    return call


def lead_zone(session: Session, call: Call, site_zone: str) -> str:
    """The zone of local times that are said of a call: its lead's own, when that is one, else the site's."""
    lead = session.get(Lead, call.lead_id) if call.lead_id else None
    zones = Places.of_key(lead.zones).zones if lead is not None and lead.zones else ()
    return zones[0] if len(zones) == 1 else site_zone


def check_names(session: Session, wanted: CallFilter) -> None:
    """Raises NotFound where a filter names a campaign or queue that there is not and of which no call is known."""
    for what, name, kept, column in (
        ("campaign", wanted.campaign, Campaign.name, Call.campaign),
        ("queue", wanted.queue, Queue.name, Call.queue),
    ):
        if (
            name
            and name != OUTBOUND_QUEUE
            and not any(
                session.scalars(select(col(place)).where(col(place) == name).limit(1)).first()
                for place in (kept, column)
            )
        ):
            raise NotFound(what, name[:60])


def list_calls(session: Session, wanted: CallFilter, limit: int) -> list[Call]:
    """At most ``limit`` calls in the order asked for. Raises UsageError."""
    return list(session.scalars(_filtered(session, wanted).order_by(*_order(wanted.sort)).limit(limit)))


def call_pages(session: Session, wanted: CallFilter, after: Call | None) -> list[Call]:
    """The next PAGE_ROWS calls by their start, for a walk through all of them in short transactions."""
    query = _filtered(session, wanted).order_by(col(Call.started_at), col(Call.id)).limit(PAGE_ROWS)
    if after is not None:
        same = and_(col(Call.started_at) == after.started_at, col(Call.id) > after.id)
        query = query.where(or_(col(Call.started_at) > after.started_at, same))
    return list(session.scalars(query))


_WHERE_ASKED = ("amd", "greeting_seconds")  # shown of calls of which it was asked


def call_document(call: Call) -> dict[str, Any]:
    """The contract's `call show`: the row's columns first, the rest from its record."""
    record = call.record
    return {
        "id": call.id,
        "kind": str(call.kind),
        "direction": str(call.direction),
        "queue": call.queue or None,
        "campaign": call.campaign or None,
        "lead_id": call.lead_id,
        "did": call.did or None,
        "caller_number": call.caller_number,
        "agents": list(call.agents),
        "started_at": iso(call.started_at),
        "answered_at": iso(call.answered_at),
        "ended_at": iso(call.ended_at),
        "wait_seconds": call.wait_seconds,
        "ring_seconds": call.ring_seconds,
        "talk_seconds": call.talk_seconds,
        "answer_to_agent_seconds": call.answer_to_agent_seconds,
        "hung_up_by": call.hung_up_by,
        "call_state": call.call_state or None,
        "disposition": call.disposition or None,
        "attempts": record.get("attempts") or [],
        "rating": record.get("rating"),
        "categories": record.get("categories") or [],
        "value": value_of(record),
        "comment": record.get("comment"),
        "call_score": record.get("call_score"),
        "agent_score": record.get("agent_score"),
        "keyed": record.get("keyed"),
        "matching": record.get("matching"),
        "recording": record.get("recording"),
        "timeline": list(call.timeline),
        **{key: record[key] for key in _WHERE_ASKED if key in record},
    }


def exported(document: dict[str, Any]) -> Iterator[Any]:
    """A call as a row of `call export`: COLUMNS, then RATED_COLUMNS."""
    yield from (document[name] for name in COLUMNS)
    rating, value = document["rating"] or {}, document["value"] or {}
    yield from (rating.get("option"), rating.get("value"))
    yield ", ".join(f"{category['number']} {category['name']}" for category in document["categories"])
    yield from (value.get("amount"), document["call_score"], document["agent_score"])


def live_document(session: Session, call: Call, now: datetime, language: str) -> dict[str, Any]:
    """The same of a call that is up: its story so far, ``ended_at`` null and spans counted up to now."""
    document = call_document(call)
    if call.ended_at is not None:
        return document | callback_so_far(session, call, now, language) if call.kind == CallKind.CALLBACK else document
    attempt = session.scalars(select(Attempt).where(col(Attempt.call_id) == call.id)).first()
    if call.direction == Direction.INBOUND:
        return document | caller_so_far(session, call, now, language)
    if attempt is None:
        return document
    agent = session.scalars(select(Agent).where(col(Agent.ext) == attempt.agent)).first()
    so_far = fold(_story(call, attempt, agent.name if agent else attempt.agent, now, language))
    told = ("answered_at", "agents", "wait_seconds", "ring_seconds", "talk_seconds", "answer_to_agent_seconds")
    document |= {key: so_far[key] for key in (*told, "timeline")}
    document["attempts"] = [{**so_far["attempts"][0], "outcome": None}]
    return document


def listed_documents(session: Session, calls: Sequence[Call], now: datetime, language: str) -> list[dict[str, Any]]:
    """Calls as `call list` has them: those that are up, and those being called back, with their story so far."""
    called_back = being_called_back(session) if any(call.kind == CallKind.CALLBACK for call in calls) else set()
    return [
        live_document(session, call, now, language)
        if call.ended_at is None or call.id in called_back
        else call_document(call)
        for call in calls
    ]


def _story(call: Call, attempt: Attempt, agent: str, now: datetime, language: str) -> CallLog:
    header = Header(
        id=call.id,
        kind=CallKind(call.kind),
        direction=Direction(call.direction),
        started_at=call.started_at,
        caller_number=call.caller_number,
        campaign=call.campaign,
        lead_id=call.lead_id,
        attempt=attempt.n,
        language=language,
    )
    log = CallLog(header)
    for at, event in ((attempt.ringing_at, Rang), (attempt.answered_at, Answered)):
        if at is not None:
            log.add(event(at))
    if attempt.connected_at is not None:
        log.add(Connected(attempt.connected_at, agent))
    log.add(Ended(now, Outcome.CONNECTED if attempt.connected_at else Outcome.TECHNICAL_ERROR))
    return log


def _filtered(session: Session, wanted: CallFilter) -> Select[Call]:
    if wanted.kind and wanted.kind not in list(CallKind):
        raise UsageError(f"The kind {wanted.kind!r} is not known; one of {', '.join(CallKind)} is wanted.")
    query = select(Call)
    for column, value in (
        (Call.campaign, wanted.campaign),
        (Call.queue, wanted.queue),
        (Call.kind, wanted.kind),
        (Call.disposition, wanted.disposition),
        (Call.caller_number, wanted.number),
    ):
        if value:
            query = query.where(col(column) == value)
    if wanted.agent:
        names = {wanted.agent, *session.scalars(select(col(Agent.name)).where(col(Agent.ext) == wanted.agent))}
        written = [orjson.dumps(name).decode() for name in sorted(names)]
        query = query.where(or_(*(cast(col(Call.agents), String).contains(w, autoescape=True) for w in written)))
    if wanted.start:
        query = query.where(col(Call.started_at) >= wanted.start)
    if wanted.end:
        query = query.where(col(Call.started_at) < wanted.end)
    return query


def _order(sort: str) -> Iterator[Any]:
    name = sort.removeprefix("-")
    if name not in SORTS:
        raise UsageError(f"Calls cannot be sorted by {name!r}; one of {', '.join(SORTS)} is wanted.")
    column: Any = col(getattr(Call, name))
    yield column.desc() if sort.startswith("-") else column
    if name != "id":
        yield col(Call.id)
