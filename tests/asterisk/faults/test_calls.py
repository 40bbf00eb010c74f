"""Both sides of a call do things at once. Rows C5 and C7 of the matrix."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.lab.centre import Centre
from tests.lab.farend.numbers import Behaviour, number_for, stays
from tests.lab.farend.phones import AUTO_ANSWER, Phone
from tests.lab.farend.record import Direction, Side
from tests.lab.farend.script import Script
from tests.lab.judge import Judge
from tests.lab.until import until
from tests.prove.books import Books
from tests.prove.losses import begun
from tests.prove.scene import left_over, stand

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

LEG_GONE_SECONDS = 1.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def books(centre: Centre) -> AsyncIterator[Books]:
    """Eight agents are on line."""
    found = await stand(centre, 8)
    yield found
    found.close()


def phones(centre: Centre) -> list[Phone]:
    return list(centre.far.phones)


async def test_a_customer_who_hangs_up_while_the_agents_phone_rings_leaves_no_leg_behind(centre: Centre, books: Books):
    for phone in phones(centre):
        phone.obeys_auto_answer, phone.script = False, Script("rings a second", ring_seconds=1.0)
    numbers = [number_for(Behaviour.TALKS_TENTHS, 700 + n, ring=0.2, two=n) for n in range(21)]
    keys = {"multiplier": "1", "max_attempts": "1", "ring_seconds": "15", "wrap_up_seconds": "0"}
    await centre.add_campaign("leaves", numbers, team="proof", **keys)
    await centre.cli("campaign", "start", "leaves")
    await books.until_finished("leaves", 60.0)
    failures = await left_over(centre, books)
    for phone in phones(centre):
        phone.obeys_auto_answer, phone.script = True, AUTO_ANSWER
    assert failures == []
    legs = centre.far.log.select(Side.PHONE, Direction.IN)
    rung = 0
    for number in numbers:
        [customer] = centre.far.log.attempts(number)
        for leg in (leg for leg in legs if leg.from_user.endswith(number[1:])):
            rung += 1
            assert leg.ended_at is not None
            assert leg.ended_at - customer.ended_at < LEG_GONE_SECONDS, number
    assert rung >= 10


async def test_both_hanging_up_at_once_is_one_end_with_one_reason(centre: Centre, books: Books):
    numbers = [stays(800 + n, ring=0.2) for n in range(8)]
    await begun(centre, "both", numbers, max_attempts="1")
    names = {phone.name for phone in phones(centre)}

    def talking() -> int:  # both ways: what is cut before the agent has heard anybody is no talk for the judge
        live = centre.far.trunk.agent.live_calls()
        customers = [call for call in live if call.record.party in numbers and call.hears() & names]
        agents = [call for phone in phones(centre) for call in phone.calls if call.hears() & set(numbers)]
        return min(len(customers), len(agents))

    await until(lambda: talking() == len(numbers), 20.0, "eight talks")
    for call in centre.far.trunk.agent.live_calls():
        call.hangup()
    for phone in phones(centre):
        phone.hangup()
    await books.until_finished("both", 20.0)
    assert await left_over(centre, books) == []
    calls = await centre.cli("call", "list", "--campaign", "both", "--limit", "100")
    parties = {*numbers, *names}
    assert Judge(calls, [c for c in centre.far.log.calls if c.party in parties]).mismatches() == []
    assert sorted(call["caller_number"] for call in calls) == sorted(numbers)
    assert {call["disposition"] for call in calls} == {"connected"}
    assert {call["hung_up_by"] for call in calls} <= {"caller", "agent"}
