from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, insert
from sqlalchemy.orm import Session

from contact_center.clock import SystemClock
from contact_center.models import Control, Outbox
from contact_center.store.changes import add_event, note_change, take_controls
from contact_center.store.engine import writing
from contact_center.store.pruning import KEEP, Pruned, Pruner, prune
from contact_center.store.tables import table_of
from contact_center.store.writer import Writer
from tests.lab.until import until
from tests.unit.store.world import NOON, rows

OLD = NOON - KEEP - timedelta(seconds=1)


def tell(session: Session, entity_id: str, at: datetime, many: int = 1) -> None:
    for n in range(many):
        add_event(session, at=at, entity="call", entity_id=entity_id, type="call.step", payload={"n": n})


def left(engine: Engine) -> list[tuple[str, int]]:
    return [(one["entity_id"], one["seq"]) for one in rows(engine, Outbox)]


def test_old_events_go_and_the_newest_of_each_entity_stays(engine: Engine) -> None:
    with writing(engine) as session:
        tell(session, "a", OLD, 4)
        tell(session, "b", OLD, 2)
        tell(session, "b", NOON)
    with writing(engine) as session:
        pruned = prune(session, before=NOON - KEEP)
    assert (pruned.events, pruned.more) == (5, False)
    assert left(engine) == [("a", 4), ("b", 3)]
    with writing(engine) as session:
        tell(session, "a", NOON)
    assert left(engine)[-1] == ("a", 5)


def test_events_that_a_consumer_has_not_had_stay_however_old(engine: Engine) -> None:
    with writing(engine) as session:
        tell(session, "a", OLD, 4)
    ids = [one["id"] for one in rows(engine, Outbox)]
    pruner = Pruner()
    pruner.consumers += [lambda: ids[3], lambda: ids[1]]
    with writing(engine) as session:
        pruned = pruner.step(session, NOON).pruned
    assert left(engine) == [("a", 3), ("a", 4)]
    assert pruned == Pruned(events=2, controls=0, last_id=ids[1], more=False)


def test_a_long_past_is_pruned_in_small_steps_that_do_not_look_twice(engine: Engine) -> None:
    with writing(engine) as session:
        for n in range(25):
            tell(session, f"c{n}", OLD, 2)
    after, steps, more = 0, 0, True
    while more:
        with writing(engine) as session:
            pruned = prune(session, before=NOON - KEEP, after_id=after, limit=8)
        assert pruned.events <= 8
        assert pruned.last_id > after or not pruned.more
        after, more, steps = pruned.last_id, pruned.more, steps + 1
    assert steps == 7
    assert left(engine) == [(f"c{n}", 2) for n in range(25)]


def test_commands_obeyed_long_ago_go_and_open_ones_stay(engine: Engine) -> None:
    def command(session: Session, name: str, at: datetime) -> None:
        payload = {"name": name}
        note_change(
            session, at=at, actor="a", action="pause", entity="campaign", entity_id=name, payload=payload, obey=True
        )

    with writing(engine) as session:
        command(session, "obeyed long ago", OLD)
        take_controls(session, OLD)
        command(session, "obeyed just now", OLD)
        take_controls(session, NOON)
        command(session, "open", OLD)
    with writing(engine) as session:
        assert prune(session, before=NOON - KEEP).controls == 1
    assert [one["entity_id"] for one in rows(engine, Control)] == ["obeyed just now", "open"]


async def test_a_running_writer_prunes_by_itself_and_asks_its_consumers(engine: Engine) -> None:
    long_ago = datetime.now(UTC) - KEEP - timedelta(days=1)
    with writing(engine) as session:
        tell(session, "a", long_ago, 6)
        row = {"at": long_ago, "entity": "agent", "entity_id": "1", "action": "x", "payload": {}, "taken_at": long_ago}
        session.connection().execute(insert(table_of(Control)), row)
    third = rows(engine, Outbox)[2]["id"]
    writer = Writer(engine, SystemClock(), prune_after_seconds=0.0)
    writer.keep_events_for(lambda: third)
    async with writer:
        await until(lambda: left(engine) == [("a", 4), ("a", 5), ("a", 6)], 5.0, "the old events to go")
        assert rows(engine, Control) == []
        assert writer.healthy
