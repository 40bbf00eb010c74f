"""Ratings and categories on the real Asterisk: keys by RFC 4733, and ears that judge who was asked."""

from __future__ import annotations

import asyncio
import base64
import csv
import io
import urllib.request
from typing import Any

import pytest

from tests.asterisk.callers import MUSIC, Callers
from tests.asterisk.floor import Floor
from tests.lab.centre import Centre
from tests.lab.farend.call import Call
from tests.lab.farend.incoming import IncomingCall
from tests.lab.farend.numbers import stays
from tests.lab.farend.outgoing import OutgoingCall
from tests.lab.farend.phones import Phone
from tests.lab.farend.record import two_way_at
from tests.lab.until import until

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

PROMPT = "other"  # what a party hears that is nobody's tones

KEYINGS: dict[str, tuple[str, str | None] | None] = {
    "1050#": ("Sale", "0.50"),
    "1100#": ("Sale", "1.00"),
    "11000#": ("Sale", "10.00"),
    "12999#": ("Sale", "29.99"),
    "110000#": ("Sale", "100.00"),
    "1100000#": ("Sale", "1000.00"),
    "199999999#": ("Sale", "999999.99"),
    "15#2999#": ("Sale", "29.99"),
    "1100000000#050#": ("Sale", "0.50"),
    "2": ("Lost", None),
    "2#": ("Lost", None),
    "3": ("Callback", None),
    "7": None,
    "0": None,
    "#": None,
    "22": None,
    "1": None,
    "150": None,
    "15#5#5#": None,
    "1234567890" * 4: None,
}
"""The most telling keyings at the menu, and what the call is rated then."""


@pytest.fixture(scope="module")
def floor(centre: Centre) -> Floor:
    return Floor(centre)


@pytest.fixture(scope="module")
def callers(floor: Floor) -> Callers:
    return Callers(floor)


async def group(floor: Floor, name: str) -> None:
    """Three options, of which the first asks a value."""
    await floor.cli("rating", "group", "add", name)
    await floor.cli("rating", "option", "add", name, "1", "Sale", "--asks-value", "--goal", "bought")
    await floor.cli("rating", "option", "add", name, "2", "Lost")
    await floor.cli("rating", "option", "add", name, "3", "Callback")


async def talk(callers: Callers, phone: Phone, did: str, number: str) -> tuple[OutgoingCall, IncomingCall]:
    """A caller and his agent, hearing each other."""
    caller = callers.call(did, number)
    agent = await phone.incoming(10.0)
    await both_hear(caller, agent, phone.name, number)
    return caller, agent


async def both_hear(customer: Call, agent: Call, ext: str, number: str) -> None:
    async with asyncio.TaskGroup() as both:
        both.create_task(customer.until_hears(ext, 5.0))
        both.create_task(agent.until_hears(number, 5.0))


def heard_no_prompt(customer: Call, agent: Call) -> bool:
    """Whether a customer heard nothing but his agent since they were joined."""
    joined = two_way_at(customer.heard(), agent.heard())
    assert joined is not None
    return not [x for x in customer.heard().heard if PROMPT in x.heard and x.start_at > joined + 0.3]


async def rated(callers: Callers, number: str, deadline: float = 5.0) -> dict[str, Any]:
    """The record of a caller once it has a rating."""
    found: dict[str, Any] = {}

    async def written() -> bool:
        found.update(await callers.record(number))
        return found["rating"] is not None

    await until(written, deadline, f"the rating of {number}")
    return found


async def test_after_a_campaigns_call_the_agent_is_asked_and_the_customer_hears_nothing(floor: Floor):
    await group(floor, "camp")
    phone = await floor.agent("3101", team="rated")
    await floor.campaign("rated", rating_group="camp", rating_ivr="on")
    number = stays(31)
    customer = await floor.call("rated", number)
    agent = await phone.incoming(5.0)
    await both_hear(customer, agent, phone.name, number)
    customer.hangup()
    await agent.until_hears(PROMPT, 3.0)
    shown = await floor.record("rated", number)
    assert (shown["call_state"], shown["rating"]) == ("NORMAL_CLEARING_A", None)
    assert (await floor.show("3101"))["state"] == "wrap_up"
    agent.press("2")
    await agent.until_over(5.0)

    async def is_rated() -> bool:
        return bool((await floor.record("rated", number))["rating"])

    await until(is_rated, 3.0, "the rating")
    rating = (await floor.record("rated", number))["rating"]
    assert (rating["option"], rating["digit"], rating["value"], rating["source"]) == ("Lost", 2, None, "ivr")
    assert heard_no_prompt(customer, agent)
    await floor.until_state("3101", "idle")


async def test_a_queues_agent_keys_a_value_and_the_call_can_be_rated_anew(callers: Callers):
    floor, did, number = callers.floor, "442079463102", "+447400003102"
    await group(floor, "value")
    await callers.queue("value", did, rating_group="value", rating_ivr="on")
    phone = await callers.agent("3102", "value")
    caller, agent = await talk(callers, phone, did, number)
    caller.hangup()
    await agent.until_hears(PROMPT, 3.0)
    agent.press("1")
    await callers.talk(1.0)
    agent.press("2999#")
    await agent.until_over(8.0)
    record = await rated(callers, number)
    assert (record["rating"]["option"], record["rating"]["value"]) == ("Sale", "29.99")
    assert heard_no_prompt(caller, agent)
    again = await floor.cli("call", "rate", record["id"], "Lost")
    assert [entry["option"] for entry in again["rating"]["history"]] == ["Sale", "Lost"]
    await callers.nothing_left()


async def test_star_2_ends_the_callers_leg_and_the_rating_follows_but_no_category_menu(callers: Callers):
    did, number = "442079463103", "+447400003103"
    await group(callers.floor, "force")
    await callers.queue("force", did, rating_group="force", rating_ivr="on", force_hangup="on", category_menu="both")
    phone = await callers.agent("3103", "force")
    caller, agent = await talk(callers, phone, did, number)
    agent.press("*2")
    await caller.until_over(2.0)
    assert caller.record.ended_by == "switch"
    await agent.until_hears(PROMPT, 3.0)
    agent.press("3")
    await agent.until_over(6.0)
    record = await rated(callers, number)
    assert (record["call_state"], record["hung_up_by"]) == ("FORCED_CLEARING_B", "agent")
    assert (record["rating"]["option"], record["keyed"]) == ("Callback", None)
    assert heard_no_prompt(caller, agent)


async def test_an_agent_who_hangs_up_first_rates_later(callers: Callers):
    did, number = "442079463104", "+447400003104"
    await group(callers.floor, "later")
    await callers.queue("later", did, rating_group="later", rating_ivr="on")
    phone = await callers.agent("3104", "later")
    caller, agent = await talk(callers, phone, did, number)
    agent.hangup()
    await caller.until_over(2.0)
    record = await callers.record(number)
    assert (record["call_state"], record["rating"]) == ("NORMAL_CLEARING_B", None)
    assert heard_no_prompt(caller, agent)
    later = await callers.floor.cli("call", "rate", record["id"], "1", "--value", "0.50")
    assert (later["rating"]["option"], later["rating"]["value"], later["rating"]["source"]) == ("Sale", "0.50", "cli")


async def test_the_category_menu_follows_the_rating_when_the_caller_hangs_up_first(callers: Callers):
    did, number = "442079463105", "+447400003105"
    floor = callers.floor
    await group(floor, "both")
    await floor.cli("category", "add", "3", "Asked for the address", "--value", "100")
    await callers.queue("both", did, rating_group="both", rating_ivr="on", category_menu="both")
    phone = await callers.agent("3105", "both")
    caller, agent = await talk(callers, phone, did, number)
    caller.hangup()
    await agent.until_hears(PROMPT, 3.0)
    agent.press("2#3#050#")
    await agent.until_over(10.0)
    record = await rated(callers, number)
    assert record["rating"]["option"] == "Lost"

    async def keyed() -> bool:
        return bool((await callers.record(number))["keyed"])

    await until(keyed, 3.0, "what was keyed")
    assert (await callers.record(number))["keyed"] == {"category": 3, "value": "0.50"}
    assert (record["categories"], record["value"]) == ([], None)
    assert heard_no_prompt(caller, agent)


async def test_after_a_transfer_the_agent_who_has_the_caller_last_is_asked_and_the_first_one_is_not(callers: Callers):
    did, number = "442079463110", "+447400003110"
    await group(callers.floor, "given")
    await callers.queue("given", did, rating_group="given", rating_ivr="on")
    first_phone = await callers.agent("3110", "given")
    second_phone = await callers.floor.agent("3111", team="given-to")
    caller, first = await talk(callers, first_phone, did, number)
    first.press("*73111#")
    second = await second_phone.incoming(10.0)
    await second.until_hears("3110", 5.0)
    first.hangup()
    await both_hear(caller, second, "3111", number)
    await callers.talk(1.0)
    caller.hangup()
    await second.until_hears(PROMPT, 3.0)
    second.press("2")
    await second.until_over(5.0)
    record = await rated(callers, number)
    assert (record["rating"]["option"], record["agents"]) == ("Lost", ["Agent 3110", "Agent 3111"])
    assert heard_no_prompt(caller, second)
    raters = {row["agent"] for row in (await callers.floor.cli("report", "ratings"))["agents"]}
    assert "Agent 3111" in raters
    assert "Agent 3110" not in raters
    await callers.nothing_left()


async def test_on_an_open_line_the_menu_is_heard_in_the_line_which_is_free_again_afterwards(callers: Callers):
    did, floor = "442079463106", callers.floor
    await group(floor, "line")
    await callers.queue("line", did, rating_group="line", rating_ivr="on")
    phone = await floor.agent("3106", team="team-line", queue="line", online=False)
    line = phone.dial("*48")
    await line.until_answered(5.0)
    await floor.until_state("3106", "idle")
    for n, keys in enumerate(("2", "12999#")):
        number = f"+4474000031{60 + n}"
        caller = callers.call(did, number)
        await both_hear(caller, line, "3106", number)
        caller.hangup()
        await line.until_hears(PROMPT, 5.0)
        line.press("*81#")  # a disposition, and for the menu a wrong option: it is said again
        await callers.talk(2.5)
        await line.until_hears(PROMPT, 5.0)
        line.press(keys)
        record = await rated(callers, number, 10.0)
        assert record["disposition"] == "SALE"
        assert record["rating"]["option"] == ("Lost", "Sale")[n]
        await floor.until_state("3106", "idle", 6.0)
        assert not line.is_over
        heard = [x for x in caller.heard().heard if PROMPT in x.heard and x.start_at > caller.record.answered_at + 2.0]
        assert not [x for x in heard if MUSIC not in x.heard]
    line.hangup()
    await floor.until_state("3106", "offline")


async def test_a_menu_that_nobody_answers_ends_and_the_next_call_comes(callers: Callers):
    did, floor = "442079463107", callers.floor
    await group(floor, "mute")
    await callers.queue("mute", did, rating_group="mute", rating_ivr="on")
    phone = await callers.agent("3107", "mute")
    caller, agent = await talk(callers, phone, did, "+447400003171")
    caller.hangup()
    await agent.until_hears(PROMPT, 3.0)
    waiting = callers.call(did, "+447400003172")
    following = await phone.incoming(60.0)
    await both_hear(waiting, following, "3107", "+447400003172")
    assert agent.is_over
    following.hangup()
    assert (await callers.record("+447400003171"))["rating"] is None


async def test_the_most_telling_keyings_are_rated_as_they_must_be(callers: Callers):
    floor = callers.floor
    await group(floor, "keys")

    async def one(n: int, keys: str, wanted: tuple[str, str | None] | None) -> None:
        did, number, ext, queue = f"4420794632{n:02d}", f"+4474000032{n:02d}", f"32{n:02d}", f"keys{n}"
        await callers.queue(queue, did, rating_group="keys", rating_ivr="on")
        phone = await callers.agent(ext, queue)
        caller, agent = await talk(callers, phone, did, number)
        await callers.talk(1.0)
        caller.hangup()
        await agent.until_hears(PROMPT, 5.0)
        agent.press(keys)
        await agent.until_over(60.0)
        await floor.until_state(ext, "idle", 10.0)
        rating = (await callers.record(number))["rating"]
        assert (rating and (rating["option"], rating["value"])) == wanted, keys
        assert heard_no_prompt(caller, agent), keys

    async with asyncio.TaskGroup() as all_of_them:
        for n, (keys, wanted) in enumerate(KEYINGS.items()):
            all_of_them.create_task(one(n, keys, wanted))


async def test_a_talk_that_outlived_serve_is_rated_and_a_crash_in_the_menu_frees_the_agent(callers: Callers):
    floor, did, serve = callers.floor, "442079463108", callers.floor.centre.serve
    await group(floor, "crash")
    await callers.queue("crash", did, rating_group="crash", rating_ivr="on")
    phone = await callers.agent("3108", "crash")
    caller, agent = await talk(callers, phone, did, "+447400003181")
    await callers.talk(0.5)
    serve.kill()
    await serve.ended()
    await serve.start()
    caller.hangup()
    await agent.until_hears(PROMPT, 5.0)
    agent.press("2")
    assert (await rated(callers, "+447400003181", 8.0))["rating"]["option"] == "Lost"
    await agent.until_over(5.0)
    caller, agent = await talk(callers, phone, did, "+447400003182")
    await callers.talk(0.5)
    caller.hangup()
    await agent.until_hears(PROMPT, 5.0)
    await callers.record("+447400003182")
    serve.kill()
    await serve.ended()
    await serve.start()
    await agent.until_over(10.0)
    await floor.until_state("3108", "idle", 10.0)
    record = await callers.record("+447400003182")
    assert (record["call_state"], record["rating"]) == ("NORMAL_CLEARING_A", None)
    await callers.nothing_left()


async def test_the_report_of_call_states_is_fetched_over_http_with_a_logins_credentials(callers: Callers):
    floor, did, number = callers.floor, "442079463109", "+447400003109"
    await group(floor, "http")
    await callers.queue("http", did, rating_group="http")
    phone = await callers.agent("3109", "http")
    _, agent = await talk(callers, phone, did, number)
    await callers.talk(0.5)
    agent.hangup()
    await callers.record(number)
    token = (await floor.cli("token", "add", "reports", "--role", "read"))["token"]
    query = "igrp=1&sort[]=triggerDatetime-desc&limit=1000&format=csv"
    query += "&display[]=triggerDatetime&display[]=srcPhoneNumber&display[]=callState"
    url = f"http://{floor.centre.settings.http.bind}/reports/v2/triggers/calls?{query}"
    login = base64.b64encode(f"reports:{token}".encode()).decode()

    def fetch() -> list[list[str]]:
        request = urllib.request.Request(url, headers={"Authorization": f"Basic {login}"})
        with urllib.request.urlopen(request, timeout=5) as reply:
            return list(csv.reader(io.StringIO(reply.read().decode(), newline="")))

    header, *rows = await asyncio.to_thread(fetch)
    assert header == ["triggerDatetime", "srcPhoneNumber", "callState"]
    assert rows[0][1:] == [number, "NORMAL_CLEARING_B"]
    assert [row[0] for row in rows] == sorted((row[0] for row in rows), reverse=True)
