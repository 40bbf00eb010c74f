"""What a call asks of Asterisk, and when: every command costs both of them time."""

from __future__ import annotations

from contact_center.terms import Outcome
from tests.calls.world import make_order, world
from tests.support.fake_ari import FarEnd
from tests.support.virtual_clock import on_virtual_clock

CUSTOMER = "PJSIP/customer-*@trunk"


@on_virtual_clock
async def test_one_command_stands_between_the_agents_answer_and_the_talk():
    async with world(FarEnd(rings_after=0.05, answers_after=0.2)) as centre:
        centre.fake.far(CUSTOMER, FarEnd(rings_after=0.1, answers_after=1.0, hangs_up_after=2.0))
        centre.app.place(make_order())
        result = await centre.ended("call-1")
        assert result.outcome is Outcome.CONNECTED
        [agent] = centre.fake.dialled("PJSIP/1001")
        [customer] = centre.fake.dialled(CUSTOMER)
        joined_at = next(at for at, bridge in agent.bridge_log if bridge)
        needed = [path for at, _, path in centre.fake.requests if agent.answered_at <= at <= joined_at]
        assert [path.rpartition("/")[2] for path in needed] == ["addChannel"]
        assert next(at for at, bridge in customer.bridge_log if bridge) < agent.answered_at


@on_virtual_clock
async def test_a_whole_call_takes_five_commands():
    async with world(FarEnd(rings_after=0.05, answers_after=0.1)) as centre:
        centre.fake.far(CUSTOMER, FarEnd(rings_after=0.1, answers_after=1.0, hangs_up_after=1.0))
        before = len(centre.fake.requests)
        centre.app.place(make_order())
        await centre.ended("call-1")
        paths = [path for _, _, path in centre.fake.requests[before:] if not path.startswith(("events/", "bridges"))]
        adds = [path for _, _, path in centre.fake.requests if path.endswith("/addChannel")]
        assert len(adds) == 2
        assert len(paths) == 3


@on_virtual_clock
async def test_a_customer_who_sat_down_for_an_agent_who_did_not_answer_talks_to_the_next():
    async with world(FarEnd(rings_after=0.05, rejects_after=0.3), FarEnd(answers_after=0.2)) as centre:
        centre.fake.far(CUSTOMER, FarEnd(rings_after=0.1, answers_after=1.0, hangs_up_after=3.0))
        centre.app.place(make_order())
        result = await centre.ended("call-1")
        assert (result.outcome, result.agent) == (Outcome.CONNECTED, "1002")
        [agent] = centre.fake.dialled("PJSIP/1002")
        [customer] = centre.fake.dialled(CUSTOMER)
        assert [bridge for _, bridge in agent.bridge_log if bridge] == [[b for _, b in customer.bridge_log if b][-1]]
        await centre.settled()
        centre.assert_nothing_left()
