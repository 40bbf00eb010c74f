"""The questions that choose leads, each answered by seeks in one small index, however many leads there are.

An index of a class is ordered by zones, then priority, then due time. Zones and priorities are few; leads are
many. So the distinct pairs are found first, by jumping from each to the next one, and then each pair is
asked for its first few leads. A plain ORDER BY over a class would read all leads that are not due yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, TextClause, TextualSelect, bindparam, column, text
from sqlalchemy.orm import Session

from contact_center.models import NEW, RETRY, SERVED, Instant, Lead
from contact_center.store.prepared import Prepared
from contact_center.store.tables import table_of

_LEAD = table_of(Lead)
_TAKEN = ("id", "number", "zones", "priority", "attempts", "dials", "last_agent", "next_attempt_at", "fields")
_FORBIDDEN = "EXISTS (SELECT 1 FROM dnc WHERE dnc.number = lead.number AND dnc.campaign_id IN (0, :campaign))"
_NO_LIVE_CALL = "NOT EXISTS (SELECT 1 FROM attempt WHERE attempt.live_number = lead.number)"
_ZONES_PER_QUERY = 100  # SQLite joins at most 500 selects into one


@dataclass(frozen=True, slots=True)
class LeadClass:
    """A class of the dialling order: its leads, its index, and what orders leads of equal priority."""

    where: str
    index: str
    key: str
    is_timed: bool

    @property
    def order(self) -> str:
        """The order inside a pair of zones and priority."""
        return f"{self.key}, id" if self.is_timed else f"{self.key} DESC"

    def table(self, dialect: str) -> str:
        """The table, for SQLite with the index to use: it knows too little of the rows to choose rightly."""
        return f"lead INDEXED BY {self.index}" if dialect == "sqlite" else "lead"


CLASSES = (
    LeadClass(SERVED, "ix_lead_served", "next_attempt_at", True),
    LeadClass(NEW, "ix_lead_new", "id", False),
    LeadClass(RETRY, "ix_lead_retry", "next_attempt_at", True),
)
"""Served before and due again by due time, then new ones newest first, then retries by due time."""


def _steps(lead_class: LeadClass, dialect: str) -> str:
    """A recursive query's body: the first lead of each (zones, priority) of a class, the one due first.

    Two jumps, not one comparison of (zones, priority): SQLite would use only the first half of that.
    """
    from_members = f"FROM {lead_class.table(dialect)} WHERE campaign_id = :campaign AND {lead_class.where}"
    key = lead_class.key
    return f"""
            SELECT (SELECT id {from_members} ORDER BY zones, priority, {key} LIMIT 1)
            UNION ALL
            SELECT coalesce(
                (SELECT id {from_members} AND zones = here.zones AND priority > here.priority
                 ORDER BY priority, {key} LIMIT 1),
                (SELECT id {from_members} AND zones > here.zones ORDER BY zones, priority, {key} LIMIT 1))
            FROM step_{lead_class.index} JOIN lead AS here ON here.id = step_{lead_class.index}.id
    """


@cache
def pairs_sql(lead_class: LeadClass, dialect: str) -> TextClause:
    """Distinct (zones, priority) of a class; parameter ``campaign``."""
    step = f"step_{lead_class.index}"
    return text(f"""
        WITH RECURSIVE {step}(id) AS ({_steps(lead_class, dialect)})
        SELECT lead.zones, lead.priority FROM {step} JOIN lead ON lead.id = {step}.id
    """)


@cache
def heads_sql(dialect: str) -> Prepared:
    """Of a campaign, the first lead of each class, zones and priority; parameter ``campaign``.

    Columns: rank (of the class), zones, priority, due_at (of that lead), campaign (its name, NULL unless it runs).
    """
    steps = [f"step_{one.index}(id) AS ({_steps(one, dialect)})" for one in CLASSES]
    heads = [
        f"""SELECT {n} AS rank, lead.zones, lead.priority, lead.next_attempt_at AS due_at,
                (SELECT name FROM campaign WHERE id = :campaign AND state = 'running') AS campaign
            FROM step_{one.index} JOIN lead ON lead.id = step_{one.index}.id"""
        for n, one in enumerate(CLASSES)
    ]
    statement = text(f"WITH RECURSIVE {', '.join(steps)} {' UNION ALL '.join(heads)}")
    return Prepared(
        statement.columns(
            column("rank"), column("zones"), column("priority"), column("due_at", Instant()), column("campaign")
        )
    )


@cache
def zones_sql(lead_class: LeadClass, dialect: str) -> TextClause:
    """Distinct zones of a class; parameter ``campaign``."""
    from_members = f"FROM {lead_class.table(dialect)} WHERE campaign_id = :campaign AND {lead_class.where}"
    return text(f"""
        WITH RECURSIVE step(zones) AS (
            SELECT (SELECT min(zones) {from_members})
            UNION ALL
            SELECT (SELECT min(zones) {from_members} AND zones > step.zones)
            FROM step WHERE step.zones IS NOT NULL
        )
        SELECT zones FROM step WHERE zones IS NOT NULL
    """)


@cache
def first_sql(lead_class: LeadClass, dialect: str, zones: int) -> TextualSelect:
    """The first ``few`` leads of one priority over so many zones; parameters campaign, priority, few, now, z0.

    ``is_forbidden``: the number is on a do-not-call list. Rows that another program has locked are passed over.
    """
    due = "AND next_attempt_at <= :now" if lead_class.is_timed else ""
    parts = [
        f"""SELECT * FROM (
            SELECT id, {lead_class.key} AS sort_key FROM {lead_class.table(dialect)}
            WHERE campaign_id = :campaign AND {lead_class.where} AND zones = :z{n} AND priority = :priority
                {due} AND {_NO_LIVE_CALL}
            ORDER BY {lead_class.order} LIMIT :few
        ) AS zone_{n}"""
        for n in range(zones)
    ]
    order = "sort_key, id" if lead_class.is_timed else "sort_key DESC"
    chosen = parts[0] if zones == 1 else " UNION ALL ".join(parts) + f" ORDER BY {order} LIMIT :few"
    statement = text(f"""
        SELECT {", ".join(f"lead.{name}" for name in _TAKEN)}, sort_key, {_FORBIDDEN} AS is_forbidden
        FROM ({chosen}) AS chosen JOIN lead ON lead.id = chosen.id ORDER BY {order.replace("id", "lead.id")}
        {"" if dialect == "sqlite" else "FOR UPDATE OF lead SKIP LOCKED"}
    """)
    if lead_class.is_timed:
        statement = statement.bindparams(bindparam("now", type_=Instant()))
    return statement.columns(*(_LEAD.c[name] for name in _TAKEN), column("sort_key"), column("is_forbidden"))


@cache
def _first(lead_class: LeadClass, dialect: str, zones: int) -> Prepared:
    return Prepared(first_sql(lead_class, dialect, zones))


@cache
def earliest_sql(lead_class: LeadClass, dialect: str, zones: int) -> TextualSelect:
    """When the first lead of one priority over so many zones is due; parameters campaign, priority, z0."""
    parts = [
        f"""SELECT * FROM (
            SELECT next_attempt_at AS due_at FROM {lead_class.table(dialect)}
            WHERE campaign_id = :campaign AND {lead_class.where} AND zones = :z{n} AND priority = :priority
                AND next_attempt_at IS NOT NULL
            ORDER BY next_attempt_at LIMIT 1
        ) AS zone_{n}"""
        for n in range(zones)
    ]
    statement = text(" UNION ALL ".join(parts) + " ORDER BY due_at LIMIT 1")
    return statement.columns(due_at=Instant())


def pairs(
    connection: Connection, lead_class: LeadClass, campaign_id: int, open_zones: frozenset[str] | None
) -> list[tuple[int, list[str]]]:
    """Priorities that occur among open zones, highest first, each with its zones."""
    by_priority: dict[int, list[str]] = {}
    for zones, priority in connection.execute(
        pairs_sql(lead_class, connection.dialect.name), {"campaign": campaign_id}
    ):
        if open_zones is None or zones in open_zones:
            by_priority.setdefault(priority, []).append(zones)
    return sorted(by_priority.items(), reverse=True)


@dataclass(frozen=True, slots=True)
class Head:
    """A class and priority with leads that may be due, and the open zones they lie in."""

    lead_class: LeadClass
    priority: int
    zones: list[str]


def heads(
    session: Session, campaign_id: int, open_zones: frozenset[str] | None, now: datetime
) -> tuple[str, list[Head]]:
    """The running campaign's name and where to look for leads, in the dialling order; empty when there are none."""
    found: dict[tuple[int, int], list[str]] = {}
    campaign: str | None = None
    dialect = session.get_bind().dialect.name
    for row in heads_sql(dialect).rows(session, {"campaign": campaign_id}):
        campaign = row.campaign
        if campaign is None:
            break
        # A NULL says nothing of the others: SQLite sorts it before all times, PostgreSQL after them.
        is_later = CLASSES[row.rank].is_timed and row.due_at is not None and row.due_at > now
        if not is_later and (open_zones is None or row.zones in open_zones):
            found.setdefault((row.rank, -row.priority), []).append(row.zones)
    return campaign or "", [
        Head(CLASSES[which], -negative, zones) for (which, negative), zones in sorted(found.items())
    ]


def first(session: Session, campaign_id: int, head: Head, now: datetime, few: int) -> list[Any]:
    """The first ``few`` leads of one class and priority that are due and have no open call: rows of ``_TAKEN``."""
    found: list[Any] = []
    dialect = session.get_bind().dialect.name
    for start in range(0, len(head.zones), _ZONES_PER_QUERY):
        part = head.zones[start : start + _ZONES_PER_QUERY]
        parameters = {"campaign": campaign_id, "priority": head.priority, "few": few, "now": now, **_named(part)}
        found += _first(head.lead_class, dialect, len(part)).rows(session, parameters)
    if len(head.zones) > _ZONES_PER_QUERY:
        timed = head.lead_class.is_timed
        found.sort(key=lambda row: (str(row.sort_key), row.id) if timed else ("", -row.id))
    return found[:few]


def earliest(
    connection: Connection, lead_class: LeadClass, campaign_id: int, priority: int, zones: Sequence[str]
) -> datetime | None:
    """When the first lead of one class and priority is due, open call or not."""
    found: list[datetime] = []
    for start in range(0, len(zones), _ZONES_PER_QUERY):
        part = zones[start : start + _ZONES_PER_QUERY]
        parameters = {"campaign": campaign_id, "priority": priority, **_named(part)}
        at = connection.execute(earliest_sql(lead_class, connection.dialect.name, len(part)), parameters).scalar()
        found += [at] if at is not None else []
    return min(found, default=None)


def _named(zones: Sequence[str]) -> dict[str, object]:
    return {f"z{n}": zone for n, zone in enumerate(zones)}
