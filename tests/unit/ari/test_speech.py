"""Words made into sounds by a command, kept, and never waited for by a call."""

from __future__ import annotations

import array
import asyncio
import math
import shlex
import sys
import wave
from itertools import pairwise
from pathlib import Path

import pytest

from ari_app.queue_prompts import QueuePrompts
from ari_app.speech import RATE, Speech, resampled, sounds_folder

SPEAKER = """
import math, array, sys, wave
file, text, language = sys.argv[1:4]
with open(file + ".said", "w") as said:
    said.write(language + ":" + text)
with wave.open(file, "wb") as out:
    out.setnchannels(2); out.setsampwidth(2); out.setframerate(22050)
    tone = [int(9000 * math.sin(2 * math.pi * 440 * n / 22050)) for n in range(22050)]
    out.writeframes(array.array("h", [s for t in tone for s in (t, t)]).tobytes())
"""


class Desk:
    """Speech with a command of our own; ``made`` waits for what is being spoken."""

    def __init__(self, folder: Path, command: str) -> None:
        self.tasks: list[asyncio.Task[None]] = []
        self.speech = Speech(command, folder, lambda work, name: self.tasks.append(asyncio.ensure_future(work)))
        self.prompts = QueuePrompts(self.speech)

    async def made(self) -> None:
        await asyncio.gather(*self.tasks)


@pytest.fixture
def command(tmp_path: Path) -> str:
    script = tmp_path / "speaker.py"
    script.write_text(SPEAKER)
    return f"{shlex.quote(sys.executable)} {shlex.quote(str(script))} {{file}} {{text}} {{language}}"


async def test_a_single_word_is_spoken_where_it_is_written_as_one(tmp_path: Path, command: str):
    desk = Desk(tmp_path / "sounds", command)
    for word in ("Welcome", "Velkommen"):
        assert desk.prompts.message("greeting", word, "da") == ()
    await desk.made()
    assert all(desk.prompts.message("greeting", word, "da") for word in ("Welcome", "Velkommen"))
    assert desk.prompts.message("greeting", "hello-world", "da") == ("sound:hello-world",)


async def test_words_are_spoken_once_and_played_from_then_on(tmp_path: Path, command: str):
    desk = Desk(tmp_path / "sounds", command)
    words = "Hello, you have reached us; {voice} $(rm -rf /) 'quoted'"
    assert desk.prompts.message("greeting", words, "en") == ()
    assert desk.prompts.message("greeting", words, "en") == ()
    assert len(desk.tasks) == 1
    await desk.made()
    [media] = desk.prompts.message("greeting", words, "en")
    assert len(desk.tasks) == 1
    sound = Path(media.removeprefix("sound:") + ".wav")
    assert [said.read_text() for said in sound.parent.glob("*.said")] == [f"en:{words}"]
    with wave.open(str(sound)) as wav:
        assert (wav.getframerate(), wav.getnchannels(), wav.getsampwidth()) == (RATE, 1, 2)
        assert wav.getnframes() == pytest.approx(RATE, abs=2)
        samples = array.array("h", wav.readframes(wav.getnframes()))
    crossings = sum(1 for a, b in pairwise(samples) if a < 0 <= b)
    assert crossings == pytest.approx(440, abs=3)


async def test_a_command_that_fails_leaves_nothing_and_is_tried_again_when_asked_again(tmp_path: Path):
    desk = Desk(tmp_path, "false {file}")
    assert desk.prompts.message("greeting", "Hello there", "en") == ()
    await desk.made()
    assert desk.prompts.message("greeting", "Hello there", "en") == ()
    assert len(desk.tasks) == 2
    await desk.made()
    missing = Desk(tmp_path, "/nonexistent/speak {file}")
    assert missing.prompts.message("greeting", "Hello there", "en") == ()
    await missing.made()


async def test_the_name_of_a_sound_is_played_as_it_is_and_a_recording_of_the_site_replaces_it(tmp_path: Path):
    desk = Desk(tmp_path, "")
    assert desk.prompts.message("greeting", "custom/hello", "en") == ("sound:custom/hello",)
    assert desk.prompts.message("greeting", "sound:hello", "en") == ("sound:hello",)
    assert desk.prompts.message("greeting", "sound:Hello", "en") == ("sound:Hello",)
    assert desk.prompts.message("greeting", "", "en") == ()
    own = tmp_path / "own" / "en" / "greeting.wav"
    own.parent.mkdir(parents=True)
    own.touch()
    assert desk.prompts.message("greeting", "custom/hello", "en") == (f"sound:{own.with_suffix('')}",)
    assert desk.speech.own("../../etc/passwd", "en") is None


async def test_place_and_wait_are_asterisks_own_sounds_in_english_and_spoken_words_in_danish(
    tmp_path: Path, command: str
):
    desk = Desk(tmp_path / "sounds", command)
    assert desk.prompts.position(1, "en") == ("sound:queue-youarenext",)
    assert desk.prompts.position(4, "en") == ("sound:queue-thereare", "number:4", "sound:queue-callswaiting")
    assert desk.prompts.wait(130.0, "en") == ("sound:queue-holdtime", "number:2", "sound:queue-minutes")
    assert desk.prompts.position(4, "da")[0] == "sound:queue-thereare"  # until it is spoken
    assert desk.prompts.wait(130.0, "da")[0] == "sound:queue-holdtime"
    await desk.made()
    [position], [wait] = desk.prompts.position(4, "da"), desk.prompts.wait(130.0, "da")
    said = {file.read_text() for file in Path(position.removeprefix("sound:")).parent.glob("*.said")}
    assert said == {
        "da:De er nummer 4 i køen.",
        "da:Den forventede ventetid er omkring 2 minutter.",
    }
    assert position != wait


def test_any_rate_becomes_8_khz():
    for rate in (8000, 11025, 16000, 22050, 44100, 48000):
        tone = array.array("h", [int(9000 * math.sin(2 * math.pi * 300 * n / rate)) for n in range(rate)])
        assert len(resampled(tone, rate)) == pytest.approx(RATE, abs=1)


def test_sounds_lie_beside_the_database():
    assert sounds_folder("sqlite:////var/lib/callwright/callwright.db") == Path("/var/lib/callwright/sounds")


async def test_a_command_that_is_not_installed_is_looked_for_once_a_minute_and_not_for_each_word(tmp_path: Path):
    desk = Desk(tmp_path, "/nonexistent/speak {file}")
    for words in ("One", "Two"):
        assert desk.speech.spoken(words, "en") is None
    await desk.made()
    assert len(desk.tasks) == 2
    assert desk.speech.spoken("Three", "en") is None
    assert len(desk.tasks) == 2
