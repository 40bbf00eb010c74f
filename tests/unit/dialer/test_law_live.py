"""The law as the running dialer obeys it: against a real store, with a placer in place of Asterisk."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from sqlalchemy import select
from sqlmodel import col

from contact_center.clock import SystemClock
from contact_center.dialling import DialOrder
from contact_center.models import Attempt, Lead
from contact_center.store.admin import By
from contact_center.store.admin_dnc import add_dnc
from contact_center.store.claims import zones_of
from contact_center.store.engine import open_engine, reading, writing
from contact_center.terms import LeadState, Outcome
from dialer.fresh import Lists, Look
from tests.lab.until import until
from tests.unit.dialer.test_engine import Desk, Placer, desk, numbers

LONDON = "Europe/London|GB"
LAW = {"hours": "08:00-21:00", "profile": "uk_ofcom", "silent_message": "custom/who"}


NEW_YORK = "America/New_York|US-NY"


class TurnedClock(SystemClock):
    """The machine's clock, turned so that it was ``at`` when it was made."""

    def __init__(self, at: datetime) -> None:
        self._by = at - datetime.now(UTC)

    def now(self) -> datetime:
        return super().now() + self._by


@dataclass
class Busy(Placer):
    """Every call ends at once, so that the dialer goes on."""

    desk: Desk | None = None
    clock: SystemClock | None = None

    def place(self, order: DialOrder) -> None:
        super().place(order)
        asyncio.get_running_loop().call_later(0.01, self._end, order)

    def _end(self, order: DialOrder) -> None:
        assert self.desk is not None
        self.desk.end(order, Outcome.MISSED)


async def test_nothing_is_placed_from_two_seconds_before_the_hours_close(tmp_path):
    """An INVITE may be a second on its way out of a machine that is busy."""
    closes = datetime(2026, 3, 3, 21, 0, tzinfo=UTC)
    clock, placer, sent = TurnedClock(closes - timedelta(seconds=5.0)), Busy(), []
    campaigns = {"evening": {"leads": numbers(2000), "multiplier": 5, "hours": "08:00-21:00"}}
    async with desk(tmp_path, campaigns=campaigns, clock=clock, placer=placer, zones=LONDON) as d:
        placer.desk = d
        place = placer.place

        def noted(order: DialOrder) -> None:
            sent.append(clock.now())
            place(order)

        placer.place = noted
        await until(lambda: clock.now() >= closes + timedelta(seconds=0.5), 8.0, "the hours to close")
    assert closes - timedelta(seconds=3.0) < max(sent) < closes - timedelta(seconds=1.0)
    with reading(d.engine) as session:
        tried = len(session.scalars(select(Attempt)).all())
    assert tried - len(sent) < 60, "intents that are given back until the end"
    assert len(sent) < 2000


async def test_a_lead_whose_law_closes_earlier_than_the_campaign_is_left_alone(tmp_path):
    evening = TurnedClock(datetime(2026, 3, 3, 21, 30, tzinfo=UTC))
    late = {"leads": numbers(1), "hours": "00:00-24:00", "profile": "us_tsr", "silent_message": "custom/who"}
    async with desk(tmp_path, campaigns={"late": late}, clock=evening, zones="Europe/London|US-FL") as d:
        await d.quiet(0)


async def test_an_order_carries_what_the_law_asks_of_the_call(tmp_path):
    noon = TurnedClock(datetime(2026, 3, 3, 12, 0, tzinfo=UTC))
    async with desk(tmp_path, campaigns={"law": {"leads": numbers(1), **LAW}}, clock=noon, zones=LONDON) as d:
        (order,) = await d.placed(1)
        assert order.invite_before == datetime(2026, 3, 3, 21, 0, tzinfo=UTC)
        assert order.lockout_seconds == 72 * 3600
        assert "uk_ofcom" in order.law_version
        assert not order.is_late(noon.now(), noon.monotonic())
        assert order.is_late(order.invite_before, noon.monotonic())
        assert order.is_late(noon.now(), noon.monotonic() + 0.25)


async def test_a_person_for_whom_nobody_was_free_is_left_alone_for_72_hours(tmp_path):
    noon = TurnedClock(datetime(2026, 3, 3, 12, 0, tzinfo=UTC))
    async with desk(tmp_path, campaigns={"law": {"leads": numbers(1), **LAW}}, clock=noon, zones=LONDON) as d:
        (order,) = await d.placed(1)
        d.end(order, Outcome.NO_FREE_OPERATORS)
        lead = await d.lead(order.number)
        assert lead.next_attempt_at - noon.now() > timedelta(hours=71.9)


async def test_a_number_taken_for_a_machines_is_left_alone_for_24_hours(tmp_path):
    noon = TurnedClock(datetime(2026, 3, 3, 12, 0, tzinfo=UTC))
    campaign = {"leads": numbers(1), "amd": "on", **LAW}
    async with desk(tmp_path, campaigns={"law": campaign}, clock=noon, zones=LONDON) as d:
        (order,) = await d.placed(1)
        assert order.machine_lockout_seconds == 24 * 3600
        d.end(order, Outcome.MACHINE)
        wait = (await d.lead(order.number)).next_attempt_at - noon.now()
        assert timedelta(hours=23.9) < wait <= timedelta(hours=24)


@pytest.mark.parametrize(
    ("place", "clock", "seconds"),
    [(NEW_YORK, "greeting_end", 3.0), (NEW_YORK, "answer", 0.0), ("Europe/London|GB", "greeting_end", 0.0)],
    ids=["chosen", "default", "somebody in Britain"],
)
async def test_a_greeting_is_waited_for_where_the_campaign_and_the_law_of_the_place_say_so(
    tmp_path, place, clock, seconds
):
    noon = TurnedClock(datetime(2026, 3, 3, 17, 0, tzinfo=UTC))
    campaign = {"leads": ["+12125550123"], "profile": "us_tsr", "silent_message": "custom/who", "message_clock": clock}
    async with desk(tmp_path, campaigns={"us": campaign}, clock=noon, zones=place) as d:
        (order,) = await d.placed(1)
        assert (order.greeting_seconds, order.deadline_seconds) == (seconds, 2.0)


async def test_without_a_law_the_campaigns_own_lockout_holds(tmp_path):
    async with desk(tmp_path, campaigns={"own": {"leads": numbers(1), "lockout": "24h"}}) as d:
        (order,) = await d.placed(1)
        d.end(order, Outcome.NO_FREE_OPERATORS)
        wait = (await d.lead(order.number)).next_attempt_at - d.clock.now()
        assert timedelta(hours=23.9) < wait <= timedelta(hours=24)


async def test_a_lead_of_whom_a_cap_is_reached_waits_until_it_is_not(tmp_path):
    noon = TurnedClock(datetime(2026, 3, 3, 17, 0, tzinfo=UTC))
    florida = {
        "leads": ["+18135550123"],
        "profile": "us_tsr",
        "silent_message": "custom/who",
        "retry_missed": "1s",
        "hours": "00:00-24:00",
    }
    async with desk(tmp_path, campaigns={"fl": florida}, clock=noon, zones="America/New_York|US-FL") as d:
        for n in range(1, 4):
            d.end((await d.placed(n, 6.0))[-1], Outcome.MISSED)
        await until(lambda: "allowed" in _lead(d).reason, 6.0, "the cap to be told")
        lead = await d.lead("+18135550123")
        assert len(d.placer.orders) == 3
        assert lead.next_attempt_at - d.placer.orders[0].ordered_at == timedelta(hours=24)


def _lead(d: Desk) -> Lead:
    with reading(d.engine) as session:
        return session.scalars(select(Lead)).one()


async def test_leads_of_an_earlier_version_are_given_their_places_while_it_dials(tmp_path):
    async with desk(tmp_path, agents=0, campaigns={"old": {"leads": numbers(3)}}) as d:

        def told() -> bool:
            with reading(d.engine) as session:
                return zones_of(session, 1) == [LONDON]

        await until(told, 5.0, "the leads' places")


# -- the do-not-call lists ----------------------------------------------------------------------------


async def test_an_intent_stored_too_late_is_looked_up_again_before_it_is_sent(tmp_path):
    async with desk(tmp_path, campaigns={"spring": {"leads": numbers(2)}}) as d:
        orders = await d.placed(2)
        lists = Lists(d.writer, d.clock)
        with writing(d.engine) as session:
            add_dnc(session, By("test", d.clock.now()), [orders[0].number], 0)
        claims = [_Intent(order.attempt_id, order.number, order.campaign_id) for order in orders]
        late = Look(time.monotonic() - 0.3, 0)
        allowed, until_at = await lists.allowed(claims, late)
        assert allowed == {orders[1].attempt_id}
        assert 0.0 < until_at - time.monotonic() <= 0.2
        assert (await lists.allowed(claims, lists.look()))[0] == {c.attempt_id for c in claims}


async def test_a_number_listed_between_the_claim_and_the_call_is_not_called(tmp_path):
    async with desk(tmp_path, campaigns={"spring": {"leads": numbers(1)}}) as d:
        (order,) = await d.placed(1)
        lists = Lists(d.writer, d.clock)
        look = lists.look()
        with writing(d.engine) as session:
            add_dnc(session, By("test", d.clock.now()), [order.number], order.campaign_id)
        lists.changed()
        assert (await lists.allowed([_Intent(order.attempt_id, order.number, order.campaign_id)], look))[0] == set()


@dataclass
class _Intent:
    attempt_id: int
    number: str
    campaign_id: int


async def test_a_thousand_numbers_listed_while_they_are_dialled_are_never_sent_later(tmp_path):
    """No call is placed later than 250 ms after its number's COMMIT, with the lists changed by another program."""
    placer, leads, listed = Busy(), numbers(4000), {}
    race = {"leads": leads, "multiplier": 10, "max_attempts": 1}
    async with desk(tmp_path, agents=5, campaigns={"race": race}, placer=placer) as d:
        placer.desk = d
        other = open_engine(str(d.engine.url))

        def add(number: str) -> None:
            with writing(other) as session:
                add_dnc(session, By("other", d.clock.now()), [number], 0)
            listed[number] = time.monotonic()

        try:
            front = deque(reversed(leads))  # those who are dialled next
            while len(listed) < 1000:
                for _ in range(len(placer.orders)):
                    if front[0] not in listed and not any(front[0] == o.number for o in placer.orders[-200:]):
                        break
                    front.popleft()
                number = next(n for n in islice(front, len(listed) % 8, None) if n not in listed)
                await asyncio.to_thread(add, number)
                d.dialer.lists_changed()
        finally:
            other.dispose()
    sent = dict(zip((order.number for order in placer.orders), placer.placed_at, strict=True))
    late = {n: sent[n] - at for n, at in listed.items() if n in sent and sent[n] > at + 0.25}
    assert late == {}
    assert len(listed) == 1000
    assert set(sent) & set(listed), "they were not listed while they were dialled"
    with reading(open_engine(str(d.engine.url))) as session:
        states = set(
            session.scalars(
                select(col(Lead.state)).where(
                    col(Lead.number).in_(set(listed) - set(sent)), col(Lead.id).not_in(select(col(Attempt.lead_id)))
                )
            )
        )
    assert states <= {LeadState.DNC}
