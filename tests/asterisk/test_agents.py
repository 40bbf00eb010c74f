"""Agents and their phones on the real Asterisk: accounts, who is offered which call, and what survives."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.asterisk.floor import SOON, Floor
from tests.lab.centre import Centre
from tests.lab.farend.hearing import RINGBACK
from tests.lab.farend.numbers import answers_at, stays, talks
from tests.lab.farend.phones import BY_HAND, Phone, RegistrationError
from tests.lab.farend.record import Side, two_way_at
from tests.lab.farend.script import Script
from tests.lab.judge import instant
from tests.lab.until import until

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

RING_SECONDS = 3
LOST_SECONDS = 30.0  # a phone that is lost without a word is found out by then


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def centre() -> AsyncIterator[Centre]:
    async with Centre("agents", settings={"agents": {"ring_seconds": RING_SECONDS}}) as made:
        await made.serve.start()
        yield made
        assert not made.far.faults


@pytest.fixture(scope="module")
def floor(centre: Centre) -> Floor:
    return Floor(centre)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def powered_off_at(floor: Floor) -> float:
    """When agent 1999's phone lost power, while nobody called him."""
    phone = await floor.agent("1999", team="nobody")
    phone.crash()
    return floor.far.clock.now()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asleep(floor: Floor) -> Phone:
    """The phone of an agent who sleeps while customers wait for him; the story takes two ring times."""
    phone = await floor.agent("1031", team="asleep")
    rings_by_hand(phone)
    await floor.campaign("asleep")
    await floor.call("asleep", stays(30))
    await floor.cli("lead", "add", "asleep", stays(31))
    return phone


def rings_by_hand(phone: Phone, script: Script = BY_HAND) -> None:
    phone.obeys_auto_answer, phone.script = False, script


async def is_refused(phone: Phone) -> bool:
    try:
        await phone.register()
    except RegistrationError:
        return True
    return False


# -- accounts -----------------------------------------------------------------------------------------


async def test_a_phone_registers_at_once_until_its_password_changes_or_its_agent_goes(
    floor: Floor, powered_off_at: float, asleep: Phone
):
    await floor.cli("agent", "add", "1001", "--name", "Ann Lee")
    card = await floor.cli("agent", "phone", "1001")
    assert card["server"] == f"{floor.centre.asterisk_at}:5060"
    old = floor.far.phones.add(card["user"], card["password"])
    await old.register(deadline=SOON)
    fresh = await floor.cli("agent", "phone", "1001", "--rotate")
    assert await is_refused(old)
    new = floor.far.phones.add(fresh["user"], fresh["password"])
    await new.register(deadline=SOON)
    await floor.cli("agent", "remove", "1001")
    assert await is_refused(new)
    assert await is_refused(old)


# -- who is offered a call ----------------------------------------------------------------------------


async def test_the_longest_idle_agent_is_offered_first(floor: Floor):
    phones = [await floor.agent(ext, team="turns") for ext in ("1011", "1012", "1013")]
    await floor.campaign("turns")
    takers = []
    for n in range(4):
        customer = await floor.call("turns", talks(0.4, 10 + n))
        await customer.until_over(4.0)
        takers += customer.record.parties_heard()
        await floor.until_state(takers[-1], "idle")
    assert takers == ["1011", "1012", "1013", "1011"]
    assert [len(floor.rung(phone)) for phone in phones] == [2, 1, 1]


async def test_an_agent_who_rejects_is_followed_by_the_next_and_the_customer_hears_ringback(floor: Floor):
    first, second = [await floor.agent(ext, team="reject") for ext in ("1021", "1022")]
    rings_by_hand(first, Script(ring_seconds=1.0, code=486))
    await floor.campaign("reject")
    number = stays(20)
    customer = await floor.call("reject", number)
    talk = await second.incoming(5.0)
    await customer.until_hears("1022", 3.0)
    [rejected] = floor.rung(first)
    assert rejected.final_code == 486
    assert talk.record.invite_at - rejected.ended_at < SOON
    between = [x for x in customer.heard().heard if rejected.invite_at < x.start_at < rejected.ended_at]
    assert RINGBACK in {what for x in between for what in x.heard}
    customer.hangup()
    await talk.until_over(2.0)
    await floor.until_state("1021", "idle")
    assert (await floor.record("reject", number))["agents"] == ["Agent 1022"]


async def test_an_unregistered_phone_is_unreachable_and_nobody_is_called_until_it_is_back(floor: Floor):
    phone = await floor.agent("1041", team="away")
    asked_at = floor.far.clock.now()
    await phone.unregister()
    shown = await floor.until_state("1041", "unreachable")
    assert instant(shown["since_at"]) - asked_at < SOON
    number = talks(0.4, 40)
    await floor.campaign("away", number)
    await floor.cli("agent", "offline", "1041")
    await floor.cli("agent", "online", "1041")
    await floor.until_state("1041", "unreachable")
    assert not floor.far.log.attempts(number)
    back_at = floor.far.clock.now()
    await phone.register()
    customer = await floor.called(number)
    assert customer.record.invite_at - back_at < SOON
    await customer.until_over(4.0)
    assert customer.record.parties_heard() == {"1041"}


async def test_a_phone_that_gives_no_sign_of_life_loses_the_call_to_the_next_and_its_agent_is_unreachable(floor: Floor):
    dead, second = [await floor.agent(ext, team="dead") for ext in ("1051", "1052")]
    dead.crash()
    await floor.campaign("dead")
    customer = await floor.call("dead", stays(50))
    talk = await second.incoming(6.0)
    await customer.until_hears("1052", 2.0)
    await talk.until_hears(stays(50), 2.0)
    assert two_way_at(customer.heard(), talk.heard()) - customer.record.answered_at < 5.0
    shown = await floor.until_state("1051", "unreachable")
    assert shown["status"] == "online"
    customer.hangup()
    dead.revive()
    await dead.register()


async def test_two_calls_not_answered_pause_the_agent_and_say_why(floor: Floor, asleep: Phone):
    shown = await floor.until_state("1031", "paused", 2 * RING_SECONDS + 3.0)
    assert shown["pause_reason"] == "calls not answered"
    rings = floor.rung(asleep)
    assert len(rings) == 2
    for ring in rings:
        assert ring.cancel_at - ring.invite_at == pytest.approx(RING_SECONDS, abs=0.3)
    for number in (stays(30), stays(31)):
        customer = await floor.called(number)
        await customer.until_over(2.0)
        assert (await floor.record("asleep", number))["disposition"] == "no_free_operators"
    await floor.cli("agent", "unpause", "1031")
    await floor.until_state("1031", "idle")


async def test_when_the_last_agent_leaves_nobody_more_is_dialled_and_who_answers_is_let_go(floor: Floor):
    await floor.agent("1061", team="last")
    numbers = [answers_at(1.5, 60 + n) for n in range(6)]
    await floor.campaign("last", *numbers, multiplier="3")
    await floor.called(numbers[-1])  # the newest lead is called first

    def dialled() -> list[float]:
        mine = [c for c in floor.far.log.select(Side.CUSTOMER) if c.party in numbers]
        return [c.invite_at for c in mine]

    await until(lambda: len(dialled()) == 3, 2.0, "three calls")
    await floor.cli("agent", "offline", "1061")
    await floor.until_state("1061", "offline")
    called = [c for n in numbers for c in floor.far.log.attempts(n)]
    await until(lambda: all(c.ended_at for c in called), 6.0, "the three to be over")
    assert [1.7 <= c.talk_seconds <= 2.05 for c in called] == [True] * 3
    assert len(dialled()) == 3
    for customer in called:
        assert (await floor.record("last", customer.party))["disposition"] == "no_free_operators"
    await floor.cli("campaign", "stop", "last")


# -- what survives ------------------------------------------------------------------------------------


async def test_wrap_up_pause_and_being_on_line_outlive_serve(floor: Floor):
    phone = await floor.agent("1071", team="wrap")
    await floor.agent("1072", team="")
    await floor.agent("1073", team="")
    await floor.cli("agent", "pause", "1072", "--reason", "lunch")
    wrap_up = 12.0  # outlives a start on a busy machine
    await floor.campaign("wrap", wrap_up_seconds=f"{wrap_up:g}")
    first = await floor.call("wrap", talks(0.4, 70))
    await first.until_over(4.0)
    assert first.record.parties_heard() == {"1071"}
    since = instant((await floor.until_state("1071", "wrap_up"))["since_at"])
    assert since - first.record.ended_at < 0.25
    second = talks(0.4, 71)
    await floor.cli("lead", "add", "wrap", second)
    serve = floor.centre.serve
    serve.kill()
    await serve.ended()
    await serve.start()
    assert (await floor.show("1071"))["state"] == "wrap_up"
    lunch = await floor.show("1072")
    assert (lunch["state"], lunch["pause_reason"]) == ("paused", "lunch")
    assert (await floor.show("1073"))["state"] == "idle"
    customer = await floor.called(second, wrap_up + 2.0)
    assert wrap_up <= customer.record.invite_at - first.record.ended_at < wrap_up + 1.0
    await customer.until_over(4.0)
    assert len(floor.rung(phone)) == 2


async def test_a_phone_that_lost_power_is_found_out_although_nobody_calls_it(floor: Floor, powered_off_at: float):
    still = powered_off_at + LOST_SECONDS - floor.far.clock.now()
    shown = await floor.until_state("1999", "unreachable", max(still, SOON))
    assert instant(shown["since_at"]) - powered_off_at < LOST_SECONDS


async def test_a_phone_that_came_back_makes_its_agent_idle_again(floor: Floor):
    phone = floor.far.phones["1051"]
    assert phone.is_registered
    assert not phone.crashed
    await floor.until_state("1051", "idle", 10.0)


async def test_accounts_reach_asterisk_whoever_is_down_when_they_are_made_or_unmade(floor: Floor):
    centre = floor.centre
    gone = await floor.agent("1081", team="")
    await centre.switch.stop()
    await floor.cli("agent", "add", "1082", "--name", "While Asterisk is down")
    await floor.cli("agent", "remove", "1081")
    await centre.switch.start()
    await centre.serve.until_ready()
    late = await floor.phone("1082")
    await late.register(deadline=SOON)
    assert await is_refused(gone)
    await centre.serve.stop()
    await floor.cli("agent", "add", "1083", "--name", "While serve is down")
    early = await floor.phone("1083")
    await early.register(deadline=SOON)
    await floor.cli("agent", "remove", "1083")
    assert await is_refused(early)
