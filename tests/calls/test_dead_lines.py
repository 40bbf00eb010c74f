"""An agent's open line whose phone was switched off without a word: it is found, and ends, on the virtual clock."""

from __future__ import annotations

import asyncio

import pytest

from ari_app.line_pulse import LOOK_SECONDS, SILENT_LOOKS, STEADY_LOOKS, Pulse
from contact_center.terms import AgentState, AgentStatus
from tests.calls.queue_world import DID, QueueWorld, queue_world
from tests.support.fake_ari import FarEnd
from tests.support.fake_world import FakeChannel
from tests.support.virtual_clock import on_virtual_clock

TAKES = FarEnd(rings_after=0.05, answers_after=0.3)


async def _line(centre: QueueWorld, ext: str = "1001", name: str = "line") -> FakeChannel:
    line = centre.world.fake.inbound(["persistent", ext], channel_id=name, endpoint=f"Phone/{ext}")
    await asyncio.sleep(20)
    assert centre.world.app.lines.get(ext) is not None
    return line


def _now() -> float:
    return asyncio.get_running_loop().time()


@on_virtual_clock
async def test_a_line_that_was_heard_all_along_and_falls_silent_ends_and_its_agent_is_rung_for_callers():
    async with queue_world() as centre:
        centre.queue("sales", dids=DID)
        centre.agent("1001", TAKES, "sales")
        line = await _line(centre)
        line.quiet_at = _now()
        await asyncio.sleep(LOOK_SECONDS * (SILENT_LOOKS + 2))
        assert line.id not in centre.world.fake.channels
        seat = centre.world.roster.get("1001")
        assert (seat.status, seat.state) == (AgentStatus.ONLINE, AgentState.IDLE)
        caller = centre.call()
        await asyncio.sleep(3)
        [phone] = centre.world.fake.dialled("PJSIP/1001")
        assert centre.world.fake.together(caller.id, phone.id)
        centre.world.fake.hang_up(caller.id)
        await centre.settled()
        centre.world.assert_nothing_left()


@pytest.mark.parametrize("why", ["on hold", "silence suppressed", "talking"])
def test_a_line_that_may_be_silent_stays_up(why: str):
    @on_virtual_clock
    async def life() -> None:
        async with queue_world() as centre:
            centre.queue("sales", dids=DID)
            centre.agent("1001", TAKES, "sales")
            if why == "silence suppressed":
                line = centre.world.fake.inbound(["persistent", "1001"], channel_id="line", endpoint="Phone/1001")
                line.quiet_at = _now() + 5
                await asyncio.sleep(20)
            else:
                line = await _line(centre)
            if why == "talking":
                caller = centre.call()
                await asyncio.sleep(3)
                assert centre.world.fake.together(caller.id, line.id)
            elif why == "on hold":
                line.variables["CHANNEL(rtp,hold)"] = "1"
            line.quiet_at = line.quiet_at or _now()
            await asyncio.sleep(120)
            assert line.id in centre.world.fake.channels
            for channel in list(centre.world.fake.channels):
                centre.world.fake.hang_up(channel)
            await centre.settled()

    life()


@on_virtual_clock
async def test_a_phone_that_is_heard_of_ends_its_old_line_at_once_and_no_other():
    async with queue_world() as centre:
        for ext in ("1001", "1002", "1003"):
            centre.agent(ext, TAKES)
        dead, heard, held = [await _line(centre, ext, f"line{ext}") for ext in ("1001", "1002", "1003")]
        dead.quiet_at = held.quiet_at = _now()
        held.variables["CHANNEL(rtp,hold)"] = "1"
        began = _now()
        assert await centre.world.roster.end_old_line("1001")
        assert _now() - began < 3.0
        assert not any([await centre.world.roster.end_old_line(ext) for ext in ("1002", "1003", "1004")])
        assert set(centre.world.fake.channels) == {heard.id, held.id}
        assert centre.world.roster.get("1001").status is AgentStatus.ONLINE
        for channel in (heard, held):
            centre.world.fake.hang_up(channel.id)
        await centre.settled()


def _noted(*counts: int) -> Pulse:
    pulse = Pulse()
    for n, count in enumerate(counts):
        pulse.note(count, n * LOOK_SECONDS)
    return pulse


def test_only_a_line_that_never_paused_is_taken_for_gone():
    steady = [100 * n for n in range(STEADY_LOOKS + 1)]
    silent = [steady[-1]] * SILENT_LOOKS
    assert _noted(*steady, *silent).is_gone
    assert not _noted(*steady, *silent[1:]).is_gone
    assert not _noted(*steady[:-1], *[steady[-2]] * 9).is_gone, "it was not heard for long enough"
    assert not _noted(0, 100, 101, *[101 + n for n in steady], *[601] * 9).is_gone, "it paused before"
    assert not _noted(*steady, *silent[1:], steady[-1] + 100, *silent[2:]).is_gone, "it was heard again"
