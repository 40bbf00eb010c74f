"""An agent's phone transfers by itself: hold, a second call, REFER with Replaces; on the virtual clock."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from contact_center.store.facts import CallFinished
from contact_center.terms import AgentState
from tests.calls.consult_world import FAR, SETTINGS, TAKES
from tests.calls.queue_world import DID, QueueWorld, queue_world
from tests.support.fake_ari import FarEnd
from tests.support.fake_world import FakeChannel
from tests.support.virtual_clock import on_virtual_clock, run_virtual

BUSY = FarEnd(rings_after=0.05, rejects_after=1.0)


@dataclass
class Desk:
    """A customer who talks to 1001, and the second call of 1001's phone."""

    centre: QueueWorld
    customer: FakeChannel
    second: FakeChannel = field(init=False)

    @property
    def agent(self) -> FakeChannel:
        return self.centre.world.fake.dialled("PJSIP/1001")[0]

    @property
    def others(self) -> list[FakeChannel]:
        fake = self.centre.world.fake
        return [*fake.dialled("PJSIP/1002"), *fake.dialled(FAR)]

    async def calls(self, text: str = "1002", *, holds: bool = True) -> None:
        """He holds the customer and dials."""
        if holds:
            self.centre.world.fake.hold(self.agent.id)
        self.second = self.centre.dial("1001", text)
        await asyncio.sleep(1.5)

    async def refers(self) -> None:
        self.centre.world.fake.refer(self.agent.id, "1002", replaces=self.second.id)
        await asyncio.sleep(1)

    async def hang_up(self, *who: FakeChannel) -> None:
        for one in who:
            self.centre.world.fake.hang_up(one.id)
        await asyncio.sleep(1)

    def hears(self) -> str:
        """Who hears whom: c customer, a agent's first call, s his second, o other; a star for music."""
        fake, alive = self.centre.world.fake, self.centre.world.fake.channels
        parties = {"c": self.customer, "a": self.agent, "s": self.second}
        if others := [one for one in self.others if one.id in alive]:
            parties["o"] = others[-1]
        music = {name for name, party in parties.items() if (party.moh or party.held) and party.id in alive}
        found = [
            one + other
            for one, other in ("ca", "co", "cs", "so", "ao")
            if one in parties and other in parties and fake.together(parties[one].id, parties[other].id)
            if not parties[one].held and not parties[other].held
        ]
        return " ".join(found + sorted(f"{name}*" for name in music))


async def desk(centre: QueueWorld, other: FarEnd = TAKES) -> Desk:
    centre.queue("sales", dids=DID)
    centre.agent("1001", TAKES, "sales")
    centre.agent("1002", other)
    centre.world.fake.far(FAR, other)
    made = Desk(centre, centre.call())
    await asyncio.sleep(3)
    return made


@pytest.mark.parametrize("holds", [True, False])
@pytest.mark.parametrize("number", ["1002", "02079460018"])
def test_hold_a_second_call_and_refer_with_replaces_give_the_customer_to_a_colleague_or_a_number(number, holds):
    async def life() -> None:
        async with queue_world(**SETTINGS) as centre:
            phone = await desk(centre)
            await phone.calls(number, holds=holds)
            assert phone.hears() == "so c*"
            await asyncio.sleep(4)
            await phone.refers()
            assert (phone.hears(), phone.agent.told) == ("co", ["channel_answered"])
            assert {phone.agent.id, phone.second.id}.isdisjoint(centre.world.fake.channels)
            assert centre.world.roster.get("1001").state is AgentState.IDLE
            await asyncio.sleep(5)
            await phone.hang_up(phone.customer)
            record = await centre.record(phone.customer)
            spans = [(event["kind"], event["agent"] or event["label"]) for event in record["timeline"]]
            assert [kind for kind, _ in spans[:3]] == ["queue", "conversation", "consult"]
            assert len([f for f in centre.facts if isinstance(f, CallFinished)]) == 1
            if number == "1002":
                assert spans[2:] == [("consult", "Agent 1002"), ("conversation", "Agent 1002")]
                assert record["agents"] == ["Agent 1001", "Agent 1002"]
            await centre.settled()
            centre.world.assert_nothing_left()

    run_virtual(life())


@pytest.mark.parametrize("who", ["agent", "second", "other", "customer", "phone", "phone, second first"])
@pytest.mark.parametrize("answered", [True, False])
def test_whoever_hangs_up_the_customer_is_where_he_was_or_with_the_other(who, answered):
    async def life() -> None:
        async with queue_world(**SETTINGS) as centre:
            phone = await desk(centre, TAKES if answered else FarEnd(rings_after=0.05, answers_after=3.0))
            await phone.calls()
            assert phone.hears() == ("so c*" if answered else "c*")
            gone = {
                "agent": [phone.agent],
                "second": [phone.second],
                "other": [phone.others[0]],
                "customer": [phone.customer],
                "phone": [phone.agent, phone.second],
                "phone, second first": [phone.second, phone.agent],
            }[who]
            await phone.hang_up(*gone)
            if who in ("second", "other"):
                assert phone.hears() == "c*"
                assert centre.world.fake.channels.keys() == {phone.customer.id, phone.agent.id}
                centre.world.fake.hold(phone.agent.id, on=False)
                assert phone.hears() == "ca"
            elif who != "customer":
                assert phone.hears() == ("co" if answered else "c*")
                await asyncio.sleep(2)
                assert phone.hears() == "co"
            await phone.hang_up(phone.customer)
            await centre.record(phone.customer)
            await centre.settled()
            centre.world.assert_nothing_left()

    run_virtual(life())


@on_virtual_clock
async def test_who_does_not_answer_leaves_the_customer_on_hold_and_the_phone_can_call_another():
    async with queue_world(**SETTINGS) as centre:
        phone = await desk(centre, BUSY)
        await phone.calls()
        assert (phone.hears(), phone.second.cause) == ("c*", 17)
        await phone.calls("02079460018", holds=False)
        assert phone.second.cause in (17, 19)
        centre.world.fake.far("PJSIP/1002", TAKES)
        await phone.calls(holds=False)
        assert phone.hears() == "so c*"
        await phone.refers()
        assert phone.hears() == "co"
        await phone.hang_up(phone.customer)
        await centre.settled()
        centre.world.assert_nothing_left()


@pytest.mark.parametrize("takes", [True, False])
def test_refer_while_it_rings_gives_the_customer_to_whoever_answers_or_leaves_him_with_his_agent(takes):
    async def life() -> None:
        async with queue_world(**SETTINGS) as centre:
            does = {"answers_after": 4.0} if takes else {"rejects_after": 4.0}
            phone = await desk(centre, FarEnd(rings_after=0.05, **does))
            await phone.calls()
            await phone.refers()
            assert (phone.hears(), phone.second.id in centre.world.fake.channels) == ("c*", False)
            centre.world.fake.hold(phone.agent.id, on=False)
            await asyncio.sleep(3)
            assert phone.agent.told == ["channel_answered" if takes else "channel_unavailable"]
            assert phone.hears() == ("co" if takes else "ca")
            await phone.hang_up(phone.customer)
            await centre.settled()
            centre.world.assert_nothing_left()

    run_virtual(life())


@on_virtual_clock
async def test_a_phone_that_takes_its_customer_off_hold_hears_him_and_the_record_tells_it():
    async with queue_world(**SETTINGS) as centre:
        phone = await desk(centre)
        await phone.calls(holds=False)
        centre.world.fake.hold(phone.agent.id, on=False)
        await asyncio.sleep(2)
        assert phone.hears() == "ca so"
        centre.world.fake.hold(phone.agent.id)
        await asyncio.sleep(2)
        assert phone.hears() == "so c*"
        await phone.refers()
        await asyncio.sleep(1)
        await phone.hang_up(phone.others[0])
        record = await centre.record(phone.customer)
        kinds = [event["kind"] for event in record["timeline"]]
        assert kinds == ["queue", "conversation", "consult", "conversation", "consult", "conversation"]
        await centre.settled()
        centre.world.assert_nothing_left()


@on_virtual_clock
async def test_a_third_call_of_the_phone_is_busy_and_a_refer_to_a_strangers_call_is_declined():
    async with queue_world(**SETTINGS) as centre:
        phone = await desk(centre)
        await phone.calls()
        third = centre.dial("1001", "1003")
        centre.world.fake.refer(phone.agent.id, "1003", replaces=phone.customer.id)
        await asyncio.sleep(1)
        assert (third.cause, phone.agent.told, phone.hears()) == (17, ["channel_declined"], "so c*")
        centre.world.fake.refer(phone.second.id, "1001", replaces=phone.agent.id)
        await asyncio.sleep(1)
        assert (phone.second.told, phone.hears()) == (["channel_answered"], "co")
        await phone.hang_up(phone.customer)
        await centre.settled()
        centre.world.assert_nothing_left()


@pytest.mark.parametrize("who", ["customer", "agent", "second", "other", "refer"])
@pytest.mark.parametrize("holds", [True, False])
def test_at_every_instant_of_a_phones_transfer_an_end_leaves_nothing_behind_and_one_record(who, holds):
    async def life(at: float) -> None:
        async with queue_world(**SETTINGS) as centre:
            phone = await desk(centre)
            fake = centre.world.fake
            if holds:
                fake.hold(phone.agent.id)
            phone.second = centre.dial("1001", "1002")
            await asyncio.sleep(at)
            if who == "refer":
                fake.refer(phone.agent.id, "1002", replaces=phone.second.id)
            else:
                legs = phone.others if who == "other" else [getattr(phone, who)]
                for leg in legs[:1]:
                    fake.hang_up(leg.id)
            await asyncio.sleep(3)
            if who != "customer":
                assert phone.customer.id in fake.channels
                assert phone.hears().startswith(("c*", "co", "ca", "so c*")), phone.hears()
            for left in list(fake.channels):
                fake.hang_up(left)
            await centre.settled()
            assert len([f for f in centre.facts if isinstance(f, CallFinished)]) == 1
            centre.world.assert_nothing_left()

    for step in range(50):
        run_virtual(life(step * 0.02))


def test_a_customer_who_hangs_up_at_any_instant_of_the_join_leaves_nobody_behind():
    async def life(at: float) -> None:
        async with queue_world(**SETTINGS) as centre:
            phone = await desk(centre)
            await phone.calls()
            centre.world.fake.slow = lambda method, path: 0.01
            centre.world.fake.refer(phone.agent.id, "1002", replaces=phone.second.id)
            await asyncio.sleep(at)
            centre.world.fake.hang_up(phone.customer.id)
            await asyncio.sleep(1)
            await centre.settled()
            assert {centre.world.roster.get(ext).state for ext in ("1001", "1002")} == {AgentState.IDLE}
            centre.world.assert_nothing_left()

    for step in range(60):
        run_virtual(life(step * 0.002))
