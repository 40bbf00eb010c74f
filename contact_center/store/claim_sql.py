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

from sqlalchemy import Connection, TextClause, TextualSelect, bindparam, text

from contact_center.models import NEW, RETRY, SERVED, Instant

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


@cache
def pairs_sql(lead_class: LeadClass, dialect: str) -> TextClause:
    """Distinct (zones, priority) of a class; parameter ``campaign``.

    Two jumps, not one comparison of (zones, priority): SQLite would use only the first half of that.
    """
    from_members = f"FROM {lead_class.table(dialect)} WHERE campaign_id = :campaign AND {lead_class.where}"
    return text(f"""
        WITH RECURSIVE step(id) AS (
            SELECT (SELECT id {from_members} ORDER BY zones, priority LIMIT 1)
            UNION ALL
            SELECT coalesce(
                (SELECT id {from_members} AND zones = here.zones AND priority > here.priority
                 ORDER BY priority LIMIT 1),
                (SELECT id {from_members} AND zones > here.zones ORDER BY zones, priority LIMIT 1))
            FROM step JOIN lead AS here ON here.id = step.id
        )
        SELECT lead.zones, lead.priority FROM step JOIN lead ON lead.id = step.id
    """)


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
def first_sql(lead_class: LeadClass, dialect: str, zones: int) -> TextClause:
    """The first ``few`` leads of one priority over so many zones; parameters campaign, priority, now, z0."""
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
    statement = text(" UNION ALL ".join(parts) + f" ORDER BY {order} LIMIT :few")
    return statement.bindparams(bindparam("now", type_=Instant())) if lead_class.is_timed else statement


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


def first(
    connection: Connection,
    lead_class: LeadClass,
    campaign_id: int,
    priority: int,
    zones: Sequence[str],
    now: datetime,
    few: int,
) -> list[int]:
    """Ids of the first ``few`` leads of one class and priority that are due and have no open call."""
    found: list[tuple[int, object]] = []
    for start in range(0, len(zones), _ZONES_PER_QUERY):
        part = zones[start : start + _ZONES_PER_QUERY]
        parameters = {"campaign": campaign_id, "priority": priority, "few": few, **_named(part)}
        if lead_class.is_timed:
            parameters["now"] = now
        rows = connection.execute(first_sql(lead_class, connection.dialect.name, len(part)), parameters)
        found += [(row.id, row.sort_key) for row in rows]
    if len(zones) > _ZONES_PER_QUERY:
        found.sort(key=lambda row: (str(row[1]), row[0]) if lead_class.is_timed else ("", -row[0]))
    return [row[0] for row in found[:few]]


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
