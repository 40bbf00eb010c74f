"""Processes that die in mid-campaign: nothing is dialled twice, nothing is forgotten, no talk is cut."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest
import pytest_asyncio

from tests.asterisk.campaigns import finished
from tests.lab.centre import Centre
from tests.lab.farend.numbers import Behaviour, number_for, refuses, stays, talks
from tests.lab.farend.record import CallRecord, Direction, Side, max_at_once_per_number
from tests.lab.farend.script import Script
from tests.lab.until import until

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

ATTEMPTS = 2


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def crew(centre: Centre) -> None:
    await centre.add_agents(6, team="crash", online=True)


def customers(centre: Centre, numbers: list[str]) -> list[CallRecord]:
    wanted = set(numbers)
    return [c for c in centre.far.log.select(Side.CUSTOMER, Direction.IN) if c.party in wanted]


def talking(centre: Centre) -> list[CallRecord]:
    """Customers who hear an agent now."""
    phones = {phone.name for phone in centre.far.phones}
    return [call.record for call in centre.far.trunk.agent.live_calls() if call.hears() & phones]


def phone_calls(centre: Centre) -> list[CallRecord]:
    return centre.far.log.select(Side.PHONE, Direction.IN)


def mixed(count: int, first: int) -> list[str]:
    kinds = (
        lambda n: talks(2.0, n, ring=0.5),
        lambda n: talks(3.0, n, ring=1.0),
        lambda n: refuses(486, n, ring=0.5),
        lambda n: talks(1.0, n, ring=2.0),
        lambda n: refuses(480, n, ring=0.5),
    )
    return [kinds[n % len(kinds)](first + n) for n in range(count)]


@pytest.mark.alone
async def test_kill_9_of_serve_doubles_nothing_forgets_nothing_and_cuts_no_talk(centre: Centre):
    numbers = mixed(60, 1000)
    await centre.add_campaign(
        "crash", numbers, multiplier="2", team="crash", max_attempts=str(ATTEMPTS), ring_seconds="15",
        retry_busy="1s", retry_unavailable="1s", retry_technical="1s", retry_missed="1s",
    )  # fmt: skip
    await centre.cli("campaign", "start", "crash")
    chance, talked = random.Random(7), 0
    for _ in range(4):
        seen = len(customers(centre, numbers))
        await until(lambda seen=seen: len(customers(centre, numbers)) >= seen + 8, 20.0, "the campaign to go on")
        await asyncio.sleep(chance.uniform(0.0, 0.5))
        await until(lambda: bool(talking(centre)), 20.0, "a talk that must not be cut")
        pairs = talking(centre)
        centre.serve.kill()
        await centre.serve.ended()
        killed_at = centre.far.clock.now()
        await centre.serve.start()
        assert centre.far.clock.now() - killed_at < 5.0
        cut = [c.party for c in pairs if c.ended_at and c.ended_by == "switch" and c.ended_at < killed_at + 1.0]
        assert cut == []
        talked += len(pairs)
    assert talked > 3
    await finished(centre, "crash", 60.0)
    on_the_line = customers(centre, numbers)
    assert max(max_at_once_per_number(on_the_line).values()) == 1
    dialled = Counter(c.party for c in on_the_line)
    assert max(dialled.values()) <= ATTEMPTS
    leads = await centre.cli("lead", "list", "crash", "--limit", "1000")
    assert {lead["number"] for lead in leads} == set(numbers)
    for lead in leads:
        assert lead["state"] in ("done", "closed"), lead
        assert lead["attempts"] >= dialled[lead["number"]] or lead["state"] == "done", lead
    calls = await centre.cli("call", "list", "--campaign", "crash", "--limit", "1000")
    heard = Counter(c["caller_number"] for c in calls)
    assert all(heard[number] >= count for number, count in dialled.items())
    agents = await centre.cli("agent", "list")
    assert {agent["state"] for agent in agents} == {"idle"}
    assert await centre.switch.channels() == []


async def test_a_talk_goes_on_through_a_crash_and_its_record_is_whole(centre: Centre):
    number = talks(6.0, 2000, ring=0.2)
    await centre.add_campaign("through", [number], team="crash")
    await centre.cli("campaign", "start", "through")
    await until(lambda: bool(talking(centre)), 15.0, "the talk to begin")
    centre.serve.kill()
    await centre.serve.ended()
    await centre.serve.start()
    [customer] = customers(centre, [number])
    assert customer.ended_at is None
    await finished(centre, "through", 20.0)
    assert customer.talk_seconds == pytest.approx(6.0, abs=0.3)
    assert customer.ended_by == "party"
    [call] = await centre.cli("call", "list", "--campaign", "through")
    assert (call["disposition"], call["call_state"]) == ("connected", "NORMAL_CLEARING_A")
    assert call["talk_seconds"] == pytest.approx(6.0, abs=0.4)


async def test_sigterm_stops_dialling_hands_calls_over_and_ends_within_ten_seconds(centre: Centre):
    ringing = [number_for(Behaviour.NEVER_ANSWERS, 2100 + n) for n in range(2)]
    talker = stays(2200)
    await centre.add_campaign(
        "deploy", [*ringing, talker], team="crash", multiplier="3", max_attempts="1", ring_seconds="15"
    )
    await centre.cli("campaign", "start", "deploy")
    await until(lambda: len(customers(centre, ringing)) == 2 and bool(talking(centre)), 15.0, "ringing and talking")
    began = centre.far.clock.now()
    assert await centre.serve.stop() == 0
    assert centre.far.clock.now() - began < 10.0
    assert all(c.ended_at is None for c in customers(centre, [*ringing, talker]))
    await centre.serve.start()
    await until(lambda: all(c.ended_at for c in customers(centre, ringing)), 25.0, "ringing calls to be given up")
    [held] = customers(centre, [talker])
    assert held.ended_at is None
    for phone in centre.far.phones:
        phone.hangup()
    await finished(centre, "deploy", 20.0)
    calls = {c["caller_number"]: c for c in await centre.cli("call", "list", "--campaign", "deploy")}
    assert [calls[n]["disposition"] for n in ringing] == ["missed", "missed"]
    assert calls[talker]["call_state"] == "NORMAL_CLEARING_B"


async def test_asterisk_killed_ends_every_call_once_and_dialling_goes_on_when_it_is_back(centre: Centre):
    numbers = [stays(2300 + n) for n in range(3)] + [number_for(Behaviour.NEVER_ANSWERS, 2300)]
    await centre.add_campaign(
        "switch", numbers, team="crash", multiplier="2", max_attempts="2", retry_technical="1s", ring_seconds="15"
    )
    await centre.cli("campaign", "start", "switch")
    await until(lambda: len(customers(centre, numbers)) == 4 and len(talking(centre)) == 3, 15.0, "three talks")
    centre.switch.kill()
    await until(lambda: centre.http_status("/health/ready"), 5.0, "readiness to answer")
    assert await centre.http_status("/health/ready") == 503
    await centre.switch.start()
    back_at = centre.far.clock.now()
    await centre.serve.until_ready()
    assert centre.far.clock.now() - back_at < 10.0
    centre.far.hang_up_all()
    for phone in centre.far.phones:
        await phone.register()
    calls = await centre.cli("call", "list", "--campaign", "switch")
    first = [c for c in calls if c["caller_number"] in numbers[:3]]
    assert [c["call_state"] for c in first] == ["SWITCH_LOST"] * 3
    await finished(centre, "switch", 60.0)
    assert Counter(c.party for c in customers(centre, numbers))[numbers[3]] == 2


async def test_a_customer_for_whom_an_agent_s_phone_rings_is_served_after_a_crash(centre: Centre):
    number = stays(2400, ring=0.2)
    for phone in centre.far.phones:
        phone.obeys_auto_answer = False
        phone.script = Script("slow hand", ring_seconds=5.0, talk_seconds=3.0)
    await centre.add_campaign("hand", [number], team="crash", max_attempts="1")
    await centre.cli("campaign", "start", "hand")
    await until(
        lambda: any(c.ringing_at for c in phone_calls(centre) if c.ended_at is None), 15.0, "an agent's phone to ring"
    )
    centre.serve.kill()
    await centre.serve.ended()
    await centre.serve.start()
    await finished(centre, "hand", 40.0)
    [customer] = customers(centre, [number])
    assert customer.parties_heard() & {phone.name for phone in centre.far.phones}
    [call] = await centre.cli("call", "list", "--campaign", "hand")
    assert call["disposition"] == "connected"
    assert {a["state"] for a in await centre.cli("agent", "list")} == {"idle"}
