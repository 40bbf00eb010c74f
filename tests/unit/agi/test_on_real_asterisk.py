"""The codes dialled on a real Asterisk."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from agi_scripts.server import AgiServer
from agi_scripts.voice import CORE_SOUNDS
from contact_center.terms import AgentStatus
from tests.unit.agi.paper_desk import PaperDesk, card
from tests.unit.small_asterisk import LAB_ROOT, SmallAsterisk, small_asterisk
from tests.unit.waiting import until

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

HOST = "127.64.1.1"
AGI = "127.64.1.2:4573"

DIALPLAN = f"""
[codes]
exten => 45,1,AGI(agi://{AGI}/agent_online,1001)
 same => n,Goto(after,1)
exten => 46,1,AGI(agi://{AGI}/agent_pause,1001)
 same => n,Goto(after,1)
exten => 47,1,AGI(agi://{AGI}/agent_status?lang=en,1001)
 same => n,Goto(after,1)
exten => stranger,1,AGI(agi://{AGI}/agent_online,9999)
 same => n,Goto(after,1)
exten => nobody,1,AGI(agi://{AGI}/no_such_script)
 same => n,Goto(after,1)
exten => away,1,AGI(agi://127.64.1.9:4573/agent_online,1001)
 same => n,Goto(after,1)
exten => after,1,Set(GLOBAL(WENT_ON)=${{CALLWRIGHT_RESULT}}/${{AGISTATUS}})
 same => n,Hangup()
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asterisk() -> AsyncIterator[SmallAsterisk]:
    async with small_asterisk("agi", HOST, extensions=DIALPLAN) as running:
        yield running


async def dial(asterisk: SmallAsterisk, exten: str) -> None:
    await asterisk.cli("dialplan set global WENT_ON nowhere")
    await asterisk.cli(f"channel originate Local/{exten}@codes application Echo")


async def nothing_left(asterisk: SmallAsterisk) -> bool:
    return "0 active channels" in await asterisk.cli("core show channels")


async def went_on(asterisk: SmallAsterisk) -> str:
    listing = await asterisk.cli("dialplan show globals")
    return next(line.split("=")[1] for line in listing.splitlines() if "WENT_ON" in line)


async def test_code_45_changes_the_agent_within_a_second_and_speaks_afterwards(
    asterisk: SmallAsterisk,
) -> None:
    desk = PaperDesk()
    async with AgiServer(AGI, desk) as agi:
        began = time.monotonic()
        await dial(asterisk, "45")
        await until(desk.changed.is_set)
        assert time.monotonic() - began < 1.0
        await until(lambda: "Playing 'agent-loginok" in asterisk.full_log)
        await until(lambda: nothing_left(asterisk), 10.0)
        assert agi.counts["ok"] == 1
        assert await went_on(asterisk) == "nowhere"
    assert "callwright/agent-online does not exist" in asterisk.full_log


async def test_an_own_recording_is_preferred(asterisk: SmallAsterisk) -> None:
    sounds = LAB_ROOT / "usr/share/asterisk/sounds/en_US_f_Allison"
    shutil.copy(sounds / "beep.gsm", asterisk.file("data", "sounds", "callwright", "agent-offline.gsm"))
    desk = PaperDesk({"1001": card(status=AgentStatus.ONLINE)})
    async with AgiServer(AGI, desk):
        await dial(asterisk, "45")
        await until(lambda: "Playing 'callwright/agent-offline" in asterisk.full_log)
        await until(lambda: nothing_left(asterisk), 10.0)
    assert desk.changes == [("offline", "1001", "phone")]
    assert "Playing 'agent-loggedoff" not in asterisk.full_log


async def test_code_46_and_47_are_heard(asterisk: SmallAsterisk) -> None:
    desk = PaperDesk({"1001": card(status=AgentStatus.ONLINE)})
    async with AgiServer(AGI, desk) as agi:
        for code in ("46", "47", "46"):
            await dial(asterisk, code)
            await until(lambda: nothing_left(asterisk), 10.0)
        assert agi.counts["ok"] == 3
    assert [what for what, _, _ in desk.changes] == ["pause", "unpause"]
    for sound in ("dictate/paused", "spy-agent", "dictate/pause", "de-activated"):
        assert f"Playing '{sound}.gsm'" in asterisk.full_log


async def test_a_strangers_phone_hears_a_refusal(asterisk: SmallAsterisk) -> None:
    desk = PaperDesk()
    async with AgiServer(AGI, desk) as agi:
        await dial(asterisk, "stranger")
        await until(lambda: "Playing 'vm-incorrect.gsm'" in asterisk.full_log)
        await until(lambda: nothing_left(asterisk), 10.0)
        assert agi.counts["refused"] == 1
    assert desk.changes == []


@pytest.mark.parametrize(
    ("exten", "failure", "result"),
    [
        ("45", RuntimeError("bug"), "error/SUCCESS"),
        ("nobody", None, "error/SUCCESS"),
        ("away", None, "/FAILURE"),
    ],
)
async def test_whatever_fails_the_dialplan_goes_on(
    asterisk: SmallAsterisk, exten: str, failure: Exception | None, result: str
) -> None:
    async with AgiServer(AGI, PaperDesk(failure=failure)):
        await dial(asterisk, exten)

        async def settled() -> bool:
            return await went_on(asterisk) == result

        await until(settled)
        await until(lambda: nothing_left(asterisk))


async def test_hanging_up_while_words_are_spoken_ends_the_script(asterisk: SmallAsterisk) -> None:
    desk = PaperDesk()
    played = asterisk.full_log.count("Playing 'agent-loginok")
    async with AgiServer(AGI, desk) as agi:
        await dial(asterisk, "45")
        await until(lambda: asterisk.full_log.count("Playing 'agent-loginok") > played)
        await asterisk.cli("channel request hangup all")
        await until(lambda: agi.counts["hung_up"] == 1)
        await until(lambda: agi.open_connections == 0)
        await until(lambda: nothing_left(asterisk))
    assert desk.changes == [("online", "1001", "phone")]


async def test_twenty_real_calls_go_on_through_port_scans(asterisk: SmallAsterisk) -> None:
    desk = PaperDesk({"1001": card(status=AgentStatus.ONLINE)})
    async with AgiServer(AGI, desk) as agi:
        host, _, port = agi.bind.rpartition(":")
        for _ in range(20):
            await dial(asterisk, "47")
        for _ in range(200):
            _, writer = await asyncio.open_connection(host, int(port))
            writer.close()
        await until(lambda: agi.counts["ok"] == 20, 15.0)
        await until(lambda: nothing_left(asterisk))


async def test_asterisk_has_every_core_sound_the_scripts_name() -> None:
    sounds = LAB_ROOT / "usr/share/asterisk/sounds/en_US_f_Allison"
    for phrase, names in CORE_SOUNDS.items():
        for name in names:
            assert (sounds / f"{name}.gsm").exists(), (phrase, name)
