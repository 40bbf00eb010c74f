"""Random keyings at the menu on whole calls, and callers' ears through mixed endings, on the virtual clock."""

from __future__ import annotations

import asyncio
import random
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from contact_center.ratings.money import MOST
from contact_center.terms import AgentState
from tests.calls.menu_world import GROUP, Menus, said
from tests.calls.queue_world import DID, queue_world
from tests.calls.world import PHONE, make_order, world
from tests.support.fake_ari import FarEnd
from tests.support.virtual_clock import run_virtual

LIMIT_SECONDS = 40.0
CUSTOMER = "PJSIP/customer-*@trunk"
KEY = st.tuples(st.sampled_from("0123456789*#"), st.sampled_from((0.05, 0.2, 1.0, 6.5)))


async def keyed(keys: list[tuple[str, float]], hangs_up: bool) -> None:
    """One call whose agent keys this after the customer has gone, each key after its pause."""
    async with world(PHONE) as centre:
        menus = Menus(centre.app.env, limit_seconds=LIMIT_SECONDS)
        centre.fake.far(CUSTOMER, FarEnd(rings_after=0.1, answers_after=0.5, hangs_up_after=2.0))
        centre.app.place(make_order(rating_group="sales", rating_ivr=True))
        await centre.heard.done.setdefault("call-1", asyncio.Event()).wait()
        began = asyncio.get_running_loop().time()
        leg = centre.fake.dialled("PJSIP/1001")[-1]
        for key, pause in keys:
            await asyncio.sleep(pause)
            centre.fake.press(leg.id, key)
        if hangs_up:
            centre.fake.hang_up(leg.id)
        await centre.ended("call-1")
        assert asyncio.get_running_loop().time() - began <= max(sum(p for _, p in keys), LIMIT_SECONDS) + 1.0
        assert len(menus.results) == 1
        assert (menus.results == ["rated"]) == (len(menus.rated) == 1)
        for name, value in menus.rated:
            option = GROUP.find(name)
            assert option is not None
            assert option.asks_value == (value is not None)
            assert str(option.digit) in "".join(key for key, _ in keys)
            assert value is None or Decimal(0) <= Decimal(value) <= MOST
        assert said(centre.fake.dialled(CUSTOMER)[0]) == []
        await centre.settled()
        assert centre.roster.get("1001").state is AgentState.IDLE
        centre.assert_nothing_left()


@settings(max_examples=500, deadline=None)
@given(st.lists(KEY, max_size=45), st.booleans())
def test_whatever_is_keyed_one_answer_is_stored_in_time_and_the_customer_hears_none_of_it(keys, hangs_up):
    run_virtual(keyed(keys, hangs_up))


ENDINGS = ("caller", "agent", "forced", "supervisor", "both", "caller then agent")


def test_in_200_calls_of_mixed_endings_no_caller_hears_a_prompt_of_the_menus() -> None:
    async def life() -> None:
        dice = random.Random(7)
        async with queue_world() as centre:
            menus = Menus(centre.world.app.env, limit_seconds=10.0)
            centre.queue(
                "sales", dids=DID, rating_group="sales", rating_ivr="on", force_hangup="on", category_menu="both",
                strategy="ring_all" if dice.random() < 0.1 else "longest_idle",
            )  # fmt: skip
            for n in range(4):
                centre.agent(str(1001 + n), PHONE, "sales")
            calls = []
            for n in range(200):
                caller = centre.call()
                calls.append(caller)
                asyncio.get_running_loop().call_later(
                    dice.uniform(0.0, 6.0), _end, centre, caller.id, ENDINGS[n % len(ENDINGS)], dice.random()
                )
                await asyncio.sleep(dice.uniform(0.5, 3.0))
            await asyncio.sleep(60)
            await centre.settled()
            assert [caller.id for caller in calls if said(caller)] == []
            assert menus.results.count("rated") > 20
            centre.world.assert_nothing_left()

    run_virtual(life())


def _end(centre, caller_id: str, ending: str, chance: float) -> None:
    fake = centre.world.fake
    caller = fake.channels.get(caller_id)
    others = [] if caller is None or caller.bridge is None else [c for c in caller.bridge.members if c is not caller]
    for agent in others:
        asyncio.get_running_loop().call_later(1.0 + chance, fake.press, agent.id, "2")
        if ending == "forced":
            fake.press(agent.id, "*2")
            return
        if ending in ("agent", "both"):
            fake.hang_up(agent.id)
        if ending == "caller then agent":
            asyncio.get_running_loop().call_later(chance, fake.hang_up, agent.id)
    if ending == "supervisor" and others:
        call = centre.desk.calls[caller_id]
        asyncio.ensure_future(centre.desk.hang_up(call.caller.call_id))  # noqa: RUF006
    elif ending != "agent" or not others:
        fake.hang_up(caller_id)
