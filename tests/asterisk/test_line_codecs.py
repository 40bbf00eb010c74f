"""What agents and customers hear of each other on an open line, whatever codecs they speak."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.asterisk.floor import Floor
from tests.lab.centre import Centre
from tests.lab.farend.audio import AudioOptions
from tests.lab.farend.numbers import talks
from tests.lab.farend.record import two_way_at

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

CUSTOMERS = 8  # of each of which but the first Asterisk's transcoder, kept, would lose the voice every second time


@pytest.fixture(scope="module")
def floor(centre: Centre) -> Floor:
    return Floor(centre)


@contextmanager
def customers_speak(floor: Floor, *codecs: str) -> Iterator[None]:
    before = floor.far.trunk.options
    floor.far.trunk.options = AudioOptions(codecs=codecs)
    try:
        yield
    finally:
        floor.far.trunk.options = before


async def both_heard(floor: Floor, ext: str, agent_codecs: tuple[str, ...], first: int) -> set[str | None]:
    """CUSTOMERS customers, one after the other in one *48 line, each heard and hearing the agent; the codecs used."""
    phone = await floor.agent(ext, team=f"codecs-{ext}", online=False)
    phone.options = AudioOptions(codecs=agent_codecs)
    line = phone.dial("*48")
    await line.until_answered(2.0)
    await floor.until_state(ext, "idle")
    await floor.campaign(f"codecs-{ext}")
    unheard, codecs = [], set()
    for n in range(first, first + CUSTOMERS):
        customer = await floor.call(f"codecs-{ext}", talks(0.5, n))
        await customer.until_over(5.0)
        await floor.until_state(ext, "idle")
        codecs.add(customer.record.codec)
        if two_way_at(customer.record, line.heard()) is None:
            unheard.append(n)
    line.hangup()
    codecs.add((await line.until_over(2.0)).codec)
    assert unheard == []
    return codecs


async def test_every_customer_in_one_line_is_heard_where_their_codec_is_not_the_agents(floor: Floor):
    with customers_speak(floor, "PCMU"):
        assert await both_heard(floor, "1001", ("PCMA",), 100) == {"PCMA", "PCMU"}


async def test_a_line_takes_the_codec_of_the_trunk_where_the_phone_knows_it_and_every_customer_is_heard(floor: Floor):
    with customers_speak(floor, "PCMU", "PCMA"):
        assert await both_heard(floor, "1002", ("PCMU", "PCMA"), 200) == {"PCMA"}
