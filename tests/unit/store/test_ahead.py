"""What goes ahead of the facts: claims see less than has happened, and must only ever be too careful."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from contact_center.clock import SystemClock
from contact_center.errors import Unreachable
from contact_center.models import Attempt, Lead, Outbox
from contact_center.store.claims import Claim
from contact_center.store.engine import writing
from contact_center.store.facts import AttemptRinging, CampaignStateChanged, TrunkNoted
from contact_center.store.requests import Request
from contact_center.store.tables import table_of
from contact_center.store.writer import Writer
from tests.lab.until import until
from tests.unit.store.world import NOON, add_campaign, add_lead, rows, settled, take

_OUTBOX = table_of(Outbox)


def note(n: int) -> TrunkNoted:
    return TrunkNoted("main", "up", f"note {n}", NOON)


def stored(session: Session) -> int:
    """How many events a transaction sees."""
    return int(session.connection().execute(select(func.count()).select_from(_OUTBOX)).scalar_one())


@contextmanager
def locked(engine: Engine) -> Iterator[None]:
    with writing(engine) as session:
        yield
        session.rollback()


async def test_what_goes_ahead_does_not_wait_for_facts_and_what_does_not_sees_them_all(engine: Engine) -> None:
    async with Writer(engine, SystemClock()) as writer:
        await writer.read(stored)
        for n in range(50):
            writer.post(note(n))
        assert await writer.commit(stored, ahead=True) == 0
        assert writer.backlog == 50
        assert await writer.read(stored, ahead=True) in (0, 50)  # facts may have been gathered long enough by now
        assert await writer.read(stored) == 50
        writer.post(note(50))
        assert await writer.commit(stored) == 51
    assert [one["payload"]["reason"] for one in rows(engine, Outbox)] == [f"note {n}" for n in range(51)]


async def test_a_claim_sees_the_state_of_its_campaign_that_was_posted_before(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session, "spring", "finished")
        add_lead(session, campaign, "+4401")
    async with Writer(engine, SystemClock()) as writer:
        writer.post(note(0))
        writer.post(CampaignStateChanged(name="spring", state="running", at=NOON, actor="dialer", was="finished"))
        assert len(await writer.commit(lambda session: take(session, campaign), ahead=True)) == 1
        writer.post(CampaignStateChanged(name="spring", state="paused", at=NOON, actor="dialer"))
        assert await writer.commit(lambda session: take(session, campaign), ahead=True) == []
        writer.post(note(1))  # what held back is stored, so the next one goes ahead again
        before = await writer.read(stored, ahead=True)
        assert await writer.read(stored) == before + 1


async def test_facts_are_stored_although_commits_keep_going_ahead(engine: Engine) -> None:
    async with Writer(engine, SystemClock()) as writer:
        for n in range(300):
            writer.post(note(n))
        async with asyncio.timeout(5):  # or they starve
            while writer.backlog:
                await writer.commit(stored, ahead=True)
    assert [one["payload"]["reason"] for one in rows(engine, Outbox)] == [f"note {n}" for n in range(300)]


async def test_trouble_refuses_what_would_go_ahead_and_keeps_the_facts(engine: Engine) -> None:
    async with Writer(engine, SystemClock()) as writer:
        await writer.read(stored)
        with locked(engine):
            writer.post(note(0))
            with pytest.raises(Unreachable):
                await writer.commit(stored, ahead=True, within=0.3)
            await until(lambda: not writer.healthy, 2.0, "the writer to be unhealthy")
            with pytest.raises(Unreachable):
                await writer.commit(stored, ahead=True)
            assert writer.backlog == 1
        assert await writer.drain()
        await until(lambda: writer.healthy, 2.0, "the writer to be healthy")
        assert await writer.commit(stored, ahead=True) == 1


async def test_a_change_that_is_stored_can_no_longer_be_called_off() -> None:
    request = Request(lambda session: None, writes=True)
    request.finish(result="stored")
    assert not request.call_off()
    assert await request.future == "stored"


async def _live(writer: Writer, campaign: int, on_the_line: dict[str, int], chance: random.Random) -> int:
    """Claim, ring and settle until nothing more is to be had; asserts that nobody is called twice at once."""
    placed = 0
    mine: list[Claim] = []
    while True:
        alone = not on_the_line and not writer.backlog
        taken = await writer.commit(lambda session: take(session, campaign, chance.randint(1, 4)), ahead=True)
        for one in taken:
            assert one.number not in on_the_line, f"{one.number} is called twice at once"
            on_the_line[one.number] = one.lead_id
            writer.post(AttemptRinging(one.channel_id, NOON))
        mine += taken
        placed += len(taken)
        chance.shuffle(mine)
        for one in mine[: chance.randint(0, len(mine))]:
            mine.remove(one)
            del on_the_line[one.number]  # its end is known here; the database hears of it in its turn
            again = one.n < 3
            writer.post(settled(one, lead_state="due" if again else "closed", next_attempt_at=NOON if again else None))
        if not taken and not mine:
            if alone:
                return placed
            assert await writer.drain()
        await asyncio.sleep(0)


@pytest.mark.parametrize("seed", range(4))
async def test_nobody_is_called_twice_at_once_however_late_the_facts_are(engine: Engine, seed: int) -> None:
    chance = random.Random(seed)
    with writing(engine) as session:
        campaigns = [add_campaign(session, name) for name in ("one", "two")]
        for n in range(40):  # each number is in both campaigns, some twice in one
            for campaign in campaigns:
                add_lead(session, campaign, f"+44{n % 30:04d}")
    on_the_line: dict[str, int] = {}
    async with Writer(engine, SystemClock()) as writer:
        placed = await asyncio.gather(
            *(_live(writer, campaign, on_the_line, random.Random(chance.random())) for campaign in campaigns)
        )
        assert await writer.drain()
        assert writer.quarantined == 0
    assert sum(placed) == 240
    leads = rows(engine, Lead)
    assert {(lead["state"], lead["attempts"], lead["dials"]) for lead in leads} == {("closed", 3, 3)}
    attempts = rows(engine, Attempt)
    assert len(attempts) == 240
    assert all(attempt["ended_at"] is not None and attempt["live_number"] is None for attempt in attempts)
