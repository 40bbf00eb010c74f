"""Saying things to a party and reading the keys it presses, each wait with a named deadline.

A sound that is missing, or that cannot be started, never stops a call: it is logged and counted, and the
caller of these functions goes on as if it had been heard. Only HungUp gets out of here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import structlog

from ari_app.bridge import Bridge
from ari_app.channel import Channel
from ari_app.errors import AriError, HungUp
from ari_app.media import Keys, Playback

START_SECONDS = 2.0
"""A sound that has neither started nor ended by then is given up."""
PLAY_SECONDS = 180.0
"""No announcement is longer."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CollectSeconds:
    """The deadlines of ``collect``.

    `first_digit` runs from the end of the prompt, `inter_digit` from each key, `overall` from the beginning.
    """

    first_digit: float = 4.0
    inter_digit: float = 3.0
    overall: float = 180.0
    start: float = START_SECONDS


class Match(StrEnum):
    """What the digits so far are."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    INVALID = "invalid"


class Stop(StrEnum):
    """Why collecting ended; the last three name the deadline that ran out."""

    COMPLETE = "complete"
    INVALID = "invalid"
    FIRST_DIGIT = "first_digit"
    INTER_DIGIT = "inter_digit"
    OVERALL = "overall"


@dataclass(frozen=True, slots=True)
class Collected:
    """What was keyed, and why collecting ended."""

    digits: str
    stop: Stop

    @property
    def complete(self) -> bool:
        """Whether the digits are what was asked for."""
        return self.stop is Stop.COMPLETE


Matcher = Callable[[str], Match]


def one_of(keys: str) -> Matcher:
    """Match a single key out of `keys`."""
    return lambda digits: Match.COMPLETE if digits in keys else Match.INVALID


def up_to_hash(most: int, least: int = 1) -> Matcher:
    """Match `least` to `most` digits closed by ``#``; the hash is part of what is collected."""

    def match(digits: str) -> Match:
        number, closed = digits.removesuffix("#"), digits.endswith("#")
        if not number.isdigit() and number:
            return Match.INVALID
        if closed:
            return Match.COMPLETE if least <= len(number) <= most else Match.INVALID
        return Match.INCOMPLETE if len(number) <= most else Match.INVALID

    return match


def digit_sounds(number: str) -> tuple[str, ...]:
    """A number digit by digit, one sound each: Asterisk does not stop ``digits:`` before its end, and obeys nothing
    else on that channel meanwhile."""
    return tuple(f"sound:digits/{digit}" for digit in number if digit in "0123456789")


async def play(target: Channel | Bridge, *media: str, within: float = PLAY_SECONDS) -> bool:
    """Play sounds to their end, whether they were heard; raises HungUp only (for a channel)."""
    playback = await _begin(target, media, START_SECONDS)
    if playback is None:
        return False
    try:
        async with asyncio.timeout(within):
            state = await playback.done()
    except TimeoutError:
        log.warning("a sound did not end in time", action="play", media=media, within=within)
        await playback.stop()
        return True
    except asyncio.CancelledError:
        target.stop_soon(playback)
        raise
    if state == "gone" and isinstance(target, Channel):
        raise HungUp(target)
    return state == "done"


async def collect(
    channel: Channel,
    *media: str,
    match: Matcher,
    seconds: CollectSeconds | None = None,
    through: Bridge | None = None,
    keys: Keys | None = None,
) -> Collected:
    """Play `media` (to the channel, or to all in `through`) and read keys until `match` is satisfied or not.

    The first key silences the prompt. `keys`: a listener of the caller's, whose unread keys count (typing
    ahead); else keys count from now on.
    """
    limits = seconds or CollectSeconds()
    if keys is not None:
        return await _collect(channel, keys, media, match, limits, through)
    with channel.listen_dtmf() as own_keys:
        return await _collect(channel, own_keys, media, match, limits, through)


async def _collect(
    channel: Channel,
    keys: Keys,
    media: tuple[str, ...],
    match: Matcher,
    limits: CollectSeconds,
    through: Bridge | None,
) -> Collected:
    target = through or channel
    digits, playback = "", None
    try:
        async with asyncio.timeout(limits.overall):
            if media and not keys.waiting:  # who knows the menu need not hear it
                playback = await _begin(target, media, limits.start)
            key = await _first_key(keys, playback, limits.first_digit)
            if key is None:
                return Collected("", Stop.FIRST_DIGIT)
            while True:
                digits += key
                verdict = match(digits)
                if verdict is not Match.INCOMPLETE:
                    return Collected(digits, Stop(verdict.value))
                key = await _next_key(keys, limits.inter_digit)
                if key is None:
                    return Collected(digits, Stop.INTER_DIGIT)
    except TimeoutError:
        return Collected(digits, Stop.OVERALL)
    finally:
        if playback is not None and not playback.finished.happened:
            target.stop_soon(playback)


async def _begin(target: Channel | Bridge, media: tuple[str, ...], start: float) -> Playback | None:
    """A sound that is being played; None where it failed or would not start."""
    try:
        playback = await target.play(*media)
    except HungUp:
        raise
    except AriError as error:
        log.warning("a sound could not be played", action="play", media=media, error=str(error))
        return None
    try:
        async with asyncio.timeout(start):
            await playback.begun
    except TimeoutError:
        log.warning("a sound did not start in time", action="play", media=media, start=start)
        await playback.stop()
        return None
    return playback


async def _first_key(keys: Keys, playback: Playback | None, first_digit: float) -> str | None:
    """The first key, which silences the prompt; None `first_digit` seconds after the prompt's end."""
    loop, waits = asyncio.get_running_loop(), True
    try:
        async with asyncio.timeout(first_digit if playback is None else None) as limit:

            def prompt_ended(_: object) -> None:
                if waits:  # a callback that is on its way cannot be called back
                    limit.reschedule(loop.time() + first_digit)

            if playback is None:
                return (await keys.next()).digit
            playback.finished.add_done_callback(prompt_ended)
            try:
                key = await keys.next()
            finally:
                waits = False
                playback.finished.remove_done_callback(prompt_ended)
    except TimeoutError:
        return None
    await playback.stop()
    return key.digit


async def _next_key(keys: Keys, inter_digit: float) -> str | None:
    try:
        async with asyncio.timeout(inter_digit):
            return (await keys.next()).digit
    except TimeoutError:
        return None
