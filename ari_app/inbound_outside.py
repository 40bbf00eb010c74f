"""A caller whom a rule of his queue sends to a number outside, which is no agent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ari_app.channel import Channel
from ari_app.leg_ids import OUTSIDE
from ari_app.outside import OutsideCall
from ari_app.parting import other_left
from ari_app.queue_music import DeadMan
from ari_app.reception import Caller
from ari_app.scope import finish, until_hangup
from ari_app.services import Services
from contact_center import story
from contact_center.terms import VisitEnd


@dataclass(frozen=True, slots=True)
class Outside:
    """A number outside, and the trunks by which his queue calls it, in order of preference; empty: every trunk."""

    number: str
    trunks: tuple[str, ...] = ()


async def put_through(
    env: Services, channel: Channel, caller: Caller, to: Outside, dead_man: DeadMan, calls: story.CallLog
) -> bool:
    """Connect him with a number outside, until one of them leaves; False where nobody answers there."""
    number = to.number
    outside = OutsideCall(
        env, channel, env.legs.next(f"cw-{caller.call_id}", OUTSIDE), number, caller.number, to.trunks
    )
    async with outside.answered() as there:
        if not there:
            return False
        calls.add(story.Diverted(env.clock.now(), number))
        env.ari.spawn(dead_man.stop(), f"no clock {channel.id}")
        await outside.channel.left()
        other_left(outside.channel, env.clock.now(), calls)
    return True


async def still_outside(
    env: Services, channel: Channel, queue: str, there: Channel, number: str, since: datetime, calls: story.CallLog
) -> None:
    """Such a talk that an earlier process had connected."""
    try:
        async with until_hangup(channel):
            calls.add(story.WaitOver(since, queue, VisitEnd.TIMEOUT, f"number:{number}"))
            calls.add(story.Diverted(since, number))
            await there.left()
            other_left(there, env.clock.now(), calls)
    finally:
        await finish(there.hang_up())
