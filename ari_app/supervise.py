"""A supervisor's ear in a talk: his phone is rung, and he listens, whispers to the agent, or joins in.

Listening and whispering go by a channel that snoops on the agent's: what both say is heard, what the supervisor says
goes to the agent alone, or nowhere. To barge in is to join their bridge. It ends with the talk, or when he hangs up.
"""

from __future__ import annotations

import asyncio
from uuid import uuid4

import structlog

from ari_app.agent_leg import DialledLeg
from ari_app.agent_line import LineLeg
from ari_app.bridge import Bridge
from ari_app.channel import Channel
from ari_app.errors import AriError, HungUp, NoAnswer
from ari_app.scope import finish, until_hangup
from ari_app.services import Services
from ari_app.talks import Talking
from contact_center.terms import Ear

ENTER_SECONDS = 2.0  # how long the snooping channel may take to be there
EARS = "cw-ear-"  # what the ids of these channels begin with

log = structlog.get_logger(__name__)


async def supervise(env: Services, call_id: str, ext: str, ear: Ear) -> None:
    """Ring the phone of ``ext`` and let him hear the talk of a call until either ends; nothing where it is over."""
    talk, seat = env.talks.get(call_id), env.roster.get(ext)
    if talk is None or seat is None:
        log.info("nothing to listen to", action="ear", call_id=call_id, ext=ext)
        return
    dialled = env.ari.dial(
        seat.endpoint,
        channel_id=f"{EARS}{ext}-{uuid4().hex[:8]}",
        ring_seconds=float(env.settings.agents.ring_seconds),
        app_args=("ear", call_id, ext),
        caller_id=call_id,
    )
    try:
        async with dialled as phone, until_hangup(phone, talk.customer, talk.leg.channel):
            if ear is Ear.BARGE:
                await _barge(env, talk, phone)
            else:
                await _snoop(env, talk, phone, ear)
    except NoAnswer:
        log.info("the supervisor did not answer", action="ear", call_id=call_id, ext=ext)
    except HungUp:
        log.info("the ear is over", action="ear", call_id=call_id, ext=ext)


async def _barge(env: Services, talk: Talking, phone: Channel) -> None:
    bridge = _bridge(env, talk)
    await bridge.add(phone)
    try:
        await phone.left()
    finally:
        await finish(_leave(bridge, phone))


async def _leave(bridge: Bridge, phone: Channel) -> None:
    """Out of the bridge at once: the next customer may come into it while the phone is still being hung up."""
    bridge.members.discard(phone)
    if not phone.gone.happened:
        await phone.hang_up()


def _bridge(env: Services, talk: Talking) -> Bridge:
    match talk.leg:
        case DialledLeg() | LineLeg():
            return talk.leg.bridge
    return env.ari.bridge(talk.leg.bridge_id)


async def _snoop(env: Services, talk: Talking, phone: Channel, ear: Ear) -> None:
    snoop = env.ari.channel(f"{phone.id}-s")
    whisper = "out" if ear is Ear.WHISPER else "none"
    query = {"snoopId": snoop.id, "spy": "both", "whisper": whisper, "app": env.settings.asterisk.app, "appArgs": "ear"}
    try:
        await talk.leg.channel.command("POST", "/snoop", query=query)
        async with asyncio.timeout(ENTER_SECONDS):
            await snoop.entered
        async with env.ari.bridge(f"{phone.id}-b") as bridge:
            await bridge.add(phone, snoop)
            await phone.left()
    except (AriError, TimeoutError) as error:
        if isinstance(error, HungUp):
            raise
        log.warning("no ear in this talk", action="ear", call_id=talk.call_id, reason=str(error))
    finally:
        await finish(snoop.hang_up())
