"""*48 and persistent agents: one call that stays up, and customers who arrive in it."""

from __future__ import annotations

import pytest

from tests.asterisk.floor import SOON, Floor
from tests.lab.centre import Centre
from tests.lab.farend.hearing import OTHER, SILENCE
from tests.lab.farend.numbers import stays, talks
from tests.lab.farend.outgoing import OutgoingCall
from tests.lab.farend.phones import Phone
from tests.lab.farend.record import two_way_at
from tests.lab.until import until

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture(scope="module")
def floor(centre: Centre) -> Floor:
    return Floor(centre)


async def connected(floor: Floor, phone: Phone) -> OutgoingCall:
    """The agent has dialled *48 and is ready."""
    line = phone.dial("*48")
    await line.until_answered(2.0)
    await floor.until_state(phone.name, "idle")
    return line


async def test_customers_arrive_one_after_the_other_in_the_agents_open_call_with_a_tone(floor: Floor):
    phone = await floor.agent("1001", team="line", online=False)
    line = await connected(floor, phone)
    await line.until_hears(OTHER, 2.0)
    await line.until(lambda: line.hears() == {SILENCE}, 5.0, "end of the words")
    await floor.campaign("line")
    for number in (talks(0.6, 1), talks(0.6, 2)):
        asked_at = floor.far.clock.now()
        customer = await floor.call("line", number)
        await customer.until_over(5.0)
        heard = [(x.start_at, x.heard) for x in line.heard().heard if x.end_at > asked_at]
        tone_at = next(at for at, names in heard if OTHER in names)
        voice_at = next(at for at, names in heard if number in names)
        assert tone_at < voice_at + 0.05
        assert customer.record.parties_heard() == {"1001"}
        two_way = two_way_at(customer.record, line.heard())
        assert two_way - customer.record.answered_at < SOON
        await floor.until_state("1001", "idle")
    assert line.record.ended_at is None
    assert floor.rung(phone) == []
    assert {n for n in line.heard().parties_heard() if n != OTHER} == {talks(0.6, 1), talks(0.6, 2)}
    line.hangup()
    await floor.until_state("1001", "offline")


async def test_a_customer_who_answers_while_the_words_are_spoken_does_not_wait_for_their_end(floor: Floor):
    phone = await floor.agent("1002", team="words", online=False)
    number = talks(0.6, 3)
    await floor.campaign("words", number)
    line = phone.dial("*48")
    customer = await floor.called(number)
    await customer.until_over(5.0)
    two_way = two_way_at(customer.record, line.heard())
    assert two_way - customer.record.answered_at < SOON
    line.hangup()
    await floor.until_state("1002", "offline")


async def test_star_2_ends_the_customers_leg_and_the_agent_stays(floor: Floor):
    phone = await floor.agent("1003", team="force", online=False)
    line = await connected(floor, phone)
    await floor.campaign("force")
    number = stays(4)
    customer = await floor.call("force", number)
    await line.until_hears(number, 3.0)
    line.press("*2")
    await customer.until_over(2.0)
    assert customer.record.ended_by == "switch"
    assert customer.digits == ""
    await floor.until_state("1003", "idle")
    assert line.record.ended_at is None
    call = await floor.record("force", number)
    assert (call["call_state"], call["hung_up_by"]) == ("FORCED_CLEARING_B", "agent")
    second = await floor.call("force", talks(0.5, 5))
    await second.until_over(4.0)
    assert two_way_at(second.record, line.heard())
    line.hangup()


async def test_hanging_up_in_a_talk_ends_the_customers_call_and_leaves_the_line_without_wrap_up(floor: Floor):
    phone = await floor.agent("1004", team="leave", online=False)
    line = await connected(floor, phone)
    await floor.campaign("leave", wrap_up_seconds="30")
    number = stays(6)
    customer = await floor.call("leave", number)
    await customer.until_hears("1004", 3.0)
    line.hangup()
    await customer.until_over(1.0)
    await floor.until_state("1004", "offline")
    assert (await floor.record("leave", number))["call_state"] == "NORMAL_CLEARING_B"


async def test_the_disposition_may_be_keyed_after_the_talk_on_the_open_line(floor: Floor):
    phone = await floor.agent("1005", team="after", online=False)
    line = await connected(floor, phone)
    await floor.campaign("after", wrap_up_seconds="30")
    number = talks(0.5, 7)
    customer = await floor.call("after", number)
    await customer.until_over(4.0)
    await floor.until_state("1005", "wrap_up")
    line.press("*81#")

    async def disposed() -> bool:
        return (await floor.record("after", number))["disposition"] == "SALE"

    await until(disposed, 3.0, "the disposition")
    await floor.cli("agent", "offline", "1005")
    assert (await line.until_over(SOON)).ended_by == "switch"
    await floor.until_state("1005", "offline")


async def test_dialling_48_again_replaces_the_line_and_a_live_talk_is_not_cut(floor: Floor):
    phone = await floor.agent("1006", team="again", online=False)
    first = await connected(floor, phone)
    second = phone.dial("*48")
    await second.until_answered(2.0)
    await first.until_over(2.0)
    await floor.until_state("1006", "idle")
    await floor.campaign("again")
    customer = await floor.call("again", stays(8))
    await customer.until_hears("1006", 3.0)
    third = phone.dial("*48")
    await third.until_over(6.0)
    assert customer.record.ended_at is None
    assert second.record.ended_at is None
    second.hangup()
    await floor.until_state("1006", "offline")


async def test_an_agent_who_is_removed_loses_his_line(floor: Floor):
    phone = await floor.agent("1007", team="", online=False)
    line = await connected(floor, phone)
    await floor.cli("agent", "remove", "1007")
    assert (await line.until_over(SOON)).ended_by == "switch"


async def test_a_persistent_agents_phone_is_rung_and_held_and_off_line_lets_it_go(floor: Floor):
    phone = await floor.agent("1008", team="rung", online=False)
    await floor.cli("agent", "set", "1008", "connect=persistent")
    await floor.cli("agent", "online", "1008")
    line = await phone.incoming(3.0)
    await floor.until_state("1008", "idle")
    assert "answer-after=0" in line.record.headers["call-info"]
    await floor.campaign("rung")
    number = talks(0.5, 9)
    customer = await floor.call("rung", number)
    await customer.until_over(4.0)
    assert two_way_at(customer.record, line.heard())
    assert len(floor.rung(phone)) == 1
    await floor.cli("agent", "offline", "1008")
    assert (await line.until_over(SOON)).ended_by == "switch"


async def test_a_persistent_agent_goes_on_line_by_45_and_his_phone_rings_when_the_words_are_over(floor: Floor):
    phone = await floor.agent("1009", team="", online=False)
    await floor.cli("agent", "set", "1009", "connect=persistent")
    code = phone.dial("*45")
    line = await phone.incoming(6.0)
    assert code.record.ended_at is not None
    assert line.record.invite_at > code.record.ended_at
    await floor.until_state("1009", "idle")
    line.hangup()
    await floor.until_state("1009", "offline")


async def test_a_line_that_vanishes_with_its_phone_takes_no_customers_and_is_not_a_going_off_line(floor: Floor):
    phone = await floor.agent("1010", team="lost", online=False)
    line = await connected(floor, phone)
    phone.crash()
    await phone_lost(floor, phone)
    await floor.until_state("1010", "unreachable", 5.0)
    assert line.record.ended_at
    phone.revive()
    await phone.register()
    await floor.until_state("1010", "idle", 6.0)
    await floor.campaign("lost")
    customer = await floor.call("lost", talks(0.5, 10))
    talk = await phone.incoming(3.0)
    await customer.until_over(4.0)
    assert two_way_at(customer.record, talk.heard())


@pytest.mark.parametrize("code", ["*45", "*48"])
async def test_a_phone_that_was_restarted_in_a_moment_ends_its_old_line_with_its_next_code(floor: Floor, code: str):
    ext = f"10{code[1:]}"
    phone = await floor.agent(ext, team=f"moment{code[1:]}", online=False)
    old = await connected(floor, phone)
    old_line = (await floor.centre.switch.channels())[-1]
    phone.crash()
    phone.revive()
    await phone.register()
    assert old_line in await floor.centre.switch.channels()
    dialled_at = floor.far.clock.now()
    new = phone.dial(code)
    await new.until_answered(4.0)

    async def old_has_gone() -> bool:
        return old_line not in await floor.centre.switch.channels()

    await until(old_has_gone, 4.0, "the old line to end")
    assert old.record.ended_at <= dialled_at
    await floor.until_state(ext, "idle")
    if code == "*45":
        await new.until_over(8.0)
    team = f"moment{code[1:]}"
    await floor.campaign(team)
    customer = await floor.call(team, talks(0.6, 20 + int(code[1:])))
    await customer.until_over(5.0)
    assert customer.record.parties_heard() == {ext}
    phone.hangup()
    await floor.cli("agent", "offline", ext)


async def phone_lost(floor: Floor, phone: Phone) -> None:
    """Asterisk need not wait for its own next look at the phone."""
    await floor.centre.switch.cli(f"pjsip qualify {phone.name}")


async def test_a_talk_outlives_serve_and_the_agent_is_then_idle_in_the_same_line(floor: Floor):
    phone = await floor.agent("1011", team="kill", online=False)
    line = await connected(floor, phone)
    await floor.campaign("kill")
    number = stays(11)
    customer = await floor.call("kill", number)
    await customer.until_hears("1011", 3.0)
    serve = floor.centre.serve
    serve.kill()
    await serve.ended()
    assert {"1011"} == customer.hears()
    await serve.start()
    await floor.until_state("1011", "talking")
    line.press("5*2")
    await customer.until_over(3.0)
    assert customer.digits == "5"
    assert customer.record.heard_of("1011")[-1].end_at > customer.record.ended_at - 0.1
    await floor.until_state("1011", "idle")
    second = await floor.call("kill", talks(1.5, 12))
    await second.until_over(6.0)
    assert two_way_at(second.record, line.heard())
    assert line.record.ended_at is None
    assert floor.rung(phone) == []
    line.hangup()
    await floor.until_state("1011", "offline")
