"""Webhooks on the virtual clock: every event arrives, in each entity's order, whatever the receiver does."""

from __future__ import annotations

import asyncio
import itertools
import random

import pytest
from sqlalchemy import Engine

from contact_center.store.admin import By
from contact_center.store.engine import reading, writing
from contact_center.store.telling import oldest_cursor
from contact_center.store.webhooks import (
    disable_webhook,
    enable_webhook,
    find_webhook,
    replay,
    rotate_secret,
    webhook_document,
)
from contact_center.telling.schedule import DELAYS, WHOLE_SECONDS
from tests.support.telling import (
    NOON,
    Receiver,
    add_events,
    add_hook,
    all_ids,
    away_until,
    hook,
    later,
    running,
    until,
)
from tests.support.virtual_clock import VirtualClock, on_virtual_clock

pytestmark = pytest.mark.clock


def document(engine: Engine, name: str = "crm") -> dict[str, object]:
    with reading(engine) as session:
        return webhook_document(session, find_webhook(session, name))


def assert_in_order(receiver: Receiver) -> None:
    for entity, seqs in receiver.seqs().items():
        assert seqs == sorted(seqs), entity


@on_virtual_clock
async def test_everything_that_happens_after_a_webhook_was_added_is_told_once_and_in_order(engine: Engine) -> None:
    add_events(engine, 5)
    add_hook(engine)
    add_events(engine, 300, start=5)
    receiver = Receiver()
    with running(engine, receiver, VirtualClock()):
        await until(lambda: document(engine)["behind"] == 0, 60)
    assert sorted(got.id for got in receiver.got) == all_ids(engine)[6:]
    assert_in_order(receiver)


@on_virtual_clock
async def test_ten_attempts_at_the_times_of_the_standard_and_then_the_message_is_dead(engine: Engine) -> None:
    add_hook(engine, types=("call.*",))
    add_events(engine, 1)
    receiver = Receiver(lambda event, n: 500)
    with running(engine, receiver, VirtualClock()):
        await until(lambda: document(engine)["dead"] == 1, 2 * WHOLE_SECONDS)
    times = [got.at for got in receiver.got]
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert len(times) == 10
    for gap, wanted in zip(gaps, DELAYS[1:], strict=True):
        assert wanted <= gap <= wanted * 1.1 + 1
    told = document(engine)
    assert (told["state"], told["reason"]) == ("disabled", "nothing got through for three days")
    assert told["last_error"] == "answered 500"


@on_virtual_clock
async def test_one_ill_message_holds_up_its_own_entity_and_nobody_else(engine: Engine) -> None:
    add_hook(engine, types=("call.*",))
    add_events(engine, 100, entities=10)
    ill = all_ids(engine)[1]  # the first of call c-0, after the addition itself
    receiver = Receiver(lambda event, n: 400 if event == ill and n < 4 else 200)
    with running(engine, receiver, VirtualClock()):
        await until(lambda: len(receiver.taken) == 90, 5)
        assert "c-0" not in receiver.seqs()
        await until(lambda: len(receiver.taken) == 100, 60 * 60)
        assert asyncio.get_running_loop().time() > 35 * 60
    assert_in_order(receiver)
    assert receiver.seqs()["c-0"] == list(range(1, 11))
    assert receiver.tries[ill] == 4


@on_virtual_clock
async def test_nobody_waits_longer_behind_a_dead_message_than_the_schedule_lasts(engine: Engine) -> None:
    add_hook(engine, types=("call.*",))
    add_events(engine, 20, entities=2, at=VirtualClock().now())
    ill = all_ids(engine)[1]
    receiver = Receiver(lambda event, n: 400 if event == ill else 200)
    with running(engine, receiver, VirtualClock()):
        await until(lambda: len(receiver.taken) == 19, 1.2 * WHOLE_SECONDS)
    assert receiver.tries[ill] <= 10
    told = document(engine)
    assert told["state"] == "enabled"  # others got through


@on_virtual_clock
async def test_a_receiver_away_for_ten_minutes_gets_all_of_10_000_events_though_we_are_killed_meanwhile(
    engine: Engine,
) -> None:
    add_hook(engine, types=("call.*",))
    loop = asyncio.get_running_loop()
    receiver, dice, added = Receiver(away_until(600)), random.Random(3), 0
    while added < 10_000:
        with running(engine, receiver, VirtualClock()):
            for _ in range(5):
                add_events(engine, 400, start=added, entities=200)
                added += 400
                await asyncio.sleep(20 + 20 * dice.random())
    assert 500 < loop.time() < 1000
    with running(engine, receiver, VirtualClock()):
        await until(lambda: document(engine)["behind"] == document(engine)["retrying"] == 0, 1200)
    wanted = set(all_ids(engine)[1:])
    assert {got.id for got in receiver.taken} == wanted
    assert len(wanted) == 10_000
    assert_in_order(receiver)
    for entity, seqs in receiver.seqs().items():
        assert seqs == list(range(1, 51)), entity
    early = [got for got in receiver.got if got.at < 600]
    assert len(early) < 200  # who is away is not hammered
    assert document(engine)["dead"] == 0


@on_virtual_clock
async def test_a_receiver_away_for_seconds_waits_no_longer_because_many_messages_met_it(engine: Engine) -> None:
    add_hook(engine, types=("call.*",))
    add_events(engine, 100, entities=50)
    receiver = Receiver(away_until(20.0))
    with running(engine, receiver, VirtualClock()):
        await until(lambda: len(receiver.taken) == 100, 600)
        assert asyncio.get_running_loop().time() < 60
    assert_in_order(receiver)


@on_virtual_clock
async def test_a_receiver_away_for_a_month_loses_nothing_but_has_to_be_enabled(engine: Engine) -> None:
    add_hook(engine, types=("call.*",))
    add_events(engine, 500)
    month = 30 * 86400.0
    receiver = Receiver(away_until(month))
    with running(engine, receiver, VirtualClock()) as task:
        await until(task.done, month)
        assert document(engine)["state"] == "disabled"
        assert len({got.id for got in receiver.got}) < 500
    await asyncio.sleep(month - asyncio.get_running_loop().time())
    with writing(engine) as session:
        enable_webhook(session, By("test", VirtualClock().now()), "crm")
    with running(engine, receiver, VirtualClock()):
        await until(lambda: len({got.id for got in receiver.taken}) == 500, 120)


@on_virtual_clock
async def test_410_disables_at_once_and_the_message_is_kept(engine: Engine) -> None:
    add_hook(engine, types=("call.*",))
    add_events(engine, 50, entities=50)
    receiver = Receiver(lambda event, n: 410 if n == 1 else 200)
    with running(engine, receiver, VirtualClock()) as task:
        await until(task.done, 10)
    sent = len(receiver.got)
    assert sent <= 8
    assert document(engine)["state"] == "disabled"
    assert "410" in str(document(engine)["reason"])
    with writing(engine) as session:
        assert oldest_cursor(session) is None  # it holds nothing back
        enable_webhook(session, By("test", NOON), "crm")
    receiver.answer = lambda event, n: 200
    with running(engine, receiver, VirtualClock()):
        await until(lambda: len({got.id for got in receiver.taken}) == 50, 60)


@on_virtual_clock
async def test_who_asks_for_time_is_given_it(engine: Engine) -> None:
    add_hook(engine, types=("call.*",))
    add_events(engine, 10, entities=1)
    receiver = Receiver(lambda event, n: 429 if n == 1 and event == first else 200, retry_after_seconds=120)
    first = all_ids(engine)[1]
    with running(engine, receiver, VirtualClock()):
        await until(lambda: len(receiver.taken) == 10, 300)
    assert receiver.got[1].at >= 120
    assert_in_order(receiver)


@on_virtual_clock
async def test_a_slow_receiver_is_sent_eight_messages_at_a_time(engine: Engine) -> None:
    add_hook(engine, types=("call.*",))
    add_events(engine, 80, entities=80)
    receiver = Receiver(delay_seconds=1.0)
    with running(engine, receiver, VirtualClock()):
        await until(lambda: len(receiver.got) == 80, 60)
        assert 9 <= asyncio.get_running_loop().time() <= 15


@on_virtual_clock
async def test_a_kill_in_the_middle_of_sending_loses_nothing_and_repeats_only_the_same_ids(engine: Engine) -> None:
    add_hook(engine, types=("call.*",))
    add_events(engine, 400, entities=40)
    receiver = Receiver(delay_seconds=0.5)
    while len({got.id for got in receiver.taken}) < 400:
        with running(engine, receiver, VirtualClock()):
            await asyncio.sleep(1.3)
        await asyncio.sleep(0.1)
    assert {got.id for got in receiver.taken} == set(all_ids(engine)[1:])
    assert_in_order(receiver)


@on_virtual_clock
async def test_only_the_types_asked_for_are_sent_and_masked_if_wanted(engine: Engine) -> None:
    add_hook(engine, types=("call.queued",), masked=True)
    add_hook(engine, name="other", types=("lead.*",))
    add_events(engine, 3)
    receiver, other = Receiver(), Receiver()
    with running(engine, receiver, VirtualClock()), running(engine, other, VirtualClock(), "other"):
        await until(lambda: len(receiver.got) == 3, 10)
        await until(lambda: document(engine, "other")["behind"] == 0, 10)
    assert not other.got
    assert b"+4474000" not in receiver.got[0].body
    assert b"*" in receiver.got[0].body


@on_virtual_clock
async def test_what_was_told_is_sent_again_on_demand_with_the_same_ids(engine: Engine) -> None:
    add_hook(engine, types=("call.*",))
    add_events(engine, 30)
    receiver = Receiver()
    with running(engine, receiver, VirtualClock()):
        await until(lambda: document(engine)["behind"] == 0, 10)
    ids = [got.id for got in receiver.got]
    with writing(engine) as session:
        assert replay(session, By("test", VirtualClock().now()), "crm", after_id=ids[9], since=None) == 20
    with running(engine, receiver, VirtualClock()):
        await until(lambda: len(receiver.got) == 50, 10)
        await until(lambda: document(engine)["retrying"] == 0, 10)
    assert sorted(got.id for got in receiver.got[30:]) == sorted(ids[10:])
    with writing(engine) as session:
        assert replay(session, By("test", VirtualClock().now()), "crm", after_id=None, since=later(1)) == 0


@on_virtual_clock
async def test_a_rotated_secret_signs_beside_the_old_one_for_a_day(engine: Engine) -> None:
    add_hook(engine)
    with writing(engine) as session:
        rotate_secret(session, By("test", NOON), "crm", "whsec_" + "A" * 32)
    found = hook(engine)
    assert found.secrets(later(3600)) == ["whsec_" + "A" * 32, found.old_secret]
    assert found.secrets(later(86_401)) == ["whsec_" + "A" * 32]


def test_events_are_kept_until_every_webhook_has_them(engine: Engine) -> None:
    add_hook(engine)
    add_events(engine, 10)
    with reading(engine) as session:
        at = oldest_cursor(session)
    assert at == all_ids(engine)[0] - 1 or at is not None
    with writing(engine) as session:
        disable_webhook(session, hook(engine).id, By("test", NOON), "test")
        assert oldest_cursor(session) is None
