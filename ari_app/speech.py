"""Words made into sounds by the speech command of the settings, and kept by text, voice and language.

The command may be any that writes a wav file; what it writes is brought to what Asterisk plays (8 kHz, one channel).
Nothing here is ever waited for by a call: who asks for words that are not spoken yet gets nothing, and they are
made for the next one.
"""

from __future__ import annotations

import array
import asyncio
import hashlib
import os
import re
import shlex
import sys
import wave
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog

RATE = 8000
SPEAK_SECONDS = 30.0
"""How long the command may take for one text."""
ABSENT_SECONDS = 60.0
"""How long a command that is not installed is not looked for again."""
LONGEST_TEXT = 2000
_OWN_WORD = re.compile(r"[a-z0-9_]{1,60}\Z")

log = structlog.get_logger(__name__)


class _NotInstalled(Exception):
    """There is no such program."""


class Speech:
    """Sounds below ``folder``: ``own/LANGUAGE/WORD.wav`` are the site's recordings, ``spoken/`` is ours."""

    def __init__(self, command: str, folder: Path, spawn: Callable[[Coroutine[Any, Any, None], str], object]) -> None:
        self._command, self._folder, self._spawn = command, folder, spawn
        self._making: set[Path] = set()
        self._one_at_a_time = asyncio.Lock()
        self._absent_until = float("-inf")
        self._own = f"{folder}/own"  # text: it is asked for with each caller, and a Path costs more than the question

    def own(self, word: str, language: str) -> str | None:
        """The site's own recording of a prompt, by its name; None where there is none."""
        if not _OWN_WORD.match(word):
            return None
        path = f"{self._own}/{language}/{word}.wav"
        return _media(Path(path)) if os.path.isfile(path) else None

    def spoken(self, text: str, language: str) -> str | None:
        """The sound of a text; None while it is not made yet (it is being made from now on)."""
        path = self._path(text, language)
        if path.is_file():
            return _media(path)
        if self._command and path not in self._making and not self._is_absent:
            self._making.add(path)
            self._spawn(self.make(text, language), "speech")
        return None

    @property
    def _is_absent(self) -> bool:
        return asyncio.get_running_loop().time() < self._absent_until

    def _path(self, text: str, language: str) -> Path:
        key = hashlib.sha256(f"{self._command}\0{language}\0{text}".encode()).hexdigest()[:24]
        return self._folder / "spoken" / language / f"{key}.wav"

    async def make(self, text: str, language: str) -> None:
        """Have a text spoken, unless it is there; that it fails is logged and tried again when asked for again."""
        path = self._path(text, language)
        try:
            async with self._one_at_a_time, asyncio.timeout(SPEAK_SECONDS):
                if not path.is_file() and not self._is_absent:
                    await self._run(text[:LONGEST_TEXT], language, path)
        except _NotInstalled as error:
            self._absent_until = asyncio.get_running_loop().time() + ABSENT_SECONDS
            log.warning("the speech command is not installed", action="speech", reason=str(error))
        except (OSError, TimeoutError, ValueError, EOFError, wave.Error) as error:
            log.warning(
                "words could not be spoken", action="speech", language=language, reason=str(error) or "too slow"
            )
        finally:
            self._making.discard(path)

    async def _run(self, text: str, language: str, path: Path) -> None:
        await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
        raw = path.with_suffix(".raw.wav")
        words = {"text": text, "language": language, "voice": language, "file": str(raw)}
        command = [_filled(part, words) for part in shlex.split(self._command)]
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
        except FileNotFoundError:
            raise _NotInstalled(f"{command[0]} is not there") from None
        try:
            code = await process.wait()
        except BaseException:
            with suppress(ProcessLookupError):
                process.kill()
            raise
        if code != 0:
            raise ValueError(f"{command[0]} ended with {code}")
        await asyncio.to_thread(_playable, raw, path)


def _filled(part: str, words: dict[str, str]) -> str:
    """One argument of the command; what is filled in is never read again, so words cannot become options."""
    return re.sub(r"\{(text|language|voice|file)\}", lambda found: words[found.group(1)], part)


def _media(path: Path) -> str:
    return f"sound:{path.with_suffix('').absolute()}"


def _playable(raw: Path, path: Path) -> None:
    """What was spoken as Asterisk's wav; put in place in one step, so that nobody plays half of it."""
    with wave.open(str(raw), "rb") as spoken:
        if spoken.getsampwidth() != 2:
            raise ValueError("16 bit samples are wanted of the speech command")
        samples = array.array("h", spoken.readframes(spoken.getnframes()))
        rate, channels = spoken.getframerate(), spoken.getnchannels()
    if sys.byteorder == "big":
        samples.byteswap()
    ready = resampled(samples[::channels], rate)
    if sys.byteorder == "big":
        ready.byteswap()
    half = path.with_suffix(".half")
    with wave.open(str(half), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(ready.tobytes())
    os.chmod(half, 0o644)
    os.replace(half, path)
    raw.unlink(missing_ok=True)


def resampled(samples: array.array[int], rate: int) -> array.array[int]:
    """Samples at 8 kHz: the mean of those that fall into each new one, or the nearest where there are fewer."""
    if rate == RATE or not samples:
        return samples
    step, out = rate / RATE, array.array("h")
    for n in range(int(len(samples) / step)):
        part = samples[int(n * step) : max(int((n + 1) * step), int(n * step) + 1)]
        out.append(sum(part) // len(part))
    return out


def sounds_folder(database_url: str) -> Path:
    """Where sounds are kept that are made here: beside the SQLite file, else in the state directory."""
    if database_url.startswith("sqlite:///"):
        return Path(database_url.removeprefix("sqlite:///")).absolute().parent / "sounds"
    return Path(os.environ.get("STATE_DIRECTORY", ".")).absolute() / "sounds"
