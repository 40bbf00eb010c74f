"""The dialer against a real store, with a placer in place of Asterisk."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select

from contact_center.clock import SystemClock
from contact_center.dialling import CallResult, DialOrder, PreviewCard
from contact_center.errors import Unreachable
from contact_center.models import Agent, Attempt, Campaign, Lead
from contact_center.options import CampaignOptions
from contact_center.roster import Roster
from contact_center.settings import Settings
from contact_center.store.engine import open_engine, reading, writing
from contact_center.store.writer import Writer
from contact_center.terms import CampaignState, Outcome
from dialer.engine import Dialer
from tests.lab.until import until
from tests.support.databases import fresh_sqlite


@dataclass
class Placer:
    """Remembers orders; calls end when the test says so."""

    ready: bool = True
    orders: list[DialOrder] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    placed_at: list[float] = field(default_factory=list)
    spoken: bool = True
    cards: dict[str, PreviewCard] = field(default_factory=dict)
    held: dict[str, Any] = field(default_factory=dict)

    def can_say(self, message: str) -> bool:
        return self.spoken

    def can_leave(self, message: str) -> bool:
        return self.spoken and bool(message)

    def place(self, order: DialOrder) -> None:
        self.orders.append(order)
        self.placed_at.append(time.monotonic())

    def place_held(self, order: DialOrder, offer: object, leg: object) -> None:
        self.held[order.channel_id] = offer
        self.place(order)

    def show_preview(self, card: PreviewCard) -> None:
        self.cards[card.ext] = card

    def hide_preview(self, card: PreviewCard) -> None:
        del self.cards[card.ext]

    def withdraw(self, order: DialOrder) -> None:
        self.withdrawn.append(order.channel_id)


@dataclass
class Desk:
    dialer: Dialer
    placer: Placer
    roster: Roster
    writer: Writer
    engine: Any
    clock: SystemClock

    def end(
        self,
        order: DialOrder,
        outcome: Outcome,
        sip_code: int | None = None,
        *,
        rang: bool = True,
        **more: bool,
    ) -> None:
        record = {"attempts": [{"n": order.n, "outcome": outcome.value}]}
        result = CallResult(outcome, sip_code, rang, "", self.clock.now(), record, **more)
        self.dialer.ledger.ended(order, result)

    async def placed(self, count: int, deadline: float = 3.0) -> list[DialOrder]:
        await until(lambda: len(self.placer.orders) >= count, deadline, f"{count} calls")
        return self.placer.orders

    async def quiet(self, count: int) -> None:
        """The dialer has looked again and again and places no more."""
        for _ in range(3):
            self.dialer.wake()
            await asyncio.sleep(0.03)
        assert len(self.placer.orders) == count

    async def lead(self, number: str) -> Lead:
        assert await self.writer.drain()
        with reading(self.engine) as session:
            return session.scalars(select(Lead).where(Lead.number == number)).one()


@asynccontextmanager
async def desk(
    tmp_path: Path,
    *,
    agents: int = 3,
    campaigns: dict[str, dict[str, Any]],
    trunk: dict[str, Any] | None = None,
    clock: SystemClock | None = None,
    placer: Placer | None = None,
    zones: str = "Europe/London",
) -> AsyncIterator[Desk]:
    """Campaigns by name: their leads' numbers under ``leads``, row fields, and options."""
    url, clock, placer = fresh_sqlite(tmp_path / "dial.db"), clock or SystemClock(), placer or Placer()
    engine = open_engine(url)
    with writing(engine) as session:
        for name, values in campaigns.items():
            leads = values.pop("leads")
            row = {key: values.pop(key) for key in ("mode", "multiplier", "team", "state") if key in values}
            options = CampaignOptions.model_validate({"hours": "00:00-24:00", **values}).model_dump(mode="json")
            campaign = Campaign(
                **{"name": name, "mode": "power", "state": "running", "created_at": clock.now(), **row}, options=options
            )
            session.add(campaign)
            session.flush()
            for number in leads:
                session.add(Lead(campaign_id=campaign.id, number=number, zones=zones, created_at=clock.now()))
    settings = Settings.model_validate(
        {"trunk": {"main": {"host": "127.0.0.1", **(trunk or {})}}, "database": {"url": url}}
    )
    async with Writer(engine, clock) as writer:
        roster = Roster(clock, lambda _: None)
        for n in range(agents):
            ext = str(1001 + n)
            row = Agent(ext=ext, name=ext, endpoint=f"PJSIP/{ext}", status="online", since_at=clock.now())
            roster.load([row], clock.now())
        dialer = Dialer(writer=writer, roster=roster, placer=placer, settings=settings, clock=clock)
        await dialer.load()
        task = asyncio.create_task(dialer.run())
        try:
            yield Desk(dialer, placer, roster, writer, engine, clock)
        finally:
            task.cancel()
            await asyncio.wait([task])
    engine.dispose()


def numbers(count: int, first: int = 0) -> list[str]:
    return [f"+44740000{first + n:04d}" for n in range(count)]


async def test_newest_leads_go_first_and_never_more_than_agents_times_multiplier(tmp_path):
    async with desk(tmp_path, campaigns={"spring": {"leads": numbers(9), "multiplier": 1.4}}) as d:
        orders = await d.placed(4)
        assert [order.number for order in orders] == list(reversed(numbers(9)))[:4]
        await d.quiet(4)


async def test_every_intent_is_stored_before_its_call_is_placed(tmp_path):
    async with desk(tmp_path, campaigns={"spring": {"leads": numbers(3)}}) as d:
        await d.placed(3)
        with reading(d.engine) as session:
            stored = {a.channel_id: a for a in session.scalars(select(Attempt))}
        assert {order.channel_id for order in d.placer.orders} == set(stored)
        assert {a.live_number for a in stored.values()} == set(numbers(3))


async def test_the_campaign_of_higher_priority_takes_the_team_s_agents_first(tmp_path):
    campaigns = {
        "low": {"leads": numbers(5), "priority": 10, "mode": "progressive"},
        "high": {"leads": numbers(2, first=100), "priority": 90, "mode": "progressive"},
    }
    async with desk(tmp_path, campaigns=campaigns) as d:
        orders = await d.placed(3)
        assert [order.campaign for order in orders] == ["high", "high", "low"]
        await d.quiet(3)


async def test_two_campaigns_never_dial_one_number_at_once(tmp_path):
    campaigns = {"a": {"leads": numbers(1)}, "b": {"leads": numbers(1)}}
    async with desk(tmp_path, campaigns=campaigns) as d:
        await d.placed(1)
        await d.quiet(1)
        d.end(d.placer.orders[0], Outcome.BUSY, 486)
        await d.placed(2)
        assert {order.campaign for order in d.placer.orders} == {"a", "b"}


async def test_nothing_is_dialled_while_asterisk_is_in_doubt(tmp_path):
    async with desk(tmp_path, agents=0, campaigns={"spring": {"leads": numbers(2)}}) as d:
        d.placer.ready = False
        row = Agent(ext="1001", name="x", endpoint="PJSIP/1001", status="online", since_at=d.clock.now())
        d.roster.load([row], d.clock.now())
        await d.quiet(0)
        d.placer.ready = True
        d.dialer.wake()
        await d.placed(1)


async def test_an_intent_that_may_not_be_placed_any_more_is_given_back_unused(tmp_path):
    async with desk(tmp_path, agents=0, campaigns={"spring": {"leads": numbers(1)}}) as d:
        run = next(iter(d.dialer.campaigns.values()))
        commit = d.writer.commit

        async def doubt_meanwhile(fn, within=2.0, *, ahead=False):
            stored = await commit(fn, within, ahead=ahead)
            d.placer.ready = False
            return stored

        d.writer.commit = doubt_meanwhile
        row = Agent(ext="1001", name="x", endpoint="PJSIP/1001", status="online", since_at=d.clock.now())
        d.roster.load([row], d.clock.now())
        await until(lambda: not d.placer.ready, 3.0, "an intent")
        await until(lambda: not run.live and not run.reserved, 3.0, "it to be given back")
        lead = await d.lead(numbers(1)[0])
        assert (lead.state, lead.attempts, lead.dials) == ("due", 0, 1)
        assert d.placer.orders == []
        d.writer.commit = commit
        d.placer.ready = True
        d.dialer.refresh_leads()
        [order] = await d.placed(1)
        assert order.n == 2


async def test_a_retry_comes_after_its_delay_and_the_last_attempt_closes_the_lead(tmp_path):
    campaign = {"leads": numbers(1), "max_attempts": 2, "retry_busy": "0.3s"}
    async with desk(tmp_path, campaigns={"spring": campaign}) as d:
        [first] = await d.placed(1)
        ended_at = d.clock.monotonic()
        d.end(first, Outcome.BUSY, 486)
        await d.placed(2)
        assert 0.3 <= d.clock.monotonic() - ended_at < 0.8
        d.end(d.placer.orders[1], Outcome.BUSY, 486)
        await until(lambda: next(iter(d.dialer.campaigns.values())).state is CampaignState.FINISHED, 3.0, "the end")
        lead = await d.lead(numbers(1)[0])
        assert (lead.state, lead.disposition, lead.attempts) == ("closed", "busy", 2)


async def test_a_storm_of_503_burns_no_attempt_and_the_leads_wait_for_the_trunk(tmp_path):
    campaign = {"leads": numbers(6), "max_attempts": 1, "multiplier": 2}
    async with desk(tmp_path, campaigns={"spring": campaign}) as d:
        for order in list(await d.placed(6)):
            d.end(order, Outcome.TECHNICAL_ERROR, 503, rang=False)
        assert await d.writer.drain()
        with reading(d.engine) as session:
            leads = list(session.scalars(select(Lead)))
            attempts = list(session.scalars(select(Attempt)))
        assert {lead.state for lead in leads} == {"due"}
        assert {lead.attempts for lead in leads} == {0}
        assert {attempt.counted for attempt in attempts} == {False}
        await d.quiet(6)


async def test_a_number_on_which_the_trunk_is_silent_waits_and_uses_up_no_attempt(tmp_path):
    campaign = {"leads": numbers(1), "max_attempts": 1, "retry_technical": "0.2s"}
    async with desk(tmp_path, campaigns={"spring": campaign}) as d:
        [order] = await d.placed(1)
        d.end(order, Outcome.NOT_ATTEMPTED, rang=False)
        await d.placed(2)
        assert (await d.lead(numbers(1)[0])).attempts == 1


async def test_calls_per_second_and_lines_are_never_exceeded(tmp_path):
    campaigns = {"spring": {"leads": numbers(20), "multiplier": 5}}
    async with desk(tmp_path, campaigns=campaigns, trunk={"max_cps": 4, "max_channels": 6}) as d:
        began = d.clock.monotonic()
        await d.placed(4)
        await d.quiet(4)
        await d.placed(6)
        assert d.clock.monotonic() - began >= 1.0
        await d.quiet(6)


async def test_a_finished_campaign_goes_on_when_leads_arrive_and_an_empty_one_waits_for_them(tmp_path):
    async with desk(tmp_path, campaigns={"spring": {"leads": []}}) as d:
        run = next(iter(d.dialer.campaigns.values()))
        await d.quiet(0)
        assert run.state is CampaignState.RUNNING
        for serial in range(2):
            with writing(d.engine) as session:
                session.add(
                    Lead(campaign_id=run.id, number=numbers(2)[serial], zones="Europe/London", created_at=d.clock.now())
                )
            await d.dialer.leads_arrived("spring")
            orders = await d.placed(serial + 1)
            d.end(orders[-1], Outcome.CONNECTED)
            await until(lambda: run.state is CampaignState.FINISHED, 3.0, "the campaign to finish")


async def test_outside_its_hours_nothing_is_dialled(tmp_path):
    closed = "00:00-00:01" if SystemClock().now().hour > 2 else "23:58-23:59"
    async with desk(tmp_path, campaigns={"spring": {"leads": numbers(2), "hours": closed}}) as d:
        await d.quiet(0)


async def test_stop_takes_ringing_calls_back_and_ends_when_the_talks_have(tmp_path):
    async with desk(tmp_path, campaigns={"spring": {"leads": numbers(2), "multiplier": 1}}, agents=2) as d:
        ringing, talking = await d.placed(2)
        d.dialer.ledger.answered(talking, d.clock.now())
        with writing(d.engine) as session:
            session.scalars(select(Campaign)).one().state = "ending"
        await d.dialer.reload("spring")
        assert d.placer.withdrawn == [ringing.channel_id]
        run = next(iter(d.dialer.campaigns.values()))
        d.end(ringing, Outcome.NOT_ATTEMPTED, withdrawn=True)
        await d.quiet(2)
        assert run.state is CampaignState.ENDING
        lead = await d.lead(ringing.number)
        assert (lead.state, lead.attempts, lead.reason) == ("due", 0, "the call was taken back before it was answered")
        d.end(talking, Outcome.CONNECTED)
        await until(lambda: run.state is CampaignState.STOPPED, 3.0, "the campaign to stop")


async def test_lines_come_back_when_an_intent_cannot_be_stored(tmp_path):
    async with desk(tmp_path, agents=0, campaigns={"spring": {"leads": numbers(3)}}) as d:
        commit = d.writer.commit
        refused = 0

        async def away(fn, within=2.0, *, ahead=False):
            nonlocal refused
            refused += 1
            raise Unreachable("the database is away")

        d.writer.commit = away
        row = Agent(ext="1001", name="x", endpoint="PJSIP/1001", status="online", since_at=d.clock.now())
        d.roster.load([row], d.clock.now())
        await until(lambda: refused >= 3, 5.0, "three refused intents")
        d.writer.commit = commit
        d.dialer.wake()
        await d.placed(1)
        assert d.dialer.trunks.lines["main"].live == 1
