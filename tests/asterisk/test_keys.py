"""What an agent's phone is shown and told, and what its keys do in a talk."""

from __future__ import annotations

import asyncio

import pytest

from tests.asterisk.floor import Floor
from tests.lab.centre import Centre
from tests.lab.farend.incoming import IncomingCall
from tests.lab.farend.numbers import stays
from tests.lab.farend.phones import Phone
from tests.lab.until import until

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture(scope="module")
def floor(centre: Centre) -> Floor:
    return Floor(centre)


async def talk(floor: Floor, phone: Phone, team: str, number: str) -> tuple[IncomingCall, IncomingCall]:
    """The customer's call and the agent's, both hearing each other."""
    customer = await floor.call(team, number)
    agent = await phone.incoming(3.0)
    async with asyncio.TaskGroup() as both:
        both.create_task(customer.until_hears(phone.name, 3.0))
        both.create_task(agent.until_hears(number, 3.0))
    return customer, agent


async def test_digits_reach_the_customer_and_codes_do_not(floor: Floor):
    phone = await floor.agent("1001", team="keys")
    await floor.campaign("keys")
    number = stays(1)
    customer, agent = await talk(floor, phone, "keys", number)
    agent.press("1234567890")
    await customer.until_digits("1234567890", 6.0)
    agent.press("*81#")

    async def disposed() -> bool:
        [call] = await floor.cli("call", "list", "--campaign", "keys")
        return bool(call["disposition"] == "SALE")

    await until(disposed, 3.0, "the disposition")
    agent.press("#9")
    await customer.until_digits("1234567890#9", 3.0)
    agent.press("*2")
    agent.press("6")
    await customer.until_digits("1234567890#96", 3.0)
    assert customer.record.ended_at is None
    agent.hangup()
    await customer.until_over(1.0)
    call = await floor.record("keys", number)
    assert (call["disposition"], call["call_state"]) == ("SALE", "NORMAL_CLEARING_B")
    assert customer.digits == "1234567890#96"
    assert customer.record.parties_heard() == {"1001"}
    [lead] = await floor.cli("lead", "list", "keys")
    assert (lead["state"], lead["disposition"]) == ("done", "SALE")


async def test_star_2_ends_the_call_where_the_campaign_allows_it(floor: Floor):
    phone = await floor.agent("1002", team="force")
    await floor.campaign("force", force_hangup="on")
    number = stays(2)
    customer, agent = await talk(floor, phone, "force", number)
    agent.press("*2")
    await customer.until_over(2.0)
    await agent.until_over(1.0)
    assert customer.record.ended_by == "switch"
    assert customer.digits == ""
    call = await floor.record("force", number)
    assert (call["call_state"], call["hung_up_by"]) == ("FORCED_CLEARING_B", "agent")


async def test_a_code_that_is_begun_anew_is_not_heard_and_a_star_that_begins_none_is(floor: Floor):
    phone = await floor.agent("1003", team="half")
    await floor.campaign("half")
    customer, agent = await talk(floor, phone, "half", stays(3))
    agent.press("*5")
    await customer.until_digits("*5", 3.0)
    agent.press("*84*81#7")
    await customer.until_digits("*57", 4.0)
    agent.hangup()
    await customer.until_over(1.0)
    assert customer.digits == "*57"


async def test_the_customers_digits_do_not_steer_the_call(floor: Floor):
    phone = await floor.agent("1004", team="theirs")
    await floor.campaign("theirs", force_hangup="on")
    number = stays(4)
    customer, agent = await talk(floor, phone, "theirs", number)
    customer.press("*281#3")
    await agent.until_digits("*281#3", 4.0)
    assert customer.record.ended_at is None
    agent.hangup()
    await customer.until_over(1.0)
    assert (await floor.record("theirs", number))["disposition"] == "connected"


async def test_the_phone_is_asked_to_answer_by_itself_and_shows_the_customers_number(floor: Floor):
    phone = await floor.agent("1005", team="shown")
    await floor.campaign("shown")
    number = stays(5)
    customer, agent = await talk(floor, phone, "shown", number)
    assert "answer-after=0" in agent.record.headers["call-info"]
    assert "auto" in agent.record.headers["alert-info"]
    assert agent.record.from_user.lstrip("+") == number.lstrip("+")
    agent.hangup()
    await customer.until_over(1.0)


async def test_the_number_is_nowhere_on_the_phone_where_the_campaign_hides_it(floor: Floor):
    phone = await floor.agent("1006", team="hidden")
    await floor.campaign("hidden", hide_number="on")
    number = stays(6)
    customer, agent = await talk(floor, phone, "hidden", number)
    assert number.lstrip("+") not in str(agent.request.to_bytes())
    agent.hangup()
    await customer.until_over(1.0)
    call = await floor.record("hidden", number)
    assert call["id"] in (agent.record.from_user, agent.record.from_display)
