"""A campaign whose database is PostgreSQL, which goes away for a moment."""

from __future__ import annotations

import pytest

from tests.prove.database import PostgresCentre, postgres_round

pytestmark = [pytest.mark.asterisk]


async def test_a_campaign_on_postgresql_loses_nothing_when_its_database_crashes():
    async with PostgresCentre() as centre:
        done = await postgres_round(centre, 0, seconds=2.0, leads=6)
        assert done.failures == []
        assert done.figures["dials on the line"] >= 6
