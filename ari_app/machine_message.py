"""What is left on an answering machine: after its greeting and its beep, from the beginning to the end."""

from __future__ import annotations

import asyncio

import structlog

from ari_app.channel import Channel
from ari_app.detection import Verdict
from ari_app.errors import AriError, HungUp
from ari_app.media import Playback
from ari_app.scope import until_hangup
from ari_app.services import Services
from contact_center import timeline
from contact_center.dialling import DialOrder
from contact_center.settings import Amd

MARK = "CALLWRIGHT_MACHINE"  # on the customer's channel: the verdict's cause, for a process that takes his call over
LONGEST_SECONDS = 120.0  # no message is longer
TRIES = 2  # a beep that comes late cuts the message's beginning: it is said once more

log = structlog.get_logger(__name__)


async def begun(customer: Channel) -> Verdict | None:
    """The verdict of an earlier process that had begun to leave a message; None where there is none. Raises HungUp."""
    try:
        cause = await customer.get_var(MARK)
    except HungUp:
        raise
    except AriError as error:
        log.info("it is not known whether it is a machine", action="adopt", reason=str(error))
        return None
    return Verdict("MACHINE", cause, 0.0) if cause else None


async def leave(customer: Channel, order: DialOrder, env: Services, story: timeline.CallLog, verdict: Verdict) -> bool:
    """Say the order's message once the machine is silent; whether it was heard to its end. Raises HungUp."""
    media, amd = env.machine_words(order.machine_message), env.settings.amd
    if not media:
        log.error("there is no message for a machine", action="amd", call_id=order.call_id)
        return False
    try:
        async with until_hangup(customer):
            silence = round(1000 * amd.message_silence_seconds)
            await customer.set_var(MARK, verdict.cause)
            await customer.set_var("TALK_DETECT(set)", f"{silence},{amd.silence_threshold}")
            for tries_left in reversed(range(TRIES)):
                await _silent(customer, amd)
                if await _said(customer, media, env, story, may_stop=tries_left > 0):
                    return True
    except HungUp:
        raise
    except AriError as error:
        log.error("the message for a machine could not be played", action="amd", reason=str(error))
    return False


async def _silent(customer: Channel, amd: Amd) -> None:
    """Until nothing is heard of the machine; its end of talk is told when the silence has lasted."""
    try:
        async with asyncio.timeout(amd.greeting_longest_seconds):
            if await customer.voice.talks_within(amd.message_silence_seconds):
                await customer.voice.until(talking=False)
    except TimeoutError:
        log.info("a machine talks without end", action="amd", channel=customer.id)


async def _said(
    customer: Channel, media: tuple[str, ...], env: Services, story: timeline.CallLog, *, may_stop: bool
) -> bool:
    """Whether it was heard undisturbed; disturbed it is cut short where it ``may_stop``."""
    began = env.clock.now()
    playback = await customer.play(*media)
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            if not may_stop or not await _disturbed(customer, playback):
                return await playback.done() == "done"
    except TimeoutError:
        log.warning("a message was too long for a machine", action="amd", channel=customer.id)
    finally:
        if not playback.finished.happened:
            customer.stop_soon(playback)
        gone = customer.gone
        story.add(timeline.Announced(began, gone.value.at if gone.happened else env.clock.now(), "machine_message"))
    return False


async def _disturbed(customer: Channel, playback: Playback) -> bool:
    """Whether the machine is heard before the message is over."""
    if customer.voice.talking:
        return False  # it never stopped: nothing is gained by waiting
    heard = asyncio.ensure_future(customer.voice.until(talking=True))
    ended = asyncio.ensure_future(playback.done())
    try:
        await asyncio.wait((heard, ended), return_when=asyncio.FIRST_COMPLETED)
        return heard.done() and not ended.done()
    finally:
        heard.cancel()
        ended.cancel()
