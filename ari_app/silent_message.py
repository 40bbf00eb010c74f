"""What a person hears who answered while no agent was free: who called, and the key to be called no more."""

from __future__ import annotations

import asyncio

import structlog

from ari_app.channel import Channel
from ari_app.errors import AriError, HungUp
from ari_app.media import Keys, Playback
from ari_app.queue_prompts import is_words
from ari_app.services import Services
from ari_app.speech import Speech, sounds_folder
from contact_center import timeline
from contact_center.dialling import DialOrder
from contact_center.errors import CallwrightError
from contact_center.settings import Settings

KEY_SECONDS = 3.0  # how long after its end the key is still waited for
LONGEST_SECONDS = 60.0  # no message is longer

log = structlog.get_logger(__name__)


async def say(customer: Channel, order: DialOrder, env: Services, story: timeline.CallLog) -> bool:
    """Say it to its end; whether he keyed that he wants no more calls, which is remembered at once.

    Never rendered here: what is not spoken yet is not heard. Raises HungUp.
    """
    media = env.words(order.message)
    if not media:
        log.error("nothing to say to a person for whom nobody is free", action="silent_message", call_id=order.call_id)
        return False
    began = env.clock.now()
    try:
        with customer.listen_dtmf() as keys:
            opted_out = await _heard(customer, media, keys, order.opt_out_key)
            if opted_out:
                env.forbid(order)
                log.info("wants no more calls", action="opt_out", call_id=order.call_id)
            return opted_out
    finally:
        gone = customer.gone
        story.add(timeline.Announced(began, gone.value.at if gone.happened else env.clock.now(), "silent_message"))


async def _heard(customer: Channel, media: tuple[str, ...], keys: Keys, key: str) -> bool:
    try:
        await customer.leave_bridge()  # an agent's phone may have been rung for him
        await customer.ring_stop()
        playback = await customer.play(*media)
    except HungUp:
        raise
    except AriError as error:
        log.error("the silent call message could not be played", action="silent_message", reason=str(error))
        return False
    try:
        async with asyncio.timeout(LONGEST_SECONDS) as limit:
            return await _keyed(keys, key, playback, limit)
    except TimeoutError:
        return False
    finally:
        if not playback.finished.happened:
            customer.stop_soon(playback)


async def _keyed(keys: Keys, key: str, playback: Playback, limit: asyncio.Timeout) -> bool:
    """Whether the key comes before the end, or soon after it; other keys change nothing."""
    loop, inside = asyncio.get_running_loop(), True

    def ended(_: object) -> None:
        if inside and not limit.expired():  # a callback that is on its way cannot be called back
            limit.reschedule(loop.time() + KEY_SECONDS)

    playback.finished.add_done_callback(ended)
    try:
        while (await keys.next()).digit != key:
            continue
    finally:
        inside = False
        playback.finished.remove_done_callback(ended)
    return True


async def prepare(settings: Settings, text: str) -> None:
    """Have it spoken before anybody is called. Raises CallwrightError where it cannot be."""
    if not is_words(text):
        return
    speech = Speech(settings.speech.command, sounds_folder(settings.database.url), lambda later, _: later.close())
    language = settings.site.language
    await speech.make(text, language)
    if speech.spoken(text, language) is None:
        raise CallwrightError(
            "The message for people for whom no agent is free cannot be spoken: the [speech] command "
            f"{settings.speech.command.partition(' ')[0]!r} made no sound of it; "
            "mend it, or set silent_message to the name of a recorded sound."
        )
