"""Who answered, and what becomes of the call then, on the virtual clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from ari_app import detection
from ari_app.queue_records import CallRecords
from contact_center.dialling import CallResult
from contact_center.settings import Amd
from contact_center.terms import AgentState, CallState, Outcome
from tests.calls.world import PHONE, World, make_order, world
from tests.support.fake_amd import MACHINE, PERSON, SILENT_PERSON, Answerer, answered_by
from tests.support.fake_ari import FarEnd
from tests.support.fake_world import FakeChannel
from tests.support.virtual_clock import on_virtual_clock, run_virtual

CUSTOMER = "PJSIP/customer-*@trunk"
WORDS = "sound:custom/call-us-back"
TALK_SECONDS = 20.0
LEAVE = {"machine_action": "message", "machine_message": "custom/call-us-back"}


@asynccontextmanager
async def listening(answerer: Answerer, *phones: FarEnd, **amd: Any) -> AsyncIterator[World]:
    """``answerer`` answers at second 1 and stays for TALK_SECONDS once an agent could be there."""
    async with world(*phones, amd={"sample_share": 0.0, **amd}) as centre:
        answered_by(centre.fake, answerer)
        centre.fake.far(CUSTOMER, FarEnd(rings_after=0.1, answers_after=1.0, hangs_up_after=TALK_SECONDS))
        centre.fake.sound_seconds[WORDS] = 8.0
        centre.app.env.machine_words = lambda text: (f"sound:{text}",) if text else ()
        yield centre


def place(centre: World, **changes: Any) -> None:
    centre.app.place(make_order(**{"detect": True, **changes}))


async def lived(centre: World, **changes: Any) -> tuple[CallResult, FakeChannel]:
    place(centre, **changes)
    result = await centre.ended("call-1")
    await centre.settled()
    centre.assert_nothing_left()
    [customer] = centre.fake.dialled(CUSTOMER)
    return result, customer


def started_at(customer: FakeChannel) -> list[float]:
    """When the message was begun, in seconds after the answer."""
    assert customer.answered_at is not None
    return [round(at - customer.answered_at, 2) for at, what in customer.heard if what == WORDS]


@pytest.mark.parametrize(
    ("answerer", "within"), [(PERSON, 1.25), (SILENT_PERSON, 1.75), (replace(PERSON, seconds=None), 1.85)]
)
def test_a_person_has_an_agent_when_he_is_known_and_in_doubt_at_the_bound(answerer: Answerer, within: float):
    async def life() -> None:
        async with listening(answerer, FarEnd(answers_after=0.01)) as centre:
            result, _ = await lived(centre)
            assert result.outcome is Outcome.CONNECTED
            assert result.record["answer_to_agent_seconds"] == pytest.approx(within, abs=0.1)
            told = result.record["amd"]
            assert told["status"] == ("HUMAN" if answerer is PERSON else "NOTSURE")
            assert (told["sampled"], told["action"]) == (False, "hangup")
            assert [what for _, what in centre.heard.steps] == ["ringing", "answered", "person", "connected 1001"]

    run_virtual(life())


@on_virtual_clock
async def test_without_detection_nobody_listens():
    async with listening(MACHINE, PHONE) as centre:
        result, _ = await lived(centre, detect=False)
        assert result.outcome is Outcome.CONNECTED
        assert "amd" not in result.record
        assert centre.fake.dialled("Snoop/*") == []


@on_virtual_clock
async def test_a_machine_is_hung_up_on_and_no_agent_is_rung():
    async with listening(MACHINE, PHONE) as centre:
        result, customer = await lived(centre)
        assert result.outcome is Outcome.MACHINE
        assert customer.ended_at - customer.answered_at == pytest.approx(1.3, abs=0.1)
        assert (result.record["disposition"], result.record["call_state"]) == ("machine", CallState.ANSWERING_MACHINE_A)
        assert result.record["hung_up_by"] == "system"
        assert result.record["amd"]["cause"] == "LONGGREETING-1100-1100"
        assert result.record["amd"]["seconds"] == pytest.approx(1.3, abs=0.05)
        assert centre.fake.dialled("PJSIP/1001") == []
        assert [what for _, what in centre.heard.steps] == ["ringing", "answered", "machine"]


@on_virtual_clock
async def test_queue_log_does_not_call_a_machine_an_abandoned_call():
    lines: list[tuple[object, ...]] = []

    class Log:
        def write(self, *words: object) -> None:
            lines.append(words)

    async with listening(MACHINE, PHONE) as centre:
        centre.app.env.progress = CallRecords(Log(), centre.roster, centre.heard)
        await lived(centre)
    assert [line[3] for line in lines] == ["ENTERQUEUE", "EXITWITHTIMEOUT", "CALLSTATUS"]
    assert lines[-1][4:] == ("MACHINE",)


@on_virtual_clock
async def test_with_the_action_agent_a_machine_is_connected_as_a_person_is():
    async with listening(MACHINE, PHONE) as centre:
        result, _ = await lived(centre, machine_action="agent")
        assert result.outcome is Outcome.CONNECTED
        assert (result.record["amd"]["status"], result.record["amd"]["sampled"]) == ("MACHINE", False)


@on_virtual_clock
async def test_a_sampled_machine_goes_to_an_agent():
    async with listening(MACHINE, PHONE, sample_share=1.0) as centre:
        result, _ = await lived(centre)
        assert result.outcome is Outcome.CONNECTED
        assert result.record["amd"]["sampled"]


def test_the_sample_is_of_the_size_that_was_asked_for_and_the_same_for_the_same_call():
    calls = [f"call-{n}" for n in range(10_000)]
    sampled = [call for call in calls if detection.is_sampled(call, 0.05)]
    assert 400 < len(sampled) < 600
    assert sampled == [call for call in calls if detection.is_sampled(call, 0.05)]
    assert not any(detection.is_sampled(call, 0.0) for call in calls)
    assert all(detection.is_sampled(call, 1.0) for call in calls)


@on_virtual_clock
async def test_a_message_is_left_after_the_beep_and_the_lead_is_done():
    async with listening(MACHINE, PHONE) as centre:
        result, customer = await lived(centre, **LEAVE)
        assert (result.outcome, result.message_left) == (Outcome.MACHINE, True)
        assert started_at(customer) == [pytest.approx(6.9 + 2.0, abs=0.1)]
        assert customer.ended_at - customer.answered_at == pytest.approx(6.9 + 2.0 + 8.0, abs=0.2)
        assert [(span["kind"], span["label"]) for span in result.record["timeline"]][-1] == ("menu", "message left")
        assert result.record["timeline"][-1]["seconds"] == pytest.approx(8.0, abs=0.1)
        assert centre.fake.dialled("PJSIP/1001") == []


@on_virtual_clock
async def test_a_beep_that_comes_late_makes_the_message_begin_again():
    late = replace(MACHINE, talks=((0.0, 3.0), (5.5, 6.0)))
    async with listening(late, PHONE) as centre:
        result, customer = await lived(centre, **LEAVE)
        assert result.message_left
        assert started_at(customer) == [pytest.approx(5.0, abs=0.1), pytest.approx(8.0, abs=0.1)]


@on_virtual_clock
async def test_a_machine_that_never_stops_or_never_speaks_is_told_all_the_same():
    endless = replace(MACHINE, talks=((0.0, 1000.0),))
    async with listening(endless, PHONE, greeting_longest_seconds=5.0) as centre:
        result, customer = await lived(centre, **LEAVE)
        assert (result.message_left, started_at(customer)) == (True, [pytest.approx(1.3 + 5.0, abs=0.1)])
    async with listening(replace(MACHINE, talks=()), PHONE) as centre:
        result, customer = await lived(centre, **LEAVE)
        assert (result.message_left, started_at(customer)) == (True, [pytest.approx(1.3 + 2.0, abs=0.1)])


@on_virtual_clock
async def test_a_message_that_was_cut_short_was_not_left():
    async with listening(MACHINE, PHONE) as centre:
        centre.fake.far(CUSTOMER, FarEnd(rings_after=0.1, answers_after=1.0, hangs_up_after=12.0))
        result, _ = await lived(centre, **LEAVE)
        assert (result.outcome, result.message_left) == (Outcome.MACHINE, False)
        assert (result.record["hung_up_by"], result.record["call_state"]) == ("caller", CallState.ANSWERING_MACHINE_A)


@on_virtual_clock
async def test_without_words_a_machine_is_hung_up_on():
    async with listening(MACHINE, PHONE) as centre:
        result, customer = await lived(centre, machine_action="message")
        assert (result.outcome, result.message_left) == (Outcome.MACHINE, False)
        assert customer.ended_at - customer.answered_at < 2.0


@on_virtual_clock
async def test_who_hears_the_message_of_the_law_hears_it_by_the_deadline():
    law = {"message": "custom/who-called", "message_required": True}
    async with listening(replace(SILENT_PERSON, seconds=None)) as centre:
        centre.app.env.words = lambda text: (f"sound:{text}",)
        result, customer = await lived(centre, **law)
        [heard_at] = [at for at, what in customer.heard if what == "sound:custom/who-called"]
        assert heard_at - customer.answered_at <= 2.0
        assert result.outcome is Outcome.NO_FREE_OPERATORS


@pytest.mark.parametrize("deadline", [0.5, 1.0, 2.0, 30.0])
def test_the_bound_leaves_time_within_the_deadline_and_silence_is_never_a_machine(deadline: float):
    amd = Amd()
    bound = detection.bound_seconds(amd, deadline)
    assert bound <= min(1.7, 0.85 * deadline)
    initial, _, _, total, *_ = (int(part) for part in detection.parameters(amd, bound).split(","))
    assert initial > total == round(1000 * bound)
    assert len(detection.parameters(amd, bound).split(",")) == 9


@on_virtual_clock
async def test_where_nobody_can_listen_whoever_answered_is_a_person():
    async with listening(MACHINE, PHONE) as centre:
        centre.fake.dialplan.clear()  # the context is not in the dialplan
        result, _ = await lived(centre)
        assert result.outcome is Outcome.CONNECTED
        assert result.record["amd"]["status"] == "NOTSURE"


@pytest.mark.parametrize("who", ["customer", "asterisk", "line", "supervisor"])
@pytest.mark.parametrize("action", ["hangup", "message"])
def test_an_end_at_every_instant_leaves_nothing_behind_and_one_record(who: str, action: str):
    async def life(at: float) -> None:
        async with listening(replace(MACHINE, talks=((0.0, 0.5),)), PHONE, message_silence_seconds=0.3) as centre:
            centre.fake.sound_seconds[WORDS] = 0.5
            place(centre, **{**LEAVE, "machine_action": action})
            await asyncio.sleep(at)
            if who == "customer":
                centre.fake.hang_up("cw-1")
            elif who == "asterisk":
                centre.fake.crash()
                centre.fake.boot()
            elif who == "line":
                centre.fake.drop_sockets()
            else:
                await centre.app.hang_up("call-1")
            await centre.settled()
            [result] = centre.heard.results["call-1"]
            assert centre.roster.get("1001").state is AgentState.IDLE
            assert result.outcome in (Outcome.MACHINE, Outcome.TECHNICAL_ERROR, Outcome.CONNECTED)
            centre.assert_nothing_left()

    for step in range(75):
        run_virtual(life(1.04 + step * 0.02))
