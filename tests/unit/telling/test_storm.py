"""The real thing: real sockets, a real process that is killed, everything away meanwhile."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from tests.support.telling_storm import Storm

pytestmark = pytest.mark.clock


async def test_after_an_outage_and_kills_everybody_has_every_event_and_no_number_is_missing(engine: Engine) -> None:
    found = await Storm(engine, events=400, away_seconds=3.0, kills=2).run()
    assert found.missing == {"webhook": 0, "broker": 0, "google": 0, "platform": 0}
    assert found.gaps == []
    assert len(found.wanted) == 400
    assert len(found.rated) == len(found.calls) == 100
