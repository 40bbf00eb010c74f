"""What others are told of a change, who made it, and what a running ``serve`` must obey.

All of it is written in the transaction of the change itself. Call these inside ``writing``: the numbers
counted here have no gaps because only one writing transaction runs at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Table, bindparam, delete, func, insert, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.models import Audit, Control, Instant, Outbox
from contact_center.store.engine import reading
from contact_center.store.prepared import Prepared
from contact_center.store.prepared_rows import PreparedRows
from contact_center.store.tables import table_of

_OUTBOX: Table = table_of(Outbox)
_AUDIT: Table = table_of(Audit)
_CONTROL: Table = table_of(Control)

_GATHERED = "callwright_events"
_ADD_EVENT = Prepared(
    insert(_OUTBOX)
    .values(
        at=bindparam("p_at", type_=Instant()),
        entity=bindparam("p_entity"),
        entity_id=bindparam("p_entity_id"),
        seq=select(func.coalesce(func.max(_OUTBOX.c.seq), 0) + 1)
        .where(_OUTBOX.c.entity == bindparam("p_entity"), _OUTBOX.c.entity_id == bindparam("p_entity_id"))
        .scalar_subquery(),
        type=bindparam("p_type"),
        version=bindparam("p_version"),
        payload=bindparam("p_payload", type_=_OUTBOX.c.payload.type),
    )
    .inline()
)
_ADD_FIRST_EVENTS = PreparedRows(_OUTBOX, ("at", "entity", "entity_id", "seq", "type", "version", "payload"))
_ADD_AUDIT = Prepared(insert(_AUDIT).inline(), columns=("at", "actor", "action", "entity", "entity_id", "detail"))
_ADD_CONTROL = insert(_CONTROL).returning(_CONTROL.c.id)
_OPEN_CONTROL_IDS = Prepared(select(_CONTROL.c.id).where(_CONTROL.c.taken_at.is_(None)).order_by(_CONTROL.c.id))

_TAKE_CONTROLS = (
    update(_CONTROL)
    .where(_CONTROL.c.taken_at.is_(None))
    .values(taken_at=bindparam("p_at", type_=Instant()))
    .returning(_CONTROL)
)


@dataclass(frozen=True, slots=True)
class Command:
    """A change that a running ``serve`` must obey."""

    id: int
    at: datetime
    entity: str
    entity_id: str
    action: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the outbox. ``seq`` counts per entity from 1 without gaps."""

    id: int
    at: datetime
    entity: str
    entity_id: str
    seq: int
    type: str
    version: int
    payload: dict[str, Any]


def add_event(
    session: Session,
    *,
    at: datetime,
    entity: str,
    entity_id: str,
    type: str,
    payload: Mapping[str, Any],
    version: int = 1,
) -> None:
    """Tell others: one row of the outbox. ``payload`` is JSON-able and holds no secret and no keyed digit."""
    row = {
        "p_at": at,
        "p_entity": entity,
        "p_entity_id": entity_id,
        "p_type": type,
        "p_version": version,
        "p_payload": dict(payload),
    }
    gathered = session.info.get(_GATHERED)
    if gathered is None:
        _ADD_EVENT.run(session, row)
    else:
        gathered.append(row)


@contextmanager
def gathering_events(session: Session) -> Iterator[None]:
    """Within the block events are gathered, and written at its end in one go: the cheap way to add many."""
    gathered: list[dict[str, Any]] = []
    session.info[_GATHERED] = gathered
    try:
        yield
    finally:
        del session.info[_GATHERED]
    if gathered:
        _ADD_EVENT.run_many(session, gathered)


def add_first_events(session: Session, rows: list[dict[str, Any]]) -> None:
    """Tell others of entities that are new in this very transaction: ``rows`` of the outbox, ``seq`` 1 each."""
    _ADD_FIRST_EVENTS.run(session, rows)


def add_audit(
    session: Session,
    *,
    at: datetime,
    actor: str,
    action: str,
    entity: str,
    entity_id: str,
    detail: Mapping[str, Any],
) -> None:
    """Write down who did it."""
    row = {
        "at": at,
        "actor": actor,
        "action": action,
        "entity": entity,
        "entity_id": entity_id,
        "detail": dict(detail),
    }
    _ADD_AUDIT.run(session, row)


def note_change(
    session: Session,
    *,
    at: datetime,
    actor: str,
    action: str,
    entity: str,
    entity_id: str,
    payload: Mapping[str, Any],
    obey: bool,
) -> int | None:
    """Tell others (type ``entity.action``), write down who did it and, with ``obey``, tell a running serve.

    Gives the id of the control row when there is one. ``payload`` holds no secrets.
    """
    add_event(session, at=at, entity=entity, entity_id=entity_id, type=f"{entity}.{action}", payload=payload)
    add_audit(session, at=at, actor=actor, action=action, entity=entity, entity_id=entity_id, detail=payload)
    if not obey:
        return None
    row = {
        "at": at,
        "entity": entity,
        "entity_id": entity_id,
        "action": action,
        "payload": dict(payload),
        "taken_at": None,
    }
    return int(session.connection().execute(_ADD_CONTROL, row).scalar_one())


def open_control_ids(bind: Engine | Session) -> list[int]:
    """The changes nobody has obeyed yet, oldest first.

    Asked for by state, not by a cursor: a row whose transaction was slow to commit is found all the same.
    """
    if isinstance(bind, Session):
        return [row.id for row in _OPEN_CONTROL_IDS.rows(bind, {})]
    with reading(bind) as session:
        return [row.id for row in _OPEN_CONTROL_IDS.rows(session, {})]


def take_controls(session: Session, at: datetime) -> list[Command]:
    """Take all open changes, oldest first; they are marked in the caller's writing transaction."""
    taken = session.connection().execute(_TAKE_CONTROLS, {"p_at": at}).all()
    return [
        Command(row.id, row.at, row.entity, row.entity_id, row.action, row.payload)
        for row in sorted(taken, key=lambda row: row.id)
    ]


def read_events(session: Session, *, after_id: int, limit: int = 500) -> list[Event]:
    """The next rows of the outbox. A cursor on ``id`` misses nothing: ids appear in the order of commits."""
    rows = session.connection().execute(
        select(_OUTBOX).where(_OUTBOX.c.id > after_id).order_by(_OUTBOX.c.id).limit(limit)
    )
    return [
        Event(row.id, row.at, row.entity, row.entity_id, row.seq, row.type, row.version, row.payload) for row in rows
    ]


def prune_events(session: Session, *, before_id: int, limit: int = 5000) -> int:
    """Delete rows that everybody has been told of; the newest of each entity stays, for ``seq`` counts on it.

    Gives how many rows went; call again while it gives ``limit``.
    """
    newer = _OUTBOX.alias()
    old = (
        select(_OUTBOX.c.id)
        .where(
            _OUTBOX.c.id < before_id,
            select(newer.c.id)
            .where(
                newer.c.entity == _OUTBOX.c.entity,
                newer.c.entity_id == _OUTBOX.c.entity_id,
                newer.c.seq > _OUTBOX.c.seq,
            )
            .exists(),
        )
        .order_by(_OUTBOX.c.id)
        .limit(limit)
    )
    return session.connection().execute(delete(_OUTBOX).where(col(Outbox.id).in_(old))).rowcount
