"""Numbers handed to visitors of a site, and whose call it then was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.clock import iso
from contact_center.errors import NotFound, UsageError
from contact_center.matching.dids import one_spelling
from contact_center.matching.ids import VENDOR_PREFIXES, checked_context_id, verdict
from contact_center.matching.transactions import Order
from contact_center.models import Call
from contact_center.models_api import ApiAnswer
from contact_center.models_telling import CallMatch, TrackingNumber, TrackingVisit
from contact_center.store.admin import By, checked_name
from contact_center.store.api_answers import ERASED
from contact_center.store.changes import add_event
from contact_center.store.queries_calls import find_call
from contact_center.terms import Direction

MATCHING = "matching"
"""The key of a call's record."""
EPOCH = datetime.fromisoformat("2000-01-01T00:00:00+00:00")


@dataclass(frozen=True, slots=True)
class VisitNote:
    """A page view that a site tells of. ``pool`` may be empty when there is only one."""

    context_id: str
    url: str = ""
    source: str = ""
    pool: str = ""
    client_id: str = ""
    session_id: str = ""


def add_numbers(session: Session, by: By, pool: str, dids: Sequence[str], country: str) -> int:
    """Put numbers (as they are dialled in, so as `did`s are written) into a pool. Raises UsageError."""
    checked_name(pool, "pool")
    numbers = [one_spelling(did, country) for did in dids]
    taken = {
        row.number: row.pool
        for row in session.scalars(select(TrackingNumber).where(col(TrackingNumber.number).in_(numbers)))
    }
    for number in numbers:
        if number in taken:
            raise UsageError(f"The number {number} is in the pool {taken[number]} already; remove it there first.")
    unique = list(dict.fromkeys(numbers))
    session.add_all(TrackingNumber(number=number, pool=pool, free_at=EPOCH) for number in unique)
    by.note(session, "pool", pool, "add", {"pool": pool, "numbers": unique}, obey=False)
    return len(unique)


def remove_numbers(session: Session, by: By, pool: str, dids: Sequence[str], country: str) -> int:
    """Take numbers, or (none given) all of a pool, out of it; visitors who were shown them keep them for their time."""
    numbers = [one_spelling(did, country) for did in dids]
    query = delete(TrackingNumber).where(col(TrackingNumber.pool) == pool)
    if numbers:
        query = query.where(col(TrackingNumber.number).in_(numbers))
    count = session.connection().execute(query).rowcount
    if not count:
        raise NotFound("tracking pool", pool[:60])
    by.note(session, "pool", pool, "remove", {"pool": pool, "numbers": list(numbers)}, obey=False)
    return count


def pools(session: Session, now: datetime) -> list[dict[str, Any]]:
    """All pools with their numbers, and how many of them are held now."""
    found: dict[str, dict[str, Any]] = {}
    for row in session.scalars(select(TrackingNumber).order_by(col(TrackingNumber.pool), col(TrackingNumber.number))):
        pool = found.setdefault(row.pool, {"pool": row.pool, "numbers": [], "held": 0})
        pool["numbers"].append(row.number)
        pool["held"] += row.free_at > now
    return list(found.values())


def note_visit(
    session: Session, by: By, note: VisitNote, *, hold_seconds: float, rest_seconds: float
) -> dict[str, Any]:
    """Write a page view down and hand out a number, the same as long as the visitor stays.

    Gives {visit_id, context_id, pool, number, until_at}; number is null when none is free: the site shows its own
    then, and a call to that is offline. Raises UsageError, and NotFound when there is no such pool.
    """
    context_id, pool = checked_context_id(note.context_id), _pool(session, note.pool)
    until = by.at + timedelta(seconds=hold_seconds)
    held = session.scalars(
        select(TrackingVisit)
        .where(
            col(TrackingVisit.context_id) == context_id,
            col(TrackingVisit.pool) == pool,
            col(TrackingVisit.number) != "",
            col(TrackingVisit.until_at) > by.at,
        )
        .order_by(col(TrackingVisit.id).desc())
        .limit(1)
    ).first()
    number = held.number if held is not None else _free_number(session, pool, by.at, rest_seconds)
    if held is not None:
        held.until_at = by.at  # the view before this one is over: a call now is of this page
    if number:
        session.execute(update(TrackingNumber).where(col(TrackingNumber.number) == number).values(free_at=until))
    row = TrackingVisit(
        context_id=context_id, pool=pool, number=number, url=note.url, source=note.source,
        client_id=note.client_id, session_id=note.session_id, handed_at=by.at, until_at=until,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return {
        "visit_id": row.id,
        "context_id": context_id,
        "pool": pool,
        "number": number or None,
        "until_at": iso(until) if number else None,
    }


def _pool(session: Session, name: str) -> str:
    names = set(session.scalars(select(col(TrackingNumber.pool)).distinct()))
    if name in names:
        return name
    if name:
        raise NotFound("tracking pool", name[:60])
    if len(names) > 1:
        raise UsageError(f"There are several pools; name one: {', '.join(sorted(names)[:10])}.")
    return next(iter(names), "")


def _free_number(session: Session, pool: str, now: datetime, rest_seconds: float) -> str:
    """The number that has been free for the longest time; rested ones first, and none that is held."""
    row = session.scalars(
        select(TrackingNumber)
        .where(col(TrackingNumber.pool) == pool, col(TrackingNumber.free_at) <= now - timedelta(seconds=rest_seconds))
        .order_by(col(TrackingNumber.free_at), col(TrackingNumber.number))
        .limit(1)
    ).first()
    return row.number if row is not None else ""


# -- calls --------------------------------------------------------------------------------------------


def match_call(session: Session, call_id: str, did: str, at: datetime, country: str) -> CallMatch | None:
    """Find whose call it is by the number dialled, once; None when the number is not a tracked one.

    Writes the call's ``matching`` and tells of it (``call.matched``).
    """
    known = session.get(CallMatch, call_id)
    if known is not None:
        return known
    number = one_spelling(did, country)
    if not number:  # of an erased call; visitors whom no number was free for have none, too
        return None
    visit = session.scalars(
        select(TrackingVisit)
        .where(
            col(TrackingVisit.number) == number, col(TrackingVisit.handed_at) <= at, col(TrackingVisit.until_at) > at
        )
        .order_by(col(TrackingVisit.handed_at).desc(), col(TrackingVisit.id).desc())
        .limit(1)
    ).first()
    tracked = session.get(TrackingNumber, number)
    if visit is None and tracked is None:
        return None
    row = CallMatch(call_id=call_id, at=at, did=did, pool=visit.pool if visit else tracked.pool if tracked else "")
    _settle(session, row, visit.context_id if visit else "", visit)
    session.add(row)
    _note(session, row, at)
    return row


def attach_context(session: Session, by: By, call_id: str, context_id: str, country: str) -> CallMatch:
    """A call-tracking vendor says whose call it was. Raises NotFound and UsageError."""
    call, context_id = find_call(session, call_id), checked_context_id(context_id)
    row = _row_of(session, call, country)
    visit = session.scalars(
        select(TrackingVisit)
        .where(col(TrackingVisit.context_id) == context_id, col(TrackingVisit.handed_at) <= call.started_at)
        .order_by(col(TrackingVisit.handed_at).desc(), col(TrackingVisit.id).desc())
        .limit(1)
    ).first()
    _settle(session, row, context_id, visit)
    session.add(row)
    _note(session, row, by.at)
    return row


def _row_of(session: Session, call: Call, country: str) -> CallMatch:
    """What is known of a call so far; the number dialled is looked at first.

    Of a call whose match is forgotten its record still knows.
    """
    told = call.record.get(MATCHING)
    if told and session.get(CallMatch, call.id) is None:
        context_id, matched, offline = str(told["context_id"] or ""), bool(told["matched"]), bool(told["offline"])
        return CallMatch(
            call_id=call.id, at=call.started_at, did=call.did, context_id=context_id, matched=matched, offline=offline
        )
    if call.direction == Direction.INBOUND and (
        row := match_call(session, call.id, call.did, call.started_at, country)
    ):
        return row
    known = session.get(CallMatch, call.id)
    return known or CallMatch(call_id=call.id, at=call.started_at, did=call.did)


def _settle(session: Session, row: CallMatch, context_id: str, visit: TrackingVisit | None) -> None:
    found = verdict(context_id, has_visit=visit is not None)
    row.context_id, row.visit_id, row.source = context_id, visit.id if visit else None, visit.source if visit else ""
    row.matched, row.offline, row.usable = found.matched, found.offline, found.usable


def _note(session: Session, row: CallMatch, at: datetime) -> None:
    matching = match_document(row)
    call = session.get(Call, row.call_id)
    if call is not None:
        call.record = {**call.record, MATCHING: matching}
        session.flush()
    payload = {"call_id": row.call_id, "did": row.did, "pool": row.pool, "source": row.source, **matching}
    add_event(session, at=at, entity="call", entity_id=row.call_id, type="call.matched", payload=payload)


def match_document(row: CallMatch) -> dict[str, Any]:
    """The contract's ``matching``."""
    return {"context_id": row.context_id or None, "matched": row.matched, "offline": row.offline}


def set_order(session: Session, by: By, call_id: str, order: Order, country: str) -> CallMatch:
    """An order was taken in this call. Raises NotFound."""
    call = find_call(session, call_id)
    row = _row_of(session, call, country)
    row.transaction_id, row.total, row.currency = order.id, str(order.total), order.currency
    session.add(row)
    payload = {"call_id": call_id, "order": order.id, "total": str(order.total), "currency": order.currency}
    by.note(session, "call", call_id, "order", payload, obey=False)
    return row


def forget_visitors(session: Session, call_ids: Sequence[str]) -> int:
    """Erase whose calls these were, and every visit of those visitors; gives how many visits that were.

    Ids of a call-tracking vendor may be many persons': of these only the visit that was found for the call goes.
    """
    rows = list(session.scalars(select(CallMatch).where(col(CallMatch.call_id).in_(call_ids))))
    own = {row.context_id for row in rows if row.context_id and not row.context_id.startswith(VENDOR_PREFIXES)}
    visits = {row.visit_id for row in rows if row.visit_id is not None}
    for row in rows:
        session.delete(row)
    session.flush()
    gone = delete(TrackingVisit).where(or_(col(TrackingVisit.id).in_(visits), col(TrackingVisit.context_id).in_(own)))
    for context_id in own:
        told = update(ApiAnswer).where(col(ApiAnswer.body).contains(f'"context_id":"{context_id}"', autoescape=True))
        session.connection().execute(told.values(body=ERASED))
    return session.connection().execute(gone).rowcount


# -- reports ------------------------------------------------------------------------------------------


def matching_rows(session: Session, since: datetime, until: datetime) -> list[tuple[str, str, bool, bool, bool, int]]:
    """(pool, source, matched, has a vendor's id, usable, calls) of the tracked calls of a stretch of time."""
    has_id = col(CallMatch.context_id) != ""
    vendors = or_(*(func.substr(col(CallMatch.context_id), 1, len(p)) == p for p in VENDOR_PREFIXES)).label("vendors")
    keys = (col(CallMatch.pool), col(CallMatch.source), col(CallMatch.matched), vendors, col(CallMatch.usable))
    rows = session.execute(
        select(*keys, func.count())
        .where(col(CallMatch.at) >= since, col(CallMatch.at) < until)
        .where((col(CallMatch.pool) != "") | has_id)
        .group_by(*keys)
    )
    return [(pool, source, bool(m), bool(v), bool(u), count) for pool, source, m, v, u, count in rows]
