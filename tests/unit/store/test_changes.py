from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from contact_center.models import Audit, Control
from contact_center.store.changes import (
    add_event,
    note_change,
    open_control_ids,
    prune_events,
    read_events,
    take_controls,
)
from contact_center.store.engine import reading, writing
from tests.unit.store.world import NOON, row, rows


def change(session: Session, ext: str = "1001", *, obey: bool = True) -> int | None:
    return note_change(
        session,
        at=NOON,
        actor="cli root",
        action="pause",
        entity="agent",
        entity_id=ext,
        payload={"reason": "lunch"},
        obey=obey,
    )


def test_a_change_is_told_audited_and_to_be_obeyed(engine: Engine) -> None:
    with writing(engine) as session:
        control = change(session)
        assert change(session, obey=False) is None
    assert open_control_ids(engine) == [control]
    with reading(engine) as session:
        told = read_events(session, after_id=0)
    assert [(event.type, event.seq, event.payload) for event in told] == [
        ("agent.pause", 1, {"reason": "lunch"}),
        ("agent.pause", 2, {"reason": "lunch"}),
    ]
    assert [one["actor"] for one in rows(engine, Audit)] == ["cli root", "cli root"]


def test_controls_are_taken_once_oldest_first(engine: Engine) -> None:
    with writing(engine) as session:
        ids = [change(session, ext) for ext in ("1003", "1001", "1002")]
    with writing(engine) as session:
        commands = take_controls(session, NOON + timedelta(seconds=1))
    assert [command.id for command in commands] == ids
    assert [command.entity_id for command in commands] == ["1003", "1001", "1002"]
    assert commands[0].payload == {"reason": "lunch"}
    assert open_control_ids(engine) == []
    with writing(engine) as session:
        assert take_controls(session, NOON) == []
    assert row(engine, Control, id=ids[0])["taken_at"] == NOON + timedelta(seconds=1)


def test_controls_taken_in_a_transaction_that_failed_are_still_open(engine: Engine) -> None:
    with writing(engine) as session:
        control = change(session)
    with ExitStack() as stack:
        session = stack.enter_context(writing(engine))
        assert len(take_controls(session, NOON)) == 1
        session.rollback()
    assert open_control_ids(engine) == [control]


def test_a_change_that_was_rolled_back_leaves_no_gap(engine: Engine) -> None:
    with writing(engine) as session:
        change(session)
    with writing(engine) as session:
        change(session)
        session.rollback()
    with writing(engine) as session:
        change(session)
    with reading(engine) as session:
        assert [event.seq for event in read_events(session, after_id=0)] == [1, 2]


def test_events_are_read_in_steps_from_a_cursor(engine: Engine) -> None:
    with writing(engine) as session:
        for n in range(7):
            add_event(session, at=NOON, entity="lead", entity_id=str(n % 2), type="lead.state", payload={})
    seen, cursor = [], 0
    while True:
        with reading(engine) as session:
            step = read_events(session, after_id=cursor, limit=3)
        if not step:
            break
        cursor = step[-1].id
        seen += [(event.entity_id, event.seq) for event in step]
    assert seen == [("0", 1), ("1", 1), ("0", 2), ("1", 2), ("0", 3), ("1", 3), ("0", 4)]


def test_pruning_keeps_the_newest_event_of_each_entity_so_that_numbers_go_on(engine: Engine) -> None:
    with writing(engine) as session:
        for n in range(6):
            add_event(session, at=NOON, entity="lead", entity_id=str(n % 2), type="lead.state", payload={})
        assert prune_events(session, before_id=10_000) == 4
        add_event(session, at=NOON, entity="lead", entity_id="1", type="lead.state", payload={})
        assert [(event.entity_id, event.seq) for event in read_events(session, after_id=0)] == [
            ("0", 3),
            ("1", 3),
            ("1", 4),
        ]
