"""Preview campaigns against a real store, with a placer in place of Asterisk."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from contact_center.models import Attempt, Call, Campaign, Outbox
from contact_center.settings import Caps
from contact_center.store.admin import By
from contact_center.store.admin_dnc import add_dnc
from contact_center.store.engine import reading, writing
from contact_center.store.recovery import open_attempts
from contact_center.terms import AgentState, CallKind, LeadState, Outcome
from contact_center.trunks import NoLine
from tests.lab.until import until
from tests.unit.dialer.test_engine import Desk, desk, numbers

PREVIEW = {"mode": "preview", "preview_seconds": 5}


async def shown(d: Desk, count: int) -> dict[str, str]:
    """The numbers that agents are shown, by extension."""
    await until(lambda: len(d.placer.cards) == count, 3.0, f"{count} leads shown")
    return {ext: card.number for ext, card in d.placer.cards.items()}


async def test_each_free_agent_is_shown_a_lead_of_his_own_and_nothing_is_dialled(tmp_path):
    async with desk(tmp_path, agents=3, campaigns={"look": {"leads": numbers(5), **PREVIEW}}) as d:
        seen = await shown(d, 3)
        assert sorted(seen.values(), reverse=True) == list(reversed(numbers(5)))[:3]
        assert {seat.state for seat in d.roster} == {AgentState.OFFERED}
        await d.quiet(0)
        with reading(d.engine) as session:
            assert session.scalars(select(Attempt)).all() == []


async def test_what_an_agent_takes_is_called_for_him_with_the_intent_stored_before(tmp_path):
    async with desk(tmp_path, agents=1, campaigns={"look": {"leads": numbers(1), **PREVIEW}}) as d:
        await shown(d, 1)
        order = await d.dialer.previews.take("1001")
        assert order is not None
        assert (order.number, order.kind) == (numbers(1)[0], CallKind.PREVIEW)
        assert d.placer.held[order.channel_id].ext == "1001"
        assert d.roster.get("1001").call_id == order.call_id
        with reading(d.engine) as session:
            assert session.scalars(select(Attempt)).one().channel_id == order.channel_id
        assert d.placer.cards == {}
        assert await d.dialer.previews.take("1001") is None, "he is shown nothing more"


async def test_a_call_begins_when_its_lead_was_shown_and_its_attempt_when_the_agent_took_it(tmp_path):
    async with desk(tmp_path, agents=1, campaigns={"look": {"leads": numbers(1), **PREVIEW}}) as d:
        await shown(d, 1)
        shown_at = d.placer.cards["1001"].until_at - timedelta(seconds=5)
        await until(lambda: d.clock.now() > shown_at + timedelta(seconds=0.2), 3.0, "the agent to look at the lead")
        order = await d.dialer.previews.take("1001")
        assert order is not None
        assert order.started_at == shown_at
        assert order.ordered_at - shown_at >= timedelta(seconds=0.2)
        with reading(d.engine) as session:
            assert session.scalars(select(Call)).one().started_at == shown_at
            assert session.scalars(select(Attempt)).one().intent_at == order.ordered_at
            [left] = open_attempts(session)
        assert (left.queued_at, left.intent_at) == (shown_at, order.ordered_at), "the next process knows it too"


async def test_a_skipped_lead_goes_to_the_next_agent_and_the_agent_gets_the_next_lead(tmp_path):
    async with desk(tmp_path, agents=2, campaigns={"look": {"leads": numbers(3), **PREVIEW}}) as d:
        before = await shown(d, 2)
        assert d.dialer.previews.skip("1001")
        await until(lambda: d.placer.cards.get("1001"), 3.0, "the next lead")
        assert d.placer.cards["1001"].number not in before.values()
        assert d.dialer.previews.skip("1002")
        await until(lambda: d.placer.cards.get("1002"), 3.0, "the lead that the other skipped")
        assert d.placer.cards["1002"].number == before["1001"]
        assert not d.dialer.previews.skip("1009")


async def test_what_is_asked_of_a_lead_that_is_not_shown_any_more_touches_no_other_lead(tmp_path):
    async with desk(tmp_path, agents=1, campaigns={"look": {"leads": numbers(2), **PREVIEW}}) as d:
        await shown(d, 1)
        previews = d.dialer.previews
        first = previews.shown["1001"].lead.id
        await previews.decide("1001", "skip", first)
        await until(lambda: "1001" in previews.shown, 3.0, "the next lead")
        second = previews.shown["1001"].lead.id
        assert second != first
        for action in ("skip", "take"):
            await previews.decide("1001", action, first)
            assert previews.shown["1001"].lead.id == second
        assert d.placer.held == {}
        await previews.decide("1001", "take", second)
        assert [seat.ext for seat in d.placer.held.values()] == ["1001"]
        await previews.decide("1001", "take", second)
        assert len(d.placer.held) == 1


async def test_a_preview_lapses_after_its_time_and_is_told_of(tmp_path):
    async with desk(tmp_path, agents=1, campaigns={"look": {"leads": numbers(1), **PREVIEW}}) as d:
        await shown(d, 1)
        await until(lambda: not d.placer.cards, 7.0, "the preview to lapse")
        assert d.roster.get("1001").state is AgentState.IDLE
        assert await d.writer.drain()
        with reading(d.engine) as session:
            told = [(e.type, e.payload.get("over")) for e in session.scalars(select(Outbox).order_by(Outbox.seq))]
        assert [one for one in told if one[0].startswith("agent.preview")] == [
            ("agent.preview", None),
            ("agent.preview_over", "lapsed"),
        ]


async def test_a_lead_that_is_listed_while_it_is_shown_is_not_called(tmp_path):
    async with desk(tmp_path, agents=1, campaigns={"look": {"leads": numbers(1), **PREVIEW}}) as d:
        seen = await shown(d, 1)
        with writing(d.engine) as session:
            add_dnc(session, By("test", d.clock.now()), list(seen.values()), 0)
        assert await d.dialer.previews.take("1001") is None
        assert d.roster.get("1001").state is AgentState.IDLE
        assert (await d.lead(numbers(1)[0])).state == LeadState.DNC
        assert d.placer.orders == []


async def test_modes_are_switched_while_the_campaign_runs(tmp_path):
    async with desk(tmp_path, agents=2, campaigns={"look": {"leads": numbers(6), **PREVIEW}}) as d:
        await shown(d, 2)
        await _set_mode(d, "progressive")
        assert d.placer.cards == {}
        orders = await d.placed(2)
        await _set_mode(d, "preview")
        for order in list(orders):
            d.end(order, Outcome.MISSED)
        await shown(d, 2)
        await d.quiet(2)


async def _set_mode(d: Desk, mode: str) -> None:
    with writing(d.engine) as session:
        session.scalars(select(Campaign)).one().mode = mode
    await d.dialer.reload("look")


async def test_an_agent_who_leaves_is_shown_nothing_and_a_paused_campaign_shows_nothing(tmp_path):
    async with desk(tmp_path, agents=2, campaigns={"look": {"leads": numbers(6), **PREVIEW}}) as d:
        await shown(d, 2)
        await d.roster.go_offline("1001", by="test")
        await until(lambda: set(d.placer.cards) == {"1002"}, 2.0, "the preview to end")
        with writing(d.engine) as session:
            session.scalars(select(Campaign)).one().state = "paused"
        await d.dialer.reload("look")
        assert d.placer.cards == {}
        assert d.roster.get("1002").state is AgentState.IDLE


async def test_where_no_trunk_may_carry_a_call_any_more_the_taker_is_told_so_and_no_more_leads_are_shown(tmp_path):
    campaigns = {"look": {"leads": numbers(3), **PREVIEW}}
    async with desk(tmp_path, agents=1, campaigns=campaigns, trunk={"calls_per_hour": 1}) as d:
        await shown(d, 1)
        await d.dialer.trunks.line((), "own")
        with pytest.raises(NoLine, match="its calls_per_hour of 1 is reached"):
            await d.dialer.previews.take("1001")
        assert d.roster.get("1001").state is AgentState.IDLE
        d.dialer.wake()
        await d.quiet(0)
        assert d.placer.cards == {}
        d.dialer.trunks.take_caps("main", Caps())
        await shown(d, 1)


async def test_a_campaign_without_leads_left_is_finished(tmp_path):
    async with desk(tmp_path, agents=1, campaigns={"look": {"leads": numbers(1), **PREVIEW}}) as d:
        await shown(d, 1)
        order = await d.dialer.previews.take("1001")
        assert order is not None
        d.end(order, Outcome.INVALID_NUMBER, 404)
        d.placer.held[order.channel_id].close()
        await until(lambda: next(iter(d.dialer.campaigns.values())).state == "finished", 3.0, "the campaign's end")


@pytest.mark.parametrize("stage", ["the intent", "the lists"])
async def test_an_agent_who_hangs_up_as_he_takes_a_lead_leaves_neither_lead_nor_line_taken(tmp_path, stage):
    async with desk(tmp_path, agents=1, campaigns={"look": {"leads": numbers(1), **PREVIEW}}) as d:
        await shown(d, 1)
        commit, read = d.writer.commit, d.writer.read
        asked, go_on = asyncio.Event(), asyncio.Event()

        async def slow_commit(fn, within=2.0, *, ahead=False):
            stored = await commit(fn, within, ahead=ahead)
            if stage == "the lists":
                d.dialer.lists_changed()
                d.writer.read = slow_read
            else:
                asked.set()
                await go_on.wait()
            return stored

        async def slow_read(fn, within=2.0, *, ahead=False):
            asked.set()
            await go_on.wait()
            return await read(fn, within, ahead=ahead)

        d.writer.commit = slow_commit
        taking = asyncio.create_task(d.dialer.previews.take("1001"))
        await asked.wait()
        taking.cancel()
        go_on.set()
        await asyncio.wait([taking])
        assert taking.cancelled()
        d.writer.commit, d.writer.read = commit, read
        lead = await d.lead(numbers(1)[0])
        assert (lead.state, lead.attempts) == ("due", 0)
        assert d.dialer.trunks.lines["main"].live == 0
        assert d.placer.orders == []
        assert d.roster.get("1001").state is AgentState.IDLE
        with reading(d.engine) as session:
            assert open_attempts(session) == []
