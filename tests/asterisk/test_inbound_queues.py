"""Rules of queues on the real Asterisk: order, ring time, ring all, overflow, hours, messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.asterisk.callers import MUSIC, Callers, by_hand, kinds
from tests.asterisk.floor import SOON, Floor
from tests.asterisk.queue_log_reader import read_queue_log
from tests.lab.centre import Centre
from tests.lab.farend.numbers import stays
from tests.lab.farend.record import two_way_at
from tests.lab.farend.script import Script

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

PATIENCE = 10.0
SLACK = 0.25


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def centre() -> AsyncIterator[Centre]:
    async with Centre("queues") as made:
        await made.serve.start()
        yield made
        assert not made.far.faults


@pytest.fixture(scope="module")
def callers(centre: Centre) -> Callers:
    return Callers(Floor(centre))


async def test_callers_are_served_in_the_order_they_came(callers: Callers):
    await callers.queue("order", "442079460201")
    phone = await callers.agent("2201", "order", online=False)
    numbers = [f"+4474000002{n:02d}" for n in range(3)]
    waiting = []
    for number in numbers:
        waiting.append(callers.call("442079460201", number))
        await waiting[-1].until_hears(MUSIC, PATIENCE)
    shown = await callers.waiting("order", 3)
    assert [caller["number"] for caller in shown["callers"]] == numbers
    assert shown["header"].startswith("order has 3 calls")
    await callers.floor.cli("agent", "online", "2201")
    for caller in waiting:
        await caller.until_hears("2201", PATIENCE)
        assert all(not other.record.parties_heard() - {MUSIC} for other in waiting[waiting.index(caller) + 1 :])
        caller.hangup()
    assert [call.from_user for call in callers.floor.rung(phone)] == numbers


async def test_a_phone_that_rings_in_vain_is_followed_by_the_next_within_a_second(callers: Callers):
    await callers.queue("vain", "442079460202", ring_seconds="3")
    first = await callers.agent("2211", "vain")
    by_hand(first)
    second = await callers.agent("2212", "vain")
    caller = callers.call("442079460202", "+447400000210")
    rings = await first.incoming(PATIENCE)
    rings.ring()
    talk = await second.incoming(PATIENCE)
    await rings.until_over(PATIENCE)
    assert abs(talk.record.invite_at - rings.record.ended_at) < SOON
    assert rings.record.ended_at - rings.record.invite_at == pytest.approx(3.0, abs=0.5)
    await caller.until_hears("2212", PATIENCE)
    await callers.talk(0.5)
    caller.hangup()
    record = await callers.record("+447400000210")
    assert (record["agents"], kinds(record)) == (["Agent 2212"], ["queue", "conversation"])
    assert two_way_at(caller.record, talk.record) is not None
    assert "2211" not in caller.record.parties_heard()


async def test_ring_all_has_one_winner_and_the_losers_phones_stop_at_once(callers: Callers):
    await callers.queue("all", "442079460203", strategy="ring_all")
    phones = [await callers.agent(ext, "all") for ext in ("2221", "2222", "2223")]
    for phone in phones:
        by_hand(phone)
    caller = callers.call("442079460203", "+447400000220")
    rings = [await phone.incoming(PATIENCE) for phone in phones]
    for ring in rings:
        ring.ring()
    rings[1].answer()
    answered_at = callers.far.clock.now()
    for loser in (rings[0], rings[2]):
        await loser.until_over(PATIENCE)
        assert loser.record.cancel_at - answered_at < SOON
        assert loser.record.answered_at is None
    await caller.until_hears("2222", PATIENCE)
    states = await asyncio.gather(*(callers.floor.until_state(ext, "idle") for ext in ("2221", "2223")))
    assert [state["ext"] for state in states] == ["2221", "2223"]
    caller.hangup()
    record = await callers.record("+447400000220")
    assert record["agents"] == ["Agent 2222"]


async def test_the_longest_wait_leads_into_another_queue_with_both_on_the_timeline(callers: Callers):
    await callers.queue("second", "442079460204")
    await callers.agent("2231", "second")
    await callers.queue("short", "442079460205", max_wait="2", overflow="queue:second")
    caller = callers.call("442079460205", "+447400000230")
    await caller.until_hears("2231", PATIENCE)
    await callers.talk(0.5)
    caller.hangup()
    record = await callers.record("+447400000230")
    assert [(e["kind"], e["label"]) for e in record["timeline"][:2]] == [("queue", "short"), ("queue", "second")]
    assert kinds(record) == ["queue", "queue", "conversation"]
    assert record["timeline"][0]["seconds"] == pytest.approx(2.0, abs=SLACK)
    figures = {row["queue"]: row for row in await callers.floor.cli("report", "queues")}
    assert (figures["short"]["sent_on"], figures["second"]["answered"]) == (1, 1)


async def test_outside_its_hours_a_queue_says_so_and_hangs_up(callers: Callers):
    await callers.queue("closed", "442079460206", holidays="01-01", hours="mon 00:00-00:01,tue 00:00-00:01")
    phone = await callers.agent("2241", "closed")
    caller = callers.call("442079460206", "+447400000240")
    await caller.until_over(20.0)
    assert caller.record.ended_by == "switch"
    assert MUSIC in caller.record.parties_heard()
    record = await callers.record("+447400000240")
    assert kinds(record) == ["menu"]
    assert (record["disposition"], record["call_state"]) == ("closed", "QUEUE_CLOSED")
    assert record["timeline"][0]["seconds"] == pytest.approx(
        caller.record.ended_at - caller.record.answered_at, abs=SLACK
    )
    assert callers.floor.rung(phone) == []


async def test_a_greeting_comes_before_the_queue_and_a_welcome_is_heard_by_both_in_the_talk(callers: Callers):
    await callers.queue("hello", "442079460207", greeting="queue-thankyou", welcome_message="queue-reporthold")
    phone = await callers.agent("2251", "hello")
    caller = callers.call("442079460207", "+447400000250")
    talk = await phone.incoming(PATIENCE)
    await caller.until_hears("2251", PATIENCE)
    await talk.until_hears(MUSIC, PATIENCE)
    await callers.talk(2.0)
    talk.hangup()
    await caller.until_over(PATIENCE)
    record = await callers.record("+447400000250")
    assert kinds(record) == ["menu", "queue", "conversation", "menu"]
    assert (record["call_state"], record["hung_up_by"]) == ("NORMAL_CLEARING_B", "agent")
    assert [e["label"] for e in record["timeline"] if e["kind"] == "menu"] == ["greeting", "welcome message"]


async def test_an_agent_who_stays_connected_gets_a_caller_into_his_open_call(callers: Callers):
    await callers.queue("open", "442079460208", force_hangup="on")
    phone = await callers.agent("2261", "open", online=False)
    line = phone.dial("*48")
    await line.until_answered(PATIENCE)
    await callers.floor.until_state("2261", "idle")
    for n in range(2):
        caller = callers.call("442079460208", f"+44740000026{n}")
        await caller.until_hears("2261", PATIENCE)
        await line.until_hears(f"+44740000026{n}", PATIENCE)
        line.press("*2")
        await caller.until_over(PATIENCE)
        record = await callers.record(f"+44740000026{n}")
        assert (record["call_state"], record["agents"]) == ("FORCED_CLEARING_B", ["Agent 2261"])
    assert not line.is_over
    line.hangup()


async def test_nobody_in_time_leads_to_a_number_outside(callers: Callers):
    number = stays(270)
    await callers.queue("outside", "442079460209", max_wait="1", overflow=f"number:{number}")
    caller = callers.call("442079460209", "+447400000270")
    there = await callers.far.trunk.until_called(number, PATIENCE)
    await caller.until_hears(number, PATIENCE)
    await there.until_hears("+447400000270", PATIENCE)
    await callers.talk(0.3)
    caller.hangup()
    await there.until_over(PATIENCE)
    record = await callers.record("+447400000270")
    assert [(e["kind"], e["label"]) for e in record["timeline"]] == [
        ("queue", "outside"),
        ("conversation", number),
    ]


async def test_a_supervisor_ends_a_call_that_waits(callers: Callers):
    await callers.queue("wish", "442079460210")
    caller = callers.call("442079460210", "+447400000280")
    await caller.until_hears(MUSIC, PATIENCE)
    await callers.waiting("wish", 1)
    [live] = await callers.floor.cli("call", "list", "--number", "+447400000280")
    shown = await callers.floor.cli("call", "show", live["id"])
    assert kinds(shown) == ["queue"]
    await callers.floor.cli("call", "hangup", live["id"])
    await caller.until_over(PATIENCE)
    record = await callers.record("+447400000280")
    assert (record["hung_up_by"], record["disposition"], record["call_state"]) == (
        "system",
        "removed",
        "NORMAL_CLEARING_S",
    )


async def test_a_campaign_calls_nobody_while_a_caller_needs_the_agent(callers: Callers):
    await callers.queue("blend", "442079460211")
    phone = await callers.agent("2281", "blend", script=Script(ring_seconds=0.5))
    number = stays(281)
    await callers.floor.campaign("team-blend")
    first = callers.call("442079460211", "+447400000281")
    await first.until_hears("2281", PATIENCE)
    second = callers.call("442079460211", "+447400000282")
    await second.until_hears(MUSIC, PATIENCE)
    await callers.floor.cli("lead", "add", "team-blend", number)
    first.hangup()
    await second.until_hears("2281", PATIENCE)
    assert callers.far.log.attempts(number) == []
    second.hangup()
    customer = await callers.floor.called(number, PATIENCE)
    await customer.until_hears("2281", PATIENCE)
    customer.hangup()
    assert [call.from_user for call in callers.floor.rung(phone)][:2] == ["+447400000281", "+447400000282"]


async def test_at_the_end_nothing_is_left(callers: Callers):
    callers.far.hang_up_all()
    await callers.nothing_left()


async def test_queue_log_tells_each_story_as_asterisks_own_documentation_has_it(callers: Callers):
    lines = read_queue_log(callers.floor.centre.switch.base / "log" / "queue_log")
    stories: dict[str, list[str]] = {}
    for line in lines:
        if line.queue != "NONE":
            stories.setdefault(f"{line.queue}", []).append(line.event)
    assert stories["order"] == ["ENTERQUEUE"] * 3 + ["CONNECT", "COMPLETECALLER"] * 3
    assert stories["vain"] == ["ENTERQUEUE", "RINGNOANSWER", "CONNECT", "COMPLETECALLER"]
    assert stories["short"] == ["ENTERQUEUE", "EXITWITHTIMEOUT"]
    assert stories["hello"] == ["ENTERQUEUE", "CONNECT", "COMPLETEAGENT"]
    assert stories["wish"] == ["ENTERQUEUE", "WITHDRAW"]
    [connect] = [line for line in lines if line.queue == "vain" and line.event == "CONNECT"]
    assert connect.agent == "PJSIP/2212"
    assert int(connect.data[0]) == pytest.approx(3, abs=1)
