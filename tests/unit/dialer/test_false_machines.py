"""Persons whom machine detection took for machines, in the pace of a running campaign; Asterisk alone is missing."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from contact_center.models import Attempt, Call, Campaign, Lead
from contact_center.settings import Settings
from contact_center.store.engine import reading, writing
from contact_center.store.ledgers import ledgers
from contact_center.store.queries_why import Circumstances, why_campaign
from contact_center.terms import Outcome
from tests.lab.until import until
from tests.unit.dialer.test_engine import Desk, desk, numbers
from tests.unit.dialer.test_learning import decision, learned, remember, stopped, told

__all__ = ["learned"]

CAMPAIGN: dict[str, Any] = {"amd": "on"}
DAY = 86400.0


def past(d: Desk, at: datetime, calls: list[tuple[Outcome, str, str]]) -> None:
    """Calls of an earlier process: outcome, verdict, and what the agent keyed."""
    with writing(d.engine) as session:
        for n, (outcome, verdict, keyed) in enumerate(calls):
            record = {"amd": {"status": verdict, "seconds": 1.2}}
            session.add(Lead(id=10_000 + n, campaign_id=1, number="+44", state="done", created_at=at))
            session.add(Call(id=f"old-{n}", started_at=at, disposition=keyed or outcome.value, record=record))
        session.flush()
        for n, (outcome, _, _) in enumerate(calls):
            row = {"call_id": f"old-{n}", "channel_id": f"old-{n}", "lead_id": 10_000 + n, "n": 1, "trunk": "main"}
            joined = at if outcome is Outcome.CONNECTED else None
            times = {"intent_at": at, "answered_at": at, "connected_at": joined, "ended_at": at}
            session.add(Attempt(campaign_id=1, number="+44", state="done", outcome=outcome, **row, **times))


def checked(machines: int, wrong: int, *, connected: int, ended: int) -> list[tuple[Outcome, str, str]]:
    """A sample of machines that agents had, ``wrong`` of them persons, and what went without doubt."""
    return [
        *[(Outcome.CONNECTED, "MACHINE", "AM")] * (machines - wrong),
        *[(Outcome.CONNECTED, "MACHINE", "SALE")] * wrong,
        *[(Outcome.CONNECTED, "HUMAN", "")] * connected,
        *[(Outcome.MACHINE, "MACHINE", "")] * ended,
    ]


async def test_a_campaign_without_a_drop_is_stopped_by_persons_taken_for_machines(
    tmp_path: Path, learned: dict[str, Any]
) -> None:
    await stopped(tmp_path, **CAMPAIGN)
    async with desk(tmp_path, agents=0, campaigns={}) as d:
        past(d, d.clock.now() - timedelta(hours=5), checked(10, 2, connected=190, ended=50))
        remember(d, learned)
        assert await d.writer.drain()
    async with desk(tmp_path, agents=10, campaigns={}) as d:
        await d.placed(10)
        await d.quiet(10)
        [run] = d.dialer.campaigns.values()
        assert run.windows.totals(d.clock.now().timestamp(), DAY) == (10, 202)
        await until(lambda: "false_machine_rate" in decision(d), 3.0, "the decision to be told")
        assert (decision(d)["false_machines"], decision(d)["false_machine_rate"]) == (10, 0.2)
        assert "10 of them persons taken for machines" in run.windows.forbids(d.clock.now().timestamp(), 0.03)
        with reading(d.engine) as session:
            row = session.get_one(Campaign, 1)
            [day, _] = ledgers(session, row, d.clock.now(), "UTC")
            assert (day.counted.abandoned, day.counted.answered) == (10, 202), "the report counts the same"
            seen = Circumstances(settings=Settings(), now=d.clock.now(), served=True)
            limits = [reason for reason in why_campaign(session, row, seen) if reason.rule == "abandonment_limit"]
        assert limits[0].detail.startswith(
            "10 / 202 = 4.95 % (10 of them persons taken for machines) abandoned in 24 hours, 3 % allowed: one call"
        )
        assert limits[0].binds


async def test_without_the_false_verdicts_the_same_past_lets_it_dial_ahead(
    tmp_path: Path, learned: dict[str, Any]
) -> None:
    await stopped(tmp_path, **CAMPAIGN)
    async with desk(tmp_path, agents=0, campaigns={}) as d:
        past(d, d.clock.now() - timedelta(hours=5), checked(10, 0, connected=190, ended=50))
        remember(d, learned)
        assert await d.writer.drain()
    async with desk(tmp_path, agents=10, campaigns={}) as d:
        await d.placed(12)
        [run] = d.dialer.campaigns.values()
        assert run.windows.totals(d.clock.now().timestamp(), DAY) == (0, 190)


async def test_the_word_of_agents_is_read_while_it_dials_and_the_pacer_hears_of_the_persons(tmp_path: Path) -> None:
    campaign = {"leads": numbers(8), "mode": "predictive", "record_trace": "on", **CAMPAIGN}
    async with desk(tmp_path, agents=7, campaigns={"spring": campaign}) as d:
        orders = list(await d.placed(7))
        past(d, d.clock.now(), checked(4, 2, connected=0, ended=0))
        [run] = d.dialer.campaigns.values()
        ledger = d.dialer.ledger
        for order in orders:
            ledger.answered(order, d.clock.now())
        ledger.judged(orders[0], d.clock.now(), machine=True)
        assert run.windows.false_machines(d.clock.now().timestamp()) == 0, "nobody has listened yet"
        await until(lambda: run.windows.false_rate == 0.5, 3.0, "the agents' word to be read")
        for order in orders[1:5]:
            ledger.judged(order, d.clock.now(), machine=True)
            ledger.judged(order, d.clock.now(), machine=True)
        assert run.windows.totals(d.clock.now().timestamp(), DAY) == (3, 3), "half of five, rounded up"
        drops = [-orders[2].attempt_id, -orders[4].attempt_id]
        await until(lambda: len([one for one in told(tmp_path) if one[0] == "drop"]) == 2, 3.0, "the pacer's drops")
        assert [one[1] for one in told(tmp_path) if one[0] == "drop"] == drops
        assert run.pacer.explain()["dropped"] == 2
