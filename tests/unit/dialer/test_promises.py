"""Calls promised with an agent (`promise_seconds`), and leads that expire, in a running dialer against a real store."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from contact_center.models import Campaign, Lead
from contact_center.store.engine import reading, writing
from contact_center.store.recovery import open_attempts
from contact_center.terms import AgentState
from tests.lab.until import until
from tests.unit.dialer.test_engine import Desk, desk, numbers
from tests.unit.dialer.test_sticky import ANN, BOB, ready


def promised(d: Desk, ext: str, number: str, seconds_ago: float = 0.1) -> None:
    """A call to this lead was promised by an agent and has been due for so long."""
    with writing(d.engine) as session:
        lead = session.scalars(select(Lead).where(Lead.number == number)).one()
        lead.state, lead.callback_agent = "due", ext
        lead.next_attempt_at = lead.callback_at = d.clock.now() - timedelta(seconds=seconds_ago)


def spring(*leads: str, **more: Any) -> dict[str, dict[str, Any]]:
    return {"spring": {"leads": list(leads), "promise_seconds": "30s", **more}}


async def test_a_promised_call_waits_for_its_agent_whatever_he_does_and_others_are_called_meanwhile(tmp_path):
    own, other = numbers(2)
    async with desk(tmp_path, agents=0, campaigns=spring(own, other)) as d:
        promised(d, ANN, own)
        await ready(d, busy=ANN)
        [order] = await d.placed(1)
        assert order.number == other
        d.roster.change(d.roster.get(ANN), engaged=None)
        order = (await d.placed(2))[1]
        assert (order.number, order.prefer_agent) == (own, ANN)


async def test_a_promised_call_is_anybodys_when_its_time_is_over(tmp_path):
    async with desk(tmp_path, agents=0, campaigns=spring(*numbers(1), promise_seconds="1.5s")) as d:
        promised(d, "1009", *numbers(1))
        began = asyncio.get_running_loop().time()
        await ready(d)
        await d.placed(1)
        assert asyncio.get_running_loop().time() - began > 1.0


async def test_a_promised_call_is_shown_to_its_agent_alone(tmp_path):
    own, other = numbers(2)
    more = {"mode": "preview", "preview_seconds": 60}
    async with desk(tmp_path, agents=0, campaigns=spring(own, other, **more)) as d:
        promised(d, BOB, own)
        await ready(d, busy=BOB)
        await until(lambda: d.placer.cards.get(ANN), 3.0, "a lead for the agent who is free")
        assert d.placer.cards[ANN].number == other
        d.roster.change(d.roster.get(BOB), engaged=None)
        await until(lambda: d.placer.cards.get(BOB), 3.0, "the promised call")
        assert d.placer.cards[BOB].number == own
        assert d.roster.get(ANN).state is AgentState.OFFERED


@pytest.mark.parametrize("mode", ["power", "preview"])
async def test_a_campaign_of_which_only_expired_leads_are_left_is_at_its_end(tmp_path, mode):
    more = {"mode": mode, **({"preview_seconds": 60} if mode == "preview" else {})}
    async with desk(tmp_path, agents=0, campaigns={"spring": {"leads": numbers(3), "lead_expires": "1h", **more}}) as d:
        with writing(d.engine) as session:
            for lead in session.scalars(select(Lead)):
                lead.created_at = d.clock.now() - timedelta(hours=2)
        await ready(d)

        def state() -> str:
            with reading(d.engine) as session:
                return session.scalars(select(Campaign.state)).one()

        await until(lambda: state() == "finished", 5.0, "the campaign's end")
        await d.quiet(0)
        assert not d.placer.cards
        with reading(d.engine) as session:
            assert {(lead.state, lead.reason) for lead in session.scalars(select(Lead))} == {("closed", "expired")}


async def test_who_promised_a_call_is_asked_first_also_where_leads_go_to_no_agents_of_their_own(tmp_path):
    own, other = numbers(2)
    async with desk(tmp_path, agents=0, campaigns=spring(own, other, sticky=False, promise_seconds=0)) as d:
        promised(d, ANN, own)
        with writing(d.engine) as session:
            session.scalars(select(Lead).where(Lead.number == other)).one().last_agent = ANN
        await ready(d)
        orders = await d.placed(2)
        assert {order.number: order.prefer_agent for order in orders} == {own: ANN, other: ""}
        assert await d.writer.drain()
        [left] = [found for found in await d.writer.read(open_attempts) if found.number == own]
        rebuilt = d.dialer.rebuild(left)
        assert rebuilt is not None
        assert rebuilt.prefer_agent == ANN, "the next process knows it, too"
