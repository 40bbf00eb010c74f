"""Agents' own calls, consults and transfers on the real Asterisk, judged by what the far-end parties hear."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.asterisk.callers import MUSIC, Callers, by_hand, kinds
from tests.asterisk.floor import Floor
from tests.lab.centre import Centre
from tests.lab.farend.call import Call
from tests.lab.farend.incoming import IncomingCall
from tests.lab.farend.phones import Phone
from tests.lab.farend.script import Script
from tests.lab.until import until

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

TOLERANCE_SECONDS = 0.25


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def centre() -> AsyncIterator[Centre]:
    async with Centre("own", settings={"trunk.main": {"allowed_prefixes": ["+44"]}}) as made:
        await made.serve.start()
        yield made
        assert not made.far.faults


@pytest.fixture(scope="module")
def callers(centre: Centre) -> Callers:
    return Callers(Floor(centre))


async def record_of(callers: Callers, kind: str, agent: str) -> dict[str, Any]:
    """`call show` of the last own call of an agent that is over."""
    found: list[dict[str, Any]] = []

    async def written() -> bool:
        calls = await callers.floor.cli("call", "list", "--kind", kind, "--limit", "50")
        found[:] = [call for call in calls if call["ended_at"] and agent in call["agents"]]
        return bool(found)

    await until(written, 5.0, f"the {kind} call of {agent}")
    shown: dict[str, Any] = await callers.floor.cli("call", "show", found[0]["id"])
    return shown


async def hears_nobody(call: Call, *names: str) -> None:
    """None of these is heard by the party from now on."""
    await call.until(lambda: not (call.hears() & set(names)), 2.0, f"silence of {names}")


# -- own calls ----------------------------------------------------------------------------------------


async def test_an_agent_dials_a_number_and_both_hear_each_other(callers: Callers):
    phone = await callers.agent("3001", "none")
    number = "+442079460101"
    callers.far.trunk.script(number, Script(ring_seconds=1.0))
    dialled = phone.dial("02079460101")
    called = await callers.floor.called(number)
    await dialled.until_answered(4.0)
    await dialled.until_hears(number, 2.0)
    await called.until_hears("3001", 2.0)
    await callers.talk(1.0)
    dialled.hangup()
    await called.until_over(2.0)
    record = await record_of(callers, "manual", "Agent 3001")
    assert kinds(record) == ["queue", "queue_callback", "conversation"]
    rung, talked = record["timeline"][1]["seconds"], record["timeline"][2]["seconds"]
    assert rung == pytest.approx(called.record.answered_at - dialled.record.invite_at, abs=TOLERANCE_SECONDS)
    assert talked == pytest.approx(dialled.record.ended_at - called.record.answered_at, abs=TOLERANCE_SECONDS)
    assert (record["queue"], record["caller_number"], record["hung_up_by"]) == ("Outbound", number, "agent")
    await callers.nothing_left()


@pytest.mark.parametrize(("code", "shown", "disposition"), [(486, 486, "busy"), (404, 404, "invalid_number")])
async def test_his_phone_shows_why_a_number_was_not_reached(callers: Callers, code, shown, disposition):
    ext = f"3{code}"
    phone = await callers.agent(ext, "none")
    number = f"+4420794602{code % 100:02d}"
    callers.far.trunk.script(number, Script(ring_seconds=0.3, code=code))
    dialled = phone.dial(number.replace("+44", "0"))
    await dialled.until_over(4.0)
    assert dialled.record.final_code == shown
    record = await record_of(callers, "manual", f"Agent {ext}")
    assert (kinds(record), record["disposition"]) == (["queue", "queue_callback"], disposition)
    assert record["timeline"][1]["label"] == "1 unanswered call completed"
    await callers.nothing_left()


async def test_a_number_that_the_trunk_does_not_allow_is_never_dialled(callers: Callers):
    phone = await callers.agent("3003", "none")
    dialled = phone.dial("0012125550100")
    await dialled.until_over(3.0)
    assert dialled.record.final_code == 484
    assert callers.far.trunk.calls_to("+12125550100") == []
    await callers.nothing_left()


async def test_call_place_rings_his_phone_and_then_the_number_and_call_hangup_is_told_apart(callers: Callers):
    await callers.agent("3004", "none")
    number = "+442079460104"
    callers.far.trunk.script(number, Script(ring_seconds=None))
    asked = await callers.floor.cli("call", "place", "3004", number)
    called = await callers.floor.called(number, 4.0)
    await callers.talk(1.0)
    await callers.floor.cli("call", "hangup", asked["call_id"])
    await called.until_over(3.0)
    record = await record_of(callers, "manual", "Agent 3004")
    assert record["id"] == asked["call_id"]
    assert kinds(record) == ["queue", "queue_callback", "deleted"]
    await callers.nothing_left()


async def test_an_agent_calls_another_and_the_record_is_a_conversation_and_a_consult(callers: Callers):
    first = await callers.agent("3005", "none")
    second = await callers.agent("3006", "none")
    by_hand(second)
    dialled = first.dial("3006")
    ringing = await second.incoming(3.0)
    ringing.ring()
    await dialled.until_answered(1.0)
    await callers.talk(1.5)
    ringing.answer()
    await dialled.until_hears("3006", 2.0)
    await ringing.until_hears("3005", 2.0)
    await callers.talk(1.0)
    ringing.hangup()
    await dialled.until_over(2.0)
    record = await record_of(callers, "internal", "Agent 3005")
    assert kinds(record) == ["conversation", "consult"]
    alone, both = (event["seconds"] for event in record["timeline"])
    assert alone == pytest.approx(ringing.record.answered_at - dialled.record.answered_at, abs=TOLERANCE_SECONDS)
    assert both == pytest.approx(ringing.record.ended_at - ringing.record.answered_at, abs=TOLERANCE_SECONDS)
    assert record["caller_number"] == "xxxxxxxx"
    await callers.nothing_left()


# -- consult ------------------------------------------------------------------------------------------


class Consulting:
    """A customer talks with one agent, and a second one is there to be asked."""

    def __init__(self, callers: Callers, n: int) -> None:
        self.callers, self.n = callers, n
        self.number, self.did = f"+4474000031{n:02d}", f"4420794603{n:02d}"
        self.first, self.second = f"31{n:02d}", f"32{n:02d}"
        self.phone: Phone
        self.other_phone: Phone

    async def talk(self) -> None:
        """Both agents are there, and the customer talks to the first."""
        queue = f"consult{self.n}"
        await self.callers.queue(queue, self.did, greeting="")
        self.phone = await self.callers.agent(self.first, queue)
        self.other_phone = await self.callers.agent(self.second, "none")
        by_hand(self.other_phone)
        self.customer = self.callers.call(self.did, self.number)
        self.agent = await self.phone.incoming(5.0)
        await self.customer.until_hears(self.first, 5.0)

    async def rung(self) -> IncomingCall:
        """The first agent asks for the second one, whose phone rings while the customer hears music."""
        self.agent.press(f"*7{self.second}#")
        ringing = await self.other_phone.incoming(6.0)
        ringing.ring()
        await self.customer.until_hears(MUSIC, 2.0)
        await hears_nobody(self.customer, self.first)
        return ringing

    async def consulted(self) -> IncomingCall:
        """Both agents hear each other, and the customer music."""
        other = await self.rung()
        other.answer()
        await other.until_hears(self.first, 2.0)
        await self.agent.until_hears(self.second, 2.0)
        await self.customer.until_hears(MUSIC, 1.0)
        assert self.second not in self.customer.hears()
        return other

    async def hear(self, one: Call, name: str, other: Call, its: str) -> None:
        """These two hear each other."""
        await one.until_hears(its, 2.5)
        await other.until_hears(name, 2.5)

    async def over(self) -> dict[str, Any]:
        """The customer hangs up; his record."""
        self.customer.hangup()
        record = await self.callers.record(self.number)
        await self.callers.nothing_left()
        return record


async def test_while_it_rings_the_customer_hears_music_and_star_1_brings_him_back(callers: Callers):
    scene = Consulting(callers, 1)
    await scene.talk()
    ringing = await scene.rung()
    scene.agent.press("*1")
    await ringing.until_over(2.0)
    await scene.hear(scene.customer, scene.number, scene.agent, scene.first)
    await hears_nobody(scene.customer, MUSIC)
    assert kinds(await scene.over()) == ["queue", "conversation"]


async def test_a_colleague_who_rejects_brings_the_customer_back(callers: Callers):
    scene = Consulting(callers, 2)
    await scene.talk()
    (await scene.rung()).reject(486)
    await scene.hear(scene.customer, scene.number, scene.agent, scene.first)
    assert (await scene.over())["agents"] == [f"Agent {scene.first}"]


async def test_hanging_up_while_it_rings_gives_the_customer_to_whoever_answers(callers: Callers):
    scene = Consulting(callers, 3)
    await scene.talk()
    ringing = await scene.rung()
    scene.agent.hangup()
    await callers.talk(1.0)
    await scene.customer.until_hears(MUSIC, 1.0)
    ringing.answer()
    await scene.hear(scene.customer, scene.number, ringing, scene.second)
    record = await scene.over()
    assert kinds(record) == ["queue", "conversation", "conversation"]


async def test_hanging_up_in_the_consult_completes_the_transfer(callers: Callers):
    scene = Consulting(callers, 4)
    await scene.talk()
    other = await scene.consulted()
    await callers.talk(1.0)
    scene.agent.hangup()
    await scene.hear(scene.customer, scene.number, other, scene.second)
    await hears_nobody(scene.customer, MUSIC)
    record = await scene.over()
    assert kinds(record) == ["queue", "conversation", "consult", "conversation"]
    assert record["agents"] == [f"Agent {scene.first}", f"Agent {scene.second}"]


async def test_swap_and_three_way_let_those_hear_each_other_who_should_and_nobody_else(callers: Callers):
    scene = Consulting(callers, 5)
    await scene.talk()
    other = await scene.consulted()
    scene.agent.press("*4")
    await scene.hear(scene.customer, scene.number, scene.agent, scene.first)
    await other.until_hears(MUSIC, 2.0)
    await hears_nobody(other, scene.first, scene.number)
    scene.agent.press("*4")
    await scene.hear(other, scene.second, scene.agent, scene.first)
    await scene.customer.until_hears(MUSIC, 2.0)
    scene.agent.press("*3")
    await scene.hear(scene.customer, scene.number, scene.agent, scene.first)
    await scene.hear(scene.customer, scene.number, other, scene.second)
    await hears_nobody(scene.customer, MUSIC)
    scene.agent.hangup()
    await scene.agent.until_over(2.0)
    await hears_nobody(scene.customer, scene.first)
    await scene.hear(scene.customer, scene.number, other, scene.second)
    await scene.over()


async def test_the_customer_who_hangs_up_during_the_consult_ends_it_for_all(callers: Callers):
    scene = Consulting(callers, 6)
    await scene.talk()
    other = await scene.consulted()
    scene.customer.hangup()
    await other.until_over(2.0)
    await scene.agent.until_over(2.0)
    await callers.nothing_left()


async def test_a_colleague_who_hangs_up_in_the_consult_brings_the_customer_back(callers: Callers):
    scene = Consulting(callers, 7)
    await scene.talk()
    (await scene.consulted()).hangup()
    await scene.hear(scene.customer, scene.number, scene.agent, scene.first)
    assert kinds(await scene.over()) == ["queue", "conversation", "consult", "conversation"]


async def test_a_refer_of_the_phone_gives_the_customer_to_a_colleague(callers: Callers):
    scene = Consulting(callers, 8)
    await scene.talk()
    assert await scene.agent.refer(scene.second) == 202
    ringing = await scene.other_phone.incoming(3.0)
    ringing.ring()
    await scene.customer.until_hears(MUSIC, 2.0)
    ringing.answer()
    await scene.hear(scene.customer, scene.number, ringing, scene.second)
    await scene.agent.until_over(3.0)
    assert kinds(await scene.over()) == ["queue", "conversation", "conversation"]


async def test_hold_a_second_call_and_refer_with_replaces_give_the_customer_to_a_colleague(callers: Callers):
    scene = Consulting(callers, 18)
    await scene.talk()
    assert await scene.agent.hold() == 200
    second = scene.phone.dial(scene.second)
    ringing = await scene.other_phone.incoming(4.0)
    ringing.ring()
    await scene.customer.until_hears(MUSIC, 2.0)
    ringing.answer()
    await scene.hear(second, scene.first, ringing, scene.second)
    await hears_nobody(scene.customer, scene.first, scene.second)
    await scene.customer.until_hears(MUSIC, 1.0)
    await callers.talk(1.0)
    assert await scene.agent.refer(scene.second, replaces=second) == 202
    await scene.hear(scene.customer, scene.number, ringing, scene.second)
    await hears_nobody(scene.customer, MUSIC)
    await scene.agent.until_over(3.0)
    await second.until_over(3.0)
    record = await scene.over()
    assert kinds(record) == ["queue", "conversation", "consult", "conversation"]
    assert record["agents"] == [f"Agent {scene.first}", f"Agent {scene.second}"]


async def test_a_second_call_that_ends_leaves_the_customer_on_hold_and_his_agent_takes_him_off(callers: Callers):
    scene = Consulting(callers, 19)
    await scene.talk()
    assert await scene.agent.hold() == 200
    busy = scene.phone.dial(scene.second)
    (await scene.other_phone.incoming(4.0)).reject(486)
    await busy.until_over(3.0)
    assert busy.record.final_code == 486
    second = scene.phone.dial(scene.second)
    other = await scene.other_phone.incoming(4.0)
    other.answer()
    await scene.hear(second, scene.first, other, scene.second)
    second.hangup()
    await other.until_over(3.0)
    await scene.customer.until_hears(MUSIC, 1.0)
    assert await scene.agent.hold(on=False) == 200
    await scene.hear(scene.customer, scene.number, scene.agent, scene.first)
    await hears_nobody(scene.customer, MUSIC)
    await scene.over()


async def test_a_number_outside_is_consulted_and_given_the_customer(callers: Callers):
    scene = Consulting(callers, 9)
    await scene.talk()
    outside = "+442079460190"
    scene.agent.press("*702079460190#")
    called = await callers.floor.called(outside, 6.0)
    await scene.hear(called, outside, scene.agent, scene.first)
    await scene.customer.until_hears(MUSIC, 1.0)
    scene.agent.hangup()
    await scene.hear(scene.customer, scene.number, called, outside)
    record = await scene.over()
    assert kinds(record) == ["queue", "conversation", "consult", "conversation"]
    await called.until_over(2.0)


async def test_after_kill_9_during_a_consult_the_customer_is_with_his_agent_again(callers: Callers, centre: Centre):
    scene = Consulting(callers, 10)
    await scene.talk()
    await scene.consulted()
    centre.serve.kill()
    await centre.serve.ended()
    await scene.customer.until_hears(MUSIC, 1.0)
    await centre.serve.start()
    await scene.hear(scene.customer, scene.number, scene.agent, scene.first)
    await hears_nobody(scene.customer, MUSIC)
    await scene.over()


async def test_after_kill_9_an_own_call_goes_on_and_one_that_still_rang_is_ended_and_told(
    callers: Callers, centre: Centre
):
    talks, rings = await callers.agent("3301", "none"), await callers.agent("3302", "none")
    number, other = "+442079460131", "+442079460132"
    callers.far.trunk.script(other, Script(ring_seconds=None))
    dialled, ringing = talks.dial("02079460131"), rings.dial("02079460132")
    await dialled.until_hears(number, 4.0)
    called, waits = await callers.floor.called(number), await callers.floor.called(other)
    centre.serve.kill()
    await centre.serve.ended()
    await callers.talk(0.5)
    assert number in dialled.hears()
    await centre.serve.start()
    await waits.until_over(5.0)
    await ringing.until_over(5.0)
    assert number in dialled.hears()
    assert "3301" in called.hears()
    dialled.hangup()
    await called.until_over(3.0)
    record = await record_of(callers, "manual", "Agent 3301")
    assert kinds(record) == ["queue", "queue_callback", "conversation"]
    assert (record["hung_up_by"], record["call_state"]) == ("agent", "NORMAL_CLEARING_B")
    lost = await record_of(callers, "manual", "Agent 3302")
    assert (kinds(lost), lost["call_state"]) == (["queue", "queue_callback"], "SWITCH_LOST")
    await callers.nothing_left()
