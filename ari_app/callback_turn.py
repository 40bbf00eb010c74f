"""What a callback's turn begins with: its claim, by the rules of this moment, and the agent whose phone is rung."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import structlog

from ari_app.agent_leg import Leg, NotTaken, ring_agent
from ari_app.callback_parts import CallbackParts
from ari_app.queue_rings import FREE_SECONDS, QueueRing
from ari_app.scope import finish
from contact_center.callbacks.plan import Kept
from contact_center.roster import Offer
from contact_center.store.callback_claims import NotAllowed, claim_callback
from contact_center.store.callback_facts import CallbackClosed
from contact_center.terms import CallbackState

log = structlog.get_logger(__name__)


def may_begin(parts: CallbackParts, kept: Kept, now: datetime) -> bool:
    """Whether its queue is open and a trunk has a line; else its turn comes again in a moment."""
    rules = parts.board.queues[kept.queue]
    return rules.is_open(parts.env.settings.site.timezone, now) and parts.env.trunks.has_line(rules.options.trunk)


async def claimed(parts: CallbackParts, kept: Kept, now: datetime) -> bool:
    """Whether it is ours now; one who must not be called any more is closed before anybody is rung for him."""
    try:
        return await parts.commit(lambda session: claim_callback(session, kept.id, parts.owner, now))
    except NotAllowed as why:
        forbidden(parts, kept, why, now)
        return False


def forbidden(parts: CallbackParts, kept: Kept, why: NotAllowed, now: datetime) -> None:
    """Nobody calls him any more."""
    log.info("not called back", action="callback", callback=kept.id, reason=str(why))
    parts.post(CallbackClosed(callback_id=kept.id, at=now, state=CallbackState.FAILED.value, reason=str(why)))


@asynccontextmanager
async def agent_there(parts: CallbackParts, kept: Kept, offer: Offer, ring_seconds: float) -> AsyncIterator[Leg]:
    """The agent who is called first; his leg ends with the block, but for a line. Raises NotTaken."""
    if offer.seat.line:
        line = parts.lines.get(offer.ext)
        if line is None:
            raise NotTaken("failed")
        yield line
        return
    # "r": Asterisk refuses an id that a living channel's id begins with, and the customer's ends with a number
    leg_id = parts.env.legs.next(f"cw-{kept.id}-r")
    ring = QueueRing(kept.call_id, kept.number, ring_seconds, parts.env.hides(kept.number))
    try:
        async with ring_agent(offer, ring, None, leg_id, parts.env, queued=True) as leg:
            yield leg
    finally:
        phone = parts.env.ari.find(leg_id)
        if phone is not None and phone.sent and not phone.gone.happened:
            await finish(phone.gone_within(FREE_SECONDS))
