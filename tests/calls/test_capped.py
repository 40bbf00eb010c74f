"""Caps of a trunk and every kind of call to the outside, on the virtual clock and a real store."""

from __future__ import annotations

import asyncio

from sqlalchemy import Engine

from contact_center.settings import Caps, Settings
from contact_center.trunks import Trunks
from tests.calls.callback_world import TAKES, CallbackWorld, busy, lived, states
from tests.support.fake_ari import FarEnd

CALLS = 4
AWAY = "442079460601"
OWN, CONSULTED, SENT_ON, ELSEWHERE = (f"+4420794600{n}" for n in range(18, 22))
ANSWERS = FarEnd(rings_after=0.1, answers_after=0.5)


def capped(world: CallbackWorld) -> Trunks:
    """The trunk has a cap from now on."""
    env = world.centre.world.app.env
    settings = {"trunk": {"main": {"host": "127.0.0.9", "calls_per_day": CALLS}}, "site": {"number_check": "digits"}}
    env.settings = Settings.model_validate(settings)
    env.trunks = Trunks(env.settings, env.clock, lambda _: None)
    env.spoken = lambda word: (f"sound:{word}",)
    return env.trunks


async def consult(world: CallbackWorld, channel_id: str, number: str) -> None:
    """The agent on this channel asks for a number outside."""
    world.fake.press(channel_id, f"*70{number.removeprefix('+44')}#")
    await asyncio.sleep(2)


def test_every_kind_of_call_uses_one_cap_and_once_it_is_reached_nobody_calls(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        trunks = capped(world)
        world.customer(ANSWERS)
        world.centre.queue("away", dids=AWAY, max_wait="1", overflow=f"number:{SENT_ON}")
        world.centre.agent("1002", TAKES)
        with busy(world):
            await world.ordered()
            own = world.centre.dial("1002", OWN)
            await asyncio.sleep(3)
            await consult(world, own.id, CONSULTED)
            sent_on = world.centre.call(AWAY)
            await asyncio.sleep(3)
            assert trunks.choose(()) == "main"
            trunks.sent("main")
            assert [leg.endpoint.partition("sip:")[2].partition("@")[0] for leg in world.dials()] == [
                *(OWN, CONSULTED, SENT_ON)
            ]
            for call in (own, sent_on):
                world.fake.hang_up(call.id)
            await asyncio.sleep(5)
        assert trunks.choose(()) is None
        refused = world.centre.dial("1002", ELSEWHERE)
        late = world.centre.call(AWAY)
        await asyncio.sleep(20)
        assert [what for _, what in refused.heard] == ["sound:capped"]
        assert refused.cause == 34
        world.fake.hang_up(late.id)
        assert len(world.dials()) == CALLS - 1
        assert (states(world), world.fake.dialled("PJSIP/1001")) == ([("waiting", 0, 0)], [])

        trunks.take_caps("main", Caps(calls_per_day=CALLS + 1))
        await asyncio.sleep(15)
        assert len(world.dials()) == CALLS
        assert len(world.fake.dialled("PJSIP/1001")) == 1
        world.fake.hang_up(world.dials()[-1].id)
        await asyncio.sleep(3)

    lived(engine, scenario)


def test_a_consult_in_a_talk_is_refused_in_words_and_the_customer_is_with_his_agent_again(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        trunks = capped(world)
        customer = world.centre.call()
        await asyncio.sleep(3)
        [agent] = world.fake.dialled("PJSIP/1001")
        for _ in range(CALLS):
            assert trunks.choose(()) == "main"
            trunks.sent("main")
            await asyncio.sleep(1)
        await consult(world, agent.id, CONSULTED)
        assert "sound:capped" in [what for _, what in agent.heard]
        assert world.fake.together(customer.id, agent.id)
        assert world.dials() == []
        world.fake.hang_up(customer.id)
        await asyncio.sleep(3)

    lived(engine, scenario)
