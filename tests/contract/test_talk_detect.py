"""TALK_DETECT, by which greetings and machines are heard to their end: the fake and the real Asterisk say the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from ari_app.channel import Channel
from ari_app.patience import SILENCE_SECONDS
from tests.contract.conftest import Body
from tests.contract.small_etc import QUIET_SECONDS, SPEECH_SECONDS
from tests.contract.worlds import World
from tests.lab.until import until

Run = Callable[[Body], None]
SET = f"{round(1000 * SILENCE_SECONDS)},256"
A_MOMENT = 0.3


@dataclass
class Ear:
    """What is told of a party's voice: (seconds of the loop's clock, whether it talks, milliseconds of the talk)."""

    channel: Channel
    told: list[tuple[float, bool, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.channel.voice.listeners.add(self._hear)

    def _hear(self, talking: bool, duration_ms: int) -> None:
        self.told.append((asyncio.get_running_loop().time(), talking, duration_ms))

    async def until_told(self, count: int) -> None:
        """Wait for so many events."""
        await until(lambda: len(self.told) >= count, 8.0, f"{count} events of the voice")


def test_silence_tells_nothing_and_the_end_of_a_talk_says_how_long_it_was_without_the_silence_after_it(
    run: Run,
) -> None:
    async def body(world: World) -> None:
        async with world.ari.dial("PJSIP/speaks@trunk", channel_id="c1", ring_seconds=5) as channel:
            ear, began = Ear(channel), asyncio.get_running_loop().time()
            await channel.set_var("TALK_DETECT(set)", SET)
            await ear.until_told(2)
            (begins, talks, _), (ends, still_talks, lasted) = ear.told
            assert (talks, still_talks, channel.voice.talking) == (True, False, False)
            assert begins - began > QUIET_SECONDS - A_MOMENT
            assert lasted == pytest.approx(1000 * SPEECH_SECONDS, abs=1000 * A_MOMENT)
            assert ends - begins == pytest.approx(SPEECH_SECONDS + SILENCE_SECONDS, abs=A_MOMENT)

    run(body)


def test_who_talks_already_is_told_at_once(run: Run) -> None:
    async def body(world: World) -> None:
        async with world.ari.dial("PJSIP/speaks@trunk", channel_id="c1", ring_seconds=5) as channel:
            ear = Ear(channel)
            await channel.set_var("TALK_DETECT(set)", SET)
            await ear.until_told(1)
            await channel.set_var("TALK_DETECT(remove)", "")
            await channel.set_var("TALK_DETECT(set)", SET)
            again = asyncio.get_running_loop().time()
            await ear.until_told(3)
            (begins, talks, _), (ends, still_talks, lasted) = ear.told[1:]
            assert (talks, still_talks) == (True, False)
            assert begins - again < A_MOMENT
            assert lasted == pytest.approx(1000 * (ends - begins - SILENCE_SECONDS), abs=100)

    run(body)


def test_after_it_is_removed_nothing_more_is_told(run: Run) -> None:
    async def body(world: World) -> None:
        async with world.ari.dial("PJSIP/speaks@trunk", channel_id="c1", ring_seconds=5) as channel:
            ear = Ear(channel)
            await channel.set_var("TALK_DETECT(set)", SET)
            await ear.until_told(1)
            await channel.set_var("TALK_DETECT(remove)", "")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(SPEECH_SECONDS + SILENCE_SECONDS + A_MOMENT):
                    await channel.voice.until(talking=False)

    run(body)
