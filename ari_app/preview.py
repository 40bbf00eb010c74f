"""``*49`` and the words an agent hears of the lead that he is shown."""

from __future__ import annotations

import structlog

from ari_app import prompts
from ari_app.agent_line import AgentLines
from ari_app.channel import Channel
from ari_app.errors import AriError, HungUp
from ari_app.preview_code import REFUSED, take
from ari_app.scope import finish, until_hangup
from ari_app.services import Services
from contact_center.dialling import PreviewCard

NAME_FIELDS = ("name", "full_name", "first_name")

log = structlog.get_logger(__name__)


def spoken(card: PreviewCard, env: Services) -> tuple[str, ...]:
    """The lead's name where words for it are ready, else his number; a tone where that is hidden."""
    name = next((str(card.fields[key]) for key in NAME_FIELDS if card.fields.get(key)), "")
    if name and (words := env.words(f"{name}.")):
        return words
    if card.hide_number:
        return ("sound:beep",)
    return prompts.digit_sounds(card.number)


async def announce(card: PreviewCard, env: Services, lines: AgentLines) -> None:
    """Tell an agent on his line whom he is shown; others see it, and hear it when they dial ``*49``."""
    line = lines.get(card.ext)
    if line is not None:
        try:
            await prompts.play(line.channel, *spoken(card, env))
        except HungUp:
            log.info("line ended", action="preview", agent=card.ext)


async def accepted(channel: Channel, endpoint: str, cards: dict[str, PreviewCard], env: Services) -> None:
    """``*49``: the lead is called, and its customer arrives in this very call, or on the agent's line if he has one."""
    seat = env.roster.seat_of(f"PJSIP/{endpoint.removeprefix('PJSIP/')}")
    card = next((card for card in cards.values() if seat is not None and card.ext == seat.ext), None)
    try:
        async with until_hangup(channel):
            await channel.answer()
            leg = None if seat is not None and seat.line else channel
            if seat is None or card is None:
                await prompts.play(channel, REFUSED)
                return
            order, words = await take(seat.ext, leg, env)
            if order is None:
                await prompts.play(channel, *words)
                return
            await prompts.play(channel, *spoken(card, env))
            if leg is not None:
                await _ringback(leg, env.ari.find(order.channel_id))
                await leg.left()  # the call that he has taken ends it
    except HungUp:
        log.info("the agent hung up", action="preview", channel=channel.id)
    finally:
        await finish(channel.hang_up())


async def _ringback(agent: Channel, customer: Channel | None) -> None:
    """He hears that the customer's phone rings, unless it has been answered while he heard the words."""
    if customer is None or customer.answered.happened or customer.gone.happened:
        return
    try:
        await agent.ring()
    except AriError as error:
        log.info("no ringback", action="preview", reason=str(error))
