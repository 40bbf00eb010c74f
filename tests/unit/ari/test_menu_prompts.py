"""What the menus after a call sound like: recordings of the site, spoken words, or what Asterisk comes with."""

from __future__ import annotations

import asyncio
import shlex
import sys
from pathlib import Path

from ari_app.menu_prompts import MenuPrompts
from ari_app.speech import Speech
from contact_center.ratings.choices import RatingGroup, RatingOption
from contact_center.ratings.menu import Word

SPEAKER = """
import sys, wave
with open(sys.argv[1] + ".said", "w") as said:
    said.write(sys.argv[2])
with wave.open(sys.argv[1], "wb") as out:
    out.setnchannels(1); out.setsampwidth(2); out.setframerate(8000)
    out.writeframes(bytes(1600))
"""
OPTIONS = (RatingOption(1, "Sale", asks_value=True), RatingOption(4, "Lost"))
GROUP = RatingGroup("sales", speech=True, options=OPTIONS)


def prompts(folder: Path, command: str, tasks: list[asyncio.Task[None]]) -> MenuPrompts:
    speech = Speech(command, folder, lambda work, name: tasks.append(asyncio.ensure_future(work)))
    return MenuPrompts(speech, "GBP")


def said_in(folder: Path) -> set[str]:
    return {file.read_text() for file in folder.rglob("*.said")}


async def test_the_words_are_spoken_before_the_first_call(tmp_path: Path):
    script = tmp_path / "speaker.py"
    script.write_text(SPEAKER)
    tasks: list[asyncio.Task[None]] = []
    made = prompts(tmp_path, f"{shlex.quote(sys.executable)} {shlex.quote(str(script))} {{file}} {{text}}", tasks)
    made.prepare(GROUP, "en")
    await asyncio.gather(*tasks)
    said = said_in(tmp_path)
    assert {"Please rate this call.", "1 for Sale.", "4 for Lost."} <= said
    assert "Please enter sales value, first pounds and then pence followed by hash." in said
    sounds = (*made.word(Word.RATE, "en"), *made.options(GROUP, "en"))
    assert len(sounds) == 3
    assert all("/spoken/en/" in sound for sound in sounds)
    assert len(tasks) == len(said)


async def test_without_speech_of_the_group_the_options_are_not_said(tmp_path: Path):
    made = prompts(tmp_path, "", [])
    assert made.options(RatingGroup("quiet", speech=False, options=OPTIONS), "en") == ()


async def test_asterisks_own_sounds_stand_in_and_a_recording_of_the_site_replaces_any_of_them(tmp_path: Path):
    made = prompts(tmp_path, "", [])
    assert made.options(GROUP, "en") == ("sound:vm-press", "sound:digits/1", "sound:vm-press", "sound:digits/4")
    assert all(made.word(word, "en") for word in Word)
    own = tmp_path / "own" / "en"
    own.mkdir(parents=True)
    for name in ("rate_this_call", "rating_4"):
        (own / f"{name}.wav").write_bytes(b"")
    assert made.word(Word.RATE, "en") == (f"sound:{own / 'rate_this_call'}",)
    assert made.options(GROUP, "en") == ("sound:vm-press", "sound:digits/1", f"sound:{own / 'rating_4'}")
