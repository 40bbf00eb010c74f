"""What a campaign learns, keeps and obeys, with the real dialer, store and pacer; Asterisk alone is missing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from contact_center.models import Attempt, Call, Lead, PaceHistory, PaceNote
from contact_center.store.engine import reading, writing
from contact_center.store.facts import PaceLearned
from contact_center.terms import Outcome
from dialer.pacing import make_pacer
from dialer.simulation.laws import Laws
from dialer.simulation.world import World
from dialer.trace import replay_all
from tests.lab.until import until
from tests.unit.dialer.test_engine import Desk, desk, numbers

RING = 25.0
PREDICTIVE: dict[str, Any] = {"mode": "predictive"}


@pytest.fixture(scope="module")
def learned() -> dict[str, Any]:
    """What a predictive pacer knows after an hour of 20 agents."""
    pacer = make_pacer("predictive", ring_timeout=RING)
    World(Laws(((0.0, 20),), shift_seconds=3600.0), pacer, seed=1).run()
    history: dict[str, Any] = pacer.remember()  # type: ignore[attr-defined]
    return {"ring_seconds": RING, "pacer": history}


def remember(d: Desk, learned: dict[str, Any]) -> None:
    """As if an earlier process had learned it."""
    d.writer.post(PaceLearned(campaign_id=1, at=d.clock.now(), learned=learned))


def past(d: Desk, connected: int, dropped: int, *, hours: float = 2.0) -> None:
    """The ledger of a day: so many calls answered, all of them over."""
    at = d.clock.now() - timedelta(hours=hours)
    with writing(d.engine) as session:
        for n in range(connected + dropped):
            session.add(Lead(id=10_000 + n, campaign_id=1, number="+44", state="done", created_at=at))
            session.add(Call(id=f"old-{n}", started_at=at))
        session.flush()
        for n in range(connected + dropped):
            outcome = Outcome.CONNECTED if n < connected else Outcome.NO_FREE_OPERATORS
            row = {"call_id": f"old-{n}", "channel_id": f"old-{n}", "lead_id": 10_000 + n, "n": 1, "trunk": "main"}
            times = {"intent_at": at, "answered_at": at, "connected_at": at if n < connected else None, "ended_at": at}
            session.add(Attempt(campaign_id=1, number="+44", state="done", outcome=outcome, **row, **times))


async def stopped(tmp_path: Path, **values: Any) -> None:
    """A database with one campaign, as an earlier process left it."""
    async with desk(tmp_path, agents=0, campaigns={"spring": {"leads": numbers(40), **PREDICTIVE, **values}}) as d:
        d.dialer.draining = True


def decision(d: Desk) -> dict[str, Any]:
    with reading(d.engine) as session:
        note = session.get(PaceNote, 1)
        return note.decisions[0] if note else {}


async def test_until_twenty_live_answers_there_is_one_call_per_free_agent_and_that_is_told(tmp_path):
    async with desk(tmp_path, campaigns={"spring": {"leads": numbers(9), **PREDICTIVE}}) as d:
        await d.placed(3)
        await d.quiet(3)
        await until(lambda: "until 20 live answers" in decision(d).get("reason", ""), 3.0, "the reason")
        assert decision(d)["ringing"] in (0, 3)


async def test_with_what_was_learned_before_it_dials_ahead_from_the_start(tmp_path, learned):
    await stopped(tmp_path)
    async with desk(tmp_path, agents=0, campaigns={}) as d:
        past(d, 200, 0)
        remember(d, learned)
        assert await d.writer.drain()
    async with desk(tmp_path, agents=10, campaigns={}) as d:
        orders = await d.placed(12)
        assert len({order.number for order in orders}) == len(orders)
        await until(lambda: bool(decision(d)), 3.0, "a decision to be told")
        assert "until 20 live answers" not in decision(d)["reason"]


async def test_a_bad_day_in_the_ledger_holds_the_campaign_to_one_call_per_agent_after_a_restart(tmp_path, learned):
    await stopped(tmp_path)
    async with desk(tmp_path, agents=0, campaigns={}) as d:
        past(d, 90, 10, hours=20.0)
        remember(d, learned)
        assert await d.writer.drain()
    for _ in range(2):
        async with desk(tmp_path, agents=3, campaigns={}) as d:
            await d.placed(3)
            await d.quiet(3)
            run = d.dialer.campaigns[1]
            assert run.windows.totals(d.clock.now().timestamp(), 86400.0) == (10, 100)
            for order in list(d.placer.orders):
                d.end(order, Outcome.NOT_ATTEMPTED)
            assert await d.writer.drain()


def told(tmp_path: Path) -> Iterator[list[Any]]:
    """The events in the trace of the campaign: kind, ident, outcome."""
    for line in (tmp_path / "spring.trace").read_text().splitlines():
        entry = json.loads(line)
        if entry[0] == "o":
            yield [entry[1], entry[3], entry[4]]


async def traced(d: Desk, tmp_path: Path, count: int) -> list[list[Any]]:
    await until(lambda: len(list(told(tmp_path))) >= count, 3.0, f"{count} events")
    return list(told(tmp_path))


async def test_the_pacer_hears_each_end_by_its_name_and_nothing_of_what_the_trunk_swallowed(tmp_path):
    campaign = {"leads": numbers(8), **PREDICTIVE, "record_trace": "on", "retry_technical": "1h"}
    outcomes = {
        Outcome.BUSY: "busy",
        Outcome.MISSED: "no_answer",
        Outcome.UNAVAILABLE: "no_answer",
        Outcome.INVALID_NUMBER: "invalid",
        Outcome.MACHINE: "machine",
        Outcome.NOT_ATTEMPTED: None,
        Outcome.TECHNICAL_ERROR: None,
    }
    async with desk(tmp_path, agents=7, campaigns={"spring": campaign}) as d:
        orders = list(await d.placed(7))
        for order, outcome in zip(orders, outcomes, strict=True):
            d.end(order, outcome)
        wanted = [["fail", o.attempt_id, kind] for o, kind in zip(orders, outcomes.values(), strict=True) if kind]
        events = await traced(d, tmp_path, 7 + len(wanted))
        assert [event for event in events if event[0] == "fail"] == wanted
        run = next(iter(d.dialer.campaigns.values()))
        assert run.resolved == len(wanted)


async def test_a_talk_is_told_from_its_connection_to_the_agent_being_ready_again(tmp_path):
    campaign = {"leads": numbers(3), **PREDICTIVE, "record_trace": "on", "wrap_up_seconds": "5s"}
    async with desk(tmp_path, agents=1, campaigns={"spring": campaign}) as d:
        [order] = await d.placed(1)
        d.dialer.ledger.answered(order, d.clock.now())
        offer = d.roster.reserve("", order.call_id)
        offer.connected(5.0)
        d.dialer.ledger.connected(order, d.clock.now(), "1001", "agent-channel", "bridge")
        offer.close()
        d.end(order, Outcome.CONNECTED)
        d.roster.end_wrap_up(offer.seat)
        events = [event for event in await traced(d, tmp_path, 5) if event[0] != "dial"][:4]
        assert events == [
            ["answer", order.attempt_id, None],
            ["connect", order.attempt_id, 11001],
            ["hangup", 11001, None],
            ["ready", 11001, None],
        ]
        run = next(iter(d.dialer.campaigns.values()))
        assert run.windows.totals(d.clock.now().timestamp(), 86400.0) == (0, 1)


async def test_with_machine_detection_who_answered_is_told_only_when_it_is_known(tmp_path):
    campaign = {"leads": numbers(2), **PREDICTIVE, "record_trace": "on", "amd": "on"}
    async with desk(tmp_path, agents=2, campaigns={"spring": campaign}) as d:
        machine, dropped = await d.placed(2)
        for order in (machine, dropped):
            d.dialer.ledger.answered(order, d.clock.now())
        d.end(machine, Outcome.MACHINE)
        d.end(dropped, Outcome.NO_FREE_OPERATORS)
        events = [event for event in await traced(d, tmp_path, 5) if event[0] != "dial"]
        assert events == [
            ["fail", machine.attempt_id, "machine"],
            ["answer", dropped.attempt_id, None],
            ["drop", dropped.attempt_id, None],
        ]
        run = next(iter(d.dialer.campaigns.values()))
        assert run.windows.totals(d.clock.now().timestamp(), 86400.0) == (1, 1)


async def test_the_verdict_tells_at_once_and_a_machine_that_is_talked_to_keeps_no_agent(tmp_path):
    campaign = {"leads": numbers(2), **PREDICTIVE, "record_trace": "on", "amd": "on"}
    async with desk(tmp_path, agents=2, campaigns={"spring": campaign}) as d:
        machine, person = await d.placed(2)
        [run] = d.dialer.campaigns.values()
        for order in (machine, person):
            d.dialer.ledger.answered(order, d.clock.now())
        assert set(run.waiting) == {machine.channel_id, person.channel_id}
        d.dialer.ledger.judged(machine, d.clock.now(), machine=True)
        d.dialer.ledger.judged(person, d.clock.now(), machine=False)
        assert set(run.waiting) == {person.channel_id}
        d.end(machine, Outcome.MACHINE)
        d.end(person, Outcome.NO_FREE_OPERATORS)
        events = [event for event in await traced(d, tmp_path, 5) if event[0] != "dial"]
        assert events == [
            ["fail", machine.attempt_id, "machine"],
            ["answer", person.attempt_id, None],
            ["drop", person.attempt_id, None],
        ]
        assert (run.resolved, run.answered) == (2, 1)
        assert run.windows.totals(d.clock.now().timestamp(), 86400.0) == (1, 1)


@pytest.mark.parametrize(("left", "state"), [(True, "done"), (False, "due")])
async def test_a_lead_whose_machine_was_told_the_message_is_done_and_any_other_is_tried_again(tmp_path, left, state):
    async with desk(tmp_path, campaigns={"spring": {"leads": numbers(1), "amd": "on", "amd_action": "hangup"}}) as d:
        [order] = await d.placed(1)
        assert (order.detect, order.machine_action) == (True, "hangup")
        d.dialer.ledger.answered(order, d.clock.now())
        d.end(order, Outcome.MACHINE, message_left=left)
        assert await d.writer.drain()
        with reading(d.engine) as session:
            lead = session.get(Lead, order.lead_id)
            assert (lead.state, lead.disposition, lead.attempts) == (state, "machine", 1)
            waits = lead.next_attempt_at and (lead.next_attempt_at - d.clock.now()).total_seconds()
            assert waits is None if left else 5390 < waits <= 5400


async def test_nobody_is_called_before_the_message_for_machines_can_be_played(tmp_path):
    campaign = {"leads": numbers(1), "amd": "on", "amd_action": "message"}
    async with desk(tmp_path, campaigns={"spring": campaign}) as d:
        await until(lambda: "amd_message must be set" in str(decision(d)), 3.0, "the reason")
        assert d.placer.orders == []


async def test_recorded_decisions_come_out_the_same_when_they_are_made_again(tmp_path, learned):
    await stopped(tmp_path, record_trace="on")
    async with desk(tmp_path, agents=0, campaigns={}) as d:
        past(d, 300, 3)
        remember(d, learned)
        assert await d.writer.drain()
        d.dialer.draining = True
    (tmp_path / "spring.trace").unlink()
    async with desk(tmp_path, agents=10, campaigns={}) as d:
        for n, order in enumerate(list(await d.placed(12))):
            d.end(order, Outcome.BUSY if n % 2 else Outcome.MISSED)
        await d.placed(20)
        d.dialer.draining = True
    lines = (tmp_path / "spring.trace").read_text().splitlines()
    again = list(replay_all(lines))
    assert len(again) >= 2
    assert all(then == now for then, now in again)
    assert sum(then for then, _ in again) >= 20


async def test_what_was_learned_is_kept_when_the_process_ends(tmp_path):
    campaign = {"leads": numbers(5), **PREDICTIVE}
    async with desk(tmp_path, agents=2, campaigns={"spring": campaign}) as d:
        for order in list(await d.placed(2)):
            d.end(order, Outcome.BUSY)
        d.dialer.draining = True
        assert await d.writer.drain()
        with reading(d.engine) as session:
            kept = session.get(PaceHistory, 1).learned
    assert kept["ring_seconds"] == RING
    make_pacer("predictive", ring_timeout=RING, history=kept["pacer"])
    async with desk(tmp_path, agents=0, campaigns={}) as d:
        run = next(iter(d.dialer.campaigns.values()))
        assert run.remember()["pacer"]["line"] != make_pacer("predictive").remember()["line"]  # type: ignore[attr-defined]


async def test_a_history_that_cannot_be_read_costs_only_the_learning(tmp_path):
    await stopped(tmp_path)
    async with desk(tmp_path, agents=0, campaigns={}) as d:
        remember(d, {"ring_seconds": RING, "pacer": {"of": "another version"}, "odds": 7})
        assert await d.writer.drain()
    async with desk(tmp_path, agents=3, campaigns={}) as d:
        await d.placed(3)
        await d.quiet(3)


async def test_campaigns_that_look_ahead_for_the_same_agents_see_each_other_s_calls(tmp_path):
    campaigns = {name: {"leads": numbers(9, first=100 * n), **PREDICTIVE} for n, name in enumerate(("a", "b", "c"))}
    async with desk(tmp_path, agents=4, campaigns=campaigns) as d:
        await d.placed(4)
        await d.quiet(4)


@pytest.mark.alone
async def test_an_agent_who_is_free_again_leads_to_a_call_within_milliseconds(tmp_path):
    campaigns = {"spring": {"leads": numbers(30), "mode": "progressive"}}
    async with desk(tmp_path, agents=1, campaigns=campaigns, trunk={"max_cps": 500}) as d:
        waits = []
        for n in range(12):
            [order] = (await d.placed(n + 1))[n:]
            d.dialer.ledger.answered(order, d.clock.now())
            offer = d.roster.reserve("", order.call_id)
            offer.connected(0.0)
            d.dialer.ledger.connected(order, d.clock.now(), "1001", "agent-channel", "bridge")
            await asyncio.sleep(0.02)
            freed = d.clock.monotonic()
            offer.close()
            d.end(order, Outcome.CONNECTED)
            await d.placed(n + 2)
            waits.append(d.placer.placed_at[-1] - freed)
        assert sorted(waits)[len(waits) // 2] < 0.02, waits


async def test_the_odds_of_the_leads_reach_the_calls_and_are_learned_from(tmp_path):
    async with desk(tmp_path, agents=2, campaigns={"spring": {"leads": numbers(30), **PREDICTIVE}}) as d:
        run = next(iter(d.dialer.campaigns.values()))
        await d.placed(2)
        await until(lambda: bool(run.coming), 3.0, "the leads that come next")
        for order in list(d.placer.orders):
            d.end(order, Outcome.BUSY)
        await d.placed(4)
        assert all(call.forecast is not None for call in run.live.values())
        for order in d.placer.orders[2:4]:
            d.end(order, Outcome.MISSED)
        assert run.odds.report()["calls"] == 2


async def test_leads_with_a_forecast_are_stored_with_what_was_learned(tmp_path):
    async with desk(tmp_path, agents=1, campaigns={"spring": {"leads": numbers(30), **PREDICTIVE}}) as d:
        run = next(iter(d.dialer.campaigns.values()))
        await until(lambda: bool(run.coming), 3.0, "the leads that come next")
        d.end((await d.placed(1))[0], Outcome.BUSY)
        d.end((await d.placed(2))[1], Outcome.BUSY)
        d.dialer.draining = True
        assert await d.writer.drain()
        with reading(d.engine) as session:
            [kept] = session.scalars(select(PaceHistory))
        assert kept.learned["odds_report"]["calls"] == 1


async def test_a_campaign_whose_lead_has_come_due_is_woken_by_agents_again(tmp_path):
    campaign = {"leads": numbers(2), "retry_busy": "0.3s", "mode": "progressive"}
    async with desk(tmp_path, agents=1, campaigns={"spring": campaign}, trunk={"max_cps": 500}) as d:
        run = d.dialer.campaigns[1]
        for n in range(2):
            d.end((await d.placed(n + 1))[n], Outcome.BUSY)
        await until(lambda: run.look_at is not None, 3.0, "nothing to be due")
        await d.placed(3)
        assert run.look_at is None
