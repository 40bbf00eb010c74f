"""*45, *46 and *47 dialled on agents' phones: who may, what they hear, and how fast it counts."""

from __future__ import annotations

import pytest

from tests.asterisk.floor import SOON, Floor
from tests.lab.centre import Centre
from tests.lab.farend.hearing import OTHER
from tests.lab.farend.numbers import answers_at, talks
from tests.lab.farend.outgoing import OutgoingCall
from tests.lab.farend.phones import Phone
from tests.lab.farend.record import CallRecord, Side, two_way_at
from tests.lab.judge import instant

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture(scope="module")
def floor(centre: Centre) -> Floor:
    return Floor(centre)


async def is_told_something(phone: Phone, code: str) -> bool:
    """Dial a code, and hang up as soon as something is said."""
    call = phone.dial(code)
    await call.until_hears(OTHER, 3.0)
    call.hangup()
    return (await call.until_over(1.0)).parties_heard() == {OTHER}


def was_told_something(record: CallRecord) -> bool:
    return record.parties_heard() == {OTHER} and record.ended_by == "switch"


async def test_code_45_takes_an_agent_on_line_and_off_line_and_says_so(floor: Floor):
    phone = await floor.agent("1001", team="", online=False)
    call = phone.dial("*45")
    await call.until_answered(2.0)
    shown = await floor.until_state("1001", "idle")
    assert instant(shown["since_at"]) - call.record.invite_at < SOON
    assert was_told_something(await call.until_over(8.0))
    call = phone.dial("*45")
    await call.until_answered(2.0)
    shown = await floor.until_state("1001", "offline")
    assert instant(shown["since_at"]) - call.record.invite_at < SOON
    assert was_told_something(await call.until_over(8.0))


async def test_a_due_lead_rings_within_a_second_of_45(floor: Floor):
    phone = await floor.agent("1002", team="due", online=False)
    number = talks(0.5, 1, ring=2.0)
    await floor.campaign("due", number)
    call = phone.dial("*45")
    customer = await floor.called(number)
    asked_at, rang_at = call.record.invite_at, customer.record.invite_at
    assert asked_at < rang_at < asked_at + SOON
    assert was_told_something(await call.until_over(8.0))
    talk = await phone.incoming(5.0)
    assert not call.record.parties_heard() - {OTHER}
    await talk.until_over(5.0)
    assert two_way_at(talk.record, customer.record) is not None


async def test_a_customer_who_answers_while_the_code_is_spoken_cuts_it_short_and_gets_his_agent(floor: Floor):
    phone = await floor.agent("1003", team="cut", online=False)
    number = answers_at(0.4, 2)
    await floor.campaign("cut", number)
    code = phone.dial("*45")
    customer = await floor.called(number)
    talk = await phone.incoming(3.0)
    await customer.until_hears("1003", 2.0)
    await talk.until_hears(number, 2.0)
    assert two_way_at(talk.heard(), customer.heard()) - customer.record.answered_at < 0.5
    assert was_told_something(code.record)
    assert talk.record.invite_at > code.record.ended_at - 0.02
    assert talk.record.ended_at is None
    customer.hangup()
    await talk.until_over(2.0)


async def test_46_pauses_and_unpauses_and_47_says_the_status_and_changes_nothing(floor: Floor):
    phone = await floor.agent("1004", team="pause")
    await floor.campaign("pause")
    assert await is_told_something(phone, "*46")
    await floor.until_state("1004", "paused")
    assert await is_told_something(phone, "*47")
    number = talks(0.5, 3, ring=2.0)
    await floor.cli("lead", "add", "pause", number)
    assert (await floor.show("1004"))["state"] == "paused"
    assert not floor.far.log.attempts(number)
    assert await is_told_something(phone, "*46")
    await floor.called(number)
    talk = await phone.incoming(5.0)
    await talk.until_over(3.0)
    await floor.until_state("1004", "idle")
    assert await is_told_something(phone, "*47")
    assert (await floor.show("1004"))["state"] == "idle"


async def test_46_of_an_agent_who_is_off_line_leaves_him_off_line(floor: Floor):
    phone = await floor.agent("1005", team="", online=False)
    assert await is_told_something(phone, "*46")
    assert (await floor.show("1005"))["state"] == "offline"


async def test_a_code_in_a_talk_counts_after_it(floor: Floor):
    phone = await floor.agent("1006", team="later")
    await floor.campaign("later")
    customer = await floor.call("later", answers_at(0.2, 4))
    await customer.until_hears("1006", 3.0)
    await floor.until_state("1006", "talking")
    assert await is_told_something(phone, "*46")
    assert (await floor.show("1006"))["state"] == "talking"
    assert customer.record.ended_at is None
    customer.hangup()
    await floor.until_state("1006", "paused")


async def test_nobody_is_taken_for_another_agent_by_what_his_phone_says_of_itself(floor: Floor):
    await floor.agent("1007", team="", online=False)
    liar = await floor.agent("1008", team="", online=False)
    names = tuple(
        (header, '"Agent 1007" <sip:1007@example.org>')
        for header in ("p-asserted-identity", "p-preferred-identity", "remote-party-id", "diversion")
    )
    call = liar.dial("*45", extra=names)
    await floor.until_state("1008", "idle")
    call.hangup()
    assert [(await floor.show(ext))["state"] for ext in ("1007", "1008")] == ["offline", "idle"]


async def test_who_does_not_prove_an_agents_password_is_refused_and_changes_nothing(floor: Floor):
    await floor.agent("1009", team="", online=False)
    other = await floor.agent("1010", team="", online=False)
    bank = floor.far.phones

    def attempt(name: str, credentials: tuple[str, str] | None) -> OutgoingCall:
        call = OutgoingCall(
            bank.agent, side=Side.PHONE, party=name, number="*45", peer=bank.peer, credentials=credentials
        )
        call.place()
        return call

    tries = [
        attempt("1009", None),
        attempt("1009", ("1009", "guess")),
        attempt("1009", (other.name, other.password)),
        attempt("9999", ("9999", "guess")),
    ]
    for call in tries:
        record = await call.until_over(3.0)
        assert record.final_code in (401, 403), record
        assert not record.answered
    assert [(await floor.show(ext))["state"] for ext in ("1009", "1010")] == ["offline", "offline"]


async def test_a_phone_whose_agent_was_removed_cannot_dial_codes_any_more(floor: Floor):
    phone = await floor.agent("1011", team="", online=False)
    await floor.cli("agent", "remove", "1011")
    record = await phone.dial("*45").until_over(3.0)
    assert record.final_code in (401, 403)
