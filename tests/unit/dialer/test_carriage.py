"""Campaigns whose trunks may not carry every number, against a real store."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from contact_center.models import Agent, Lead
from contact_center.settings import Settings, Trunk
from contact_center.spending import Spending
from contact_center.store.engine import reading
from contact_center.terms import Outcome
from contact_center.trunks import TrunkLines
from dialer.carriage import Carriage
from dialer.engine import Dialer
from tests.lab.until import until
from tests.unit.dialer.test_engine import Desk, desk, numbers

BRITISH, DANISH = "+44", "+45"


def outside(count: int) -> list[str]:
    return [f"+120255500{n:02d}" for n in range(count)]


def danes(count: int) -> list[str]:
    return [f"+4532{n:06d}" for n in range(count)]


def with_second_trunk(d: Desk, **limits: object) -> None:
    """The desk's dialer has the trunks main (+44) and second (+45) from now on."""
    given = {"main": {"host": "127.0.0.1", "allowed_prefixes": [BRITISH]}}
    given["second"] = {"host": "127.0.0.2", "allowed_prefixes": [DANISH], **limits}
    settings = Settings.model_validate({"trunk": given})
    trunk: Trunk = settings.trunk["second"]
    d.dialer.trunks.lines = {**d.dialer.trunks.lines, "second": TrunkLines("second", trunk, Spending(trunk))}
    d.dialer.carriage = Carriage(settings, d.writer, d.clock)


def agents(d: Desk, count: int) -> list[Agent]:
    """Agents on line."""
    at = d.clock.now()
    exts = [str(1001 + n) for n in range(count)]
    return [Agent(ext=ext, name=ext, endpoint=f"PJSIP/{ext}", status="online", since_at=at) for ext in exts]


async def test_leads_that_no_trunk_may_carry_are_closed_and_the_others_dialled(tmp_path):
    leads = [*numbers(2), *outside(30)]
    trunk = {"allowed_prefixes": [BRITISH]}
    async with desk(tmp_path, campaigns={"spring": {"leads": leads}}, trunk=trunk) as d:
        orders = await d.placed(2)
        assert {order.number for order in orders} == set(numbers(2))
        await d.quiet(2)
        for order in orders:
            d.end(order, Outcome.INVALID_NUMBER, 404)
        run = next(iter(d.dialer.campaigns.values()))
        await until(lambda: run.state == "finished", 3.0, "the campaign to be finished")
        assert (await d.lead(outside(1)[0])).state == "closed"


async def test_each_lead_has_the_trunk_of_its_prefix_and_no_line_stays_taken(tmp_path):
    async with desk(tmp_path, agents=0, campaigns={"spring": {"leads": [*numbers(3), *danes(3)]}}) as d:
        with_second_trunk(d)
        d.roster.load(agents(d, 6), d.clock.now())
        orders = await d.placed(6)
        assert {(order.number[:3], order.trunk) for order in orders} == {(BRITISH, "main"), (DANISH, "second")}
        assert [d.dialer.trunks.lines[name].live for name in ("main", "second")] == [3, 3]
        assert next(iter(d.dialer.campaigns.values())).reserved == 0


async def test_a_trunk_that_is_full_does_not_hold_up_leads_of_the_other(tmp_path):
    async with desk(tmp_path, agents=0, campaigns={"spring": {"leads": [*numbers(2), *danes(9)]}}) as d:
        with_second_trunk(d, max_channels=1)
        d.roster.load(agents(d, 6), d.clock.now())
        orders = await d.placed(3)
        assert sorted(order.trunk for order in orders) == ["main", "main", "second"]
        await d.quiet(3)
        d.end(next(order for order in orders if order.trunk == "second"), Outcome.BUSY, 486)
        assert (await d.placed(4))[3].trunk == "second"


async def test_leads_come_back_and_the_campaign_goes_on_when_a_next_serve_has_other_lists(tmp_path):
    campaigns = {"spring": {"leads": outside(2)}}
    async with desk(tmp_path, campaigns=campaigns, trunk={"allowed_prefixes": [BRITISH]}) as d:
        run = next(iter(d.dialer.campaigns.values()))
        await until(lambda: run.state == "finished", 3.0, "the campaign to be finished")
        assert await d.writer.drain()
        wider = Settings.model_validate({"trunk": {"main": {"host": "127.0.0.1", "allowed_prefixes": ["+1"]}}})
        following = Dialer(writer=d.writer, roster=d.roster, placer=d.placer, settings=wider, clock=d.clock)
        await following.load()
        assert {run.state for run in following.campaigns.values()} == {"running"}
        with reading(d.engine) as session:
            assert {lead.state for lead in session.scalars(select(Lead))} == {"new"}


@pytest.mark.parametrize("behind", [1, 700])
async def test_an_agent_is_shown_the_lead_behind_those_that_no_trunk_may_carry(tmp_path, behind):
    leads = [*numbers(1), *(f"+1202{n:07d}" for n in range(behind))]
    campaigns = {"look": {"leads": leads, "mode": "preview"}}
    async with desk(tmp_path, agents=1, campaigns=campaigns, trunk={"allowed_prefixes": [BRITISH]}) as d:
        await until(lambda: d.placer.cards, 5.0, "a lead to be shown")
        assert d.placer.cards["1001"].number == numbers(1)[0]
        order = await d.dialer.previews.take("1001")
        assert order is not None
