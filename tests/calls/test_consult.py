"""Consult, swap, three-way and transfer on the virtual clock: every state against every event."""

from __future__ import annotations

import asyncio

import pytest

from tests.calls.consult_world import FAR, RINGS, SETTINGS, TAKES, Three, begun, reach
from tests.calls.queue_world import DID, queue_world
from tests.support.fake_ari import FarEnd
from tests.support.virtual_clock import on_virtual_clock, run_virtual

OTHER = {"ringing": RINGS, "alone": FarEnd(rings_after=0.05, answers_after=5.0)}
HEARD = {"ringing": "c*", "consult": "ao c*", "swapped": "ca o*", "three_way": "ca co ao", "alone": "c*"}
TALK, ENDED = ("ca", "ca"), ("", "")
CELLS = {
    ("ringing", "customer"): ENDED,
    ("ringing", "agent"): ("c*", "co"),
    ("ringing", "other"): TALK,
    ("ringing", "*1"): TALK,
    ("ringing", "*3"): ("c*", "cao"),
    ("ringing", "*4"): ("c*", "cao"),
    ("ringing", "*71003#"): ("c*", "cao"),
    ("ringing", "*2"): ENDED,
    ("ringing", "*81#"): ("c*", "cao"),
    ("ringing", "5"): ("c*", "cao"),
    ("ringing", "command"): ENDED,
    ("consult", "customer"): ENDED,
    ("consult", "agent"): ("co", "co"),
    ("consult", "other"): TALK,
    ("consult", "*1"): TALK,
    ("consult", "*3"): ("ca co ao", "cao"),
    ("consult", "*4"): ("ca o*", "cao"),
    ("consult", "*71003#"): ("ao c*", "cao"),
    ("consult", "*2"): ENDED,
    ("consult", "*81#"): ("ao c*", "cao"),
    ("consult", "5"): ("ao c*", "cao"),
    ("consult", "command"): ENDED,
    ("swapped", "customer"): ENDED,
    ("swapped", "agent"): ("co", "co"),
    ("swapped", "other"): TALK,
    ("swapped", "*1"): TALK,
    ("swapped", "*3"): ("ca co ao", "cao"),
    ("swapped", "*4"): ("ao c*", "cao"),
    ("swapped", "*71003#"): ("ca o*", "cao"),
    ("swapped", "*2"): ENDED,
    ("swapped", "*81#"): ("ca o*", "cao"),
    ("swapped", "5"): ("ca o*", "cao"),
    ("swapped", "command"): ENDED,
    ("three_way", "customer"): ENDED,
    ("three_way", "agent"): ("co", "co"),
    ("three_way", "other"): TALK,
    ("three_way", "*1"): TALK,
    ("three_way", "*3"): ("ca co ao", "cao"),
    ("three_way", "*4"): ("ao c*", "cao"),
    ("three_way", "*71003#"): ("ca co ao", "cao"),
    ("three_way", "*2"): ENDED,
    ("three_way", "*81#"): ("ca co ao", "cao"),
    ("three_way", "5"): ("ca co ao", "cao"),
    ("three_way", "command"): ENDED,
    ("alone", "customer"): ENDED,
    ("alone", "command"): ENDED,
}


@pytest.mark.parametrize(("state", "event"), CELLS)
def test_in_each_state_each_event_leads_where_the_table_says_and_the_customer_is_never_in_silence(state, event):
    async def life() -> None:
        async with queue_world(**SETTINGS) as centre:
            three = await begun(centre, OTHER.get(state, TAKES))
            await reach(three, state)
            assert three.hears() == HEARD[state]
            if event in ("customer", "agent", "other"):
                await three.hang_up(event)
            elif event == "command":
                assert await centre.world.app.hang_up(centre.desk.calls[three.customer.id].caller.call_id)
                await asyncio.sleep(1)
            else:
                await three.keys(event)
            heard, up = CELLS[state, event]
            assert (three.hears(), three.up()) == (heard, up)
            assert centre.world.fake.dialled("PJSIP/1003") == []
            heard_keys = [what for _, what in three.customer.heard if what.startswith("dtmf")]
            assert heard_keys == (["dtmf:5"] if event == "5" and state in ("swapped", "three_way") else [])
            assert bool(centre.world.disposed) == (event == "*81#")
            await three.hang_up("customer")
            record = await centre.record(three.customer)
            assert record["disposition"] == "answered"
            await centre.settled()
            centre.world.assert_nothing_left()

    run_virtual(life())


@on_virtual_clock
async def test_a_consult_that_comes_back_and_swaps_is_told_piece_by_piece():
    async with queue_world(**SETTINGS) as centre:
        three = await begun(centre, TAKES)
        await asyncio.sleep(2)
        await three.keys("*4")
        await three.keys("*4")
        await three.keys("*1")
        assert three.hears() == "ca"
        await three.hang_up("customer")
        record = await centre.record(three.customer)
        kinds = [event["kind"] for event in record["timeline"]]
        assert kinds == ["queue", "conversation", "consult", "conversation", "consult", "conversation"]
        assert centre.events(three.customer)[-1] == "COMPLETECALLER"
        await centre.settled()
        centre.world.assert_nothing_left()


@pytest.mark.parametrize(
    ("other", "settings"),
    [
        (FarEnd(rejects_after=0.3), {}),
        (RINGS, {}),
        (FarEnd(exists=False), {}),
        (FarEnd(rings_after=None), {}),
    ],
)
def test_when_nobody_answers_the_customer_hears_his_agent_again(other, settings):
    async def life() -> None:
        async with queue_world(**SETTINGS, **settings) as centre:
            three = await begun(centre, other)
            await asyncio.sleep(12)
            assert three.hears() == "ca"
            assert not three.agent.ringback
            assert centre.world.roster.get("1002").misses == 0
            await three.hang_up("customer")
            record = await centre.record(three.customer)
            assert [event["kind"] for event in record["timeline"]] == ["queue", "conversation"]
            assert record["agents"] == ["Agent 1001"]
            await centre.settled()
            centre.world.assert_nothing_left()

    run_virtual(life())


@on_virtual_clock
async def test_a_number_outside_can_be_consulted_and_given_the_customer_within_the_rules_of_the_trunk():
    limited = {**SETTINGS, "trunk": {"main": {"host": "192.0.2.1", "allowed_prefixes": ["+4420"]}}}
    async with queue_world(**limited) as centre:
        centre.world.fake.far(FAR, TAKES)
        centre.queue("sales", dids=DID)
        centre.agent("1001", TAKES, "sales")
        three = Three(centre, centre.call())
        await asyncio.sleep(3)
        await three.keys("*7+449098790000#".replace("+", "00"))
        await asyncio.sleep(2)
        assert centre.world.fake.dialled(FAR) == []
        assert three.hears() == "ca"
        await three.keys("*702079460018#")
        [outside] = centre.world.fake.dialled(FAR)
        await three.keys("9")
        assert [what for _, what in outside.heard] == ["dtmf:9"]
        await three.hang_up("agent")
        assert centre.world.fake.together(three.customer.id, outside.id)
        await three.hang_up("customer")
        record = await centre.record(three.customer)
        assert [(e["kind"], e["label"]) for e in record["timeline"]][1:] == [
            ("conversation", "conversation"),
            ("consult", "consult"),
            ("conversation", "+442079460018"),
        ]
        assert record["agents"] == ["Agent 1001"]
        await centre.settled()
        centre.world.assert_nothing_left()


@on_virtual_clock
async def test_a_queue_is_consulted_by_its_number_and_its_next_agent_answers():
    async with queue_world(**SETTINGS) as centre:
        centre.queue("help", dids="442079460009")
        centre.queue("sales", dids=DID)
        centre.agent("1001", TAKES, "sales")
        centre.agent("1003", TAKES, "help")
        held = centre.world.roster.reserve("", "another", prefer="1003")
        three = Three(centre, centre.call())
        await asyncio.sleep(3)
        await three.keys("*7442079460009#")
        assert centre.world.fake.dialled("PJSIP/1003") == []
        held.close()
        await asyncio.sleep(2)
        [third] = centre.world.fake.dialled("PJSIP/1003")
        assert centre.world.fake.together(three.agent.id, third.id)
        await three.hang_up("agent")
        assert centre.world.fake.together(three.customer.id, third.id)
        await three.hang_up("customer")
        await centre.settled()
        centre.world.assert_nothing_left()


@pytest.mark.parametrize("who", ["customer", "agent", "other"])
@pytest.mark.parametrize("keys", [(), ("*4",), ("*3",), ("*4", "*4", "*1")])
def test_a_hang_up_at_every_instant_of_a_consult_leaves_one_record_and_nothing_else(who, keys):
    async def life(at: float) -> None:
        async with queue_world(**SETTINGS) as centre:
            centre.queue("sales", dids=DID)
            centre.agent("1001", TAKES, "sales")
            centre.agent("1002", FarEnd(rings_after=0.02, answers_after=0.05))
            three = Three(centre, centre.call())
            await asyncio.sleep(1.2)
            fake = centre.world.fake
            loop = asyncio.get_running_loop()
            for n, key in enumerate(("*71002#", *keys)):
                loop.call_later(0.1 * n, fake.press, three.agent.id, key)
            await asyncio.sleep(at)
            legs = fake.dialled("PJSIP/1002")
            fake.hang_up(getattr(three, who).id if who != "other" or legs else three.customer.id)
            await asyncio.sleep(1.5)
            if three.customer.id in fake.channels:
                assert three.hears() in ("ca", "co", "c*", "ao c*", "ca o*", "ca co ao")
            fake.hang_up(three.customer.id)
            await centre.record(three.customer)
            await centre.settled()
            centre.world.assert_nothing_left()

    for step in range(40):
        run_virtual(life(0.001 + step * 0.0115))


@pytest.mark.parametrize("who", ["agent", "other"])
def test_an_agent_on_a_line_of_his_own_consults_and_is_consulted(who):
    async def life() -> None:
        async with queue_world(**SETTINGS) as centre:
            fake = centre.world.fake
            centre.queue("sales", dids=DID)
            centre.agent("1001", TAKES, "sales")
            centre.agent("1002", TAKES)
            ext = "1001" if who == "agent" else "1002"
            line = fake.inbound(["persistent", ext], channel_id=f"line{ext}", endpoint=f"Phone/{ext}")
            await asyncio.sleep(1)
            customer = centre.call()
            await asyncio.sleep(3)
            agent = line if who == "agent" else fake.dialled("PJSIP/1001")[0]
            assert fake.together(customer.id, agent.id)
            fake.press(agent.id, "*71002#")
            await asyncio.sleep(2)
            other = line if who == "other" else fake.dialled("PJSIP/1002")[0]
            assert fake.together(agent.id, other.id)
            assert customer.moh
            fake.press(agent.id, "*1")
            await asyncio.sleep(1)
            assert fake.together(customer.id, agent.id)
            assert line.bridge is not None
            assert line.bridge.name == "callwright-line"
            fake.press(agent.id, "*71002#")
            await asyncio.sleep(2)
            fake.hang_up(agent.id)
            await asyncio.sleep(1)
            other = line if who == "other" else fake.dialled("PJSIP/1002")[-1]
            assert fake.together(customer.id, other.id)
            assert not customer.moh
            fake.hang_up(customer.id)
            await centre.record(customer)
            await asyncio.sleep(1)
            fake.hang_up(line.id)
            await centre.settled()
            centre.world.assert_nothing_left()

    run_virtual(life())
