"""A long list of which a filter wants hardly anybody, as the running dialer goes over it."""

from __future__ import annotations

from contact_center.models import Lead
from contact_center.store.engine import writing
from contact_center.store.lead_search import LARGE
from tests.unit.dialer.test_engine import desk, numbers


async def test_who_is_wanted_of_a_long_list_is_called_in_order_and_so_is_who_comes_later(tmp_path):
    first, last, later = "+447400000003", f"+44740000{LARGE + 4:04d}", "+447400009990"
    campaign = {"leads": numbers(LARGE + 5), "filter": f'number in ("{first}", "{last}", "{later}")'}
    async with desk(tmp_path, campaigns={"spring": {**campaign, "multiplier": 1}}) as d:
        assert [order.number for order in await d.placed(2)] == [last, first]
        run = next(iter(d.dialer.campaigns.values()))
        assert run.search.is_large
        with writing(d.engine) as session:
            session.add(Lead(campaign_id=run.id, number=later, zones="Europe/London", created_at=d.clock.now()))
        await d.dialer.leads_arrived("spring")
        assert [order.number for order in await d.placed(3)][2:] == [later]
        await d.quiet(3)
