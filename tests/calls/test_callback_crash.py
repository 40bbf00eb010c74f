"""A process is killed at any instant of a callback: no attempt is made twice, none is forgotten, a talk goes on."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import Engine

from tests.calls.callback_world import (
    ANSWERS,
    CUSTOMERS,
    RINGS,
    TAKES,
    CallbackWorld,
    busy,
    callback_world,
    kinds,
    recovered,
)
from tests.calls.queue_world import DID
from tests.calls.test_inbound_adopt import MortalTransport
from tests.support.fake_ari import FakeAri, FarEnd
from tests.support.virtual_clock import run_virtual


def staff(world: CallbackWorld) -> None:
    """One queue and one agent."""
    world.centre.queue("sales", dids=DID, callback="on", callback_delays="60s,60s")
    world.centre.agent("1001", TAKES, "sales")


async def until_killed(engine: Engine, customer: FarEnd, seconds: float) -> FakeAri:
    """A process in which a callback is ordered and begins; it is killed so long after the agent is free."""
    fake = FakeAri()
    transport = MortalTransport(fake, "callwright")
    async with callback_world(engine, fake, transport) as world:
        staff(world)
        world.customer(customer)
        await recovered(world)
        held = world.centre.world.roster.reserve("", "another")
        await world.ordered()
        held.close()
        await asyncio.sleep(seconds)
        world.store.dead = transport.dead = True
        fake.drop_sockets("killed")
    return fake


@pytest.mark.parametrize("customer", [RINGS, ANSWERS], ids=["rings", "answers"])
@pytest.mark.parametrize("tenths", range(0, 60, 3))
def test_killed_at_any_instant(engine: Engine, customer: FarEnd, tenths: int):
    async def life() -> None:
        fake = await until_killed(engine, customer, 0.0005 + tenths / 10)
        before = len(fake.dialled(CUSTOMERS))
        talking = [c for c in fake.dialled(CUSTOMERS) if c.id in fake.channels and c.bridge is not None]
        async with callback_world(engine, fake) as world:
            staff(world)
            world.customer(customer)
            await recovered(world)
            await asyncio.sleep(20)
            assert [c.id in fake.channels for c in talking] == [True] * len(talking)
            for channel in talking:
                fake.hang_up(channel.id)
            await asyncio.sleep(1200)
            for channel in [c for c in world.dials() if c.id in fake.channels]:
                fake.hang_up(channel.id)
            await asyncio.sleep(30)
            [record] = world.documents()
            [(state, attempts, dials)] = world.rows("SELECT state, attempt, dials FROM callback")
            assert len(world.dials()) <= dials <= 3
            assert attempts == dials == len(record["attempts"])
            assert state == ("failed" if customer is RINGS else "done")
            assert world.rows("SELECT count(*) FROM callback_attempt WHERE ended_at IS NULL") == [(0,)]
            assert len([kind for kind, _ in kinds(record) if kind == "queue_callback"]) == attempts
            assert before <= len(world.dials())
            if talking:
                assert kinds(record)[-2:] == [("queue_callback", ""), ("conversation", "conversation")]
                assert (attempts, record["call_state"]) == (1, "NORMAL_CLEARING_A")
            world.centre.world.assert_nothing_left()

    run_virtual(life())


def test_a_customer_on_hold_during_a_consult_is_with_his_agent_again(engine: Engine):
    async def life() -> None:
        fake = FakeAri()
        transport = MortalTransport(fake, "callwright")
        async with callback_world(engine, fake, transport) as world:
            staff(world)
            world.centre.agent("1002", TAKES)
            world.customer(ANSWERS)
            await recovered(world)
            with busy(world):
                await world.ordered()
            await asyncio.sleep(5)
            agent, [customer] = fake.dialled("PJSIP/1001")[-1], world.dials()
            fake.press(agent.id, "*71002#")
            await asyncio.sleep(2)
            assert customer.moh
            world.store.dead = transport.dead = True
            fake.drop_sockets("killed")
        async with callback_world(engine, fake) as world:
            staff(world)
            await recovered(world)
            await asyncio.sleep(2)
            assert fake.together(customer.id, agent.id)
            assert not customer.moh
            fake.hang_up(customer.id)
            await asyncio.sleep(30)
            [record] = world.documents()
            assert kinds(record)[-2:] == [("queue_callback", ""), ("conversation", "conversation")]
            assert world.rows("SELECT state, attempt FROM callback") == [("done", 1)]
            [(dialled_at,)] = world.rows("SELECT intent_at FROM callback_attempt")
            assert record["attempts"][0]["at"][:19] == str(dialled_at)[:19].replace(" ", "T")
            world.centre.world.assert_nothing_left()

    run_virtual(life())


def test_a_customer_who_was_given_to_a_number_outside_stays_there(engine: Engine):
    async def life() -> None:
        fake = FakeAri()
        transport = MortalTransport(fake, "callwright")
        async with callback_world(engine, fake, transport) as world:
            staff(world)
            world.customer(ANSWERS)
            await recovered(world)
            with busy(world):
                await world.ordered()
            await asyncio.sleep(5)
            agent, [customer] = fake.dialled("PJSIP/1001")[-1], world.dials()
            fake.press(agent.id, "*702073798111#")
            await asyncio.sleep(4)
            fake.hang_up(agent.id)
            await asyncio.sleep(1)
            there = world.dials()[-1]
            assert fake.together(customer.id, there.id)
            world.store.dead = transport.dead = True
            fake.drop_sockets("killed")
        async with callback_world(engine, fake) as world:
            staff(world)
            await recovered(world)
            await asyncio.sleep(20)
            assert fake.together(customer.id, there.id)
            assert set(fake.channels) == {customer.id, there.id}
            fake.hang_up(customer.id)
            await asyncio.sleep(30)
            [record] = world.documents()
            assert kinds(record)[-3:] == [
                ("queue_callback", ""), ("conversation", "conversation"), ("conversation", "+442073798111"),
            ]  # fmt: skip
            assert (record["agents"], record["call_state"]) == (["Agent 1001"], "NORMAL_CLEARING_A")
            assert world.rows("SELECT state, attempt FROM callback") == [("done", 1)]
            assert [event for _, _, _, event, _ in world.centre.lines] == []
            world.centre.world.assert_nothing_left()

    run_virtual(life())
