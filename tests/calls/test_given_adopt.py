"""A caller whom his agent gave to somebody else, taken over by the next process: his recording and his story go on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ari_app.tapes import CLAIM_SECONDS
from contact_center.store.facts import RecordingNoted
from tests.calls.adopt_world import FAR, Pair, Scene, killed, next_process
from tests.calls.callback_world import made_store
from tests.calls.queue_world import QueueWorld
from tests.support.virtual_clock import run_virtual


async def _given(centre: QueueWorld, digits: str, endpoint: str) -> Pair:
    """A caller talks to 1001 for 3 s, who consults somebody for 2 s and leaves; a second later there is a crash."""
    caller = centre.call()
    await asyncio.sleep(3.5)
    [agent] = centre.world.fake.dialled("PJSIP/1001")
    centre.world.fake.press(agent.id, f"*7{digits}#")
    await asyncio.sleep(2.5)
    centre.world.fake.hang_up(agent.id)
    await asyncio.sleep(1)
    return caller, centre.world.fake.dialled(endpoint)[0]


async def given_to_a_colleague(centre: QueueWorld) -> Pair:
    return await _given(centre, "1002", "PJSIP/1002")


async def given_to_a_number(centre: QueueWorld) -> Pair:
    return await _given(centre, "02079460019", FAR)


@pytest.mark.parametrize(
    ("scene", "agents", "last"),
    [
        (given_to_a_colleague, ["Agent 1001", "Agent 1002"], "Agent 1002"),
        (given_to_a_number, ["Agent 1001"], None),
    ],
)
def test_a_caller_who_was_given_away_is_recorded_on_and_all_who_had_him_are_told(
    tmp_path: Path, scene: Scene, agents: list[str], last: str | None
):
    async def life() -> None:
        engine = made_store(tmp_path)
        fake, (caller, other) = await killed(engine, scene)
        [tape] = fake.recordings.values()
        async with next_process(fake, engine) as centre:
            tapes = centre.world.app.env.tapes
            assert tapes is not None
            watching = asyncio.create_task(tapes.run())
            await asyncio.sleep(2 * CLAIM_SECONDS)
            watching.cancel()
            assert fake.together(caller.id, other.id)
            assert list(fake.recordings.values()) == [tape]
            assert [fact.what for fact in centre.facts if isinstance(fact, RecordingNoted)] == ["adopted"]
            fake.hang_up(caller.id)
            record = await centre.record(caller)
            kinds = [event["kind"] for event in record["timeline"]]
            assert kinds == ["queue", "conversation", "consult", "conversation"]
            assert [event["agent"] for event in record["timeline"]][1::2] == ["Agent 1001", last]
            assert record["agents"] == agents
            assert record["timeline"][1]["seconds"] == pytest.approx(3.5, abs=0.3)
            assert record["timeline"][2]["seconds"] == pytest.approx(2.2, abs=0.3)
            assert not {"COMPLETECALLER", "COMPLETEAGENT"} & set(centre.events(caller))
            await centre.settled()
            centre.world.assert_nothing_left()
            assert not fake.recordings

    run_virtual(life())


async def _consulting(centre: QueueWorld) -> Pair:
    """A caller waits with music for 2 s while his agent speaks with a colleague, and there is a crash."""
    centre.call()
    await asyncio.sleep(3.5)
    [agent] = centre.world.fake.dialled("PJSIP/1001")
    centre.world.fake.press(agent.id, "*71002#")
    await asyncio.sleep(2.5)
    return agent, centre.world.fake.dialled("PJSIP/1002")[0]


async def _consulting_by_phone(centre: QueueWorld) -> Pair:
    """The same in a second call of the agent's phone, which holds the caller."""
    centre.call()
    await asyncio.sleep(3.5)
    [agent] = centre.world.fake.dialled("PJSIP/1001")
    centre.world.fake.hold(agent.id)
    second = centre.dial("1001", "1002")
    await asyncio.sleep(2.5)
    return second, centre.world.fake.dialled("PJSIP/1002")[0]


@pytest.mark.parametrize("scene", [_consulting, _consulting_by_phone])
def test_a_consult_that_a_crash_cut_off_is_told_and_the_caller_is_his_agents_again(tmp_path: Path, scene: Scene):
    async def life() -> None:
        engine = made_store(tmp_path)
        fake, _ = await killed(engine, scene)
        [agent] = fake.dialled("PJSIP/1001")
        [caller] = [one for one in fake.channels.values() if one.endpoint == "PJSIP/carrier"]
        async with next_process(fake, engine) as centre:
            await asyncio.sleep(2)
            assert fake.together(caller.id, agent.id)
            assert not caller.moh
            assert fake.dialled("PJSIP/1002")[0].id not in fake.channels
            assert not [one for one in fake.channels if one.startswith("phone")]
            fake.hang_up(caller.id)
            record = await centre.record(caller)
            spans = [(part["kind"], part["agent"]) for part in record["timeline"]]
            assert spans == [
                ("queue", None),
                ("conversation", "Agent 1001"),
                ("consult", "Agent 1002"),
                ("conversation", "Agent 1001"),
            ]
            assert record["timeline"][2]["seconds"] == pytest.approx(2.6, abs=0.4)
            assert record["agents"] == ["Agent 1001", "Agent 1002"]
            await centre.settled()
            centre.world.assert_nothing_left()

    run_virtual(life())
