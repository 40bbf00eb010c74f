"""A customer whom his agent has given to a number outside, found so by a next process."""

from __future__ import annotations

from contextlib import AsyncExitStack

from ari_app.agent_leg import AdoptedLeg
from ari_app.channel import Channel
from ari_app.events import ChannelInfo
from ari_app.inbound_talk import Talk
from ari_app.queue_rings import let_go
from ari_app.recording import ToRecord
from ari_app.scope import until_hangup
from ari_app.services import Services
from ari_app.snapshot import FoundTalk, made_at
from contact_center import story

OUTSIDE = "outside"
"""First argument of every leg that was dialled to a number outside for a customer; the number follows."""


def number_outside(info: ChannelInfo) -> str:
    """The number behind such a leg; of any other channel nothing."""
    return info.app_args[-1] if info.app_args[:1] == (OUTSIDE,) else ""


async def talk_outside(
    env: Services, customer: Channel, talk: FoundTalk, calls: story.CallLog, record: ToRecord
) -> None:
    """Both talk until one of them leaves, and no agent is with them; the leg to the number ends with it."""
    there = env.ari.adopt(talk.agent)
    async with AsyncExitStack() as side:
        side.push_async_callback(let_go, there)
        async with until_hangup(customer):
            calls.add(story.Diverted(made_at(talk.agent) or env.clock.now(), number_outside(talk.agent)))
            both = Talk(env, customer, calls, "", side=side, record=record)
            await both.until_over(AdoptedLeg(there, talk.bridge.id), may_force=False, welcome=())
