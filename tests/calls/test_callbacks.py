"""Whole lives of callbacks on the virtual clock, against a real store."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine

from contact_center.terms import AgentState
from tests.calls.callback_world import (
    ANSWERS,
    BUSY,
    RINGS,
    TAKES,
    CallbackWorld,
    busy,
    callback_world,
    cancel,
    kinds,
    lived,
    staffed,
    states,
)
from tests.calls.queue_world import DID
from tests.lab.until import until
from tests.support.fake_ari import FarEnd
from tests.support.virtual_clock import run_virtual


def test_one_orders_a_callback_the_agent_is_called_first_and_then_the_customer(engine: Engine):
    async def life() -> None:
        async with callback_world(engine) as world:
            await staffed(world)
            held = world.centre.world.roster.reserve("", "another")
            world.customer(ANSWERS)
            caller = await world.ordered()
            assert caller.ended_at is not None
            [before] = world.documents()
            assert kinds(before) == [("queue", "sales"), ("menu", "callback offered"), ("menu", "callback ordered")]
            assert (before["kind"], before["disposition"], before["call_state"]) == (
                "callback",
                "callback",
                "CALLBACK_ORDERED",
            )
            assert world.dials() == []
            held.close()
            await asyncio.sleep(10)
            [dial] = world.dials()
            [agent] = world.fake.dialled("PJSIP/1001")
            assert agent.created + 0.5 < dial.created
            assert world.fake.together(agent.id, dial.id)

            await asyncio.sleep(30)
            world.fake.hang_up(dial.id)
            await asyncio.sleep(2)
            [record] = world.documents()
            assert kinds(record)[-2:] == [("queue_callback", ""), ("conversation", "conversation")]
            assert (record["kind"], record["agents"], record["call_state"]) == (
                "callback",
                ["Agent 1001"],
                "NORMAL_CLEARING_A",
            )
            [attempt] = record["attempts"]
            assert (attempt["n"], attempt["outcome"], attempt["agent"]) == (1, "connected", "Agent 1001")
            assert record["talk_seconds"] == pytest.approx(35, abs=5)
            assert world.rows("SELECT state, attempt FROM callback") == [("done", 1)]
            assert world.centre.world.roster.get("1001").state is AgentState.IDLE
            world.centre.world.assert_nothing_left()

    run_virtual(life())


def test_three_calls_that_nobody_answers_are_three_events_with_the_agents_name_and_then_it_has_failed(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        world.customer(RINGS)
        with busy(world):
            await world.ordered()
        await asyncio.sleep(7200)
        assert len(world.dials()) == 3
        first, second, third = world.dials()
        assert second.created - first.ended_at == pytest.approx(900, abs=10)
        assert third.created - second.ended_at == pytest.approx(1800, abs=10)
        [record] = world.documents()
        attempts = kinds(record)[3:]
        assert attempts == [("queue_callback", "1 unanswered call completed")] * 3
        assert [e["agent"] for e in record["timeline"][3:]] == ["Agent 1001"] * 3
        assert [(a["n"], a["outcome"], a["agent"]) for a in record["attempts"]] == [
            (n, "missed", "Agent 1001") for n in (1, 2, 3)
        ]
        assert (record["agents"], record["call_state"], record["talk_seconds"]) == (["Agent 1001"], "NO_ANSWER_A", 0.0)
        ends = [datetime.fromisoformat(e["at"]) + timedelta(seconds=e["seconds"]) for e in record["timeline"][3:]]
        begins = [datetime.fromisoformat(e["at"]) for e in record["timeline"][3:]]
        assert [(b - e).total_seconds() for e, b in zip(ends, begins[1:], strict=False)] == pytest.approx(
            [0, 0], abs=0.1
        )
        assert states(world) == [("failed", 3, 3)]
        world.centre.world.assert_nothing_left()

    lived(engine, scenario, callback_delays="15m,30m")


def test_the_second_attempt_is_answered_by_a_machine_and_no_further_call_is_made(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        world.customer(BUSY, FarEnd(rings_after=0.1, answers_after=1.0, hangs_up_after=20.0))
        with busy(world):
            await world.ordered()
        await asyncio.sleep(9000)
        assert len(world.dials()) == 2
        [record] = world.documents()
        assert kinds(record)[3:] == [
            ("queue_callback", "1 unanswered call completed"),
            ("queue_callback", ""),
            ("conversation", "conversation"),
        ]
        assert [a["outcome"] for a in record["attempts"]] == ["busy", "connected"]
        assert states(world) == [("done", 2, 2)]

    lived(engine, scenario)


def test_what_the_trunk_refuses_uses_up_no_attempt_and_leaves_no_trace(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        refused = FarEnd(rings_after=None, rejects_after=0.1, rejects_with=(34, 503, "CONGESTION"))
        world.customer(refused, refused, FarEnd(rings_after=0.1, answers_after=1.0, hangs_up_after=5.0))
        with busy(world):
            await world.ordered()
        await asyncio.sleep(600)
        first, second, third = world.dials()
        assert second.created - first.ended_at == pytest.approx(60, abs=7)
        assert third.created - second.ended_at == pytest.approx(120, abs=7)
        [record] = world.documents()
        assert [(a["n"], a["outcome"]) for a in record["attempts"]] == [(1, "connected")]
        assert [kind for kind, _ in kinds(record)[3:]] == ["queue_callback", "conversation"]
        assert states(world) == [("done", 1, 3)]

    lived(engine, scenario)


def test_a_number_that_does_not_exist_is_not_called_again(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        world.customer(FarEnd(rings_after=None, rejects_after=0.1, rejects_with=(1, 404, "NOANSWER")))
        with busy(world):
            await world.ordered()
        await asyncio.sleep(7200)
        assert len(world.dials()) == 1
        assert states(world) == [("failed", 1, 1)]

    lived(engine, scenario)


def test_callers_and_callbacks_are_one_line_by_the_time_they_came(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        world.customer(ANSWERS)
        with busy(world):
            older = world.centre.call()
            await asyncio.sleep(2)
            await world.ordered()
            younger = world.centre.call()
            await asyncio.sleep(2)
        await asyncio.sleep(5)
        assert world.fake.together(older.id, world.fake.dialled("PJSIP/1001")[-1].id)
        assert world.dials() == []
        world.fake.hang_up(older.id)
        await asyncio.sleep(8)
        [dial] = world.dials()
        assert world.fake.together(dial.id, world.fake.dialled("PJSIP/1001")[-1].id)
        assert younger.moh
        world.fake.hang_up(dial.id)
        await asyncio.sleep(5)
        assert world.fake.together(younger.id, world.fake.dialled("PJSIP/1001")[-1].id)

    lived(engine, scenario)


def test_never_more_callbacks_at_once_than_agents_who_can_take_them(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        world.customer(RINGS)
        world.centre.agent("1002", TAKES, "sales")
        with busy(world), busy(world, "1002"):
            for _ in range(6):
                await world.ordered()
        seen = []
        for _ in range(200):
            await asyncio.sleep(1)
            seen.append(sum(1 for dial in world.dials() if dial.ended_at is None))
        assert max(seen) == 2
        assert len(world.dials()) == 6
        owners = {row[0] for row in world.rows("SELECT count(*) FROM callback_attempt GROUP BY callback_id")}
        assert owners == {1}

    lived(engine, scenario)


def test_an_agent_who_does_not_take_it_is_followed_by_the_next_and_the_customer_is_not_dialled(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        world.customer(ANSWERS)
        world.centre.agent("1002", FarEnd(rings_after=0.05, rejects_after=1.0), "sales")
        with busy(world), busy(world, "1002"):
            await world.ordered()
        world.centre.world.roster.get("1001").idle_since_at = world.centre.world.app.env.clock.now()
        await asyncio.sleep(0.5)
        assert world.dials() == []
        await asyncio.sleep(10)
        assert len(world.dials()) == 1
        assert [a["agent"] for a in world.documents()[0]["attempts"]] in ([], ["Agent 1001"])

    lived(engine, scenario)


def test_nobody_is_called_outside_the_hours_and_what_is_too_old_expires_in_red(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        world.customer(ANSWERS)
        with busy(world):
            await world.ordered()
            world.centre.queue("sales", dids=DID, callback="on", hours="22:00-23:00", callback_expires="2h")
            await asyncio.sleep(6)
            late = world.rows("SELECT id FROM callback")
        await asyncio.sleep(3600)
        assert world.dials() == []
        assert late
        await asyncio.sleep(7200)
        [record] = world.documents()
        assert world.rows("SELECT state FROM callback") == [("expired",)]
        assert (record["timeline"][-1]["kind"], record["timeline"][-1]["color"]) == ("deleted", "red")

    lived(engine, scenario, callback_expires="2h")


@pytest.mark.parametrize("when", ["waiting", "agent rings", "customer rings"])
def test_a_cancelled_callback_is_not_called_and_its_record_ends_in_red(engine: Engine, when: str):
    async def scenario(world: CallbackWorld) -> None:
        world.customer(RINGS)
        with busy(world):
            ordered = await world.ordered()
            [(callback_id,)] = world.rows("SELECT id FROM callback")
            if when == "waiting":
                cancel(world, callback_id)
        if when == "agent rings":
            await asyncio.sleep(0.3)
            cancel(world, callback_id)
            await asyncio.sleep(0.5)
            assert not any(agent.id in world.fake.channels for agent in world.fake.dialled("PJSIP/1001"))
        if when == "customer rings":
            await asyncio.sleep(5)
            cancel(world, callback_id)
        await asyncio.sleep(7200)
        assert len(world.dials()) == (1 if when == "customer rings" else 0)
        assert all(dial.ended_at - dial.created < 6 for dial in world.dials())
        [record] = world.documents()
        assert record["timeline"][-1]["kind"] == "deleted"
        assert world.rows("SELECT state FROM callback") == [("cancelled",)]
        assert ordered.ended_at is not None
        world.centre.world.assert_nothing_left()

    lived(engine, scenario)


def test_without_its_intent_stored_nobody_is_dialled(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        world.customer(ANSWERS)
        with busy(world):
            await world.ordered()
            world.store.down = True
        await asyncio.sleep(60)
        assert world.dials() == []
        world.store.down = False
        await asyncio.sleep(20)
        assert len(world.dials()) == 1

    lived(engine, scenario)


def test_the_customer_first_hears_music_until_an_agent_is_there(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        world.customer(ANSWERS)
        with busy(world):
            await world.ordered()
        await asyncio.sleep(2.2)
        [dial] = world.dials()
        [agent] = world.fake.dialled("PJSIP/1001")
        assert dial.created + 2.0 <= agent.created
        await asyncio.sleep(3)
        assert world.fake.together(dial.id, agent.id)
        assert not dial.moh
        world.fake.hang_up(agent.id)
        await asyncio.sleep(3)
        [record] = world.documents()
        assert kinds(record)[3:] == [("queue_callback", ""), ("conversation", "conversation")]
        assert record["call_state"] == "NORMAL_CLEARING_B"
        assert states(world) == [("done", 1, 1)]
        world.centre.world.assert_nothing_left()

    lived(engine, scenario, callback_first="customer")


def test_with_the_customer_first_he_is_not_dialled_while_no_agent_is_free_and_the_next_one_is_rung(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        world.customer(FarEnd(rings_after=0.1, answers_after=2.0, hangs_up_after=30.0))
        world.centre.agent("1002", FarEnd(rings_after=0.05, rejects_after=1.0), "sales")
        with busy(world):
            with busy(world, "1002"):
                await world.ordered()
                assert world.dials() == []
            await asyncio.sleep(5)
            [dial] = world.dials()
            assert dial.moh
        await asyncio.sleep(3)
        assert world.fake.together(dial.id, world.fake.dialled("PJSIP/1001")[-1].id)
        await asyncio.sleep(40)
        assert world.documents()[0]["agents"] == ["Agent 1001"]
        world.centre.world.assert_nothing_left()

    lived(engine, scenario, callback_first="customer")


@pytest.mark.parametrize("after", [1.99, 1.999, 2.0, 2.001, 2.003, 2.005, 2.01])
def test_an_agent_who_leaves_as_the_customer_answers_leaves_nobody_in_silence(engine: Engine, after: float):
    async def scenario(world: CallbackWorld) -> None:
        world.customer(ANSWERS)
        with busy(world):
            await world.ordered()
        await until(world.dials, 20.0, "the dial")
        [dial] = world.dials()
        [agent] = world.fake.dialled("PJSIP/1001")
        await asyncio.sleep(dial.created + after - asyncio.get_running_loop().time())
        world.fake.hang_up(agent.id)
        await asyncio.sleep(3)
        again = world.fake.dialled("PJSIP/1001")[-1]
        assert dial.id not in world.fake.channels or world.fake.together(dial.id, again.id)
        world.fake.hang_up(dial.id)
        await asyncio.sleep(20)
        world.centre.world.assert_nothing_left()
        assert len(world.documents()[0]["attempts"]) == 1

    lived(engine, scenario)
