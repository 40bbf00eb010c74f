"""Calls that agents make themselves, on the virtual clock: to numbers outside, and to each other."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from ari_app.errors import Refused
from contact_center.store.facts import CallFinished
from contact_center.terms import AgentState
from tests.calls.queue_world import DID, QueueWorld, queue_world
from tests.support.fake_ari import FakeAri, FakeTransport, FarEnd
from tests.support.virtual_clock import on_virtual_clock, run_virtual

TRUNK = {"trunk": {"main": {"host": "192.0.2.1"}}}
SITE = {"site": {"number_check": "digits"}}
NUMBER = "+442079460018"
FAR = "PJSIP/callwright-trunk-main/*"
ANSWERS = FarEnd(rings_after=0.1, answers_after=3.0)
RINGS = FarEnd(rings_after=0.1)
PHONE = FarEnd(rings_after=0.05, answers_after=1.0)
NEVER_DIALS_IN = FarEnd(rings_after=0.05)


def parts(record: dict) -> list[tuple[str, str, float]]:
    return [(event["kind"], event["label"], pytest.approx(event["seconds"], abs=0.1)) for event in record["timeline"]]


def state(centre: QueueWorld, ext: str) -> AgentState:
    return centre.world.roster.get(ext).state


def place(centre: QueueWorld, ext: str, number: str) -> None:
    centre.world.app.place_own("call-1", {"ext": ext, "number": number}, datetime.now(UTC))


@on_virtual_clock
async def test_an_own_call_without_a_number_of_the_sites_shows_the_trunks_account():
    async with queue_world(trunk={"main": {"host": "192.0.2.1", "username": "442079460111"}}, **SITE) as centre:
        centre.agent("1001", PHONE)
        centre.world.fake.far(FAR, ANSWERS)
        centre.dial("1001", "02079460018")
        await asyncio.sleep(1)
        [leg] = centre.world.fake.dialled(FAR)
        assert leg.caller_id == "<442079460111>"


@on_virtual_clock
async def test_an_own_call_stands_in_the_queue_outbound_with_its_ringing_and_its_talk():
    async with queue_world(**TRUNK, **SITE) as centre:
        centre.agent("1001", PHONE)
        centre.world.fake.far(FAR, ANSWERS)
        phone = centre.dial("1001", "02079460018")
        await asyncio.sleep(1)
        assert phone.ringback
        assert phone.state != "Up"
        assert state(centre, "1001") is AgentState.OFFERED
        [leg] = centre.world.fake.dialled(FAR)
        assert leg.endpoint.startswith("PJSIP/callwright-trunk-main/sip:+442079460018@192.0.2.1")
        await asyncio.sleep(3)
        assert phone.state == "Up"
        assert centre.world.fake.together(phone.id, leg.id)
        assert state(centre, "1001") is AgentState.TALKING
        await asyncio.sleep(6)
        centre.world.fake.hang_up(phone.id)
        record = await centre.own(NUMBER)
        assert parts(record) == [
            ("queue", "Outbound", 0.0),
            ("queue_callback", "", 3.0),
            ("conversation", "conversation", 7.0),
        ]
        assert (record["kind"], record["direction"], record["queue"]) == ("manual", "outbound", "Outbound")
        assert (record["hung_up_by"], record["call_state"]) == ("agent", "NORMAL_CLEARING_B")
        assert record["agents"] == ["Agent 1001"]
        assert record["disposition"] == "connected"
        await centre.settled()
        assert state(centre, "1001") is AgentState.IDLE
        centre.world.assert_nothing_left()


@pytest.mark.parametrize(
    ("far", "disposition", "call_state", "cause"),
    [
        (FarEnd(rejects_after=2.0), "busy", "USER_BUSY_A", 17),
        (FarEnd(rejects_after=2.0, rejects_with=(1, 404, "CHANUNAVAIL")), "invalid_number", "INVALID_NUMBER_A", 1),
        (FarEnd(rejects_after=2.0, rejects_with=(41, 500, "CONGESTION")), "technical_error", "NETWORK_FAILURE", 41),
        (RINGS, "missed", "NO_ANSWER_A", 19),
    ],
)
def test_a_number_that_does_not_answer_is_told_to_the_phone_and_written_down(far, disposition, call_state, cause):
    async def life() -> None:
        async with queue_world(**TRUNK, **SITE, agents={"dial_seconds": 20}) as centre:
            centre.agent("1001", PHONE)
            centre.world.fake.far(FAR, far)
            phone = centre.dial("1001", NUMBER)
            record = await centre.own(NUMBER)
            spans = [(kind, text) for kind, text, _ in parts(record)]
            assert spans == [("queue", "Outbound"), ("queue_callback", "1 unanswered call completed")]
            assert (record["disposition"], record["call_state"]) == (disposition, call_state)
            assert record["agents"] == ["Agent 1001"]
            assert record["attempts"][0]["agent"] == "Agent 1001"
            await centre.settled()
            assert phone.cause == cause
            centre.world.assert_nothing_left()

    run_virtual(life())


@on_virtual_clock
async def test_hanging_up_by_phone_and_call_hangup_before_the_answer_are_told_apart():
    async with queue_world(**TRUNK, **SITE) as centre:
        centre.agent("1001", PHONE)
        centre.world.fake.far(FAR, RINGS)
        phone = centre.dial("1001", NUMBER)
        await asyncio.sleep(2)
        centre.world.fake.hang_up(phone.id)
        by_phone = await centre.own(NUMBER)
        await centre.settled()
        other = "+442079460019"
        phone = centre.dial("1001", other)
        await asyncio.sleep(2)
        [call_id] = centre.world.app.own.calls
        assert await centre.world.app.hang_up(call_id)
        by_command = await centre.own(other)
        await centre.settled()
        assert [kind for kind, _, _ in parts(by_phone)] == ["queue", "queue_callback"]
        assert (by_phone["hung_up_by"], by_phone["call_state"]) == ("agent", "ORIGINATOR_CANCEL_B")
        assert [kind for kind, _, _ in parts(by_command)] == ["queue", "queue_callback", "deleted"]
        assert by_command["timeline"][2]["color"] == "red"
        assert by_command["hung_up_by"] == "system"
        assert phone.ended_at is not None
        centre.world.assert_nothing_left()


@on_virtual_clock
async def test_call_place_rings_the_agents_phone_first_and_then_the_number():
    async with queue_world(**TRUNK, **SITE) as centre:
        centre.agent("1001", PHONE)
        centre.world.fake.far(FAR, ANSWERS)
        place(centre, "1001", NUMBER)
        await asyncio.sleep(0.5)
        assert centre.world.fake.dialled(FAR) == []
        await asyncio.sleep(1)
        [phone], [leg] = centre.world.fake.dialled("PJSIP/1001"), centre.world.fake.dialled(FAR)
        assert phone.ringback
        await asyncio.sleep(3)
        assert centre.world.fake.together(phone.id, leg.id)
        assert not phone.ringback
        centre.world.fake.hang_up(leg.id)
        record = await centre.own(NUMBER)
        assert (record["hung_up_by"], record["call_state"]) == ("caller", "NORMAL_CLEARING_A")
        await centre.settled()
        centre.world.assert_nothing_left()


@on_virtual_clock
async def test_an_agent_who_does_not_take_the_phone_for_his_own_call_leaves_nobody_called():
    async with queue_world(**TRUNK, **SITE) as centre:
        centre.agent("1001", RINGS)
        centre.world.fake.far(FAR, ANSWERS)
        place(centre, "1001", NUMBER)
        record = await centre.own(NUMBER)
        assert centre.world.fake.dialled(FAR) == []
        assert (record["disposition"], record["call_state"]) == ("not_attempted", "ORIGINATOR_CANCEL_B")
        await centre.settled()
        assert state(centre, "1001") is AgentState.IDLE
        centre.world.assert_nothing_left()


@pytest.mark.parametrize(
    ("dialled", "settings", "cause"),
    [
        ("+449098790000", {"trunk": {"main": {"host": "192.0.2.1", "allowed_prefixes": ["+4420", "+45"]}}}, 28),
        ("12", TRUNK, 28),
        (NUMBER, {}, 28),
        ("+442079460099", TRUNK, 21),
    ],
)
def test_what_must_not_be_called_is_refused_before_anything_is_dialled(dialled, settings, cause):
    async def life() -> None:
        async with queue_world(**settings, **SITE) as centre:
            centre.listed.add("+442079460099")
            centre.agent("1001", PHONE)
            phone = centre.dial("1001", dialled)
            await asyncio.sleep(1)
            assert phone.cause == cause
            assert centre.world.fake.dialled(FAR) == []
            assert state(centre, "1001") is AgentState.IDLE
            assert centre.facts == []
            centre.world.assert_nothing_left()

    run_virtual(life())


@on_virtual_clock
async def test_where_the_setting_says_so_own_calls_may_go_to_numbers_of_the_do_not_call_list():
    async with queue_world(**TRUNK, **SITE, agents={"obey_dnc": False}) as centre:
        centre.listed.add(NUMBER)
        centre.agent("1001", PHONE)
        centre.world.fake.far(FAR, ANSWERS)
        phone = centre.dial("1001", NUMBER)
        await asyncio.sleep(4)
        assert phone.state == "Up"
        centre.world.fake.hang_up(phone.id)
        assert (await centre.own(NUMBER))["disposition"] == "connected"


@on_virtual_clock
async def test_while_an_agent_calls_himself_no_caller_is_sent_to_him():
    async with queue_world(**TRUNK, **SITE) as centre:
        centre.queue("sales", dids=DID)
        centre.agent("1001", PHONE, "sales")
        centre.world.fake.far(FAR, ANSWERS)
        phone = centre.dial("1001", NUMBER)
        await asyncio.sleep(0.5)
        caller = centre.call()
        await asyncio.sleep(10)
        assert centre.world.fake.dialled("PJSIP/1001") == []
        assert caller.moh
        centre.world.fake.hang_up(phone.id)
        await asyncio.sleep(3)
        assert centre.world.fake.together(caller.id, centre.world.fake.dialled("PJSIP/1001")[0].id)
        centre.world.fake.hang_up(caller.id)
        await centre.settled()
        centre.world.assert_nothing_left()


@on_virtual_clock
async def test_a_second_call_while_the_first_rings_is_busy_and_a_strangers_phone_is_refused():
    async with queue_world(**TRUNK, **SITE) as centre:
        centre.agent("1001", PHONE)
        centre.world.fake.far(FAR, ANSWERS)
        phone = centre.dial("1001", NUMBER)
        await asyncio.sleep(1)
        second, stranger = centre.dial("1001", "+442079460019"), centre.dial("9999", NUMBER)
        await asyncio.sleep(1)
        assert (second.cause, stranger.cause) == (17, 21)
        await asyncio.sleep(3)
        assert phone.state == "Up"
        centre.world.fake.hang_up(phone.id)
        await centre.settled()
        centre.world.assert_nothing_left()


@on_virtual_clock
async def test_an_agent_calls_another_and_the_record_has_a_short_conversation_and_a_long_consult():
    async with queue_world() as centre:
        centre.agent("1001", PHONE)
        centre.agent("1002", FarEnd(rings_after=0.05, answers_after=10.0))
        phone = centre.dial("1001", "1002")
        await asyncio.sleep(1)
        assert phone.state == "Up"
        assert phone.ringback
        assert (state(centre, "1001"), state(centre, "1002")) == (AgentState.TALKING, AgentState.OFFERED)
        await asyncio.sleep(10)
        [other] = centre.world.fake.dialled("PJSIP/1002")
        assert centre.world.fake.together(phone.id, other.id)
        assert other.caller_id == "1001"
        assert state(centre, "1002") is AgentState.TALKING
        await asyncio.sleep(197)
        centre.world.fake.hang_up(other.id)
        record = await centre.own("xxxxxxxx")
        assert parts(record) == [("conversation", "conversation", 10.0), ("consult", "consult", 198.0)]
        assert [event["agent"] for event in record["timeline"]] == ["Agent 1001", "Agent 1002"]
        assert record["talk_seconds"] == pytest.approx(208, abs=0.2)
        assert (record["kind"], record["direction"], record["queue"]) == ("internal", "internal", None)
        assert record["agents"] == ["Agent 1001", "Agent 1002"]
        assert (record["call_state"], record["wait_seconds"]) == ("NORMAL_CLEARING_B", pytest.approx(0.0, abs=0.1))
        await centre.settled()
        centre.world.assert_nothing_left()


@pytest.mark.parametrize(
    ("other", "call_state", "rang"),
    [
        (RINGS, "NO_ANSWER_B", 45),
        (FarEnd(rejects_after=3.0), "USER_BUSY_B", 3),
        (FarEnd(exists=False), "NO_ANSWER_B", 0),
    ],
)
def test_an_agent_who_does_not_answer_a_colleague_is_not_in_the_record_and_counts_no_miss(other, call_state, rang):
    async def life() -> None:
        async with queue_world() as centre:
            centre.agent("1001", PHONE)
            centre.agent("1002", other)
            centre.dial("1001", "1002")
            record = await centre.own("xxxxxxxx")
            assert [kind for kind, _, _ in parts(record)] == ["conversation"]
            assert record["agents"] == ["Agent 1001"]
            assert (record["call_state"], round(record["ring_seconds"])) == (call_state, rang)
            await centre.settled()
            assert centre.world.roster.get("1002").misses == 0
            assert state(centre, "1002") is AgentState.IDLE
            centre.world.assert_nothing_left()

    run_virtual(life())


@on_virtual_clock
async def test_a_colleague_who_talks_is_busy_and_is_not_rung():
    async with queue_world() as centre:
        centre.agent("1001", PHONE)
        centre.agent("1002", PHONE)
        held = centre.world.roster.reserve("", "another", prefer="1002")
        centre.dial("1001", "1002")
        record = await centre.own("xxxxxxxx")
        assert record["call_state"] == "USER_BUSY_B"
        assert centre.world.fake.dialled("PJSIP/1002") == []
        held.close()
        await centre.settled()
        centre.world.assert_nothing_left()


class WithoutBridges(FakeTransport):
    """An Asterisk that makes no bridges."""

    async def request(self, method, path, *words, **more):
        if method == "POST" and path.startswith("bridges"):
            raise Refused(500, "no bridge")
        return await super().request(method, path, *words, **more)


@pytest.mark.parametrize("dialled", [NUMBER, "1002"])
def test_a_phone_that_dialled_is_hung_up_where_no_bridge_can_be_had(dialled):
    async def life() -> None:
        fake = FakeAri()
        async with queue_world(fake=fake, transport=WithoutBridges(fake, "callwright"), **TRUNK, **SITE) as centre:
            centre.agent("1001", PHONE)
            centre.agent("1002", PHONE)
            phone = centre.dial("1001", dialled)
            await centre.own(NUMBER if dialled == NUMBER else "xxxxxxxx")
            await asyncio.sleep(3)
            assert phone.ended_at is not None
            assert state(centre, "1001") is AgentState.IDLE
            centre.world.assert_nothing_left()

    run_virtual(life())


@on_virtual_clock
async def test_call_hangup_ends_an_ordered_internal_call_that_rings_its_first_phone():
    async with queue_world() as centre:
        centre.agent("1001", RINGS)
        centre.agent("1002", PHONE)
        place(centre, "1001", "1002")
        await asyncio.sleep(1)
        [phone] = centre.world.fake.dialled("PJSIP/1001")
        assert await centre.world.app.hang_up("call-1")
        await asyncio.sleep(0.5)
        assert phone.ended_at is not None
        record = await centre.own("xxxxxxxx")
        assert record["hung_up_by"] == "system"
        assert centre.world.fake.dialled("PJSIP/1002") == []
        await centre.settled()
        centre.world.assert_nothing_left()


STORIES = {"outside": NUMBER, "colleague": "1002"}


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("who", ["agent", "other", "command", "asterisk"])
def test_an_end_at_every_instant_leaves_one_record_and_nobody_alone(story, who):
    async def life(at: float) -> None:
        async with queue_world(**TRUNK, **SITE) as centre:
            centre.agent("1001", PHONE)
            centre.agent("1002", FarEnd(rings_after=0.05, answers_after=0.4))
            centre.world.fake.far(FAR, FarEnd(rings_after=0.1, answers_after=0.4))
            phone = centre.dial("1001", STORIES[story])
            await asyncio.sleep(at)
            others = centre.world.fake.dialled(FAR if story == "outside" else "PJSIP/1002")
            if who == "command":
                for call_id in list(centre.world.app.own.calls):
                    await centre.world.app.hang_up(call_id)
            elif who == "asterisk":
                centre.world.fake.crash()
                await asyncio.sleep(1.0)
                centre.world.fake.boot()
                await centre.world.app.env.ari.until_live()
            else:
                centre.world.fake.hang_up(others[0].id if who == "other" and others else phone.id)
            await asyncio.sleep(1.0)
            for channel in list(centre.world.fake.channels):
                centre.world.fake.hang_up(channel)
            await centre.settled()
            assert len([fact for fact in centre.facts if isinstance(fact, CallFinished)]) <= 1
            placed = {type(fact).__name__ for fact in centre.facts}
            assert not placed or "CallFinished" in placed
            centre.world.assert_nothing_left()

    for step in range(40):
        run_virtual(life(step * 0.0205))
