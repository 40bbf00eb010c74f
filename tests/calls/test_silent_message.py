"""What a person hears for whom nobody is free, on the virtual clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ari_app.outbound import OutboundCall
from contact_center.dialling import DialOrder
from contact_center.terms import AgentState, Outcome
from tests.calls.world import PHONE, World, make_order, world
from tests.lab.until import until
from tests.support.fake_ari import FarEnd
from tests.support.virtual_clock import on_virtual_clock, run_virtual

CUSTOMER = "PJSIP/customer-*@trunk"
WORDS = "sound:custom/who-called"
SLOW_PHONE = FarEnd(rings_after=0.05, answers_after=4.0)
LAW = {"message": "custom/who-called", "message_required": True, "opt_out_key": "9"}


@asynccontextmanager
async def under_law(customer: FarEnd, *phones: FarEnd) -> AsyncIterator[tuple[World, list[DialOrder]]]:
    async with world(*phones) as centre:
        forbidden: list[DialOrder] = []
        centre.fake.far(CUSTOMER, customer)
        centre.fake.sound_seconds[WORDS] = 8.0
        centre.app.env.words = lambda text: (f"sound:{text}",)
        centre.app.env.forbid = forbidden.append
        yield centre, forbidden


@pytest.mark.parametrize("phones", [(), (SLOW_PHONE,)], ids=["nobody free", "an agent's phone rings"])
def test_the_message_is_heard_within_two_seconds_of_the_answer_unless_an_agent_is_there(phones):
    async def life() -> None:
        async with under_law(FarEnd(rings_after=0.1, answers_after=1.0), *phones) as (centre, forbidden):
            centre.app.place(make_order(**LAW))
            result = await centre.ended("call-1")
            [customer] = centre.fake.dialled(CUSTOMER)
            [heard_at] = [at for at, what in customer.heard if what == WORDS]
            assert 1.75 <= heard_at - customer.answered_at <= 2.0
            assert customer.ended_at - heard_at >= 8.0, "it was not heard to its end"
            assert result.outcome is Outcome.NO_FREE_OPERATORS
            assert not customer.ringback
            kinds = [(span["kind"], span["label"]) for span in result.record["timeline"]]
            assert kinds == [("queue", "spring"), ("queue_callback", ""), ("menu", "silent call message")]
            assert result.record["timeline"][2]["seconds"] == pytest.approx(8.0 + 3.0, abs=0.3)
            assert (result.opted_out, forbidden) == (False, [])
            assert centre.roster.get("1001") is None or centre.roster.get("1001").misses == 0
            await centre.settled()
            centre.assert_nothing_left()

    run_virtual(life())


@on_virtual_clock
async def test_the_key_puts_his_number_on_the_list_at_once_and_ends_the_call():
    keys = ((3.0, "5"), (4.0, "9"))
    async with under_law(FarEnd(rings_after=0.1, answers_after=1.0, keys=keys)) as (centre, forbidden):
        order = make_order(**LAW)
        centre.app.place(order)
        result = await centre.ended("call-1")
        [customer] = centre.fake.dialled(CUSTOMER)
        assert forbidden == [order]
        assert result.opted_out
        assert result.outcome is Outcome.NO_FREE_OPERATORS
        assert customer.ended_at - customer.answered_at == pytest.approx(4.0, abs=0.3)


@on_virtual_clock
async def test_a_person_who_hangs_up_during_the_message_was_abandoned_all_the_same():
    async with under_law(FarEnd(rings_after=0.1, answers_after=1.0, hangs_up_after=3.0)) as (centre, _):
        centre.app.place(make_order(**LAW))
        result = await centre.ended("call-1")
        assert (result.outcome, result.record["hung_up_by"]) == (Outcome.NO_FREE_OPERATORS, "caller")
        assert result.record["timeline"][-1]["kind"] == "menu"
        assert result.record["timeline"][-1]["seconds"] == pytest.approx(1.2, abs=0.1)


@on_virtual_clock
async def test_an_agent_who_answers_in_time_gets_the_customer_and_no_message_is_heard():
    async with under_law(FarEnd(rings_after=0.1, answers_after=1.0, hangs_up_after=10.0), PHONE) as (centre, _):
        centre.app.place(make_order(**LAW))
        result = await centre.ended("call-1")
        [customer] = centre.fake.dialled(CUSTOMER)
        assert result.outcome is Outcome.CONNECTED
        assert WORDS not in [what for _, what in customer.heard]


@on_virtual_clock
async def test_without_a_law_an_agents_phone_may_ring_on_and_a_message_is_only_for_whom_nobody_is_free():
    own = {"message": "custom/who-called"}
    async with under_law(FarEnd(rings_after=0.1, answers_after=1.0, hangs_up_after=10.0), SLOW_PHONE) as (centre, _):
        centre.app.place(make_order(1, **own))
        await asyncio.sleep(2)
        centre.app.place(make_order(2, **own))
        assert (await centre.ended("call-1")).outcome is Outcome.CONNECTED
        result = await centre.ended("call-2")
        assert result.outcome is Outcome.NO_FREE_OPERATORS
        assert result.record["timeline"][-1]["label"] == "silent call message"


@on_virtual_clock
async def test_words_that_are_not_spoken_yet_are_not_waited_for():
    async with under_law(FarEnd(rings_after=0.1, answers_after=1.0)) as (centre, _):
        centre.app.env.words = lambda text: ()
        centre.app.place(make_order(**LAW))
        await centre.ended("call-1")
        [customer] = centre.fake.dialled(CUSTOMER)
        assert customer.ended_at - customer.answered_at <= 2.0


@pytest.mark.parametrize("law", [True, False])
def test_while_asterisk_is_in_doubt_the_laws_seconds_run_on_from_the_answer(law):
    async def life() -> None:
        async with under_law(FarEnd(rings_after=0.1, answers_after=1.0)) as (centre, _):
            fake, env, time = centre.fake, centre.app.env, asyncio.get_running_loop().time
            order = make_order(**LAW) if law else make_order(message=LAW["message"])
            customer = env.ari.channel(order.channel_id)
            await customer.originate(order.endpoint, ring_seconds=15.0)
            await customer.entered
            fake.refuses_with = 401
            fake.drop_sockets()
            await until(lambda: not env.ari.live, 10.0, "the doubt")
            began = time()
            call = asyncio.create_task(OutboundCall(order, env, centre.app.lines).resume_ringing())
            await until(lambda: ("call-1", "let go") in centre.heard.steps, 20.0, "the end of the search")
            assert time() - began == pytest.approx(1.8 if law else 6.8, abs=0.1)
            fake.refuses_with = None
            await call
            await until(lambda: customer.gone.happened, 30.0, "the end of the call")

    run_virtual(life())


@pytest.mark.parametrize("who", ["customer", "asterisk"])
def test_an_end_at_every_instant_of_the_message_leaves_nothing_behind_and_one_record(who):
    async def life(at: float) -> None:
        async with under_law(FarEnd(rings_after=0.1, answers_after=0.5), SLOW_PHONE) as (centre, _):
            centre.app.place(make_order(**LAW))
            await asyncio.sleep(at)
            if who == "customer":
                centre.fake.hang_up("cw-1")
            else:
                centre.fake.crash()
                centre.fake.boot()
            await centre.settled()
            assert len(centre.heard.results["call-1"]) == 1
            assert centre.roster.get("1001").state is AgentState.IDLE
            centre.assert_nothing_left()

    for step in range(60):
        run_virtual(life(2.1 + step * 0.01))
