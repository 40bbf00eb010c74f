"""A process that is killed while it listens who answered, or leaves a message, and what the next one makes of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest

from ari_app.reconcile import Reconciler
from contact_center.dialling import CallResult, DialOrder
from contact_center.store.recovery import OpenAttempt
from contact_center.store.writer import Writer
from contact_center.terms import AgentState, AttemptState, CallKind, Outcome
from tests.calls.queue_world import QueueWorld, queue_world
from tests.calls.test_inbound_adopt import MortalTransport
from tests.calls.test_outbound_adopt import OneAttempt
from tests.calls.world import make_order
from tests.support.fake_amd import MACHINE, PERSON, Answerer, answered_by
from tests.support.fake_ari import FakeAri, FarEnd
from tests.support.virtual_clock import run_virtual, virtual_now

WORDS = "sound:custom/call-us-back"
SETTINGS: dict[str, Any] = {"trunk": {"main": {"host": "192.0.2.1"}}, "amd": {"sample_share": 0.0}}


def order() -> DialOrder:
    made = make_order(detect=True, machine_action="message", machine_message="custom/call-us-back")
    return replace(made, ordered_at=virtual_now())


def attempt() -> OpenAttempt:
    known, now = order(), virtual_now()
    return OpenAttempt(
        attempt_id=1, call_id=known.call_id, channel_id=known.channel_id, n=1, lead_id=1, campaign_id=1,
        campaign=known.campaign, number=known.number, trunk=known.trunk, kind=CallKind.POWER,
        state=AttemptState.ANSWERED, agent="", agent_channel_id="", bridge_id="", last_agent="",
        attempts=1, intent_at=now, ringing_at=now, answered_at=now, connected_at=None,
        fields={}, zones="",
    )  # fmt: skip


def staff(centre: QueueWorld, answerer: Answerer) -> None:
    fake = centre.world.fake
    answered_by(fake, answerer)
    fake.far("PJSIP/customer-*@trunk", FarEnd(rings_after=0.1, answers_after=1.0, hangs_up_after=30.0))
    fake.sound_seconds[WORDS] = 8.0
    centre.world.app.env.machine_words = lambda text: (f"sound:{text}",)
    centre.agent("1001", FarEnd(rings_after=0.05, answers_after=0.5))


async def killed(at: float, answerer: Answerer) -> FakeAri:
    """The switch after a process was killed so many seconds after the dial."""
    fake = FakeAri()
    transport = MortalTransport(fake, "callwright")
    async with queue_world(fake=fake, transport=transport, **SETTINGS) as centre:
        staff(centre, answerer)
        centre.world.app.place(order())
        await asyncio.sleep(at)
        transport.dead = True
        fake.drop_sockets("killed")
        [task] = [task for task in asyncio.all_tasks() if task.get_name() == "cw-1"]
        task.cancel()
    return fake


async def taken_over(fake: FakeAri, answerer: Answerer, after: float) -> CallResult:
    """What the next process, which begins ``after`` seconds, makes of the call."""

    async def prepared() -> None:
        """Nothing is to be put right."""

    await asyncio.sleep(after)
    async with queue_world(fake=fake, **SETTINGS) as centre:
        staff(centre, answerer)
        reconcile = Reconciler(
            app=centre.world.app,
            writer=cast(Writer, OneAttempt(attempt())),
            rebuild=lambda _: order(),
            adopted=lambda *_: None,
            prepare=prepared,
        )
        await reconcile()
        result = await centre.world.ended("call-1")
        await centre.settled()
        seat = centre.world.roster.get("1001")
        assert seat is not None
        assert seat.state is AgentState.IDLE
        centre.world.assert_nothing_left()
        return result


@pytest.mark.parametrize("after", [0.0, 0.5, 3.0])
def test_who_was_being_listened_to_is_taken_for_a_person_and_has_an_agent(after: float):
    async def life(at: float) -> None:
        result = await taken_over(await killed(at, PERSON), PERSON, after)
        assert (result.outcome, result.agent) == (Outcome.CONNECTED, "1001")

    for step in range(12):
        run_virtual(life(1.05 + step * 0.1))


@pytest.mark.parametrize("after", [0.0, 3.0])
def test_a_machine_that_was_being_told_a_message_is_not_told_it_again_and_rings_no_agent(after: float):
    async def life(at: float) -> None:
        fake = await killed(at, MACHINE)
        result = await taken_over(fake, MACHINE, after)
        assert (result.outcome, result.message_left) == (Outcome.MACHINE, False)
        assert result.record["amd"]["cause"] == MACHINE.cause
        assert fake.dialled("PJSIP/1001") == []

    for at in (2.4, 4.0, 8.0, 10.5, 14.0):
        run_virtual(life(at))
