"""A customer whom his agent has given to a number outside, found so by a next process."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime

from ari_app.agent_leg import AdoptedLeg
from ari_app.channel import Channel
from ari_app.inbound_talk import Talk
from ari_app.queue_rings import let_go
from ari_app.recording import ToRecord
from ari_app.scope import until_hangup
from ari_app.services import Services
from ari_app.snapshot import FoundTalk, made_at
from contact_center import story

_OUTSIDE = "outside"  # first argument of every leg dialled to a number outside for a customer; the number follows


@dataclass(frozen=True, slots=True)
class GivenOutside:
    """Who has the customer now: the number, its leg, where both are, and since when it is there."""

    number: str
    there: Channel
    bridge_id: str
    at: datetime

    @property
    def told(self) -> story.Diverted:
        """As its call's timeline has it."""
        return story.Diverted(self.at, self.number)


def given_outside(env: Services, talk: FoundTalk | None) -> GivenOutside | None:
    """Take over the leg of a number outside who talks to a customer; None where it is an agent, or nobody."""
    if talk is None or talk.on_hold or talk.agent.app_args[:1] != (_OUTSIDE,):
        return None
    at = made_at(talk.agent) or env.clock.now()
    return GivenOutside(talk.agent.app_args[-1], env.ari.adopt(talk.agent), talk.bridge.id, at)


async def talk_outside(
    env: Services, customer: Channel, to: GivenOutside, calls: story.CallLog, record: ToRecord
) -> None:
    """Both talk until one of them leaves, and no agent is with them; the leg to the number ends with it.

    ``calls`` tells already who had him, up to this number.
    """
    async with AsyncExitStack() as side:
        side.push_async_callback(let_go, to.there)
        async with until_hangup(customer):
            talk = Talk(env, customer, calls, "", side=side, record=record)
            await talk.until_over(AdoptedLeg(to.there, to.bridge_id), may_force=False, welcome=())
