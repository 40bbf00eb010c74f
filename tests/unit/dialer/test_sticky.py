"""Leads that wait for the agent who served them before (`sticky_seconds`), against a real store."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from contact_center.models import Lead
from contact_center.store.engine import writing
from contact_center.terms import AgentState, Outcome
from tests.lab.until import until
from tests.unit.dialer.test_carriage import agents
from tests.unit.dialer.test_engine import Desk, desk, numbers

ANN, BOB = "1001", "1002"


def served(d: Desk, ext: str, *wanted: str, seconds_ago: float = 0.1) -> None:
    """These leads were served by an agent and have been due for so long."""
    with writing(d.engine) as session:
        for lead in session.scalars(select(Lead).where(Lead.number.in_(wanted))):
            lead.state, lead.last_agent, lead.dials, lead.attempts = "due", ext, 1, 1
            lead.next_attempt_at = d.clock.now() - timedelta(seconds=seconds_ago)


async def ready(d: Desk, busy: str = "") -> None:
    """Two agents on line, one of whom talks."""
    d.roster.load(agents(d, 2), d.clock.now())
    if busy:
        d.roster.change(d.roster.get(busy), engaged=AgentState.TALKING)
    await d.dialer.leads_changed()


def spring(*leads: str, **more: Any) -> dict[str, dict[str, Any]]:
    return {"spring": {"leads": list(leads), "sticky_seconds": "30s", **more}}


async def test_a_lead_waits_for_its_agent_while_he_talks_and_others_are_called_meanwhile(tmp_path):
    own, other = numbers(2)
    async with desk(tmp_path, agents=0, campaigns=spring(own, other)) as d:
        served(d, ANN, own)
        await ready(d, busy=ANN)
        [order] = await d.placed(1)
        assert order.number == other
        d.end(order, Outcome.BUSY, 486)
        await d.quiet(1)
        d.roster.change(d.roster.get(ANN), engaged=None)
        order = (await d.placed(2))[1]
        assert (order.number, order.prefer_agent) == (own, ANN)


@pytest.mark.parametrize(
    ("seconds_ago", "more"),
    [(31.0, {}), (0.1, {"sticky_seconds": "0"}), (0.1, {"sticky": "off"})],
    ids=["the time is over", "no time is set", "sticky is off"],
)
async def test_a_lead_does_not_wait(tmp_path, seconds_ago, more):
    async with desk(tmp_path, agents=0, campaigns=spring(*numbers(1), **more)) as d:
        served(d, ANN, *numbers(1), seconds_ago=seconds_ago)
        await ready(d, busy=ANN)
        await d.placed(1)


async def test_it_is_called_for_another_agent_when_its_time_is_over(tmp_path):
    async with desk(tmp_path, agents=0, campaigns=spring(*numbers(1), sticky_seconds="1.5s")) as d:
        served(d, ANN, *numbers(1))
        began = asyncio.get_running_loop().time()
        await ready(d, busy=ANN)
        await d.placed(1)
        assert asyncio.get_running_loop().time() - began > 1.0
        assert d.roster.get(ANN).state is AgentState.TALKING


async def test_a_lead_whose_agent_has_left_goes_to_another_one_at_once(tmp_path):
    async with desk(tmp_path, agents=0, campaigns=spring(*numbers(1))) as d:
        served(d, "1009", *numbers(1))
        await ready(d)
        await d.placed(1)


async def test_of_two_leads_of_one_agent_the_second_waits_until_he_is_free_again(tmp_path):
    async with desk(tmp_path, agents=0, campaigns=spring(*numbers(2))) as d:
        served(d, ANN, *numbers(2))
        await ready(d)
        [order] = await d.placed(1)
        assert order.prefer_agent == ANN
        await d.quiet(1)
        d.end(order, Outcome.BUSY, 486)
        assert (await d.placed(2))[1].prefer_agent == ANN


async def test_a_lead_is_shown_only_to_its_agent_until_he_lets_it_pass(tmp_path):
    own, other = numbers(2)
    async with desk(tmp_path, agents=0, campaigns=spring(own, other, mode="preview")) as d:
        served(d, ANN, own)
        await ready(d, busy=ANN)
        await until(lambda: d.placer.cards.get(BOB), 3.0, "a lead to be shown")
        assert d.placer.cards[BOB].number == other
        d.roster.change(d.roster.get(ANN), engaged=None)
        await until(lambda: d.placer.cards.get(ANN), 3.0, "his own lead to be shown")
        assert d.placer.cards[ANN].number == own
        assert d.dialer.previews.skip(BOB)
        assert d.dialer.previews.skip(ANN)
        await until(lambda: d.placer.cards.get(BOB), 3.0, "the lead that he let pass")
        assert d.placer.cards[BOB].number == own
