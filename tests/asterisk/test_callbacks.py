"""Callbacks on the real Asterisk: the order by keys, agent first, the number on the display, the record of it all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
import pytest_asyncio

from tests.asterisk.callers import MUSIC, Callers, by_hand, kinds
from tests.asterisk.floor import Floor
from tests.lab.centre import Centre
from tests.lab.farend.hearing import OTHER, RINGBACK
from tests.lab.farend.incoming import IncomingCall
from tests.lab.farend.numbers import refuses, stays
from tests.lab.farend.outgoing import OutgoingCall
from tests.lab.farend.record import two_way_at
from tests.lab.farend.script import Script
from tests.lab.until import until

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

PATIENCE = 15.0
SLACK = 0.25
DIGIT_SECONDS = 0.4


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def centre() -> AsyncIterator[Centre]:
    async with Centre("callbacks") as made:
        await made.serve.start()
        yield made
        assert not made.far.faults


@pytest.fixture(scope="module")
def callers(centre: Centre) -> Callers:
    return Callers(Floor(centre))


async def order(callers: Callers, did: str, number: str) -> OutgoingCall:
    """Somebody waits, presses 1, and 1 again when he has heard his number; gives his call, which is over."""
    caller = callers.call(did, number)
    await caller.until_hears(MUSIC, PATIENCE)
    caller.press("1")
    await callers.talk(1.5)
    caller.press("1")
    await caller.until_over(PATIENCE)
    return caller


async def state(callers: Callers, queue: str, wanted: str, deadline: float = PATIENCE) -> dict[str, Any]:
    """The one callback of a queue, once it is in this state."""
    found: dict[str, Any] = {}

    async def reached() -> bool:
        [document] = await callers.floor.cli("callback", "list", "--queue", queue)
        found.update(document)
        return bool(document["state"] == wanted)

    try:
        await until(reached, deadline, f"the callback of {queue} to be {wanted}")
    except TimeoutError as error:
        raise TimeoutError(f"{error}; it is {found}; {callers.floor.centre.serve.tail()}") from None
    return found


async def shown(callers: Callers, call_id: str) -> dict[str, Any]:
    """`call show`."""
    record: dict[str, Any] = await callers.floor.cli("call", "show", call_id)
    return record


async def test_the_agent_is_called_first_then_the_customer_with_the_number_he_dialled(callers: Callers):
    did, number = "442079460501", stays(501, ring=1.0)
    await callers.queue("back", did, callback="on")
    phone = await callers.agent("2501", "back", online=False)
    ordering = await order(callers, did, number)
    callback = await state(callers, "back", "waiting")
    assert (callback["number"], callback["attempt"]) == (number, 0)
    before = await callers.record(number)
    assert before["id"] == callback["call_id"]
    assert kinds(before) == ["queue", "menu", "menu"]
    assert (before["kind"], before["hung_up_by"]) == ("callback", "system")
    assert not callers.far.trunk.calls_to(number)
    await callers.floor.cli("agent", "online", "2501")
    talk = await phone.incoming(PATIENCE)
    customer = await callers.far.trunk.until_called(number, PATIENCE)
    assert talk.record.answered_at < customer.record.invite_at
    assert customer.record.from_user.removeprefix("+") == did
    await customer.until_hears("2501", PATIENCE)
    await callers.talk(1.0)
    customer.hangup()
    await talk.until_over(PATIENCE)
    await state(callers, "back", "done")
    await callers.floor.until_state("2501", "idle")
    record = await shown(callers, callback["call_id"])
    assert kinds(record) == ["queue", "menu", "menu", "queue_callback", "conversation"]
    waited, spoken = record["timeline"][3:]
    ordered_at = datetime.fromisoformat(callback["ordered_at"]).timestamp()
    assert waited["seconds"] == pytest.approx(customer.record.answered_at - ordered_at, abs=SLACK)
    assert spoken["seconds"] == pytest.approx(customer.record.ended_at - customer.record.answered_at, abs=SLACK)
    assert record["talk_seconds"] == spoken["seconds"]
    assert (record["agents"], record["call_state"]) == (["Agent 2501"], "NORMAL_CLEARING_A")
    assert [(a["n"], a["outcome"], a["agent"]) for a in record["attempts"]] == [(1, "connected", "Agent 2501")]
    assert two_way_at(customer.record, talk.record) is not None
    assert "2501" not in ordering.record.parties_heard()
    await callers.nothing_left()


async def test_three_real_attempts_and_no_fourth(callers: Callers):
    did, number = "442079460502", refuses(486, 502)
    await callers.queue("thrice", did, callback="on", callback_delays="1s,1s")
    await callers.agent("2502", "thrice", online=False)
    await order(callers, did, number)
    await callers.floor.cli("agent", "online", "2502")
    callback = await state(callers, "thrice", "failed", 40.0)
    await callers.talk(2.0)
    assert len(callers.far.trunk.calls_to(number)) == 3
    record = await shown(callers, callback["call_id"])
    assert kinds(record)[3:] == ["queue_callback"] * 3
    assert {e["label"] for e in record["timeline"][3:]} == {"1 unanswered call completed"}
    assert [(a["n"], a["outcome"], a["sip_code"], a["agent"]) for a in record["attempts"]] == [
        (n, "busy", 486, "Agent 2502") for n in (1, 2, 3)
    ]
    assert (record["call_state"], record["agents"]) == ("USER_BUSY_A", ["Agent 2502"])
    await callers.nothing_left()


async def rated(callers: Callers, call_id: str) -> dict[str, Any]:
    """`call show` once it has a rating."""
    found: dict[str, Any] = {}

    async def written() -> bool:
        found.update(await shown(callers, call_id))
        return found["rating"] is not None

    await until(written, PATIENCE, f"the rating of {call_id}")
    return found


async def test_the_agent_rates_on_the_phone_after_an_attempt_that_was_not_answered_and_after_one_that_was(
    callers: Callers,
):
    did = "442079460508"
    await callers.floor.cli("rating", "group", "add", "calls")
    await callers.floor.cli("rating", "option", "add", "calls", "1", "Sale", "--asks-value")
    await callers.floor.cli("rating", "option", "add", "calls", "2", "Lost")
    options = {"rating_group": "calls", "rating_ivr": "on", "callback_attempts": "1"}
    await callers.queue("rates", did, callback="on", **options)
    phone = await callers.agent("2508", "rates", online=False)
    for number, keys, wanted in ((refuses(486, 508), "2", "Lost"), (stays(509), "12999#", "Sale")):
        await order(callers, did, number)
        await callers.floor.cli("agent", "online", "2508")
        talk = await phone.incoming(PATIENCE)
        customer = await callers.far.trunk.until_called(number, PATIENCE)
        if wanted == "Sale":
            await customer.until_hears("2508", PATIENCE)
            await callers.talk(1.0)
            customer.hangup()
        await customer.until_over(PATIENCE)
        over_at = callers.far.clock.now()

        def asked(talk: IncomingCall = talk, over_at: float = over_at) -> bool:
            return any(OTHER in span.heard and span.start_at > over_at for span in talk.heard().heard)

        await until(asked, PATIENCE, "the menu")
        assert RINGBACK not in talk.hears()
        await callers.talk(1.0)
        talk.press(keys)
        await talk.until_over(PATIENCE)
        await callers.floor.until_state("2508", "idle")
        await callers.floor.cli("agent", "offline", "2508")
        await callers.floor.until_state("2508", "offline")
        record = await rated(callers, (await callers.record(number))["id"])
        rating = record["rating"]
        assert (rating["option"], rating["value"], rating["source"]) == (
            wanted,
            "29.99" if wanted == "Sale" else None,
            "ivr",
        )
        assert (record["kind"], record["agents"]) == ("callback", ["Agent 2508"])
        if wanted == "Sale":
            spoke_at = customer.record.answered_at + 1.0
            assert not [span for span in customer.heard().heard if OTHER in span.heard and span.start_at > spoke_at]
    await callers.nothing_left()


async def test_a_callback_is_cancelled_while_the_customers_phone_rings(callers: Callers):
    did, number = "442079460503", stays(503, ring=30.0)
    await callers.queue("taken", did, callback="on")
    await callers.agent("2503", "taken", online=False)
    await order(callers, did, number)
    await callers.floor.cli("agent", "online", "2503")
    ringing = await callers.far.trunk.until_called(number, PATIENCE)
    callback = await state(callers, "taken", "calling_customer")
    cancelled_at = callers.far.clock.now()
    await callers.floor.cli("callback", "cancel", callback["id"])
    await ringing.until_over(PATIENCE)
    assert ringing.record.ended_at - cancelled_at < 2.0
    await callers.nothing_left()
    record = await shown(callers, callback["call_id"])
    assert record["timeline"][-1]["kind"] == "deleted"
    assert (await state(callers, "taken", "cancelled"))["attempt"] == 1


async def test_after_kill_9_a_talk_goes_on_and_a_dial_is_not_made_again(callers: Callers):
    centre, did = callers.floor.centre, "442079460504"
    talking, ringing = stays(504, ring=0.2), stays(505, ring=30.0)
    await callers.queue("killed", did, callback="on", callback_delays="1h")
    phone = await callers.agent("2504", "killed", online=False)
    other = await callers.agent("2505", "killed", online=False)
    for number in (talking, ringing):
        await order(callers, did, number)
    await callers.floor.cli("agent", "online", "2504")
    customer = await callers.far.trunk.until_called(talking, PATIENCE)
    await customer.until_hears("2504", PATIENCE)
    await callers.floor.cli("agent", "online", "2505")
    rung = await callers.far.trunk.until_called(ringing, PATIENCE)
    await callers.talk(0.5)
    centre.serve.kill()
    await centre.serve.ended()
    await centre.serve.start()
    assert not customer.is_over
    await rung.until_over(PATIENCE)
    await callers.talk(2.0)
    assert not customer.is_over
    assert [len(callers.far.trunk.calls_to(number)) for number in (talking, ringing)] == [1, 1]
    customer.hangup()
    await callers.nothing_left()
    found = {d["number"]: d for d in await callers.floor.cli("callback", "list", "--queue", "killed")}
    assert (found[talking]["state"], found[talking]["attempt"]) == ("done", 1)
    assert (found[ringing]["state"], found[ringing]["attempt"]) == ("waiting", 1)
    record = await shown(callers, found[talking]["call_id"])
    assert kinds(record)[-2:] == ["queue_callback", "conversation"]
    assert record["call_state"] == "NORMAL_CLEARING_A"
    assert phone.name != other.name
    await callers.floor.cli("callback", "cancel", found[ringing]["id"])


async def test_an_agent_who_does_not_answer_costs_no_attempt(callers: Callers):
    did, number = "442079460506", stays(506)
    await callers.queue("vainly", did, callback="on", ring_seconds="3")
    first = await callers.agent("2506", "vainly", online=False)
    by_hand(first)
    await order(callers, did, number)
    await callers.floor.cli("agent", "online", "2506")
    ring = await first.incoming(PATIENCE)
    ring.ring()
    await ring.until_over(PATIENCE)
    assert not callers.far.trunk.calls_to(number)
    first.script = Script()
    customer = await callers.far.trunk.until_called(number, PATIENCE)
    await customer.until_hears("2506", PATIENCE)
    customer.hangup()
    assert (await state(callers, "vainly", "done"))["attempt"] == 1
    await callers.nothing_left()
