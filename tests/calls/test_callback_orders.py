"""How callers order callbacks, and what becomes of those who call in again."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from contact_center.errors import CallwrightError
from contact_center.store.admin import By
from contact_center.store.admin_agents import AgentDraft, add_agent
from contact_center.store.admin_calls import hang_up_call, listen_to_call
from contact_center.store.admin_dnc import add_dnc
from contact_center.store.engine import writing
from contact_center.terms import Ear
from tests.calls.callback_world import (
    ANSWERS,
    CallbackWorld,
    busy,
    kinds,
    lived,
    states,
)
from tests.calls.queue_world import DID
from tests.lab.until import until


def test_three_goes_on_waiting_in_the_same_place(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        with busy(world):
            first = world.centre.call()
            await asyncio.sleep(1)
            second = world.centre.call()
            await asyncio.sleep(1)
            world.fake.press(first.id, "1")
            await asyncio.sleep(0.5)
            assert not first.moh
            world.fake.press(first.id, "3")
            await asyncio.sleep(1)
            assert first.moh
            assert len(world.centre.board.waiting()) == 2
        await asyncio.sleep(2)
        assert world.fake.together(first.id, world.fake.dialled("PJSIP/1001")[-1].id)
        world.fake.hang_up(first.id)
        world.fake.hang_up(second.id)
        record = await world.centre.record(first)
        assert [kind for kind, _ in kinds(record)] == ["queue", "menu", "queue", "conversation"]
        assert record["kind"] == "inbound"
        assert states(world) == []

    lived(engine, scenario)


def test_a_key_stops_the_number_that_is_spoken_back(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        with busy(world):
            caller = world.centre.call()
            await asyncio.sleep(1)
            world.fake.press(caller.id, "1")
            await asyncio.sleep(3)
            spoken = [sound for _, sound in caller.heard]
            assert "sound:digits/4" in spoken
            assert not [sound for sound in spoken if sound.startswith("digits:")]  # Asterisk plays these to their end
            world.fake.hang_up(caller.id)

    lived(engine, scenario)


def test_another_number_is_keyed_spoken_back_and_called(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        world.customer(ANSWERS)
        with busy(world):
            caller = world.centre.call()
            await asyncio.sleep(1)
            for keys in ("1", "2", "02079460018#", "1"):
                world.fake.press(caller.id, keys)
                await asyncio.sleep(0.5)
            await asyncio.sleep(5)
        assert world.rows("SELECT number FROM callback") == [("+442079460018",)]
        await asyncio.sleep(10)
        [dial] = world.dials()
        assert "+442079460018" in dial.endpoint
        assert [label for _, label in kinds(world.documents()[0])[1:4]] == [
            "callback offered",
            "number entered",
            "callback ordered",
        ]

    lived(engine, scenario)


@pytest.mark.parametrize("keys", ["09098790000#", "0015550100#", "12#", "*"])
def test_a_number_that_may_not_be_called_is_refused_and_he_waits_on(engine: Engine, keys: str):
    async def scenario(world: CallbackWorld) -> None:
        with busy(world):
            caller = world.centre.call()
            await asyncio.sleep(1)
            world.fake.press(caller.id, "1")
            await asyncio.sleep(0.5)
            world.fake.press(caller.id, "2")
            for _ in range(3):
                await asyncio.sleep(2.5)
                world.fake.press(caller.id, keys)
            await asyncio.sleep(10)
            assert states(world) == []
            assert caller.moh
            assert len(world.centre.board.waiting()) == 1

    lived(engine, scenario)


def test_a_number_on_the_do_not_call_list_is_not_offered_and_not_dialled(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        with busy(world):
            await world.ordered()
            with writing(engine) as session:
                add_dnc(session, By("test", datetime.now(UTC)), ["+447400000001"], 0, "asked")
        rung = len(world.fake.dialled("PJSIP/1001"))
        await asyncio.sleep(30)
        assert world.dials() == []
        assert len(world.fake.dialled("PJSIP/1001")) == rung
        assert world.rows("SELECT state, reason FROM callback") == [("failed", "the number is on the do-not-call list")]

    lived(engine, scenario)


def test_a_number_listed_while_its_agent_is_told_is_not_dialled(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        with busy(world):
            await world.ordered()
        claimed = "SELECT 1 FROM callback WHERE state = 'calling_agent'"
        await until(lambda: bool(world.rows(claimed)), 10.0, "the claim")
        with writing(engine) as session:
            add_dnc(session, By("test", datetime.now(UTC)), ["+447400000001"], 0, "asked")
        await asyncio.sleep(30)
        assert world.dials() == []
        assert world.rows("SELECT state, reason FROM callback") == [("failed", "the number is on the do-not-call list")]

    lived(engine, scenario)


def test_no_agent_is_rung_for_a_callback_whose_queue_closes_as_its_turn_comes(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        world.customer(ANSWERS)
        with busy(world):
            await world.ordered()
            world.centre.queue("sales", dids=DID, callback="on", hours="00:00-00:01")
        rung = len(world.fake.dialled("PJSIP/1001"))
        await asyncio.sleep(60)
        assert (world.dials(), len(world.fake.dialled("PJSIP/1001"))) == ([], rung)
        assert [state for state, *_ in states(world)] == ["waiting"]

    lived(engine, scenario)

    lived(engine, scenario)


def test_who_hangs_up_after_the_key_has_ordered(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        world.customer(ANSWERS)
        with busy(world):
            caller = world.centre.call()
            await asyncio.sleep(1)
            world.fake.press(caller.id, "1")
            await asyncio.sleep(0.5)
            world.fake.hang_up(caller.id)
            await asyncio.sleep(1)
            assert states(world) == [("waiting", 0, 0)]
        await asyncio.sleep(10)
        assert len(world.dials()) == 1

    lived(engine, scenario)


def test_a_second_order_from_one_number_merges_with_the_first(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        with busy(world):
            for _ in range(2):
                caller = world.centre.call(number="+447400000077")
                await asyncio.sleep(1)
                world.fake.press(caller.id, "1")
                await asyncio.sleep(0.5)
                world.fake.press(caller.id, "1")
                await asyncio.sleep(10)
            assert states(world) == [("waiting", 0, 0)]
            assert [r["kind"] for r in world.documents()] == ["callback", "inbound"]

    lived(engine, scenario)


def test_who_calls_in_again_has_his_place_and_is_not_called_back(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        world.customer(ANSWERS)
        with busy(world):
            ordered = await world.ordered()
            other = world.centre.call(number="+447400000555")
            await asyncio.sleep(1)
            again = world.centre.call(number=ordered.caller_number)
            await asyncio.sleep(1)
        await asyncio.sleep(2)
        assert world.fake.together(again.id, world.fake.dialled("PJSIP/1001")[-1].id)
        assert world.rows("SELECT state, reason FROM callback") == [("done", "he called in himself")]
        world.fake.hang_up(again.id)
        world.fake.hang_up(other.id)
        await asyncio.sleep(600)
        assert world.dials() == []

    lived(engine, scenario)


def test_who_calls_in_again_and_gives_up_is_called_back_after_all(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        world.customer(ANSWERS)
        with busy(world):
            ordered = await world.ordered()
            again = world.centre.call(number=ordered.caller_number)
            await asyncio.sleep(1)
            world.fake.hang_up(again.id)
        await asyncio.sleep(20)
        assert len(world.dials()) == 1

    lived(engine, scenario)


def test_offered_by_place_only_to_whom_it_is_offered(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        with busy(world):
            first, second = world.centre.call(), world.centre.call()
            await asyncio.sleep(1)
            world.fake.press(first.id, "1")
            world.fake.press(second.id, "1")
            await asyncio.sleep(1)
            assert first.moh
            assert not second.moh

    lived(engine, scenario, callback_position="2")


@pytest.mark.parametrize("wanted", ["on", "off"])
def test_who_gives_up_waiting_is_called_back_where_the_queue_wants_it(engine: Engine, wanted: str):
    async def scenario(world: CallbackWorld) -> None:
        world.customer(ANSWERS)
        with busy(world):
            caller = world.centre.call()
            await asyncio.sleep(5)
            world.fake.hang_up(caller.id)
            await asyncio.sleep(1)
            [record] = world.documents()
            assert (record["disposition"], kinds(record)) == ("abandoned", [("queue", "sales")])
            assert record["kind"] == ("callback" if wanted == "on" else "inbound")
        await asyncio.sleep(10)
        assert len(world.dials()) == (1 if wanted == "on" else 0)

    lived(engine, scenario, callback_abandoned=wanted)


def test_who_was_served_is_not_called_back(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        caller = world.centre.call()
        await asyncio.sleep(5)
        world.fake.hang_up(caller.id)
        await asyncio.sleep(10)
        assert states(world) == []

    lived(engine, scenario, callback_abandoned="on")


@pytest.mark.parametrize(("key", "orders"), [("1", 1), ("3", 0), ("", 0)])
def test_whom_the_queue_cannot_serve_is_asked_for_a_callback(engine: Engine, key: str, orders: int):
    async def scenario(world: CallbackWorld) -> None:
        world.customer(ANSWERS)
        with busy(world):
            caller = world.centre.call()
            await asyncio.sleep(6)
            world.fake.press(caller.id, key)
            await asyncio.sleep(60)
            assert caller.ended_at is not None
            assert len(states(world)) == orders
            [record] = world.documents()
            assert record["disposition"] == ("callback" if orders else "overflow")
        await asyncio.sleep(10)
        assert len(world.dials()) == orders

    lived(engine, scenario, max_wait="5s", overflow="callback")


def test_a_callback_that_goes_on_is_hung_up_and_listened_to_by_the_call_of_its_order(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        world.customer(ANSWERS)
        by = By("test", world.centre.world.app.env.clock.now())
        with busy(world):
            await world.ordered()
            [(call_id,)] = world.rows("SELECT call_id FROM callback")
            with writing(world.store.engine) as session, pytest.raises(CallwrightError, match="is over"):
                hang_up_call(session, by, call_id)
        await asyncio.sleep(20)
        [customer] = world.dials()
        assert customer.id in world.fake.channels
        with writing(world.store.engine) as session:
            add_agent(session, by, AgentDraft(ext="1009", name="Boss"))
            listen_to_call(session, by, call_id, "1009", Ear.LISTEN)
            hang_up_call(session, by, call_id)
        assert await world.centre.world.app.hang_up(call_id)
        await asyncio.sleep(1)
        assert customer.id not in world.fake.channels
        [record] = world.documents()
        assert (record["hung_up_by"], record["call_state"]) == ("system", "NORMAL_CLEARING_S")
        with writing(world.store.engine) as session, pytest.raises(CallwrightError, match="is over"):
            hang_up_call(session, by, call_id)

    lived(engine, scenario)
