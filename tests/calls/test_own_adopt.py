"""What a next process makes of agents' own calls that the one before left in Asterisk, on the virtual clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import Engine

from ari_app.reconcile import Reconciler
from contact_center.store.engine import writing
from contact_center.store.writer import Writer
from contact_center.terms import AgentState
from tests.calls.callback_world import DirectStore, made_store
from tests.calls.queue_world import QueueWorld, queue_world
from tests.calls.test_inbound_adopt import MortalTransport
from tests.support.fake_ari import FakeAri, FarEnd
from tests.support.fake_world import FakeChannel
from tests.support.virtual_clock import run_virtual

SETTINGS = {"trunk": {"main": {"host": "192.0.2.1"}}, "site": {"number_check": "digits"}}
NUMBER, OTHER_NUMBER = "+442079460018", "+442079460019"
FAR = "PJSIP/callwright-trunk-main/*"
TAKES = FarEnd(rings_after=0.05, answers_after=0.3)
Pair = tuple[FakeChannel, FakeChannel]
Scene = Callable[[QueueWorld], Awaitable[Pair]]


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return made_store(tmp_path)


def _staff(centre: QueueWorld) -> None:
    for ext in ("1001", "1002", "1003"):
        centre.agent(ext, TAKES)
    centre.world.fake.far(FAR, TAKES)


async def _killed(engine: Engine, scene: Scene) -> tuple[FakeAri, Pair]:
    """A process that was killed at the end of a scene, its facts stored; the two who hear each other."""
    fake = FakeAri()
    transport = MortalTransport(fake, "callwright")
    async with queue_world(fake=fake, transport=transport, **SETTINGS) as centre:
        _staff(centre)
        pair = await scene(centre)
        assert fake.together(pair[0].id, pair[1].id)
        transport.dead = True
        fake.drop_sockets("killed")
        facts = list(centre.facts)
        for task in asyncio.all_tasks():
            if task.get_name().startswith(("own ", "arrival ", "line ")):
                task.cancel()
    for fact in facts:
        with writing(engine) as session:
            fact.apply(session)
    return fake, pair


@asynccontextmanager
async def _next_process(fake: FakeAri, engine: Engine) -> AsyncIterator[QueueWorld]:
    async def prepared() -> None:
        """Nothing is to be put right."""

    async with queue_world(fake=fake, **SETTINGS) as centre:
        _staff(centre)
        reconcile = Reconciler(
            app=centre.world.app,
            writer=cast(Writer, DirectStore(engine)),
            rebuild=lambda _: None,
            adopted=lambda *_: None,
            prepare=prepared,
        )
        await reconcile()
        await asyncio.sleep(2)
        yield centre


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


OUTSIDE = (outside_on_a_line, given_to_a_colleague, given_to_a_number)


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
        fake, pair = await _killed(engine, scene)
        async with _next_process(fake, engine) as centre:
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
        fake, (line, other) = await _killed(engine, scene)
        fake.hang_up(other.id)
        async with _next_process(fake, engine) as centre:
            assert set(fake.channels) == {line.id}
            assert not centre.world.app.own.calls
            _lines_are_home(centre)
            fake.hang_up(line.id)
            await centre.settled()
            centre.world.assert_nothing_left()

    run_virtual(life())
