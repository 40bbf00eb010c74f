"""Callbacks that expire in line: they end in red, and whoever orders again is called."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import Engine

from contact_center.store.engine import writing
from contact_center.store.errors import OutcomeUnknown
from contact_center.terms import CallbackState
from tests.calls.callback_world import ANSWERS, CallbackWorld, busy, lived, states
from tests.lab.until import until

NUMBER = "+447400000077"


async def order(world: CallbackWorld) -> None:
    """The same customer orders a callback, and hangs up."""
    caller = world.centre.call(number=NUMBER)
    await asyncio.sleep(1)
    world.fake.press(caller.id, "1")
    await asyncio.sleep(0.5)
    world.fake.press(caller.id, "1")
    await asyncio.sleep(10)
    assert caller.ended_at is not None


async def until_expired(world: CallbackWorld, seconds: float) -> None:
    """So long after the only callback expired."""
    [kept] = world.callbacks.kept.values()
    await asyncio.sleep((kept.expires_at - world.centre.world.app.env.clock.now()).total_seconds() + seconds)


def ends(world: CallbackWorld) -> list[tuple[str, str]]:
    """How the records end."""
    return [(r["timeline"][-1]["kind"], r["timeline"][-1].get("color", "")) for r in world.documents()]


@pytest.mark.parametrize("seconds", [6.0, 60.0])
def test_what_expires_while_nobody_is_free_ends_in_red_and_a_later_order_is_called(engine: Engine, seconds: float):
    async def scenario(world: CallbackWorld) -> None:
        world.customer(ANSWERS)
        with busy(world):
            await order(world)
            await until_expired(world, seconds)
            assert states(world) == [("expired", 0, 0)]
            assert ends(world) == [("deleted", "red")]
            assert world.callbacks.calls == {}
            await order(world)
            assert states(world) == [("expired", 0, 0), ("waiting", 0, 0)]
        await asyncio.sleep(10)
        assert len(world.dials()) == 1

    lived(engine, scenario, callback_expires="2m")


@pytest.mark.parametrize("after", [0.0, 0.001, 0.5, 1.0, 2.0, 3.0, 4.0, 4.9])
def test_an_agent_who_is_free_just_after_it_expired_calls_nobody_and_it_ends_in_red(engine: Engine, after: float):
    async def scenario(world: CallbackWorld) -> None:
        world.customer(ANSWERS)
        with busy(world):
            await order(world)
            await until_expired(world, after)
        await asyncio.sleep(10)
        assert world.dials() == []
        assert states(world) == [("expired", 0, 0)]
        assert ends(world) == [("deleted", "red")]
        with busy(world):
            await order(world)
        await asyncio.sleep(10)
        assert len(world.dials()) == 1

    lived(engine, scenario, callback_expires="2m")


@pytest.mark.parametrize("after", [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5])
def test_who_orders_again_just_after_his_callback_expired_has_a_new_one(engine: Engine, after: float):
    async def scenario(world: CallbackWorld) -> None:
        world.customer(ANSWERS)
        with busy(world):
            await order(world)
            await asyncio.sleep(2.5)  # so that the looks fall between the moments that are tried
            caller = world.centre.call(number=NUMBER)
            await until_expired(world, after - 0.6)
            world.fake.press(caller.id, "1")
            await asyncio.sleep(0.7)
            world.fake.press(caller.id, "1")
            await asyncio.sleep(10)
            assert states(world) == [("expired", 0, 0), ("waiting", 0, 0)]
        await asyncio.sleep(10)
        assert len(world.dials()) == 1

    lived(engine, scenario, callback_expires="2m")


def test_a_claim_whose_answer_was_lost_is_taken_again(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        world.customer(ANSWERS)
        commit = world.store.commit

        async def lost(fn, within=2.0):
            await commit(fn, within)
            world.store.commit = commit
            raise OutcomeUnknown("the database does not answer a COMMIT")

        with busy(world):
            await order(world)
            world.store.commit = lost
        await until(lambda: world.store.commit == commit, 5.0, "the claim")
        assert [state for state, _, _ in states(world)] == [CallbackState.CALLING_AGENT]
        await asyncio.sleep(20)
        assert len(world.dials()) == 1

    lived(engine, scenario)


def test_a_callback_that_another_process_has_is_left_to_it(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        world.customer(ANSWERS)
        with busy(world):
            await order(world)
            with writing(engine) as session:
                session.connection().exec_driver_sql("UPDATE callback SET state = 'calling_agent', owner = 'another'")
        await asyncio.sleep(30)
        assert world.dials() == []
        assert world.rows("SELECT state, owner FROM callback") == [("calling_agent", "another")]
        assert world.callbacks.kept == {}

    lived(engine, scenario)
