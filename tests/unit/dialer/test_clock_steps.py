"""Somebody turns the machine's clock, or it slept: no burst, no standstill, and never outside the hours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from contact_center.clock import SystemClock
from contact_center.models import Lead
from contact_center.store.engine import writing
from contact_center.terms import Outcome
from tests.lab.until import until
from tests.unit.dialer.test_engine import desk, numbers

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
STEPS = {"an hour on": 1.0, "an hour back": -1.0, "a night's sleep": 12.0, "ten minutes on": 1 / 6, "a day back": -24.0}


class LooseClock(SystemClock):
    """Its hands can be turned; the monotonic clock goes on as it does."""

    def __init__(self, at: datetime) -> None:
        self.by = at - datetime.now(UTC)

    def now(self) -> datetime:
        return super().now() + self.by


@pytest.mark.parametrize("hours", STEPS.values(), ids=STEPS)
async def test_however_the_clock_is_turned_calls_stay_agents_times_multiplier_and_within_the_trunks_pace(
    tmp_path, hours
):
    """Sixty leads are due again within the hour, some now: after the step each may be, and still only six ring."""
    clock = LooseClock(NOON)
    campaigns = {"spring": {"leads": [], "multiplier": 2.0}}
    async with desk(tmp_path, campaigns=campaigns, clock=clock, trunk={"max_cps": 20.0}) as d:
        with writing(d.engine) as session:
            for n, number in enumerate(numbers(60)):
                at = clock.now() + timedelta(minutes=n - 5)
                session.add(Lead(campaign_id=1, number=number, zones="Europe/London|GB", created_at=NOON, state="due",
                                 next_attempt_at=at, dials=1, attempts=1))  # fmt: skip
        await d.dialer.leads_changed()
        await d.placed(6)
        clock.by += timedelta(hours=hours)
        await d.quiet(6)
        assert len({order.number for order in d.placer.orders}) == 6


@pytest.mark.parametrize("hours", [-1.0, -24.0])
async def test_a_campaign_that_waits_for_a_lead_still_looks_when_the_clock_was_turned_back(tmp_path, hours):
    """No lead is due for an hour; the clock goes back, and then a lead is due by the clock as it is now."""
    clock = LooseClock(NOON)
    async with desk(tmp_path, campaigns={"spring": {"leads": []}}, clock=clock) as d:
        with writing(d.engine) as session:
            at = NOON + timedelta(minutes=20)
            session.add(Lead(campaign_id=1, number=numbers(1)[0], zones="Europe/London|GB", created_at=NOON,
                             state="due", next_attempt_at=at, dials=1, attempts=1))  # fmt: skip
        await d.dialer.leads_changed()
        [run] = d.dialer.campaigns.values()
        await until(lambda: run.look_at is not None, 3.0, "the campaign to wait")
        clock.by += timedelta(hours=hours)
        d.dialer.wake()
        await until(
            lambda: run.look_at is not None and run.look_at < clock.now() + timedelta(seconds=31), 3.0, "a look"
        )
        assert d.placer.orders == []
        clock.by += timedelta(hours=-hours, minutes=21)
        d.dialer.wake()
        await d.placed(1)


async def test_a_clock_turned_past_the_end_of_the_hours_stops_dialling(tmp_path):
    clock = LooseClock(NOON)
    campaigns = {"spring": {"leads": numbers(40), "hours": "08:00-21:00", "multiplier": 1.0}}
    async with desk(tmp_path, campaigns=campaigns, clock=clock) as d:
        await d.placed(3)
        clock.by += timedelta(hours=10)
        for order in list(d.placer.orders):
            d.end(order, Outcome.MISSED)
        await d.quiet(3)
