"""Short rounds of the long proofs: what `make prove` repeats by the hundred."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from contact_center.crash_points import POINTS
from tests.lab.faults import ProxiedCentre
from tests.prove import campaign, crash, database, sockets
from tests.prove.sockets import SOCKET_FAULTS

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def proxied() -> AsyncIterator[ProxiedCentre]:
    """One contact centre for the file, `serve` behind proxies."""
    async with ProxiedCentre("faults") as made:
        yield made
        assert not made.far.faults


@pytest.mark.parametrize("point", ["originate_sent"])
async def test_a_crash_at_a_step_of_a_call_is_settled_and_nothing_is_dialled_twice(proxied, point):
    assert (await crash.point_round(proxied, POINTS.index(point))).failures == []


@pytest.mark.alone
async def test_kills_at_random_instants_double_nothing_and_forget_nothing(proxied):
    done = await crash.kill_round(proxied, 0, leads=10, kills=2, agents=4, politely=False)
    assert done.failures == []
    assert done.figures["ends of serve"] == 2


@pytest.mark.parametrize("fault", ["cut", "reply to a dial swallowed"])
async def test_a_fault_of_the_line_to_asterisk_costs_no_call(proxied, fault):
    number = next(n for n, (name, _, _) in enumerate(SOCKET_FAULTS) if name == fault)
    assert (await sockets.socket_round(proxied, number, leads=8)).failures == []


async def test_a_locked_database_stops_dialling_and_every_fact_is_stored_afterwards(proxied):
    assert (await database.locked_round(proxied, 0, seconds=2.0, leads=5)).failures == []


async def test_port_scans_of_fastagi_during_a_campaign_change_nothing(proxied):
    assert (await campaign.scans_round(proxied, 0, scans=200, leads=8)).failures == []
