"""Transactions of the writer's connection: prepared statements, and whatever else a session can do, are of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, bindparam, insert, select
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from contact_center.models import TrunkNote
from contact_center.store.engine import writing
from contact_center.store.link import Link
from contact_center.store.prepared import Prepared
from contact_center.store.tables import table_of
from tests.unit.store.world import NOON, rows

_NOTE = table_of(TrunkNote)
_ADD = Prepared(insert(_NOTE).inline(), columns=("name", "state", "reason", "since_at"))
_NAMES = Prepared(select(_NOTE.c.name).where(_NOTE.c.state == bindparam("p_state")).order_by(_NOTE.c.name))


@pytest.fixture
def link(engine: Engine) -> Iterator[Link]:
    link = Link(engine)
    yield link
    link.close()


def add_prepared(session: Session, name: str) -> None:
    _ADD.run(session, {"name": name, "state": "up", "reason": "", "since_at": NOON})


def add_object(session: Session, name: str) -> TrunkNote:
    note = TrunkNote(name=name, state="up", reason="", since_at=NOON)
    session.add(note)
    session.flush()
    return note


def add_two(link: Link, add: Callable[[Session, str], object]) -> None:
    """The second one is there already."""
    with link.transaction(writes=True) as (session, _):
        add_prepared(session, "never")
        add(session, "a")


def names(engine: Engine) -> list[str]:
    return sorted(row["name"] for row in rows(engine, TrunkNote))


def test_a_transaction_of_prepared_statements_alone_lasts_only_when_it_is_committed(engine: Engine, link: Link) -> None:
    for name in ("a", "b"):
        with link.transaction(writes=True) as (session, transaction):
            add_prepared(session, name)
            transaction.commit()
    with link.transaction(writes=True) as (session, _):
        add_prepared(session, "never")
    assert names(engine) == ["a", "b"]


def test_prepared_statements_and_objects_are_stored_together_or_not_at_all(engine: Engine, link: Link) -> None:
    with link.transaction(writes=True) as (session, transaction):
        add_prepared(session, "a")
        note = add_object(session, "b")
        assert [row.name for row in _NAMES.rows(session, {"p_state": "up"})] == ["a", "b"]
        transaction.commit()
    with link.transaction(writes=True) as (session, _):
        add_object(session, "neither")
        add_prepared(session, "nor")
    assert names(engine) == ["a", "b"]
    assert note.name == "b"  # who has it may go on reading it


def test_what_raises_is_taken_back_and_the_next_transaction_begins_anew(engine: Engine, link: Link) -> None:
    with link.transaction(writes=True) as (session, transaction):
        add_prepared(session, "a")
        transaction.commit()
    for add in (add_prepared, add_object):
        with pytest.raises(IntegrityError):
            add_two(link, add)
    with link.transaction(writes=True) as (session, transaction):
        add_object(session, "b")
        transaction.commit()
    with link.transaction(writes=False) as (session, _):
        assert [row.name for row in _NAMES.rows(session, {"p_state": "up"})] == ["a", "b"]
    assert names(engine) == ["a", "b"]


def test_a_turn_that_did_not_come_in_time_leaves_the_link_usable(engine: Engine, link: Link) -> None:
    with link.transaction(writes=True) as (session, transaction):
        add_prepared(session, "a")
        transaction.commit()
    with writing(engine), pytest.raises(OperationalError), link.transaction(writes=True):
        pass
    with link.transaction(writes=True) as (session, transaction):
        add_prepared(session, "b")
        transaction.commit()
    assert names(engine) == ["a", "b"]
