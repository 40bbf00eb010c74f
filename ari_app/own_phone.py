"""The phone of an agent who calls somebody himself: it dialled, or it is rung for that, or his line stands anyway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog

from ari_app import prompts
from ari_app.agent_leg import AUTO_ANSWER, TRANSFERS, DialledLeg, NotTaken, cut_short
from ari_app.agent_line import AgentLines, LineLeg
from ari_app.channel import Channel
from ari_app.errors import AriError, HungUp, NoAnswer
from ari_app.scope import finish, until_hangup
from ari_app.services import Services
from contact_center.seat import Seat

BUSY_TONE = "tone:busy"
BUSY_SECONDS = 2.0  # how long an agent whose phone is answered hears that nothing came of his call
WORDS_SECONDS = 8.0  # how long it may take to tell him why in words

log = structlog.get_logger(__name__)


class OwnLeg(DialledLeg):
    """A phone with which its agent called: answered, at the latest, when it is joined to whom it called."""

    async def answer(self) -> None:
        """Answer it, unless it is answered."""
        if not self.channel.answered.happened:
            await self.channel.answer()

    async def join(self, customer: Channel) -> None:
        """Both hear each other; what the agent keys is ours."""
        await self.answer()
        await super().join(customer)


@asynccontextmanager
async def own_side(
    env: Services, lines: AgentLines, seat: Seat, call_id: str, phone: Channel | None, shown: str
) -> AsyncIterator[OwnLeg | LineLeg]:
    """The agent's leg of his own call; it ends with the block, but for a line. Raises NotTaken.

    ``phone``: the channel with which he dialled; None: it was ordered elsewhere. ``shown``: what a phone that is rung
    for it displays.
    """
    line = lines.get(seat.ext) if phone is None else None
    if line is not None:
        try:
            yield line
        finally:
            await finish(back_to_line(line))
    elif phone is not None:
        try:
            async with env.bridges.take() as bridge:
                yield OwnLeg(phone, bridge)
        finally:
            await finish(phone.hang_up())
    else:
        async with env.bridges.take() as bridge, _rung(env, seat, call_id, shown) as channel:
            yield OwnLeg(channel, bridge)


async def back_to_line(line: LineLeg) -> None:
    """His own call stays up, and he is alone in it again."""
    if line.channel.gone.happened:
        return
    try:
        await line.channel.ring_stop()
        await line.bridge.add(line.channel, absorb_dtmf=True)
    except AriError as error:
        log.info("not back in his line", action="line", reason=str(error))


@asynccontextmanager
async def _rung(env: Services, seat: Seat, call_id: str, shown: str) -> AsyncIterator[Channel]:
    await cut_short(seat, env)
    dialled = env.ari.dial(
        seat.endpoint,
        channel_id=own_leg_id(call_id),
        ring_seconds=float(env.settings.agents.ring_seconds),
        app_args=("agent", call_id, seat.ext),
        caller_id=shown,
        variables=AUTO_ANSWER | TRANSFERS,
        app="" if "@" in seat.endpoint else env.ari.agents_app,
    )
    try:
        channel = await dialled.__aenter__()
    except NoAnswer:
        raise NotTaken("no_answer") from None
    except AriError as error:
        log.warning("the agent's phone is not rung", action="own_call", agent=seat.ext, reason=str(error))
        raise NotTaken("failed") from None
    try:
        yield channel
    finally:
        await dialled.__aexit__(None, None, None)


def own_leg_id(call_id: str) -> str:
    """The channel of an agent whose phone is rung for his own call."""
    return f"cw-{call_id}-a0"


async def ringback(leg: OwnLeg | LineLeg) -> None:
    """Let him hear that it rings."""
    try:
        await leg.channel.ring()
    except HungUp:
        raise
    except AriError as error:
        log.info("no ringback", action="own_call", reason=str(error))


async def no_ringback(leg: OwnLeg | LineLeg) -> None:
    """It rings no more."""
    try:
        await leg.channel.ring_stop()
    except HungUp:
        raise
    except AriError as error:
        log.info("ringback may go on", action="own_call", reason=str(error))


async def tell_failure(leg: OwnLeg | LineLeg, cause: int, words: tuple[str, ...] = ()) -> None:
    """Nothing came of it: he hears ``words``, then his phone shows why, or he hears it where it is answered already."""
    if words:
        with suppress(HungUp, TimeoutError):
            async with until_hangup(leg.channel), asyncio.timeout(WORDS_SECONDS):
                await no_ringback(leg)
                await prompts.play(leg.channel, *words)
    if not leg.channel.answered.happened:
        await leg.channel.hang_up(reason_code=cause)
        return
    with suppress(HungUp, TimeoutError):
        async with until_hangup(leg.channel), asyncio.timeout(BUSY_SECONDS):
            await no_ringback(leg)
            await _busy_tone(leg.channel)


async def _busy_tone(channel: Channel) -> None:
    try:
        tone = await channel.play(BUSY_TONE)
    except HungUp:
        raise
    except AriError as error:
        log.info("no busy tone", action="own_call", reason=str(error))
        return
    try:
        await tone.finished
    finally:
        channel.stop_soon(tone)
