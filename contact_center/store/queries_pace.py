"""What pacing asks of the store: past drops, what was learned, and the leads that come next."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    String,
    bindparam,
    case,
    cast,
    func,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.orm import Session

from contact_center.clock import iso
from contact_center.law.abandonment import MACHINE_CODES
from contact_center.models import Attempt, Call, Lead, PaceHistory
from contact_center.store.claim_heads import first_ids, heads
from contact_center.store.claim_sql import asked_of
from contact_center.store.tables import table_of
from contact_center.terms import AmdStatus, Outcome

HOUR_SECONDS = 3600.0
_ATTEMPT, _CALL, _LEAD = table_of(Attempt), table_of(Call), table_of(Lead)
_LAST = select(func.max(_ATTEMPT.c.ended_at)).where(_ATTEMPT.c.lead_id == _LEAD.c.id).scalar_subquery()
_COMING = select(
    *(_LEAD.c[name] for name in ("id", "number", "zones", "attempts", "disposition")), _LAST.label("last_at")
).where(_LEAD.c.id.in_(bindparam("p_ids", expanding=True)))
_BY_PEOPLE = (Outcome.CONNECTED.value, Outcome.NO_FREE_OPERATORS.value, Outcome.TECHNICAL_ERROR.value)


@dataclass(frozen=True, slots=True)
class AnsweredHour:
    """Calls answered by a person from ``start`` (epoch seconds, a whole UTC hour), and the dropped among them.

    ``machines``: calls besides that were ended as a machine's.
    """

    start: float
    answered: int
    dropped: int
    machines: int = 0


@dataclass(frozen=True, slots=True)
class CheckedHour:
    """What agents say of their calls that were answered from ``start``.

    ``machines``: those that a machine had answered, by their word. ``checked``: those that detection had taken for a
    machine's, and ``wrong`` among them: a person's.
    """

    start: float
    machines: int
    checked: int = 0
    wrong: int = 0


@dataclass(frozen=True, slots=True)
class ComingLead:
    """A lead that may be dialled soon, with what tells of the odds that a person answers.

    ``last_outcome`` is empty and ``last_at`` None before the first dial.
    """

    id: int
    number: str
    zones: str
    attempts: int
    last_outcome: str
    last_at: datetime | None


def answered_hours(session: Session, campaign_id: int, since: datetime) -> list[AnsweredHour]:
    """What people answered since then, hour by hour, oldest first; calls under way are not among them.

    Dropped is who answered and met no agent: no_free_operators, or gone before the deadline was over.
    """
    connection = session.connection()
    hour = _hour(connection.dialect.name)
    by_person = _ATTEMPT.c.outcome.in_(_BY_PEOPLE)
    met_nobody = or_(_ATTEMPT.c.outcome == Outcome.NO_FREE_OPERATORS.value, _ATTEMPT.c.connected_at.is_(None))
    rows = connection.execute(
        select(
            hour.label("hour"),
            func.count().filter(by_person).label("answered"),
            func.count().filter(by_person & met_nobody).label("dropped"),
            func.count().filter(_ATTEMPT.c.outcome == Outcome.MACHINE.value).label("machines"),
        )
        .where(
            _ATTEMPT.c.campaign_id == campaign_id,
            _ATTEMPT.c.outcome.in_((*_BY_PEOPLE, Outcome.MACHINE.value)),
            _ATTEMPT.c.answered_at >= since,
        )
        .group_by(hour)
        .order_by(hour)
    )
    return [AnsweredHour(_start(row.hour), int(row.answered), int(row.dropped), int(row.machines)) for row in rows]


def checked_hours(session: Session, campaign_id: int, since: datetime) -> list[CheckedHour]:
    """What agents say of machines, as ``report amd`` and the ledgers count it, by the hour, oldest first.

    The hour of ``since`` is whole only where ``since`` is.
    """
    connection = session.connection()
    by_machine = _CALL.c.disposition.in_(MACHINE_CODES)
    verdict = _CALL.c.record["amd"]["status"].as_string() == AmdStatus.MACHINE
    each = (
        select(
            _hour(connection.dialect.name).label("hour"),
            case((by_machine, 1), else_=0).label("machine"),
            case((verdict, 1), else_=0).label("checked"),
        )
        .select_from(_ATTEMPT.join(_CALL, _CALL.c.id == _ATTEMPT.c.call_id))
        .where(
            _ATTEMPT.c.campaign_id == campaign_id,
            _ATTEMPT.c.outcome == Outcome.CONNECTED.value,
            _ATTEMPT.c.answered_at >= since,
            by_machine | verdict,
        )
        .subquery()
    )
    counted = select(
        each.c.hour,
        func.sum(each.c.machine).label("machines"),
        func.sum(each.c.checked).label("checked"),
        func.sum(each.c.checked * (1 - each.c.machine)).label("wrong"),
    )
    rows = connection.execute(counted.group_by(each.c.hour).order_by(each.c.hour))
    return [CheckedHour(_start(row.hour), int(row.machines), int(row.checked), int(row.wrong)) for row in rows]


def _hour(dialect: str) -> ColumnElement[str]:
    """``2026-03-02 12`` of the instant of the answer, in UTC."""
    if dialect == "sqlite":
        return func.substr(type_coerce(_ATTEMPT.c.answered_at, String), 1, 13)
    return cast(func.to_char(func.timezone("UTC", _ATTEMPT.c.answered_at), "YYYY-MM-DD HH24"), String)


def _start(hour: str) -> float:
    return datetime.strptime(hour, "%Y-%m-%d %H").replace(tzinfo=UTC).timestamp()


def pace_history(session: Session, campaign_id: int) -> dict[str, Any]:
    """What was learned of a campaign; empty when nothing was."""
    row = session.get(PaceHistory, campaign_id)
    return dict(row.learned) if row is not None else {}


def odds_report(session: Session, campaign_id: int) -> dict[str, Any]:
    """How good the forecasts per lead have been, with the instant ``at`` it was stored; empty when there were none."""
    row = session.get(PaceHistory, campaign_id)
    report = dict(row.learned.get("odds_report") or {}) if row is not None else {}
    return {"at": iso(row.at), **report} if row is not None and report else {}


def coming_leads(
    session: Session, campaign_id: int, open_zones: Collection[str] | None, now: datetime, few: int
) -> list[ComingLead]:
    """The first ``few`` leads in the dialling order, as a claim would see them now. Nothing is locked."""
    zones = None if open_zones is None else frozenset(open_zones)
    ids: list[int] = []
    for head in heads(session, campaign_id, asked_of(session, campaign_id), zones, now):
        ids += first_ids(session, campaign_id, head, now, few - len(ids))
        if len(ids) >= few:
            break
    found = {row.id: _coming(row) for row in session.connection().execute(_COMING, {"p_ids": ids})} if ids else {}
    return [found[id_] for id_ in ids if id_ in found]


def _coming(row: Any) -> ComingLead:
    last = row.disposition if row.attempts else ""
    return ComingLead(row.id, row.number, row.zones, row.attempts, last, row.last_at)
