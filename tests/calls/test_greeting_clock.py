"""The law's seconds from the end of the greeting, where a law counts them so, on the virtual clock."""

from __future__ import annotations

import pytest

from contact_center.dialling import CallResult
from contact_center.terms import Outcome
from tests.calls.test_silent_message import CUSTOMER, LAW, WORDS, under_law
from tests.calls.world import make_order
from tests.support.fake_amd import Answerer, answered_by
from tests.support.fake_ari import FarEnd
from tests.support.fake_world import FakeChannel
from tests.support.virtual_clock import on_virtual_clock, run_virtual

GREETING = {**LAW, "greeting_seconds": 3.0}
PHONE_OF_2_SECONDS = FarEnd(rings_after=0.05, answers_after=2.5)


async def lived(
    talks: tuple[tuple[float, float], ...], *phones: FarEnd, **order: object
) -> tuple[CallResult, FakeChannel]:
    """The end of the call of a customer who answers after a second and talks so."""
    stays = FarEnd(rings_after=0.1, answers_after=1.0, hangs_up_after=20.0)
    async with under_law(stays, *phones) as (centre, _):
        answered_by(centre.fake, Answerer(talks=talks))
        centre.app.place(make_order(**{**GREETING, **order}))
        result = await centre.ended("call-1")
        await centre.settled()
        centre.assert_nothing_left()
        [customer] = centre.fake.dialled(CUSTOMER)
        return result, customer


def message_at(customer: FakeChannel) -> float:
    """When he heard the message, in seconds after his answer."""
    assert customer.answered_at is not None
    [at] = [at for at, what in customer.heard if what == WORDS]
    return at - customer.answered_at


@pytest.mark.parametrize(
    ("talks", "ended"),
    [
        (((0.3, 0.9),), 0.9),
        (((0.0, 0.02), (0.8, 2.0)), 2.0),
        (((0.3, 1.0), (1.3, 2.2)), 2.2),
        (((0.3, 1.0), (2.2, 2.7)), 1.0),
        (((0.2, 9.0),), 3.0),
        (((0.0, 0.02),), 0.0),
        ((), 0.0),
    ],
    ids=["hello", "late", "with a pause", "asks again", "talks on", "silence that Asterisk took for talk", "no sound"],
)
def test_the_message_is_heard_within_two_seconds_of_the_end_of_the_first_words(
    talks: tuple[tuple[float, float], ...], ended: float
) -> None:
    async def life() -> None:
        result, customer = await lived(talks)
        assert ended + 1.7 <= message_at(customer) <= ended + 2.0
        assert result.outcome is Outcome.NO_FREE_OPERATORS
        told = result.record.get("greeting_seconds")
        assert told is None if not talks else told == pytest.approx(ended, abs=0.05)

    run_virtual(life())


@on_virtual_clock
async def test_from_the_answer_the_greeting_changes_nothing_and_is_not_listened_to():
    result, customer = await lived(((0.3, 1.5),), greeting_seconds=0.0)
    assert 1.75 <= message_at(customer) <= 2.0
    assert "greeting_seconds" not in result.record
    assert "TALK_DETECT(set)" not in customer.variables


@on_virtual_clock
async def test_an_agent_has_the_time_of_the_greeting_to_answer_and_then_nothing_is_listened_to():
    result, customer = await lived(((0.3, 1.5),), PHONE_OF_2_SECONDS)
    assert result.outcome is Outcome.CONNECTED
    assert 2.0 < result.record["answer_to_agent_seconds"] < 3.3
    assert result.record["greeting_seconds"] == pytest.approx(1.5, abs=0.05)
    assert "TALK_DETECT(remove)" in customer.variables
    early, _ = await lived(((0.3, 1.5),), PHONE_OF_2_SECONDS, greeting_seconds=0.0)
    assert early.outcome is Outcome.NO_FREE_OPERATORS, "from the answer he would have been too late"
