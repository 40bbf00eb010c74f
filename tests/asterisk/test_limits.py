"""Short rounds of proofs: all agents leave while calls ring, numbers are listed as they are dialled."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.prove import leaving, listed
from tests.prove.silent import SilentCentre

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def centre() -> AsyncIterator[SilentCentre]:
    async with SilentCentre() as made:
        yield made
        assert not made.far.faults


async def test_agents_who_all_leave_cost_nobody_the_message_and_nobody_more_is_dialled(centre):
    done = await leaving.leaving_round(centre, 0, agents=2)
    assert done.failures == []
    assert done.figures["heard the message in time"] == 16


async def test_numbers_listed_around_their_dials_are_not_called_later_than_a_quarter_of_a_second_after_it(centre):
    done = await listed.listed_round(centre, 0, races=60)
    assert done.failures == []
    assert done.figures["rang when listed, or soon after"] > 5
    assert done.figures["listed before their dial"] > 5
