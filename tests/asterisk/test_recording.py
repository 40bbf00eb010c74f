"""Recorded talks on the real Asterisk: who is heard in the file, judged by the tones of the far end's parties."""

from __future__ import annotations

import os
import wave
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from tests.asterisk.callers import Callers, by_hand, kinds
from tests.asterisk.floor import Floor
from tests.lab.centre import Centre, CommandFailed
from tests.lab.farend.incoming import IncomingCall
from tests.lab.farend.numbers import stays
from tests.lab.farend.tones import FRAME, classify, encode
from tests.lab.until import until

WATCHED = "CALLWRIGHT_ASTERISK__RECORDINGS"
SECOND = 50  # frames of 20 ms

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def centre() -> AsyncIterator[Centre]:
    async with Centre("tape") as made:
        os.environ[WATCHED] = str(folder_of(made))
        await made.serve.start()
        yield made
        del os.environ[WATCHED]


@pytest.fixture(scope="module")
def floor(centre: Centre) -> Floor:
    return Floor(centre)


@pytest.fixture(scope="module")
def callers(floor: Floor) -> Callers:
    return Callers(floor)


def folder_of(centre: Centre) -> Path:
    return centre.switch.base / "spool" / "recording"


def file_of(centre: Centre, call_id: str) -> Path:
    return folder_of(centre) / f"{call_id}.wav"


def size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def heard_in(centre: Centre, file: Path) -> Counter[str]:
    """How many frames of a finished file hold each party, both at once ("a+b"), music ("other") or silence."""
    with wave.open(str(file)) as sound:
        assert (sound.getframerate(), sound.getnchannels()) == (8000, 1)
        samples = np.frombuffer(sound.readframes(sound.getnframes()), dtype="<i2")
    codes = encode(samples[: len(samples) // FRAME * FRAME].astype(np.float32), "PCMA")
    found: Counter[str] = Counter()
    for one in classify([codes[at : at + FRAME] for at in range(0, len(codes), FRAME)], "PCMA"):
        parties, _ = centre.far.media.pairs.who(one.bins, frozenset())
        found["+".join(sorted(parties)) or ("silence" if one.silent else "other")] += 1
    return found


async def talk(floor: Floor, team: str, serial: int, **keys: str) -> tuple[IncomingCall, str, str]:
    """A campaign's customer talks to an agent: his call, the agent's extension and the call's id."""
    ext, number = f"17{serial}1", stays(8200 + serial)
    await floor.agent(ext, team=team)
    await floor.campaign(team, number, **keys)
    customer = await floor.called(number)
    await customer.until_hears(ext, 4.0)
    [call] = await floor.cli("call", "list", "--campaign", team)
    return customer, ext, str(call["id"])


async def ended(floor: Floor, team: str, customer: IncomingCall) -> dict[str, Any]:
    """The customer hangs up; his record, when nothing is left in Asterisk and the file is written to its end."""
    customer.hangup()
    record = await floor.record(team, customer.record.party)

    async def gone() -> bool:
        return not await floor.centre.switch.channels()

    await until(gone, 5.0, "every channel to go")
    return record


async def test_both_sides_are_in_one_file_and_a_pause_is_left_out(floor: Floor):
    customer, ext, call_id = await talk(floor, "tape", 1, record="on")
    file = file_of(floor.centre, call_id)
    await until(lambda: size(file) > 20_000, 5.0, "the recording to grow")
    await floor.cli("call", "record", call_id, "pause")
    paused_at = await standing(floor, file)
    await floor.cli("call", "record", call_id, "resume")
    await until(lambda: size(file) > paused_at + 40_000, 6.0, "it to go on")
    record = await ended(floor, "tape", customer)
    assert record["recording"] == f"{call_id}.wav"
    assert customer.record.party not in record["recording"]
    heard = heard_in(floor.centre, file)
    both = "+".join(sorted((ext, customer.record.party)))
    assert heard[both] > 3 * SECOND
    assert heard["silence"] < SECOND / 2
    assert sum(heard.values()) / SECOND < record["talk_seconds"] - 0.8, "the pause was recorded"
    with pytest.raises(CommandFailed, match="is over"):
        await floor.cli("call", "record", call_id, "pause")


async def test_nothing_is_recorded_where_it_is_off(floor: Floor):
    before = set(folder_of(floor.centre).iterdir())
    customer, _, call_id = await talk(floor, "untaped", 2)
    with pytest.raises(CommandFailed, match="not being recorded"):
        await floor.cli("call", "record", call_id, "pause")
    assert [name for name in await floor.centre.switch.channels() if "Snoop" in name] == []
    record = await ended(floor, "untaped", customer)
    assert record["recording"] is None
    assert set(folder_of(floor.centre).iterdir()) == before


async def test_kill_9_of_serve_leaves_one_file_with_the_whole_talk(floor: Floor):
    customer, ext, call_id = await talk(floor, "tapecrash", 3, record="on")
    file = file_of(floor.centre, call_id)
    await until(lambda: size(file) > 20_000, 5.0, "the recording to grow")
    serve = floor.centre.serve
    serve.kill()
    await serve.ended()
    await serve.start()
    await floor.cli("call", "record", call_id, "pause")  # whoever can pause it has adopted it
    await standing(floor, file)
    await floor.cli("call", "record", call_id, "resume")
    record = await ended(floor, "tapecrash", customer)
    assert record["recording"] == f"{call_id}.wav"
    heard = heard_in(floor.centre, file)
    both = "+".join(sorted((ext, customer.record.party)))
    assert heard[both] / SECOND == pytest.approx(sum(heard.values()) / SECOND, abs=1.0)
    assert sum(heard.values()) / SECOND > record["talk_seconds"] - 8.0


async def test_a_consult_is_not_in_the_file_and_the_talk_after_the_transfer_is(callers: Callers, centre: Centre):
    await callers.queue("taped", "442079460371", greeting="", record="on", record_announcement="queue-thankyou")
    phone = await callers.agent("1741", "taped")
    colleague = await callers.agent("1742", "none")
    by_hand(colleague)
    customer = callers.call("442079460371", "+447400003701")
    agent = await phone.incoming(10.0)
    await customer.until_hears("1741", 5.0)
    await callers.talk(1.0)
    agent.press("*71742#")
    other = await colleague.incoming(6.0)
    other.answer()
    await other.until_hears("1741", 3.0)
    await callers.talk(2.0)
    agent.hangup()
    await customer.until_hears("1742", 3.0)
    await callers.talk(3.0)
    customer.hangup()
    record = await callers.record("+447400003701")
    await callers.nothing_left()
    assert kinds(record) == ["menu", "queue", "conversation", "consult", "conversation"]
    assert record["timeline"][0]["label"] == "recording announced"
    heard = heard_in(centre, folder_of(centre) / str(record["recording"]))
    assert heard["+447400003701+1741"] > SECOND / 2
    assert heard["+447400003701+1742"] > 2 * SECOND
    assert heard["1741+1742"] + heard["+447400003701+1741+1742"] < SECOND / 5, "the consult is in the file"


async def test_a_file_that_cannot_be_written_is_told_and_the_talk_goes_on(floor: Floor):
    folder = folder_of(floor.centre)
    moved = folder.rename(folder.with_name("away"))
    folder.write_text("in the way")
    try:
        customer, ext, call_id = await talk(floor, "tapeless", 5, record="on")

        async def told() -> bool:
            answer = await floor.centre.http_json("/health/ready")
            part = answer["parts"]["recordings"]
            return bool(answer["ready"]) and not part["ok"] and call_id in part["why"]

        await until(told, 10.0, "health to tell")
        assert customer.hears() >= {ext}
        await ended(floor, "tapeless", customer)
    finally:
        folder.unlink()
        moved.rename(folder)


async def standing(floor: Floor, file: Path) -> int:
    """The size of a file that has not grown for longer than Asterisk keeps sound back."""
    seen = [size(file), floor.far.clock.now()]

    def stands() -> bool:
        if size(file) != seen[0]:
            seen[:] = size(file), floor.far.clock.now()
        return floor.far.clock.now() - seen[1] > 3.0

    await until(stands, 10.0, "the recording to pause")
    return int(seen[0])
