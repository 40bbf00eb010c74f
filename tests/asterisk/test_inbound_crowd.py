"""Many callers and few agents on the wire, callers who hang up at any moment, and words spoken by a command."""

from __future__ import annotations

import shlex
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest
import pytest_asyncio

from tests.asterisk.callers import MUSIC, Callers, kinds
from tests.asterisk.floor import Floor
from tests.bench.callers_heard import judge_callers
from tests.lab.centre import Centre
from tests.lab.farend.script import Script
from tests.lab.until import until

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

PATIENCE = 15.0
CROWD = 40
SOON_MS = 1000.0  # by a far wider margin than of `make bench`: other tests run beside this one
HANG_UPS = 60
SPEAKER = """
import array, random, sys, wave
noise = random.Random(1)
with wave.open(sys.argv[1], "wb") as out:
    out.setnchannels(1); out.setsampwidth(2); out.setframerate(16000)
    out.writeframes(array.array("h", [noise.randint(-9000, 9000) for n in range(16000)]).tobytes())
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def centre(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Centre]:
    script = tmp_path_factory.mktemp("speech") / "speaker.py"
    script.write_text(SPEAKER)
    command = f"{shlex.quote(sys.executable)} {shlex.quote(str(script))} {{file}} {{text}}"
    async with Centre("crowd", settings={"speech": {"command": command}}) as made:
        await made.serve.start()
        yield made
        assert not made.far.faults


@pytest.fixture(scope="module")
def callers(centre: Centre) -> Callers:
    return Callers(Floor(centre))


async def test_a_greeting_in_words_is_spoken_and_heard(callers: Callers):
    await callers.queue("words", "442079460301", greeting="Good day, this is the help desk.")
    spoken: Path = callers.floor.centre.base / "sounds" / "spoken" / "en"
    await until(
        lambda: [file for file in spoken.glob("*.wav") if not file.name.endswith(".raw.wav")],
        PATIENCE,
        "the greeting to be spoken",
    )
    await callers.agent("2301", "words")
    caller = callers.call("442079460301", "+447400000301")
    await caller.until_hears(MUSIC, PATIENCE)
    await caller.until_hears("2301", PATIENCE)
    await callers.talk(0.5)  # who hangs up within the first frame may have gone before it is known that they talk
    caller.hangup()
    record = await callers.record("+447400000301")
    assert kinds(record) == ["menu", "queue", "conversation"]
    assert record["timeline"][0]["seconds"] == pytest.approx(1.0, abs=0.25)


async def test_of_a_crowd_everybody_is_served_in_time_and_no_agent_ever_has_two(callers: Callers):
    await callers.queue("crowd", "442079460302")
    agents = ("2311", "2312", "2313")
    for ext in agents:
        await callers.agent(ext, "crowd", script=Script(talk_seconds=0.3))
    began, numbers = len(callers.far.log.calls), [f"+4474000031{n:02d}" for n in range(CROWD)]
    calls = [callers.call("442079460302", number) for number in numbers]
    for call in calls:
        await call.until_over(60.0)
    heard = judge_callers(numbers, callers.far.log.calls[began:])
    assert heard.failures == []
    assert len(heard.freed_ms) == CROWD - len(agents)
    for name in ("sound_ms", "freed_ms", "talk_ms"):
        assert (heard.figure(name, 0.9) or 0.0) < SOON_MS, name
    await callers.nothing_left()


async def test_callers_who_hang_up_at_any_moment_leave_nothing_behind(callers: Callers):
    await callers.queue("brief", "442079460303", greeting="queue-thankyou", ring_seconds="3")
    for ext in ("2321", "2322"):
        await callers.agent(ext, "brief", script=Script(ring_seconds=0.3))
    dice = Random(6)
    calls = []
    for n in range(HANG_UPS):
        script = Script(talk_seconds=round(dice.uniform(0.0, 5.0), 3))
        calls.append(callers.call("442079460303", f"+4474000032{n:02d}", script))
    for call in calls:
        await call.until_over(40.0)
    await callers.nothing_left()
    for ext in ("2321", "2322"):
        await callers.floor.until_state(ext, "idle")
    written = []

    async def all_written() -> bool:
        written[:] = await callers.floor.cli("call", "list", "--queue", "brief", "--limit", "500")
        return len(written) == HANG_UPS and all(call["ended_at"] for call in written)

    await until(all_written, PATIENCE, "every record")
    assert {call["call_state"] for call in written} <= {"NORMAL_CLEARING_A", "ORIGINATOR_CANCEL_A", "NETWORK_FAILURE"}
