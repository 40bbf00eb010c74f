"""What a next process makes of agents' own calls that the one before left in Asterisk, on the virtual clock."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from ari_app.own_adopt import adopt_own
from contact_center.terms import AgentState
from tests.calls.adopt_world import FAR, SETTINGS, Pair, Scene, killed, next_process, staff
from tests.calls.queue_world import QueueWorld, queue_world
from tests.support.fake_world import FakeChannel
from tests.support.virtual_clock import run_virtual

NUMBER, OTHER_NUMBER = "+442079460018", "+442079460019"


async def _line(centre: QueueWorld, ext: str) -> FakeChannel:
    line = centre.world.fake.inbound(["persistent", ext], channel_id=f"line{ext}", endpoint=f"Phone/{ext}")
    await asyncio.sleep(1)
    return line


async def _placed(centre: QueueWorld, number: str) -> None:
    centre.world.app.place_own("call-1", {"ext": "1001", "number": number}, datetime.now(UTC))
    await asyncio.sleep(3)


async def outside_on_a_line(centre: QueueWorld) -> Pair:
    line = await _line(centre, "1001")
    await _placed(centre, NUMBER)
    return line, centre.world.fake.dialled(FAR)[0]


async def colleague_called_on_a_line(centre: QueueWorld) -> Pair:
    line = await _line(centre, "1001")
    await _placed(centre, "1002")
    return line, centre.world.fake.dialled("PJSIP/1002")[0]


async def colleague_who_has_a_line(centre: QueueWorld) -> Pair:
    line = await _line(centre, "1002")
    await _placed(centre, "1002")
    return centre.world.fake.dialled("PJSIP/1001")[0], line


async def both_have_lines(centre: QueueWorld) -> Pair:
    lines = await _line(centre, "1001"), await _line(centre, "1002")
    await _placed(centre, "1002")
    return lines


async def given_to_a_colleague(centre: QueueWorld) -> Pair:
    """The number that the agent called is with a colleague now."""
    await _placed(centre, NUMBER)
    [agent], [customer] = centre.world.fake.dialled("PJSIP/1001"), centre.world.fake.dialled(FAR)
    centre.world.fake.press(agent.id, "*71002#")
    await asyncio.sleep(2)
    centre.world.fake.hang_up(agent.id)
    await asyncio.sleep(1)
    return customer, centre.world.fake.dialled("PJSIP/1002")[0]


async def given_to_a_number(centre: QueueWorld) -> Pair:
    """The number that the agent called is with another number outside now."""
    await _placed(centre, NUMBER)
    [agent], [customer] = centre.world.fake.dialled("PJSIP/1001"), centre.world.fake.dialled(FAR)
    centre.world.fake.press(agent.id, f"*7{OTHER_NUMBER.replace('+44', '0')}#")
    await asyncio.sleep(2)
    centre.world.fake.hang_up(agent.id)
    await asyncio.sleep(1)
    return customer, centre.world.fake.dialled(FAR)[1]


RUNG = (colleague_called_on_a_line,)
OUTSIDE = (outside_on_a_line, given_to_a_colleague, given_to_a_number)
SPOKE = {outside_on_a_line: ["Agent 1001"], given_to_a_number: ["Agent 1001"]}


def _lines_are_home(centre: QueueWorld) -> None:
    """Each agent with a line of his own is in it again, and alone."""
    for channel in centre.world.fake.channels.values():
        assert channel.bridge is not None
        assert channel.bridge.name == "callwright-line"
        assert len(channel.bridge.members) == 1


@pytest.mark.parametrize(
    "scene",
    [
        outside_on_a_line,
        colleague_called_on_a_line,
        colleague_who_has_a_line,
        both_have_lines,
        given_to_a_colleague,
        given_to_a_number,
    ],
)
@pytest.mark.parametrize("who", ["command", "both"])
def test_who_hears_whom_stays_so_over_a_restart_and_ends_in_one_record(engine: Engine, scene: Scene, who: str):
    async def life() -> None:
        fake, pair = await killed(engine, scene)
        async with next_process(fake, engine) as centre:
            assert fake.together(pair[0].id, pair[1].id)
            assert not any(channel.moh for channel in pair)
            if who == "command":
                assert await centre.world.app.hang_up("call-1")
            else:
                for channel in pair:
                    if channel.id in fake.channels:
                        fake.hang_up(channel.id)
            record = await centre.own(NUMBER if scene in OUTSIDE else "xxxxxxxx")
            assert record["timeline"][-1]["kind"] in ("conversation", "consult")
            assert record["agents"] == SPOKE.get(scene, ["Agent 1001", "Agent 1002"])
            rang = 0.25 if scene in OUTSIDE else 0.3 if scene in RUNG else 0.0
            assert record["ring_seconds"] == pytest.approx(rang, abs=0.05)
            await centre.settled()
            _lines_are_home(centre)
            assert all(seat.engaged is not AgentState.TALKING for seat in centre.world.roster)
            for line in list(fake.channels):
                fake.hang_up(line)
            await centre.settled()
            centre.world.assert_nothing_left()

    run_virtual(life())


@pytest.mark.parametrize("scene", [outside_on_a_line, colleague_called_on_a_line, both_have_lines])
def test_a_line_stays_up_when_the_other_party_left_unseen(engine: Engine, scene: Scene):
    async def life() -> None:
        fake, (line, other) = await killed(engine, scene)
        fake.hang_up(other.id)
        async with next_process(fake, engine) as centre:
            assert set(fake.channels) == {line.id}
            assert not centre.world.app.own.calls
            _lines_are_home(centre)
            fake.hang_up(line.id)
            await centre.settled()
            centre.world.assert_nothing_left()

    run_virtual(life())


@pytest.mark.parametrize("told", [True, False], ids=["dialled just now", "left by the process before"])
def test_a_phone_that_a_snapshot_shows_before_it_is_told_of_is_served_and_an_old_one_is_hung_up(told: bool):
    async def scenario() -> None:
        async with queue_world(**SETTINGS) as centre:
            staff(centre)
            app, fake = centre.world.app, centre.world.fake
            assert app.own is not None
            fake.lose_event = lambda event: event["type"] == "StasisStart"
            phone = centre.dial("1001", NUMBER)
            await asyncio.sleep(0.1)
            fake.lose_event = lambda _: False
            adopt_own(app, app.own, await app.env.ari.snapshot(), [], lambda _: "")
            if told:
                fake.tell(phone, "StasisStart", args=phone.args, channel=phone.shown())
            await asyncio.sleep(3)
            assert (phone.ended_at is None) is told
            assert bool(fake.dialled(FAR)) is told

    run_virtual(scenario())
