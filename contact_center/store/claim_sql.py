"""The questions that choose leads, each answered by seeks in a small index, however many leads there are.

An index of a class is ordered by place, then priority, then due time: the first lead of a place and priority is
found by one seek. Places may be a hundred and priorities as many, so their pairs are not gone through one by one:
`contact_center.store.claim_heads` says which are asked.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import TextClause, TextualSelect, bindparam, column, text
from sqlalchemy.orm import Session

from contact_center.lead_filter import lead_filter
from contact_center.models import NEW, RETRY, SERVED, Instant, Lead
from contact_center.store.filter_sql import Condition, condition
from contact_center.store.prepared import Prepared
from contact_center.store.tables import table_of
from contact_center.terms import LeadOrder, LeadState

_LEAD = table_of(Lead)
TAKEN = (
    *("id", "number", "zones", "priority", "attempts", "dials", "last_agent", "next_attempt_at", "fields"),
    *("created_at", "expires_at", "callback_at", "callback_agent"),
)
FORBIDDEN = "EXISTS (SELECT 1 FROM dnc WHERE dnc.number = lead.number AND dnc.campaign_id IN (0, :campaign))"
NO_LIVE_CALL = "NOT EXISTS (SELECT 1 FROM attempt WHERE attempt.live_number = lead.number)"


@dataclass(frozen=True, slots=True)
class LeadClass:
    """A class of the dialling order: its leads, its indexes, and what orders leads of equal priority.

    ``due_index``: by time, for the classes that have one.
    """

    where: str
    index: str
    key: str
    due_index: str = ""

    @property
    def is_timed(self) -> bool:
        """Whether its leads wait for a time."""
        return bool(self.due_index)

    @property
    def order(self) -> str:
        """The order inside a pair of zones and priority."""
        return f"{self.key}, id" if self.is_timed else f"{self.key} DESC"

    def table(self, dialect: str, index: str = "") -> str:
        """The table, for SQLite with the index to use: it knows too little of the rows to choose rightly."""
        return f"lead INDEXED BY {index or self.index}" if dialect == "sqlite" else "lead"


CLASSES = (
    LeadClass(SERVED, "ix_lead_served", "next_attempt_at", "ix_lead_served_due"),
    LeadClass(NEW, "ix_lead_new", "id"),
    LeadClass(RETRY, "ix_lead_retry", "next_attempt_at", "ix_lead_retry_due"),
)
"""Served before or promised a call and due again by due time, then new ones newest first, then retries by due time."""
RETRIES_FIRST = (CLASSES[0], CLASSES[2], CLASSES[1])
"""The same with retries before new ones, as a campaign's ``order`` may ask."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a campaign asks of the choice of leads.

    ``running``: its name while it runs, else empty. ``classes``: in the order it asks for. ``wanted``: its filter, or
    empty. ``expires``: after how many seconds its leads do; 0: never.
    """

    running: str = ""
    classes: tuple[LeadClass, ...] = CLASSES
    wanted: str = ""
    expires: float = 0.0


@cache
def _asked(dialect: str) -> Prepared:
    """A campaign's name, whether it runs, and keys of its options, NULL where never set; parameter ``campaign``."""
    key = "json_extract(options, '$.{}')" if dialect == "sqlite" else "options ->> '{}'"
    asked = {"sequence": key.format("order"), "wanted": key.format("filter"), "expires": key.format("lead_expires")}
    keys = ", ".join(f"{sql} AS {name}" for name, sql in asked.items())
    statement = text(f"SELECT name, state = 'running' AS runs, {keys} FROM campaign WHERE id = :campaign")
    return Prepared(statement.columns(column("name"), column("runs"), *(column(name) for name in asked)))


def asked_of(session: Session, campaign_id: int) -> Asked:
    """What a campaign asks; of one that is not there, what all ask."""
    row = _asked(session.get_bind().dialect.name).first(session, {"campaign": campaign_id})
    if row is None:
        return Asked()
    classes = RETRIES_FIRST if row.sequence == LeadOrder.RETRIES_FIRST else CLASSES
    return Asked(row.name if row.runs else "", classes, row.wanted or "", float(row.expires or 0.0))


@cache
def _dialling(dialect: str) -> Prepared:
    ids = "SELECT value FROM json_each(:ids)" if dialect == "sqlite" else "SELECT unnest(CAST(:ids AS integer[]))"
    return Prepared(
        text(
            f"UPDATE lead SET state = '{LeadState.DIALING.value}', dials = dials + 1, attempts = attempts + 1 "
            f"WHERE id IN ({ids})"
        )
    )


def mark_dialling(session: Session, ids: Sequence[int]) -> None:
    """Leads by their keys: each is dialled from now on, and an attempt of his is used up."""
    dialect = session.get_bind().dialect.name
    _dialling(dialect).run(session, {"ids": _given(ids, dialect)})


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


def _places(dialect: str) -> str:
    """The places in parameter ``zones`` as a table with a column ``value``."""
    return "json_each(:zones) AS place" if dialect == "sqlite" else "unnest(CAST(:zones AS text[])) AS place(value)"


def _given(several: Sequence[str] | Sequence[int], dialect: str) -> Any:
    return json.dumps(several) if dialect == "sqlite" else list(several)


@cache
def top_sql(lead_class: LeadClass, dialect: str) -> TextualSelect:
    """The highest priority of each place below one; parameters campaign, zones, below."""
    statement = text(f"""
        SELECT place.value AS zones, (
            SELECT priority FROM {lead_class.table(dialect)}
            WHERE campaign_id = :campaign AND {lead_class.where} AND zones = place.value AND priority < :below
            ORDER BY priority DESC LIMIT 1
        ) AS priority FROM {_places(dialect)}
    """)
    return statement.columns(column("zones"), column("priority"))


def _of_each_place(lead_class: LeadClass, dialect: str, taken: str, of_place: str) -> str:
    """FROM and WHERE of the leads ``one`` that a question over ``place.value`` gives for each place."""
    if dialect == "sqlite":
        return f"{_places(dialect)} CROSS JOIN lead AS one WHERE one.id IN (SELECT id {of_place})"
    return f"{_places(dialect)} CROSS JOIN LATERAL (SELECT {taken} {of_place}) AS one"


@cache
def due_sql(lead_class: LeadClass, dialect: str) -> TextualSelect:
    """Of the first ``few`` due leads of each place: how many they are, and their highest priority below one.

    Parameters campaign, zones, now, below, few. The index of time holds the priority, too: no lead is read.
    """
    of_place = f"""SELECT priority FROM {lead_class.table(dialect, lead_class.due_index)}
            WHERE campaign_id = :campaign AND {lead_class.where} AND zones = place.value AND next_attempt_at <= :now
            ORDER BY next_attempt_at LIMIT :few"""
    asked = "count(*) AS leads, max(CASE WHEN one.priority < :below THEN one.priority END) AS priority"
    if dialect == "sqlite":
        counted = f"""SELECT zones, value ->> 0 AS leads, value ->> 1 AS priority FROM (
            SELECT place.value AS zones, (
                SELECT json_array(leads, priority) FROM (SELECT {asked} FROM ({of_place}) AS one)
            ) AS value FROM {_places(dialect)})"""
    else:
        counted = f"""SELECT place.value AS zones, found.leads AS leads, found.priority AS priority
            FROM {_places(dialect)} CROSS JOIN LATERAL (SELECT {asked} FROM ({of_place}) AS one) AS found"""
    return _timed(lead_class, text(counted)).columns(column("zones"), column("leads"), column("priority"))


@cache
def top_due_sql(lead_class: LeadClass, dialect: str) -> TextualSelect:
    """The highest priority of each place, below one and not less than another, that has a due lead, if any has.

    Parameters campaign, zones, now, below, least. Gone through are the priorities, not the leads.
    """
    of_place = f"FROM {lead_class.table(dialect)} WHERE campaign_id = :campaign AND {lead_class.where} AND zones ="

    def top(place: str, below: str) -> str:
        return f"""(SELECT priority {of_place} {place} AND priority < {below} AND priority >= :least
                ORDER BY priority DESC LIMIT 1)"""

    is_due = f"EXISTS (SELECT 1 {of_place} step.zones AND priority = step.priority AND next_attempt_at <= :now)"
    statement = text(f"""
        WITH RECURSIVE step(zones, priority) AS (
            SELECT place.value, {top("place.value", ":below")} FROM {_places(dialect)}
            UNION ALL
            SELECT step.zones, {top("step.zones", "step.priority")} FROM step
            WHERE step.priority IS NOT NULL AND NOT {is_due}
        )
        SELECT zones, min(priority) AS priority FROM step GROUP BY zones HAVING count(*) = count(priority)
    """)
    return _timed(lead_class, statement).columns(column("zones"), column("priority"))


@lru_cache(maxsize=256)
def soonest_sql(lead_class: LeadClass, dialect: str, wanted: str = "") -> TextualSelect:
    """When the first ``few`` leads of each place are due that a filter wants; parameters campaign, zones, few."""
    asked = condition(wanted, dialect)
    of_place = f"""FROM {lead_class.table(dialect, lead_class.due_index)}
            WHERE campaign_id = :campaign AND {lead_class.where} AND zones = place.value
                AND next_attempt_at IS NOT NULL{asked.sql}
            ORDER BY next_attempt_at LIMIT :few"""
    statement = text(f"""
        SELECT one.next_attempt_at AS due_at FROM {_of_each_place(lead_class, dialect, "next_attempt_at", of_place)}
        ORDER BY due_at LIMIT :few
    """)
    return asked.bind(statement).columns(column("due_at", Instant()))


@lru_cache(maxsize=256)
def new_sql(lead_class: LeadClass, dialect: str, wanted: str = "") -> TextualSelect:
    """Whether each place has a new lead that a filter wants; parameters campaign, zones."""
    asked = condition(wanted, dialect)
    statement = text(f"""
        SELECT 1 AS found FROM {_places(dialect)} WHERE EXISTS (
            SELECT 1 FROM {lead_class.table(dialect)}
            WHERE campaign_id = :campaign AND {lead_class.where} AND zones = place.value{asked.sql}
        ) LIMIT 1
    """)
    return asked.bind(statement).columns(column("found"))


def _ids(lead_class: LeadClass, dialect: str, asked: Condition) -> str:
    due = "AND next_attempt_at <= :now" if lead_class.is_timed else ""
    of_place = f"""FROM {lead_class.table(dialect)}
            WHERE campaign_id = :campaign AND {lead_class.where} AND zones = place.value AND priority = :priority
                {due} AND {NO_LIVE_CALL}{asked.sql}
            ORDER BY {lead_class.order} LIMIT :few"""
    taken = "id, next_attempt_at" if lead_class.is_timed else "id"
    members = _of_each_place(lead_class, dialect, taken, of_place)
    order = "sort_key, id" if lead_class.is_timed else "sort_key DESC"
    return f"SELECT one.id AS id, one.{lead_class.key} AS sort_key FROM {members} ORDER BY {order} LIMIT :few"


@lru_cache(maxsize=256)
def ids_sql(lead_class: LeadClass, dialect: str, wanted: str = "") -> TextualSelect:
    """The first ``few`` leads of one priority over some places that a filter wants.

    Parameters campaign, priority, few, now, zones.
    """
    asked = condition(wanted, dialect)
    statement = asked.bind(text(_ids(lead_class, dialect, asked)))
    return _timed(lead_class, statement).columns(column("id"), column("sort_key"))


@lru_cache(maxsize=256)
def first_sql(lead_class: LeadClass, dialect: str, wanted: str = "") -> TextualSelect:
    """The same leads as rows of ``TAKEN``.

    ``is_forbidden``: the number is on a do-not-call list. Rows that another program has locked are passed over.
    """
    order = "sort_key, lead.id" if lead_class.is_timed else "sort_key DESC"
    asked = condition(wanted, dialect)
    statement = text(f"""
        SELECT {", ".join(f"lead.{name}" for name in TAKEN)}, {FORBIDDEN} AS is_forbidden
        FROM ({_ids(lead_class, dialect, asked)}) AS chosen JOIN lead ON lead.id = chosen.id ORDER BY {order}
        {"" if dialect == "sqlite" else "FOR UPDATE OF lead SKIP LOCKED"}
    """)
    return _timed(lead_class, asked.bind(statement)).columns(*(_LEAD.c[name] for name in TAKEN), column("is_forbidden"))


def _timed(lead_class: LeadClass, statement: TextClause) -> TextClause:
    return statement.bindparams(bindparam("now", type_=Instant())) if lead_class.is_timed else statement


@lru_cache(maxsize=512)
def _prepared(make: Any, lead_class: LeadClass, dialect: str, *wanted: str) -> Prepared:
    return Prepared(make(lead_class, dialect, *wanted))


def rows_of(session: Session, make: Any, lead_class: LeadClass, *wanted: str, **parameters: Any) -> list[Any]:
    """The rows that one of the questions above gives, asked of a class of leads and, some, with a filter."""
    dialect = session.get_bind().dialect.name
    if "zones" in parameters:
        parameters["zones"] = _given(parameters["zones"], dialect)
    return _prepared(make, lead_class, dialect, *wanted).rows(session, parameters)


def zones_in(session: Session, lead_class: LeadClass, campaign_id: int) -> list[str]:
    """The places of a class, sorted."""
    connection = session.connection()
    rows = connection.execute(zones_sql(lead_class, connection.dialect.name), {"campaign": campaign_id})
    return list(rows.scalars())


def may_take(wanted: str, lead_class: LeadClass, **known: int) -> bool:
    """Whether a filter can want leads of a class at all, so that they need not be looked through one by one."""
    state = LeadState.DUE if lead_class.is_timed else LeadState.NEW
    asked = lead_filter(wanted)
    return asked is None or asked.may_take(state=state.value, **known)


def soonest(
    session: Session,
    lead_class: LeadClass,
    campaign_id: int,
    places: Collection[str],
    few: int = 1,
    *,
    wanted: str = "",
) -> list[datetime]:
    """When the first leads of a timed class in these places are due, open call or not; ``wanted``: a filter."""
    if not places or not may_take(wanted, lead_class):
        return []
    rows = rows_of(session, soonest_sql, lead_class, wanted, campaign=campaign_id, zones=list(places), few=few)
    return [row.due_at for row in rows]


def any_new(session: Session, campaign_id: int, places: Collection[str], *, wanted: str = "") -> bool:
    """Whether a lead that was never tried, and that a filter wants, waits in one of these places."""
    if not places or not may_take(wanted, CLASSES[1]):
        return False
    return bool(rows_of(session, new_sql, CLASSES[1], wanted, campaign=campaign_id, zones=list(places)))
