"""Whole lives of dialled calls on the virtual clock."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from contact_center.clock import iso
from contact_center.terms import AgentState, CallKind, Outcome
from tests.calls.world import PHONE, make_order, world
from tests.support.fake_ari import SILENT, FarEnd
from tests.support.virtual_clock import on_virtual_clock, run_virtual, virtual_now

CUSTOMER = "PJSIP/customer-*@trunk"
ANSWERS = FarEnd(rings_after=0.5, answers_after=3.0, hangs_up_after=20.0)


@on_virtual_clock
async def test_an_answered_customer_talks_to_the_agent_until_he_hangs_up():
    async with world(PHONE) as centre:
        centre.fake.far(CUSTOMER, ANSWERS)
        centre.app.place(make_order())
        await asyncio.sleep(5)
        assert centre.fake.together("cw-1", "cw-1-test-a1")
        result = await centre.ended("call-1")
        assert (result.outcome, result.agent, result.rang) == (Outcome.CONNECTED, "1001", True)
        assert [step for _, step in centre.heard.steps] == ["ringing", "answered", "connected 1001"]
        assert result.record["call_state"] == "NORMAL_CLEARING_A"
        assert (result.sip_code, result.record["attempts"][0]["sip_code"]) == (200, 200)
        await centre.settled()
        centre.assert_nothing_left()


@on_virtual_clock
async def test_a_phone_that_rings_for_ever_is_given_up_after_the_ring_time_counted_from_the_ringing():
    async with world(PHONE) as centre:
        centre.fake.far(CUSTOMER, FarEnd(rings_after=8.0))
        began = asyncio.get_running_loop().time()
        centre.app.place(make_order())
        result = await centre.ended("call-1")
        assert result.outcome is Outcome.MISSED
        assert asyncio.get_running_loop().time() - began == pytest.approx(23.0, abs=0.1)


@pytest.mark.parametrize(("own", "shown"), [("", "<442079460111>"), ("+442079460000", "+442079460000")])
def test_a_campaign_without_a_caller_id_shows_the_trunks_account(own, shown):
    async def life() -> None:
        async with world(PHONE, trunk={"main": {"host": "192.0.2.1", "username": "442079460111"}}) as centre:
            centre.fake.far(CUSTOMER, SILENT)
            centre.app.place(make_order(caller_id=own))
            await centre.ended("call-1")
            [customer] = centre.fake.dialled(CUSTOMER)
            assert customer.caller_id == shown

    run_virtual(life())


@on_virtual_clock
async def test_a_trunk_that_says_nothing_was_not_attempted():
    async with world(PHONE) as centre:
        centre.fake.far(CUSTOMER, SILENT)
        centre.app.place(make_order())
        result = await centre.ended("call-1")
        assert (result.outcome, result.rang, result.sip_code) == (Outcome.NOT_ATTEMPTED, False, None)


@pytest.mark.parametrize(
    ("cause", "code", "outcome"),
    [
        (17, 486, "busy"),
        (19, 480, "unavailable"),
        (1, 404, "invalid_number"),
        (21, 603, "busy"),
        (34, 503, "technical_error"),
    ],
)
def test_a_refusal_is_what_its_sip_code_says(cause, code, outcome):
    async def life() -> None:
        async with world(PHONE) as centre:
            centre.fake.far(CUSTOMER, FarEnd(rings_after=0.1, rejects_after=1.0, rejects_with=(cause, code, "BUSY")))
            centre.app.place(make_order())
            result = await centre.ended("call-1")
            assert (result.outcome, result.sip_code) == (outcome, code)

    run_virtual(life())


@on_virtual_clock
async def test_with_nobody_free_the_customer_is_let_go_before_two_seconds():
    async with world() as centre:
        centre.fake.far(CUSTOMER, FarEnd(rings_after=0.1, answers_after=1.0))
        centre.app.place(make_order())
        result = await centre.ended("call-1")
        assert result.outcome is Outcome.NO_FREE_OPERATORS
        [customer] = centre.fake.dialled(CUSTOMER)
        assert 1.75 <= customer.ended_at - (customer.created + 1.0) <= 2.0


@on_virtual_clock
async def test_a_call_that_may_not_be_sent_any_more_is_given_back_and_nothing_rings():
    async with world(PHONE) as centre:
        centre.fake.far(CUSTOMER, ANSWERS)
        closed = make_order(1, invite_before=virtual_now())
        stale = make_order(2, fresh_until=asyncio.get_running_loop().time() - 0.001)
        for order in (closed, stale):
            centre.app.place(order)
            result = await centre.ended(order.call_id)
            assert (result.outcome, result.withdrawn) == (Outcome.NOT_ATTEMPTED, True)
        assert centre.fake.dialled(CUSTOMER) == []


@on_virtual_clock
async def test_the_rules_that_were_obeyed_stand_in_the_record():
    async with world(PHONE) as centre:
        centre.fake.far(CUSTOMER, ANSWERS)
        centre.app.place(make_order(law_version="us_federal 2026.1 (abc)"))
        assert (await centre.ended("call-1")).record["law_version"] == "us_federal 2026.1 (abc)"


@on_virtual_clock
async def test_an_agent_who_becomes_free_in_time_gets_the_waiting_customer():
    async with world(PHONE) as centre:
        busy = centre.roster.reserve("", "other")
        centre.fake.far(CUSTOMER, FarEnd(rings_after=0.1, answers_after=1.0, hangs_up_after=10.0))
        centre.app.place(make_order())
        await asyncio.sleep(2.0)
        busy.close()
        result = await centre.ended("call-1")
        assert result.outcome is Outcome.CONNECTED


@on_virtual_clock
async def test_an_agent_who_rejects_is_followed_by_the_next_and_the_customer_hears_ringback():
    rejects = FarEnd(rings_after=0.05, rejects_after=0.6)
    async with world(rejects, FarEnd(rings_after=0.05, answers_after=0.5)) as centre:
        centre.fake.far(CUSTOMER, ANSWERS)
        centre.app.place(make_order())
        result = await centre.ended("call-1")
        assert (result.outcome, result.agent) == (Outcome.CONNECTED, "1002")
        rings = [path for _, method, path in centre.fake.requests if path.endswith("/ring") and method == "POST"]
        assert len(rings) == 2
        assert centre.roster.get("1001").misses == 1


@on_virtual_clock
async def test_the_only_agent_who_rejects_a_customer_is_not_offered_him_again_at_once_and_has_missed_one():
    async with world(FarEnd(rings_after=0.05, rejects_after=0.2)) as centre:
        centre.fake.far(CUSTOMER, FarEnd(rings_after=0.5, answers_after=3.0))
        centre.app.place(make_order())
        result = await centre.ended("call-1")
        assert (result.outcome, result.record["call_state"]) == (Outcome.NO_FREE_OPERATORS, "NO_FREE_OPERATORS")
        [customer] = centre.fake.dialled(CUSTOMER)
        assert customer.ended_at - customer.answered_at == pytest.approx(1.8, abs=0.1)
        assert len(centre.fake.dialled("PJSIP/1001")) == 1
        assert (centre.roster.get("1001").state, centre.roster.get("1001").misses) == (AgentState.IDLE, 1)


@on_virtual_clock
async def test_who_becomes_free_in_time_has_the_customer_whom_the_only_free_agent_rejected():
    async with world(FarEnd(rings_after=0.05, rejects_after=0.2), PHONE) as centre:
        busy = centre.roster.reserve("", "other", prefer="1002")
        centre.fake.far(CUSTOMER, ANSWERS)
        centre.app.place(make_order())
        await asyncio.sleep(4.0)
        assert centre.roster.get("1001").state is AgentState.IDLE
        busy.close()
        assert (await centre.ended("call-1")).agent == "1002"
        assert len(centre.fake.dialled("PJSIP/1001")) == 1


@on_virtual_clock
async def test_a_campaign_that_lets_customers_wait_offers_one_again_after_five_seconds():
    async with world(FarEnd(rings_after=0.05, rejects_after=0.2)) as centre:
        centre.fake.far(CUSTOMER, FarEnd(rings_after=0.5, answers_after=3.0))
        centre.app.place(make_order(deadline_seconds=9.0))
        assert (await centre.ended("call-1")).outcome is Outcome.NO_FREE_OPERATORS
        first, second = centre.fake.dialled("PJSIP/1001")
        assert second.created - first.ended_at == pytest.approx(5.0, abs=0.1)
        assert (centre.roster.get("1001").state, centre.roster.get("1001").misses) == (AgentState.IDLE, 1)


@on_virtual_clock
async def test_a_phone_that_is_not_there_makes_its_agent_unreachable_and_the_next_one_talks():
    async with world(FarEnd(exists=False), PHONE) as centre:
        centre.fake.far(CUSTOMER, ANSWERS)
        centre.app.place(make_order())
        result = await centre.ended("call-1")
        assert result.agent == "1002"
        assert centre.roster.get("1001").state is AgentState.UNREACHABLE


@on_virtual_clock
async def test_a_customer_who_leaves_while_the_agent_rings_frees_the_agent_at_once():
    async with world(FarEnd(rings_after=0.05, answers_after=4.0)) as centre:
        centre.fake.far(CUSTOMER, FarEnd(rings_after=0.1, answers_after=1.0, hangs_up_after=1.0))
        centre.app.place(make_order())
        result = await centre.ended("call-1")
        assert result.record["call_state"] == "ORIGINATOR_CANCEL_A"
        assert centre.roster.get("1001").state is AgentState.IDLE
        await centre.settled()
        centre.assert_nothing_left()


@on_virtual_clock
async def test_codes_are_obeyed_and_never_heard_while_other_digits_pass():
    agent = FarEnd(rings_after=0.05, answers_after=0.2, keys=((1.0, "5"), (2.0, "*8"), (2.2, "7#"), (5.0, "*2")))
    async with world(agent) as centre:
        centre.fake.far(CUSTOMER, FarEnd(rings_after=0.1, answers_after=1.0))
        centre.app.place(make_order(force_hangup=True))
        result = await centre.ended("call-1")
        assert centre.disposed == [("call-1", "7", "agent:1001")]
        assert result.record["call_state"] == "FORCED_CLEARING_B"
        [customer] = centre.fake.dialled(CUSTOMER)
        assert [what for _, what in customer.heard if what.startswith("dtmf")] == ["dtmf:5"]


@on_virtual_clock
async def test_force_hang_up_does_nothing_where_it_is_not_allowed_and_is_not_heard_either():
    agent = FarEnd(rings_after=0.05, answers_after=0.2, keys=((1.0, "*2"),), hangs_up_after=8.0)
    async with world(agent) as centre:
        centre.fake.far(CUSTOMER, FarEnd(rings_after=0.1, answers_after=1.0))
        centre.app.place(make_order())
        result = await centre.ended("call-1")
        assert result.record["call_state"] == "NORMAL_CLEARING_B"
        [customer] = centre.fake.dialled(CUSTOMER)
        assert [what for _, what in customer.heard if what.startswith("dtmf")] == []


@on_virtual_clock
async def test_a_call_taken_back_while_it_rings_ends_and_one_that_talks_goes_on():
    async with world(PHONE) as centre:
        centre.fake.far(CUSTOMER, ANSWERS)
        ringing, talking = make_order(1), make_order(2)
        centre.app.place(talking)
        await asyncio.sleep(5)
        centre.app.place(ringing)
        await asyncio.sleep(1)
        centre.app.withdraw(ringing)
        centre.app.withdraw(talking)
        first = await asyncio.wait_for(_result(centre, "call-1"), 1)
        assert (first.outcome, first.withdrawn) == (Outcome.NOT_ATTEMPTED, True)
        assert (await centre.ended("call-2")).outcome is Outcome.CONNECTED


async def _result(centre, call_id):
    await centre.heard.done.setdefault(call_id, asyncio.Event()).wait()
    return centre.heard.results[call_id][0]


@pytest.mark.parametrize("who", ["cw-1", "cw-1-test-a1"])
def test_hang_up_at_every_instant_leaves_nothing_behind_and_one_record(who):
    async def life(at: float) -> None:
        async with world(FarEnd(rings_after=0.05, answers_after=0.6)) as centre:
            centre.fake.far(CUSTOMER, FarEnd(rings_after=0.1, answers_after=0.5))
            centre.app.place(make_order())
            await asyncio.sleep(at)
            centre.fake.hang_up(who)
            await asyncio.sleep(0.5)
            for left in list(centre.fake.channels):
                centre.fake.hang_up(left)
            await centre.settled()
            assert len(centre.heard.results["call-1"]) == 1
            centre.assert_nothing_left()

    for step in range(400):
        run_virtual(life(step * 0.005))


def test_asterisk_dying_at_every_instant_ends_each_call_once_and_frees_the_agent():
    async def life(at: float) -> None:
        async with world(FarEnd(rings_after=0.05, answers_after=0.3)) as centre:
            centre.fake.far(CUSTOMER, FarEnd(rings_after=0.1, answers_after=0.5))
            centre.app.place(make_order())
            await asyncio.sleep(at)
            centre.fake.crash()
            await asyncio.sleep(1.0)
            centre.fake.boot()
            await centre.app.env.ari.until_live()
            await centre.settled()
            [result] = centre.heard.results["call-1"]
            assert result.outcome in (Outcome.CONNECTED, Outcome.TECHNICAL_ERROR, Outcome.NOT_ATTEMPTED)
            centre.assert_nothing_left()

    for step in range(60):
        run_virtual(life(step * 0.02))


@on_virtual_clock
async def test_a_customer_who_waits_past_the_deadline_for_a_ringing_agent_and_leaves_was_abandoned_by_us():
    async with world(FarEnd(rings_after=0.05, answers_after=30.0)) as centre:
        centre.fake.far(CUSTOMER, FarEnd(rings_after=0.1, answers_after=1.0, hangs_up_after=4.0))
        centre.app.place(make_order(agent_ring_seconds=20.0))
        assert (await centre.ended("call-1")).outcome is Outcome.NO_FREE_OPERATORS


@on_virtual_clock
async def test_a_trunk_that_is_silent_for_longer_than_timer_b_was_not_attempted():
    async with world(PHONE) as centre:
        centre.fake.far(CUSTOMER, FarEnd(rings_after=None, rejects_after=32.0, rejects_with=(18, 408, "NOANSWER")))
        centre.app.place(make_order(ring_seconds=60.0))
        result = await centre.ended("call-1")
        assert (result.outcome, result.sip_code) == (Outcome.NOT_ATTEMPTED, None)


@on_virtual_clock
async def test_a_call_taken_back_before_it_was_sent_is_never_sent():
    async with world(PHONE) as centre:
        centre.fake.far(CUSTOMER, ANSWERS)
        order = make_order()
        centre.app.place(order)
        centre.app.withdraw(order)
        assert (await centre.ended("call-1")).outcome is Outcome.NOT_ATTEMPTED
        assert centre.fake.dialled(CUSTOMER) == []


@on_virtual_clock
async def test_while_asterisk_is_frozen_no_agent_is_blamed_and_the_customer_is_served_afterwards():
    async with world(PHONE, PHONE) as centre:
        centre.fake.far(CUSTOMER, FarEnd(rings_after=0.1, answers_after=1.0, hangs_up_after=60.0))
        centre.app.place(make_order())
        await asyncio.sleep(1.05)
        centre.fake.freeze()
        await asyncio.sleep(3.5)
        centre.fake.thaw()
        await asyncio.sleep(8)
        assert [s.state for s in centre.roster if s.state is AgentState.UNREACHABLE] == []
        centre.fake.hang_up("cw-1")
        await centre.ended("call-1")


@on_virtual_clock
async def test_a_dial_that_asterisk_itself_refuses_was_not_attempted():
    async with world(PHONE) as centre:
        centre.fake.far(CUSTOMER, FarEnd(exists=False))
        centre.app.place(make_order())
        result = await centre.ended("call-1")
        assert (result.outcome, result.rang, result.certain) == (Outcome.NOT_ATTEMPTED, False, True)


@pytest.mark.parametrize("answers", [True, False])
def test_a_previewed_customer_waits_in_the_dialers_queue_since_the_agent_was_shown_him(answers):
    async def life() -> None:
        async with world(PHONE) as centre:
            customer = FarEnd(rings_after=0.1, answers_after=4.0 if answers else None, hangs_up_after=6.0)
            centre.fake.far("PJSIP/customer-1@trunk", customer)
            offer = centre.roster.reserve("", "showing")
            shown_at = virtual_now()
            await asyncio.sleep(20)
            order = make_order(kind=CallKind.PREVIEW, queued_at=shown_at)
            offer.call_id = order.call_id
            centre.app.place_held(order, offer, None)
            record = (await centre.ended("call-1")).record
            kinds = [event["kind"] for event in record["timeline"]]
            assert kinds == ["queue", "queue_callback", *(["conversation"] if answers else [])]
            assert [event["at"] for event in record["timeline"][:2]] == [iso(shown_at)] * 2
            waited = 24.0 if answers else 20.1 + 15.0
            assert [event["seconds"] for event in record["timeline"][:2]] == [0.0, pytest.approx(waited, abs=0.2)]
            assert record["timeline"][1]["label"] == ("" if answers else "1 unanswered call completed")
            assert (record["started_at"], record["wait_seconds"]) == (iso(shown_at), pytest.approx(waited, abs=0.2))
            assert record["attempts"][0]["at"] == iso(order.ordered_at)
            assert order.ordered_at - shown_at >= timedelta(seconds=20)

    run_virtual(life())
