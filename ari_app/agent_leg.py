"""An agent's side of a call: his phone rung for this customer, and what it makes of that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from functools import partial
from typing import Protocol

import structlog

from ari_app.bridge import Bridge
from ari_app.channel import Channel
from ari_app.errors import AriDown, AriError, HungUp, NoAnswer, Refused, Uncertain
from ari_app.scope import at_once, finish
from ari_app.services import Services
from contact_center.roster import Offer
from contact_center.seat import Seat

# What softphones and desk phones understand as "answer by yourself"; each make obeys one of them.
AUTO_ANSWER = {
    "PJSIP_HEADER(add,Call-Info)": "<sip:callwright>;answer-after=0",
    "PJSIP_HEADER(add,Alert-Info)": "<sip:callwright>;info=alert-autoanswer",
}
TRANSFERS = {"PJSIP_TRANSFER_HANDLING()": "ari-only"}
"""A REFER of this phone is told to us; Asterisk itself would take the customer out of our hands."""
RINGBACK_AFTER_SECONDS = 0.25  # a phone that answers by itself is faster: its customer hears no ringback
SILENT_SECONDS = 4.0  # a phone that has not even begun to ring by then is not there (SIP has asked it four times)
CUT_SHORT_SECONDS = 0.5  # how long the end of a spoken code may take before the phone is rung all the same
_REJECTED = {17, 21}

log = structlog.get_logger(__name__)


class NotTaken(Exception):
    """The agent did not take the call (``reason``: no_answer, rejected), or his phone did not (failed, silent)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ToRing(Protocol):
    """What an agent's phone must be told of a call; a DialOrder is one."""

    @property
    def call_id(self) -> str:
        """The call."""
        ...

    @property
    def number(self) -> str:
        """The customer's number."""
        ...

    @property
    def hide_number(self) -> bool:
        """Whether the agent must not see it."""
        ...

    @property
    def agent_ring_seconds(self) -> float:
        """How long his phone rings."""
        ...


class Leg(Protocol):
    """An agent who is there."""

    channel: Channel

    @property
    def bridge_id(self) -> str:
        """Where he and the customer meet."""
        ...

    async def join(self, customer: Channel) -> None:
        """Let both hear each other."""
        ...


class DialledLeg:
    """A phone that was rung for this call and ends with it; its customer may be in the bridge already."""

    def __init__(self, channel: Channel, bridge: Bridge) -> None:
        self.channel, self._bridge = channel, bridge

    @property
    def bridge(self) -> Bridge:
        """Where both are, for what both are to hear."""
        return self._bridge

    @property
    def bridge_id(self) -> str:
        """The bridge of this call."""
        return self._bridge.id

    async def join(self, customer: Channel) -> None:
        """The agent's command alone where the customer is there, else both at once: neither waits for the other's.

        Where it fails the customer is let out again, although it may not be known whether he is in.
        """
        wanted = [self._bridge.add(self.channel, absorb_dtmf=True)]
        if not self._bridge.holds(customer):
            wanted.append(self._bridge.add(customer))
        failures = [failure for failure in await at_once(*wanted) if failure is not None]
        if not failures:
            return
        if not customer.gone.happened:
            await finish(self._bridge.remove(customer))
        raise failures[0]


class HeldLeg(DialledLeg):
    """An agent's own call, in which he waits for the customer whom he asked for."""

    async def join(self, customer: Channel) -> None:
        """Both at once; no more ringback for the agent."""
        await super().join(customer)
        await self.channel.ring_stop()


class AdoptedLeg:
    """A leg found in its bridge when control was regained."""

    def __init__(self, channel: Channel, bridge_id: str) -> None:
        self.channel, self.bridge_id = channel, bridge_id
        channel.tell_bridged(bridge_id)

    async def join(self, customer: Channel) -> None:
        """They hear each other already."""


@asynccontextmanager
async def ring_agent(
    offer: Offer,
    order: ToRing,
    customer: Channel | None,
    channel_id: str,
    env: Services,
    *,
    queued: bool = False,
    seat_early: bool = True,
) -> AsyncIterator[DialledLeg]:
    """Ring the agent's phone; the block runs when he has answered, and his leg (``channel_id``) ends with it.

    The customer hears ringback meanwhile; words that the agent's phone is being told are cut short. Raises NotTaken.
    A ``queued`` customer hears his music until ``join``, and nothing is done to him before; the phone is not told to
    answer by itself, since the agent did not ask for this call. ``seat_early``: the customer waits in the bridge.
    Without a ``customer`` the agent is called first.
    """
    async with AsyncExitStack() as leg:
        bridge = await _bridge(leg, env)
        at_once = None if queued else customer
        async with nullcontext() if at_once is None else _ringback(at_once, env):
            await cut_short(offer.seat, env)
            dialled = env.ari.dial(
                offer.seat.endpoint,
                channel_id=channel_id,
                ring_seconds=order.agent_ring_seconds,
                app_args=("agent", order.call_id, offer.ext),
                caller_id=shown_number(order),
                variables=TRANSFERS if at_once is None else AUTO_ANSWER | TRANSFERS,
                originator=None if customer is None else customer.id,
                app="" if "@" in offer.seat.endpoint else env.ari.agents_app,  # far phones tell more by ``Dial``
                meanwhile=partial(_seat, bridge, at_once) if at_once is not None and seat_early else None,
            )
            channel = await _answered(leg, dialled, env.ari.channel(channel_id), order.agent_ring_seconds)
        yield DialledLeg(channel, bridge)


async def _answered(
    leg: AsyncExitStack, dialled: AbstractAsyncContextManager[Channel], ringing: Channel, ring_seconds: float
) -> Channel:
    """The agent's channel once he has answered, kept by `leg`; raises NotTaken with the reason."""
    try:
        async with _unless_silent(ringing, ring_seconds):
            return await leg.enter_async_context(dialled)
    except NoAnswer as error:
        raise NotTaken("rejected" if error.gone.cause in _REJECTED else "no_answer") from None
    except TimeoutError:
        raise NotTaken("silent") from None
    except (AriDown, Uncertain):
        raise NotTaken("line_down") from None  # Asterisk is in doubt, not his phone
    except Refused:
        raise NotTaken("failed") from None


async def _seat(bridge: Bridge, customer: Channel) -> None:
    """Put the customer into the bridge while the phone is rung: one command less between his agent's answer and him."""
    try:
        await bridge.add(customer)
    except HungUp:
        raise
    except AriError as error:
        log.info("the customer is joined later", action="connect", reason=str(error))


async def _bridge(leg: AsyncExitStack, env: Services) -> Bridge:
    try:
        return await leg.enter_async_context(env.bridges.take())
    except AriError as error:
        log.warning("no bridge", action="connect", reason=str(error))
        raise NotTaken("line_down") from None


async def cut_short(seat: Seat, env: Services) -> None:
    """End what his phone is told after a code, so that it is free for a customer."""
    for channel_id in list(seat.own_calls):
        phone = env.ari.channel(channel_id)
        try:
            async with asyncio.timeout(CUT_SHORT_SECONDS):
                await phone.subscribe()
                await phone.try_hang_up()
                await phone.left()  # rung before, his phone would take the customer for a second call
        except (AriError, TimeoutError) as error:
            log.info("a spoken code goes on", action="cut_short", agent=seat.ext, reason=str(error))
        finally:
            phone.lost()


@asynccontextmanager
async def _unless_silent(phone: Channel, ring_seconds: float) -> AsyncIterator[None]:
    """TimeoutError when the phone gives no sign of life for SILENT_SECONDS, or before Asterisk gives it up."""
    inside = True
    async with asyncio.timeout(min(SILENT_SECONDS, 0.9 * ring_seconds)) as limit:

        def it_rings(_: object) -> None:
            if inside and not limit.expired():  # a callback that is on its way cannot be called back
                limit.reschedule(None)

        phone.ringing.add_done_callback(it_rings)
        try:
            yield
        finally:
            inside = False
            phone.ringing.remove_done_callback(it_rings)


def shown_number(order: ToRing) -> str:
    """What the agent's phone shows: the customer's number, or the call's id where it is hidden."""
    return order.call_id if order.hide_number else order.number


@asynccontextmanager
async def _ringback(customer: Channel, env: Services) -> AsyncIterator[None]:
    """Ringback for the customer while the block lasts, begun only when that takes a moment."""
    begun: list[asyncio.Task[None]] = []

    def begin() -> None:
        begun.append(env.ari.spawn(customer.ring(), f"ringback {customer.id}"))

    later = asyncio.get_running_loop().call_later(RINGBACK_AFTER_SECONDS, begin)
    try:
        yield
    finally:
        later.cancel()
        if begun and not customer.gone.happened:  # nobody waits for its end: it must not hold up the agent
            env.ari.spawn(_hush(begun[0], customer), f"no ringback {customer.id}")


async def _hush(ringing: asyncio.Task[None], customer: Channel) -> None:
    await asyncio.wait([ringing])
    await customer.ring_stop()
