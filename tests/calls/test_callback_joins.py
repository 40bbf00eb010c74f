"""Callbacks whose join fails, and what is shown of them while they go on."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import Engine

from tests.calls.callback_world import (
    ANSWERS,
    RINGS,
    CallbackWorld,
    busy,
    kinds,
    lived,
    states,
)
from tests.lab.until import until


@pytest.mark.parametrize("first", ["agent", "customer"])
def test_a_customer_whose_join_fails_hears_music_and_talks_to_whoever_can_be_found(engine: Engine, first: str):
    async def scenario(world: CallbackWorld) -> None:
        world.customer(ANSWERS)
        with busy(world):
            await world.ordered()
        await until(world.dials, 20.0, "the dial")
        [dial] = world.dials()
        lost: list[str] = []

        def loses(_: str, path: str) -> bool:
            if len(lost) < 2 and path.endswith("/addChannel"):  # the agent's and the customer's
                lost.append(path)
                return True
            return False

        world.fake.lose_reply = loses
        await until(lambda: dial.moh and len(lost) == 2, 20.0, "music after the join that failed")
        assert dial.bridge is None
        await asyncio.sleep(10)
        assert world.fake.together(dial.id, world.fake.dialled("PJSIP/1001")[-1].id)
        world.fake.hang_up(dial.id)
        await asyncio.sleep(5)
        assert world.documents()[0]["agents"] == ["Agent 1001"]
        assert states(world) == [("done", 1, 1)]
        world.centre.world.assert_nothing_left()

    lived(engine, scenario, callback_first=first)


def test_while_the_customer_is_called_and_talks_his_call_shows_it(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        world.customer(RINGS, ANSWERS)
        with busy(world):
            await world.ordered()
            [waits] = world.listed()
            assert (waits["call_state"], waits["disposition"]) == ("CALLBACK_ORDERED", "callback")
        await until(world.dials, 30.0, "the dial")
        await asyncio.sleep(1)
        [rings] = world.listed()
        assert [rings[key] for key in ("ended_at", "call_state", "disposition", "talk_seconds")] == [
            None,
            None,
            None,
            0,
        ]
        assert [(one["n"], one["outcome"]) for one in rings["attempts"]] == [(1, None)]
        await until(lambda: len(world.dials()) == 2, 2000.0, "the second dial")
        await asyncio.sleep(12)
        [talks] = world.listed()
        assert talks["ended_at"] is None
        assert talks["talk_seconds"] == pytest.approx(10, abs=1)
        assert kinds(talks)[-3:] == [
            ("queue_callback", "1 unanswered call completed"),
            ("queue_callback", ""),
            ("conversation", "conversation"),
        ]
        assert [(one["n"], one["outcome"]) for one in talks["attempts"]] == [(1, "missed"), (2, None)]
        world.fake.hang_up(world.dials()[-1].id)
        await asyncio.sleep(2)
        [over] = world.listed()
        assert [over] == world.documents()
        assert (over["ended_at"] is None, over["call_state"]) == (False, "NORMAL_CLEARING_A")

    lived(engine, scenario)
