"""What a next process makes of a campaign's talk that the one before left in Asterisk, on the virtual clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from ari_app.reconcile import Reconciler
from contact_center.dialling import DialOrder, PreviewCard
from contact_center.roster import Offer
from contact_center.store.attempt_facts import AttemptAnswered, AttemptConnected
from contact_center.store.fact import Fact
from contact_center.store.recovery import OpenAttempt, open_attempts
from contact_center.store.writer import Writer
from contact_center.terms import AgentState, AttemptState, CallKind, Outcome
from tests.calls.queue_world import QueueWorld, queue_world
from tests.calls.test_inbound_adopt import MortalTransport
from tests.calls.world import make_order
from tests.support.fake_ari import FakeAri, FakeTransport, FarEnd
from tests.support.fake_world import FakeChannel
from tests.support.virtual_clock import run_virtual, virtual_now

CUSTOMER = "PJSIP/customer-*@trunk"
OUTSIDE = "PJSIP/callwright-trunk-main/*"
SETTINGS: dict[str, Any] = {"trunk": {"main": {"host": "192.0.2.1"}}, "site": {"number_check": "digits"}}
TAKES = FarEnd(rings_after=0.05, answers_after=0.5)
Scene = Callable[[QueueWorld], Awaitable[FakeChannel]]


class OneAttempt:
    """A store that holds one open attempt."""

    def __init__(self, attempt: OpenAttempt) -> None:
        self._attempt = attempt
        self.posted: list[Fact] = []

    def post(self, fact: Fact) -> None:
        self.posted.append(fact)

    async def read(self, fn: Any) -> list[Any]:
        return [self._attempt] if fn is open_attempts else []

    async def commit(self, fn: Any) -> list[Any]:
        return []


def _staff(centre: QueueWorld) -> None:
    centre.world.fake.far(CUSTOMER, FarEnd(rings_after=0.5, answers_after=1.0))
    centre.world.fake.far(OUTSIDE, TAKES)
    centre.agent("1001", TAKES)
    centre.agent("1002", TAKES)


class LeavingTransport(FakeTransport):
    """The customer hangs up as soon as one of the lists of what Asterisk holds has been read."""

    async def request(self, method, path, *words, **more):
        reply = await super().request(method, path, *words, **more)
        if method == "GET" and path in ("bridges", "channels") and "cw-1" in self.fake.channels:
            self.fake.hang_up("cw-1")
        return reply


def _attempt(agent_channel_id: str) -> OpenAttempt:
    order, now = make_order(), virtual_now()
    return OpenAttempt(
        attempt_id=1, call_id=order.call_id, channel_id=order.channel_id, n=1, lead_id=1, campaign_id=1,
        campaign=order.campaign, number=order.number, trunk=order.trunk, kind=CallKind.POWER,
        state=AttemptState.CONNECTED, agent="1001", agent_channel_id=agent_channel_id, bridge_id="", last_agent="",
        attempts=1, intent_at=now, ringing_at=now, answered_at=now, connected_at=now,
        fields={}, zones="",
    )  # fmt: skip


async def _killed(scene: Scene) -> tuple[FakeAri, FakeChannel]:
    """A process that was killed at the end of a scene; the leg of the agent who talks."""
    fake = FakeAri()
    transport = MortalTransport(fake, "callwright")
    async with queue_world(fake=fake, transport=transport, **SETTINGS) as centre:
        _staff(centre)
        agent = await scene(centre)
        transport.dead = True
        fake.drop_sockets("killed")
        [task] = [task for task in asyncio.all_tasks() if task.get_name() == "cw-1"]
        task.cancel()
    return fake, agent


@asynccontextmanager
async def _next_process(
    fake: FakeAri,
    agent: FakeChannel,
    attempt: OpenAttempt | OneAttempt | None = None,
    transport: FakeTransport | None = None,
) -> AsyncIterator[QueueWorld]:
    async def prepared() -> None:
        """Nothing is to be put right."""

    store = attempt if isinstance(attempt, OneAttempt) else OneAttempt(attempt or _attempt(agent.id))
    async with queue_world(fake=fake, transport=transport, **SETTINGS) as centre:
        _staff(centre)
        reconcile = Reconciler(
            app=centre.world.app,
            writer=cast(Writer, store),
            rebuild=lambda _: replace(make_order(), ordered_at=virtual_now()),
            adopted=lambda *_: None,
            prepare=prepared,
        )
        await reconcile()
        await asyncio.sleep(2)
        yield centre


async def _talk(centre: QueueWorld) -> FakeChannel:
    order = replace(make_order(), prefer_agent="1001")
    centre.world.app.place(order)
    await asyncio.sleep(3)
    [agent] = centre.world.fake.dialled("PJSIP/1001")
    assert centre.world.fake.together(order.channel_id, agent.id)
    return agent


async def consult(centre: QueueWorld) -> FakeChannel:
    """The customer is on hold, his agent speaks with a colleague."""
    agent = await _talk(centre)
    centre.world.fake.press(agent.id, "*71002#")
    await asyncio.sleep(2)
    assert centre.world.fake.channels["cw-1"].moh
    return agent


async def three_way(centre: QueueWorld) -> FakeChannel:
    """Customer, agent and colleague hear each other."""
    agent = await consult(centre)
    centre.world.fake.press(agent.id, "*3")
    await asyncio.sleep(1)
    return agent


async def taken_by_star_49(centre: QueueWorld) -> FakeChannel:
    """The agent took a previewed lead, and his customer is in the call with which he did."""
    fake, env, app = centre.world.fake, centre.world.app.env, centre.world.app

    async def take(ext: str, leg: object) -> DialOrder | None:
        seat = env.roster.get(ext)
        assert seat is not None
        env.roster.hold(seat, "call-1")
        app.place_held(make_order(), Offer(env.roster, seat, "call-1"), leg)
        return make_order()

    env.take_preview = take
    card = PreviewCard("shown-1", "1001", 1, "spring", make_order().number, False, virtual_now())
    app.show_preview(card)
    phone = fake.inbound(["preview_accept", "1001"], channel_id="phone", endpoint="PJSIP/1001", state="Ring")
    await asyncio.sleep(6)
    assert fake.together("cw-1", phone.id)
    return phone


@pytest.mark.parametrize("scene", [consult, three_way, taken_by_star_49])
def test_the_customer_is_with_the_agent_who_had_him_and_with_nobody_else(scene: Scene):
    async def life() -> None:
        fake, agent = await _killed(scene)
        async with _next_process(fake, agent) as centre:
            seat = centre.world.roster.get("1001")
            assert fake.together("cw-1", agent.id)
            assert not fake.channels["cw-1"].moh
            assert {channel.id for channel in fake.channels.values()} == {"cw-1", agent.id}
            assert seat is not None
            assert seat.state is AgentState.TALKING
            fake.hang_up(agent.id)
            result = await centre.world.ended("call-1")
            assert (result.outcome, result.agent) == (Outcome.CONNECTED, "1001")
            assert result.record["call_state"] == "NORMAL_CLEARING_B"
            await centre.settled()
            centre.world.assert_nothing_left()

    run_virtual(life())


def test_who_hangs_up_while_asterisk_is_looked_at_has_talked_although_nobody_had_stored_it():
    async def life() -> None:
        fake, agent = await _killed(_talk)
        transport = LeavingTransport(fake, "callwright")
        unstored = OneAttempt(
            replace(_attempt(""), state=AttemptState.RINGING, agent="", answered_at=None, connected_at=None)
        )
        async with _next_process(fake, agent, unstored, transport) as centre:
            result = await centre.world.ended("call-1")
            assert (result.outcome, result.agent) == (Outcome.CONNECTED, "1001")
            [answered, connected] = unstored.posted
            assert isinstance(answered, AttemptAnswered)
            assert isinstance(connected, AttemptConnected)
            assert (connected.agent, connected.agent_channel_id) == ("1001", agent.id)
            await centre.settled()
            centre.world.assert_nothing_left()

    run_virtual(life())


async def given_to_a_colleague(centre: QueueWorld) -> FakeChannel:
    """The agent consulted a colleague and hung up: the customer is the colleague's."""
    agent = await consult(centre)
    centre.world.fake.hang_up(agent.id)
    await asyncio.sleep(1)
    [other] = centre.world.fake.dialled("PJSIP/1002")
    assert centre.world.fake.together("cw-1", other.id)
    return other


def test_who_was_given_a_customer_before_the_restart_consults_another_one_after_it():
    async def life() -> None:
        fake, other = await _killed(given_to_a_colleague)
        async with _next_process(fake, other) as centre:
            centre.agent("1003", TAKES)
            fake.press(other.id, "*71003#")
            await asyncio.sleep(2)
            [third] = fake.dialled("PJSIP/1003")
            assert fake.together(other.id, third.id)
            assert fake.channels["cw-1"].moh
            fake.press(other.id, "*1")
            await asyncio.sleep(1)
            assert fake.together("cw-1", other.id)
            fake.hang_up("cw-1")
            record = (await centre.world.ended("call-1")).record
            assert record["agents"] == ["Agent 1001", "Agent 1002", "Agent 1003"]
            await centre.settled()
            centre.world.assert_nothing_left()

    run_virtual(life())


async def given_to_a_number(centre: QueueWorld) -> FakeChannel:
    """The agent consulted a number outside and hung up: the customer is with that one."""
    agent = await _talk(centre)
    centre.world.fake.press(agent.id, "*702079460018#")
    await asyncio.sleep(2)
    centre.world.fake.hang_up(agent.id)
    await asyncio.sleep(1)
    [there] = centre.world.fake.dialled(OUTSIDE)
    assert centre.world.fake.together("cw-1", there.id)
    return agent


@pytest.mark.parametrize("customer_ends", [True, False])
def test_a_customer_who_was_given_to_a_number_outside_stays_there_and_no_agent_gets_him(customer_ends: bool):
    async def life() -> None:
        fake, agent = await _killed(given_to_a_number)
        [there] = fake.dialled(OUTSIDE)
        talked = replace(_attempt(agent.id), connected_at=virtual_now() - timedelta(seconds=4))
        async with _next_process(fake, agent, talked) as centre:
            assert fake.together("cw-1", there.id)
            assert set(fake.channels) == {"cw-1", there.id}
            assert all(seat.state is AgentState.IDLE for seat in centre.world.roster)
            fake.hang_up("cw-1" if customer_ends else there.id)
            result = await centre.world.ended("call-1")
            assert (result.outcome, result.agent) == (Outcome.CONNECTED, "1001")
            assert result.record["call_state"] == ("NORMAL_CLEARING_A" if customer_ends else "NORMAL_CLEARING_B")
            spans = [event["label"] for event in result.record["timeline"][-2:]]
            assert spans == ["conversation", "+442079460018"]
            await centre.settled()
            centre.world.assert_nothing_left()

    run_virtual(life())


@pytest.mark.parametrize(("seconds", "closed"), [(0, [1]), (1, [])], ids=["before", "meanwhile"])
def test_an_intent_that_is_committed_while_asterisk_is_looked_at_is_left_to_who_dials_it(
    seconds: int, closed: list[int]
):
    async def scenario() -> None:
        looked: list[int] = []

        async def prepared() -> None:
            """Nothing is to be put right."""

        async with queue_world(**SETTINGS) as centre:
            attempt = replace(_attempt(""), intent_at=virtual_now() + timedelta(seconds=seconds))
            reconcile = Reconciler(
                app=centre.world.app,
                writer=cast(Writer, OneAttempt(attempt)),
                rebuild=lambda one: looked.append(one.attempt_id),
                adopted=lambda *_: None,
                prepare=prepared,
            )
            await reconcile()
        assert looked == closed

    run_virtual(scenario())
