"""What README promises of agents' phones, on the real Asterisk."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.lab.centre import Centre
from tests.lab.farend.numbers import talks
from tests.lab.farend.phones import Phone

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def centre() -> AsyncIterator[Centre]:
    async with Centre("promises") as made:
        await made.serve.start()
        yield made
        assert not made.far.faults


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def phone(centre: Centre) -> Phone:
    return (await centre.add_agents(1, online=True))[0]


async def test_the_agents_phone_is_asked_to_answer_by_itself_and_shows_the_number(centre: Centre, phone: Phone) -> None:
    number = talks(0.5, 1)
    await centre.add_campaign("plain", [number], mode="progressive")
    await centre.cli("campaign", "start", "plain")
    call = await phone.incoming(15)

    headers = {name.lower(): value for name, value in call.record.headers.items()}
    assert "answer-after=0" in headers["call-info"]
    assert "alert-autoanswer" in headers["alert-info"]
    assert call.record.from_user.lstrip("+") == number.lstrip("+")
    await call.until_over(10)


async def test_with_hide_number_the_agents_phone_shows_the_calls_id(centre: Centre, phone: Phone) -> None:
    number = talks(0.5, 2)
    await centre.add_campaign("hidden", [number], mode="progressive", hide_number="on")
    await centre.cli("campaign", "start", "hidden")
    call = await phone.incoming(15)

    told = repr((call.record.from_user, call.record.from_display, call.record.p_asserted_identity, call.record.headers))
    assert number.lstrip("+") not in told
    assert call.record.from_display.startswith("call-")
    await call.until_over(10)
