"""Leads that agents let pass: when they are shown them again, and what `why` tells meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from contact_center.clock import SystemClock
from contact_center.models import Agent, Campaign, Lead
from contact_center.settings import Settings
from contact_center.store.engine import reading, writing
from contact_center.store.queries_why import Circumstances, why_campaign, why_lead
from contact_center.terms import AgentState
from tests.lab.until import until
from tests.unit.dialer.test_engine import Desk, desk, numbers
from tests.unit.store.world import add_agent

ANN = "1001"
PREVIEW = {"mode": "preview", "preview_seconds": 60}


@dataclass
class Later(SystemClock):
    """A clock that can be put forward."""

    ahead: float = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


async def shown(d: Desk) -> str:
    """The number that Ann is shown."""
    await until(lambda: ANN in d.placer.cards, 3.0, "a lead to be shown")
    return d.placer.cards[ANN].number


def told(d: Desk, lead: int | None = None) -> dict[str, bool]:
    """The rules that `why` names, and whether they bind."""
    with writing(d.engine) as session:
        if session.scalars(select(Agent)).first() is None:
            add_agent(session, ANN)
        session.scalars(select(Agent)).one().state = d.roster.get(ANN).state
    seen = Circumstances(Settings.model_validate({"trunk": {}}), d.clock.now(), served=True)
    with reading(d.engine) as session:
        if lead is not None:
            reasons = why_lead(session, session.get_one(Lead, lead), seen)
        else:
            reasons = why_campaign(session, session.scalars(select(Campaign)).one(), seen)
    return {reason.rule: reason.binds for reason in reasons}


async def test_the_only_lead_comes_back_to_the_only_agent_after_half_a_minute_and_why_says_so(tmp_path):
    clock = Later()
    async with desk(tmp_path, agents=1, campaigns={"look": {"leads": numbers(1), **PREVIEW}}, clock=clock) as d:
        first = await shown(d)
        assert "let_pass" not in told(d)
        assert d.dialer.previews.skip(ANN)
        assert await d.writer.drain()
        assert told(d)["let_pass"] is True
        assert told(d, 1)["let_pass"] is True
        clock.ahead += 25.0
        await d.quiet(0)
        assert ANN not in d.placer.cards
        clock.ahead += 6.0
        assert await shown(d) == first


async def test_leads_that_were_not_let_pass_come_first_for_five_minutes(tmp_path):
    clock = Later()
    async with desk(tmp_path, agents=1, campaigns={"look": {"leads": numbers(3), **PREVIEW}}, clock=clock) as d:
        seen = [await shown(d)]
        for _ in range(2):
            clock.ahead += 40.0
            assert d.dialer.previews.skip(ANN)
            seen.append(await shown(d))
        assert len(set(seen)) == 3
        assert d.dialer.previews.skip(ANN)
        assert await shown(d) == seen[0], "nothing else is left, and that was long enough ago"


async def test_who_is_paused_while_he_is_shown_a_lead_has_not_let_it_pass(tmp_path):
    async with desk(tmp_path, agents=1, campaigns={"look": {"leads": numbers(2), **PREVIEW}}) as d:
        first = await shown(d)
        await d.roster.pause(ANN, "lunch", by="test")
        await until(lambda: not d.placer.cards, 3.0, "the preview to end")
        await d.roster.unpause(ANN, by="test")
        assert await shown(d) == first
        assert d.roster.get(ANN).state is AgentState.OFFERED
