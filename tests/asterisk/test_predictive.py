"""A predictive campaign on the real Asterisk, short: it learns, dials ahead, and goes on so after a restart."""

from __future__ import annotations

import pytest

from tests.lab.centre import Centre
from tests.lab.farend.record import CallRecord, max_in_flight
from tests.lab.until import until
from tests.prove.predictive import LIMIT, Crowd, campaign, measured
from tests.prove.scene import customers, import_leads, stand

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

AGENTS, WRAP_UP = 10, 1.0
FEW = 2 * AGENTS
"""Of so many calls a campaign learns too little to dial ahead."""
SHORT = {"talk": 2.0, "ring": (0.5, 1.5), "answer": 0.7, "silent": 0.03}


def _first(centre: Centre, crowd: Crowd, count: int) -> list[CallRecord]:
    """The first calls that went out."""
    return sorted(customers(centre, crowd.numbers), key=lambda record: record.invite_at)[:count]


async def test_a_predictive_campaign_learns_dials_ahead_and_keeps_what_it_learned(centre: Centre):
    books = await stand(centre, AGENTS)
    crowd = Crowd.of(120, 0, seed=1, **SHORT)
    await campaign(centre, books, "ahead", crowd, wrap_up=WRAP_UP, deadline=150.0)
    seen = measured(centre, crowd.numbers, AGENTS, WRAP_UP)
    assert seen.answered >= 50
    assert seen.dropped <= LIMIT * seen.answered + 1  # the hard limit lets the last of them be one too many at most
    assert max_in_flight(_first(centre, crowd, FEW)) <= AGENTS, "dials ahead although it knows nothing yet"
    shown = await centre.cli("campaign", "show", "ahead")
    assert (shown["answered"], shown["dropped"]) == (seen.answered, seen.dropped)

    found = await centre.cli("campaign", "trace", "ahead", "--check")
    assert found["decisions"] > 100
    assert found["differing"] == 0
    why = await centre.cli("why", "campaign", "ahead")
    assert why["odds"]["calls"] > 0
    assert {"chance", "price", "answer_rate", "idle", "ringing", "binding"} <= set(why["decisions"][0])

    await centre.serve.stop()
    await centre.serve.start()
    more = Crowd.of(40, 200, seed=2, **SHORT)
    for number, script in more.scripts.items():
        centre.far.trunk.script(number, script)
    await until(lambda: set(books.agents().values()) <= {"idle"}, 30.0, "every agent to be idle")
    await import_leads(centre, "ahead", more.numbers)
    await until(lambda: len(customers(centre, more.numbers)) > FEW, 30.0, "calls")
    assert max_in_flight(_first(centre, more, FEW)) > AGENTS, "one call per agent only"
    await books.until_finished("ahead", 90.0)
    books.close()
