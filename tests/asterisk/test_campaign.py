"""Campaigns on the real Asterisk, judged by the far end's own record."""

from __future__ import annotations

import pytest

from tests.asterisk.campaigns import finished
from tests.lab.centre import Centre
from tests.lab.farend.numbers import Behaviour, number_for, refuses, stays, talks
from tests.lab.farend.record import Side, max_in_flight, two_way_at
from tests.lab.judge import Judge
from tests.lab.until import until

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

DELAYS = {"retry_missed": 3.0, "retry_unavailable": 4.0, "retry_busy": 2.0, "retry_technical": 5.0}


async def on_line(centre: Centre, *exts: str) -> None:
    for ext in exts:
        await centre.cli("agent", "online", ext)


async def calls_of(centre: Centre, name: str) -> list[dict]:
    return await centre.cli("call", "list", "--campaign", name, "--limit", "10000")


async def test_each_outcome_is_retried_after_its_own_delay(centre: Centre):
    await centre.add_agents(5, team="outcomes")
    await on_line(centre, *(str(1001 + n) for n in range(5)))
    expected = {
        number_for(Behaviour.NEVER_ANSWERS, 1): ("missed", "retry_missed"),
        refuses(480, 1): ("unavailable", "retry_unavailable"),
        refuses(408, 1): ("unavailable", "retry_unavailable"),
        refuses(410, 1): ("unavailable", "retry_unavailable"),
        refuses(486, 1): ("busy", "retry_busy"),
        refuses(600, 1): ("busy", "retry_busy"),
        refuses(603, 1): ("busy", "retry_busy"),
        refuses(403, 1): ("technical_error", "retry_technical"),
        refuses(488, 1): ("technical_error", "retry_technical"),
        refuses(500, 1): ("technical_error", "retry_technical"),
        refuses(404, 1): ("invalid_number", None),
        refuses(484, 1): ("invalid_number", None),
        refuses(604, 1): ("invalid_number", None),
        refuses(607, 1): ("blocked", None),
        refuses(608, 1): ("blocked", None),
        talks(2.0, 1): ("connected", None),
    }
    delays = {name: f"{seconds:g}s" for name, seconds in DELAYS.items()}
    await centre.add_campaign(
        "outcomes",
        list(expected),
        multiplier="4",
        team="outcomes",
        max_attempts="2",
        ring_seconds="15",
        **delays,
    )
    await centre.cli("campaign", "start", "outcomes")
    await finished(centre, "outcomes")
    calls = await calls_of(centre, "outcomes")
    judge = Judge(calls, centre.far.log.calls)
    assert judge.mismatches() == []
    leads = {lead["number"]: lead for lead in await centre.cli("lead", "list", "outcomes", "--limit", "100")}
    for number, (disposition, delay) in expected.items():
        assert leads[number]["disposition"] == disposition
        retries = judge.retries()[number]
        assert len(retries) == (1 if delay else 0), number
        if delay:
            assert DELAYS[delay] <= retries[0] <= DELAYS[delay] + 1.0, (number, retries)


async def test_five_free_agents_times_1_2_are_six_calls_and_never_more(centre: Centre):
    numbers = [number_for(Behaviour.NEVER_ANSWERS, 100 + n) for n in range(8)]
    await centre.add_campaign("six", numbers, multiplier="1.2", team="outcomes", max_attempts="1", ring_seconds="15")
    before = len(centre.far.log.calls)
    await centre.cli("campaign", "start", "six")

    def dialled() -> list:
        return [c for c in centre.far.log.calls[before:] if c.side is Side.CUSTOMER]

    await until(lambda: len(dialled()) >= 7, 25.0, "the seventh call, once one of the six has ended")
    assert max_in_flight(dialled()) == 6
    await centre.cli("campaign", "stop", "six")
    await until(lambda: all(c.ended_at for c in dialled()), 5.0, "stop to take ringing calls back")


async def test_customer_and_agent_hear_each_other_and_nobody_else_does(centre: Centre):
    number = talks(3.0, 300)
    await centre.add_campaign("talk", [number], team="outcomes")
    await centre.cli("campaign", "start", "talk")
    campaign = await finished(centre, "talk", 20.0)
    assert (campaign["answered"], campaign["connected"], campaign["dropped"]) == (1, 1, 0)
    customer = centre.far.log.attempts(number)[0]
    agent = next(c for c in centre.far.log.select(Side.PHONE) if two_way_at(customer, c))
    assert two_way_at(customer, agent) - customer.answered_at < 0.5
    assert customer.parties_heard() == {agent.party}
    [call] = await calls_of(centre, "talk")
    shown = await centre.cli("call", "show", call["id"])
    assert [span["kind"] for span in shown["timeline"]] == ["queue", "queue_callback", "conversation"]
    assert shown["timeline"][1]["seconds"] == pytest.approx(customer.answered_at - customer.invite_at, abs=0.25)
    assert shown["talk_seconds"] == pytest.approx(3.0, abs=0.25)
    assert (shown["hung_up_by"], shown["call_state"]) == ("caller", "NORMAL_CLEARING_A")
    assert agent.from_user == number.removeprefix("+") or agent.from_user == number


async def test_a_customer_for_whom_nobody_is_free_is_let_go_between_1_8_and_2_0_seconds(centre: Centre):
    phones = await centre.add_agents(1, first=1101, team="single")
    phones[0].obeys_auto_answer = False
    await on_line(centre, "1101")
    numbers = [stays(400 + n, ring=0.5) for n in range(3)]
    await centre.add_campaign("crowd", numbers, multiplier="3", team="single", max_attempts="1")
    await centre.cli("campaign", "start", "crowd")
    await until(
        lambda: sum(1 for n in numbers for c in centre.far.log.attempts(n) if c.ended_at) >= 2,
        15.0,
        "two to be let go",
    )
    ended = [c for n in numbers for c in centre.far.log.attempts(n) if c.ended_at]
    for customer in ended:
        assert 1.7 <= customer.talk_seconds <= 2.05
    phones[0].hangup()
    await until(lambda: all(c.ended_at for n in numbers for c in centre.far.log.attempts(n)), 10.0, "the talk to end")
    campaign = await finished(centre, "crowd", 20.0)
    assert (campaign["connected"], campaign["dropped"]) == (1, 2)
    assert campaign["abandonment"] == pytest.approx(2 / 3)
    assert (
        Judge(
            await calls_of(centre, "crowd"),
            [c for c in centre.far.log.calls if c.party in numbers or c.side is Side.PHONE],
        ).mismatches()
        == []
    )


async def test_a_lead_that_arrives_rings_within_a_second_when_an_agent_is_free(centre: Centre):
    await centre.add_campaign("instant", [], team="outcomes")
    await centre.cli("campaign", "start", "instant")
    number = talks(1.0, 500)
    asked_at = centre.far.clock.now()
    await centre.cli("lead", "add", "instant", number)
    answered_at = centre.far.clock.now()
    await until(lambda: bool(centre.far.log.attempts(number)), 3.0, "the lead to ring")
    rang_at = centre.far.log.attempts(number)[0].invite_at
    assert rang_at - answered_at < 1.0
    assert asked_at < rang_at
