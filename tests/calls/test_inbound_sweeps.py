"""Callers, agents and Asterisk gone at every instant of a call, and a thousand callers at once."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from contact_center.store.facts import CallFinished
from tests.calls.queue_world import DID, queue_world
from tests.support.fake_ari import FarEnd
from tests.support.virtual_clock import on_virtual_clock, run_virtual


@pytest.mark.parametrize("strategy", ["longest_idle", "ring_all"])
@pytest.mark.parametrize("who", ["caller", "1001", "1002"])
def test_hang_up_at_every_instant_leaves_nothing_behind_and_one_record(strategy, who):
    async def life(at: float) -> None:
        async with queue_world() as centre:
            centre.queue("sales", dids=DID, strategy=strategy, greeting="custom/hi", welcome_message="custom/hello")
            centre.world.fake.sound_seconds["sound:custom/hi"] = 0.2
            centre.agent("1001", FarEnd(rings_after=0.05, rejects_after=0.3), "sales")
            centre.agent("1002", FarEnd(rings_after=0.05, answers_after=0.4), "sales")
            caller = centre.call()
            await asyncio.sleep(at)
            legs = centre.world.fake.dialled(f"PJSIP/{who}")
            centre.world.fake.hang_up(caller.id if who == "caller" or not legs else legs[-1].id)
            await asyncio.sleep(0.5)
            for left in list(centre.world.fake.channels):
                centre.world.fake.hang_up(left)
            await centre.settled()
            assert len([f for f in centre.facts if isinstance(f, CallFinished)]) == 1
            assert centre.board.waiting() == []
            centre.world.assert_nothing_left()

    for step in range(300):
        run_virtual(life(step * 0.005))


def test_asterisk_dying_at_every_instant_ends_each_call_once_and_frees_the_agents():
    async def life(at: float) -> None:
        async with queue_world() as centre:
            centre.queue("sales", dids=DID)
            centre.agent("1001", FarEnd(rings_after=0.05, answers_after=0.3), "sales")
            for _ in range(2):
                centre.call()
            await asyncio.sleep(at)
            centre.world.fake.crash()
            await asyncio.sleep(1.0)
            centre.world.fake.boot()
            await centre.world.app.env.ari.until_live()
            await centre.settled()
            assert len([f for f in centre.facts if isinstance(f, CallFinished)]) == 2
            centre.world.assert_nothing_left()

    for step in range(40):
        run_virtual(life(0.02 + step * 0.02))


@on_virtual_clock
async def test_of_a_thousand_callers_at_once_no_two_get_the_same_agent_at_the_same_time():
    async with queue_world() as centre:
        centre.queue("sales", dids=DID)
        for n in range(5):
            centre.agent(str(1001 + n), FarEnd(rings_after=0.05, answers_after=0.1, hangs_up_after=0.5), "sales")
        held = [centre.world.roster.reserve("", f"other {n}") for n in range(5)]
        callers = [centre.call() for _ in range(1000)]
        await asyncio.sleep(1)
        for offer in held:
            offer.close()
        records = [await centre.record(caller) for caller in callers]
        assert {record["disposition"] for record in records} == {"answered"}
        starts = [datetime.fromisoformat(record["timeline"][-1]["at"]) for record in records]
        worst = min(after - before for before, after in pairwise(starts))
        assert worst > timedelta(seconds=-0.05)
        by_agent: dict[str, list[tuple[float, float]]] = {}
        for leg in centre.world.fake.dialled("PJSIP/100?"):
            by_agent.setdefault(leg.endpoint, []).append((leg.created, leg.ended_at))
        for spans in by_agent.values():
            assert all(before[1] <= after[0] for before, after in pairwise(spans))


STORIES = {
    "closed": {"hours": "00:00-00:01", "closed_message": "custom/closed"},
    "overflow_message": {"max_wait": "1", "overflow_message": "custom/busy"},
    "overflow_queue": {"max_wait": "1", "overflow": "queue:help"},
    "overflow_number": {"max_wait": "1", "overflow": "number:+442079460018"},
    "announced": {"announce_position": "on", "announce_wait": "on", "announce_every": "10", "max_wait": "4"},
    "missed": {"ring_seconds": "3"},
}


@pytest.mark.parametrize("story", STORIES)
def test_a_caller_who_hangs_up_at_any_instant_of_any_story_leaves_one_record_and_nothing_else(story):
    async def life(at: float) -> None:
        async with queue_world(trunk={"main": {"host": "192.0.2.1"}}) as centre:
            centre.queue("help")
            centre.queue("sales", dids=DID, **STORIES[story])
            centre.agent("1001", FarEnd(rings_after=0.05, answers_after=0.3), "help")
            if story == "missed":
                centre.agent("1002", FarEnd(rings_after=0.05), "sales")
            centre.world.fake.far("PJSIP/callwright-trunk-main/*", FarEnd(rings_after=0.1, answers_after=0.5))
            caller = centre.call()
            await asyncio.sleep(at)
            centre.world.fake.hang_up(caller.id)
            await centre.settled()
            [finished] = [fact for fact in centre.facts if isinstance(fact, CallFinished)]
            kinds = [entry["kind"] for entry in finished.record["timeline"]]
            assert set(kinds) <= {"menu", "queue", "conversation"}
            assert centre.board.waiting() == []
            centre.world.assert_nothing_left()

    for step in range(150):
        run_virtual(life(0.005 + step * 0.025))
