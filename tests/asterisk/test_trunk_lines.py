"""One trunk with few lines on the real Asterisk: campaign, own calls and a callback, counted at the far end."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.asterisk.callers import MUSIC, Callers
from tests.asterisk.floor import Floor
from tests.lab.centre import Centre
from tests.lab.farend.numbers import stays
from tests.lab.farend.record import CallRecord, Direction, Side, max_in_flight
from tests.lab.until import until

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

LINES, KEPT, RATE = 3, 1, 4
PATIENCE = 15.0
LEADS = [stays(700 + n, ring=0.5) for n in range(6)]
OWN, REFUSED, BACK = stays(711, ring=0.5), stays(712, ring=0.5), stays(713, ring=0.5)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def centre() -> AsyncIterator[Centre]:
    limits = {"max_channels": LINES, "reserve_inbound": KEPT, "max_cps": float(RATE)}
    async with Centre("lines", settings={"trunk.main": limits}) as made:
        await made.serve.start()
        yield made
        assert not made.far.faults


@pytest.fixture(scope="module")
def callers(centre: Centre) -> Callers:
    return Callers(Floor(centre))


def dialled(callers: Callers) -> list[CallRecord]:
    """Every call that the carrier got from us."""
    return callers.far.log.select(Side.CUSTOMER, Direction.IN)


def live(callers: Callers) -> int:
    return len([call for call in dialled(callers) if call.ended_at is None])


async def test_campaign_own_calls_and_a_callback_never_have_more_lines_than_the_trunk(callers: Callers):
    await callers.queue("back", "442079460701", callback="on")
    callback_phone = await callers.agent("2701", "back", online=False)
    ordering = callers.call("442079460701", BACK)
    await ordering.until_hears(MUSIC, PATIENCE)
    ordering.press("1")
    await callers.talk(1.5)
    ordering.press("1")
    await ordering.until_over(PATIENCE)

    for ext in ("2711", "2712", "2713"):
        await callers.floor.agent(ext, team="few")
    await callers.floor.campaign("few", *LEADS)
    await until(lambda: live(callers) == LINES - KEPT, PATIENCE, "the campaign's calls")
    await callers.talk(2.0)
    assert live(callers) == LINES - KEPT

    phone, second = await callers.agent("2721", "none"), await callers.agent("2722", "none")
    own = phone.dial(OWN)
    await own.until_answered(PATIENCE)
    assert live(callers) == LINES
    refused = second.dial(REFUSED)
    await refused.until_over(PATIENCE)
    assert refused.record.final_code == 503
    assert refused.record.ended_at - refused.record.invite_at > 1.0
    assert not callers.far.trunk.calls_to(REFUSED)

    await callers.floor.cli("agent", "online", "2701")
    await callers.talk(4.0)
    assert callback_phone.calls == []
    assert not callers.far.trunk.calls_to(BACK)
    own.hangup()
    customer = await callers.far.trunk.until_called(BACK, PATIENCE)
    await customer.until_hears("2701", PATIENCE)
    assert live(callers) == LINES

    await callers.floor.cli("campaign", "stop", "few")
    callers.far.hang_up_all()
    await callers.nothing_left(20.0)
    calls = dialled(callers)
    assert max_in_flight(calls) == LINES
    assert max_in_flight([call for call in calls if call.party.lstrip("+") in numbers(LEADS)]) == LINES - KEPT
    begun = sorted(call.invite_at for call in calls)
    assert all(len([b for b in begun if at <= b < at + 1.0]) <= RATE for at in begun)


def numbers(leads: list[str]) -> set[str]:
    return {lead.lstrip("+") for lead in leads}


async def test_a_call_that_an_earlier_process_left_still_has_its_line(callers: Callers):
    phones = [await callers.agent(f"273{n}", "none") for n in range(LINES + 1)]
    talks = [phones[n].dial(stays(730 + n, ring=0.2)) for n in range(LINES)]
    for talk in talks:
        await talk.until_answered(PATIENCE)
    await callers.talk(1.5)
    callers.floor.centre.serve.kill()
    await callers.floor.centre.serve.ended()
    await callers.floor.centre.serve.start()
    one_more = stays(739, ring=0.2)
    refused = phones[LINES].dial(one_more)
    await refused.until_over(PATIENCE)
    assert refused.record.final_code == 503
    assert not callers.far.trunk.calls_to(one_more)
    talks[0].hangup()
    await callers.talk(1.0)
    last = phones[LINES].dial(one_more)
    await last.until_answered(PATIENCE)
    assert live(callers) == LINES
    callers.far.hang_up_all()
    await callers.nothing_left(20.0)
