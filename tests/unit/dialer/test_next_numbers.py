"""Alternate numbers, caps for a person and parts of the day, as the running dialer obeys them on a real store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from contact_center.models import Attempt, Call, Campaign
from contact_center.store.admin import By
from contact_center.store.admin_dnc import add_dnc
from contact_center.store.engine import writing
from contact_center.store.lead_numbers import add_numbers
from contact_center.terms import LeadState, Outcome
from tests.lab.until import until
from tests.unit.dialer.test_engine import Desk, desk, numbers
from tests.unit.dialer.test_law_live import TurnedClock

FIRST, SECOND = "+441632960001", "+441632960002"
NOON = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)


async def give_second(d: Desk, number: str) -> None:
    lead = await d.lead(number)
    with writing(d.engine) as session:
        add_numbers(session, {lead.id or 0: [number, SECOND]})


async def test_the_second_number_rings_after_the_first_did_not_exist(tmp_path: Path) -> None:
    async with desk(tmp_path, campaigns={"spring": {"leads": [FIRST]}}) as d:
        (order,) = await d.placed(1)
        await give_second(d, FIRST)
        d.end(order, Outcome.INVALID_NUMBER, 404)
        _, second = await d.placed(2)
        assert (second.number, second.lead_id, second.n, second.attempts) == (SECOND, order.lead_id, 2, 2)
        assert SECOND.removeprefix("+") in second.endpoint
        d.end(second, Outcome.INVALID_NUMBER, 404)
        assert (await d.lead(SECOND)).state == LeadState.CLOSED


@pytest.mark.parametrize(
    ("options", "outcome", "number", "wait"),
    [
        ({}, Outcome.MISSED, SECOND, 5400),
        ({"alternate_delay": "30s"}, Outcome.MISSED, SECOND, 30),
        ({}, Outcome.BUSY, SECOND, 300),
        ({}, Outcome.TECHNICAL_ERROR, FIRST, 600),
        ({"alternate_after": "technical_error"}, Outcome.TECHNICAL_ERROR, SECOND, 600),
        ({"alternate_after": ""}, Outcome.MISSED, FIRST, 5400),
    ],
)
async def test_which_outcomes_lead_to_the_next_number_and_when_is_set(
    tmp_path: Path, options: dict[str, str], outcome: Outcome, number: str, wait: float
) -> None:
    async with desk(tmp_path, campaigns={"spring": {"leads": [FIRST], **options}}) as d:
        (order,) = await d.placed(1)
        await give_second(d, FIRST)
        d.end(order, outcome, 486)
        lead = await d.lead(number)
        assert lead.next_attempt_at is not None
        assert abs((lead.next_attempt_at - d.clock.now()).total_seconds() - wait) < 5


async def test_all_numbers_together_have_max_attempts(tmp_path: Path) -> None:
    async with desk(tmp_path, campaigns={"spring": {"leads": [FIRST], "max_attempts": 1}}) as d:
        (order,) = await d.placed(1)
        await give_second(d, FIRST)
        d.end(order, Outcome.INVALID_NUMBER, 404)
        assert (await d.lead(FIRST)).state == LeadState.CLOSED
        await d.quiet(1)


async def test_a_person_whose_cap_is_used_up_is_put_off_in_a_campaign_without_law(tmp_path: Path) -> None:
    options = {"retry_busy": "0s", "person_cap": "2/24h"}
    async with desk(tmp_path, campaigns={"spring": {"leads": numbers(1), **options}}) as d:
        for n in (1, 2):
            order = (await d.placed(n))[-1]
            d.end(order, Outcome.BUSY, 486)
        await until(lambda: _reason(d) == "2 of 2 calls in 24 h (person_cap)", 3.0, "the lead to be put off")
        await d.quiet(2)
        wait = (await d.lead(order.number)).next_attempt_at - d.clock.now()
        assert timedelta(hours=23.9) < wait <= timedelta(hours=24)


def _reason(d: Desk) -> str:
    with writing(d.engine) as session:
        return str(session.connection().exec_driver_sql("SELECT reason FROM lead").scalar_one())


async def test_who_was_not_reached_is_called_in_the_next_part_of_his_day(tmp_path: Path) -> None:
    options = {"retry_busy": "0s", "day_parts": "09:00-12:00,12:00-17:00,17:00-20:00", "attempts_per_part": 2}
    clock = TurnedClock(NOON)
    async with desk(tmp_path, campaigns={"spring": {"leads": numbers(1), **options}}, clock=clock) as d:
        for n in (1, 2):
            order = (await d.placed(n))[-1]
            d.end(order, Outcome.BUSY, 486)
        lead = await d.lead(order.number)
        assert (lead.next_attempt_at, lead.state) == (NOON.replace(hour=17), LeadState.DUE)
        await d.quiet(2)


async def test_agents_are_shown_others_while_the_first_leads_must_not_be_called_yet(tmp_path: Path) -> None:
    options = {"mode": "preview", "preview_seconds": 5, "state": "stopped", "person_cap": "1/24h"}
    async with desk(tmp_path, agents=1, campaigns={"look": {"leads": numbers(30), **options}}) as d:
        with writing(d.engine) as session:
            for n, number in enumerate(numbers(30)[1:]):
                call = Call(id=f"call{n}", kind="manual", caller_number=number, started_at=d.clock.now())
                session.add(call)
            session.get_one(Campaign, 1).state = "running"
        await d.dialer.reload("look")
        await until(lambda: d.placer.cards, 5.0, "a lead to be shown")
        assert d.placer.cards["1001"].number == numbers(30)[0], "the oldest lead, which alone was not called"


async def test_a_lead_that_is_turned_to_another_number_while_it_is_shown_is_not_called_by_the_line_of_the_first(
    tmp_path: Path,
) -> None:
    """That line's trunk may not carry the other number, and the agent has seen the first."""
    dear, look = "+12024561111", {"mode": "preview", "preview_seconds": 5, "leads": [FIRST]}
    trunk = {"allowed_prefixes": ["+44"]}
    async with desk(tmp_path, agents=1, campaigns={"look": look}, trunk=trunk) as d:
        await until(lambda: d.placer.cards, 3.0, "a lead to be shown")
        lead = await d.lead(FIRST)
        with writing(d.engine) as session:
            add_numbers(session, {lead.id or 0: [FIRST, dear]})
            add_dnc(session, By("test", d.clock.now()), [FIRST], 0)
        assert (await d.lead(dear)).state == LeadState.NEW
        assert await d.dialer.previews.take("1001") is None
        with writing(d.engine) as session:
            assert session.scalars(select(Attempt)).all() == []
        assert d.dialer.trunks.lines["main"].live == 0
