"""`report matching` and `visitor show`: how many calls were matched to visitors, and what a visitor did."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.clock import iso
from contact_center.errors import CallwrightError
from contact_center.matching.ids import USUAL_SHARES, is_vendors
from contact_center.models import Call, Rating
from contact_center.models_telling import CallMatch, TrackingVisit
from contact_center.store.tracking import match_document, matching_rows

MOST = 1000


class NoSuchVisitor(CallwrightError):
    """Nobody has come with this context id."""

    exit_code = 3


def matching_report(session: Session, since: datetime, until: datetime) -> dict[str, Any]:
    """Tracked calls of a stretch of time, in all, by pool and by source; shares are fractions.

    ``unusable``: offline calls with a vendor's id of which no visit is known, or with no id at all.
    """
    rows = matching_rows(session, since, until)
    return {
        "since_at": iso(since),
        "until_at": iso(until),
        **_counts(rows),
        "usual": {"least": USUAL_SHARES[0], "most": USUAL_SHARES[1]},
        "verdict": _judged(_counts(rows)["share"]),
        "pools": [{"pool": key, **_counts(r for r in rows if r[0] == key)} for key in sorted({r[0] for r in rows})],
        "sources": [{"source": key, **_counts(r for r in rows if r[1] == key)} for key in sorted({r[1] for r in rows})],
    }


def _counts(rows: Iterable[tuple[str, str, bool, bool, bool, int]]) -> dict[str, Any]:
    counts = {"calls": 0, "matched": 0, "offline": 0, "vendor_ids": 0, "unusable": 0}
    for _, _, matched, vendors, usable, count in rows:
        counts["calls"] += count
        counts["matched" if matched else "offline"] += count
        counts["vendor_ids"] += count if vendors and not matched else 0
        counts["unusable"] += count if not matched and not usable else 0
    share = round(counts["matched"] / counts["calls"], 4) if counts["calls"] else None
    return {**counts, "share": share}


def _judged(share: float | None) -> str:
    least, most = USUAL_SHARES
    if share is None:
        return "no calls"
    return "lower than usual" if share < least else "higher than usual" if share > most else "usual"


def visitor_document(session: Session, context_id: str) -> dict[str, Any]:
    """A visitor's page views, calls and ratings in the order of time. Raises NoSuchVisitor."""
    visits = session.scalars(
        select(TrackingVisit)
        .where(col(TrackingVisit.context_id) == context_id)
        .order_by(col(TrackingVisit.handed_at).desc())
        .limit(MOST)
    ).all()
    matches = session.scalars(
        select(CallMatch).where(col(CallMatch.context_id) == context_id).order_by(col(CallMatch.at).desc()).limit(MOST)
    ).all()
    if not visits and not matches:
        raise NoSuchVisitor(f"There is no visitor {context_id[:60]!r}; the site tells of visitors by /tracking/visits.")
    ids = [match.call_id for match in matches]
    ratings = session.scalars(select(Rating).where(col(Rating.call_id).in_(ids)).order_by(col(Rating.id))).all()
    calls = {call.id: call for call in session.scalars(select(Call).where(col(Call.id).in_(ids)))}
    trace = [_seen(visit) for visit in visits] + [_called(match, calls.get(match.call_id)) for match in matches]
    trace += [_ordered(match) for match in matches if match.transaction_id] + [_rated(rating) for rating in ratings]
    return {
        "context_id": context_id,
        "vendor_id": is_vendors(context_id),
        "visits": len(visits),
        "calls": len(matches),
        "ratings": len(ratings),
        "trace": sorted(trace, key=lambda step: str(step["at"])),
    }


def _seen(visit: TrackingVisit) -> dict[str, Any]:
    return {
        "at": iso(visit.handed_at), "what": "visit", "url": visit.url, "source": visit.source, "pool": visit.pool,
        "number": visit.number or None, "until_at": iso(visit.until_at),
    }  # fmt: skip


def _called(match: CallMatch, call: Call | None) -> dict[str, Any]:
    ended = {
        "talk_seconds": call.talk_seconds, "agents": list(call.agents), "call_state": call.call_state or None,
        "disposition": call.disposition or None, "queue": call.queue or None,
    } if call is not None else {}  # fmt: skip
    return {"at": iso(match.at), "what": "call", "call_id": match.call_id, **match_document(match), **ended}


def _ordered(match: CallMatch) -> dict[str, Any]:
    order = {"id": match.transaction_id, "total": match.total, "currency": match.currency}
    return {"at": iso(match.at), "what": "order", "call_id": match.call_id, **order}


def _rated(rating: Rating) -> dict[str, Any]:
    return {
        "at": iso(rating.at), "what": "rating", "call_id": rating.call_id, "option": rating.option,
        "digit": rating.digit, "value": None if rating.value is None else str(rating.value),
        "source": rating.source, "agent": rating.agent or None,
    }  # fmt: skip
