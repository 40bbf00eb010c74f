"""The Stasis application: one task per call, all of them owned here."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from datetime import datetime
from typing import Any

import structlog

from ari_app.agent_line import AgentLines
from ari_app.channel import Channel
from ari_app.commands import WHISPERS
from ari_app.errors import AriError
from ari_app.inbound_desk import InboundDesk
from ari_app.outbound import OutboundCall
from ari_app.own_desk import OwnDesk
from ari_app.preview import accepted, announce
from ari_app.router import Arrival
from ari_app.services import Services
from ari_app.trunk_line import hold_arrival
from contact_center.crash_points import reached
from contact_center.dialling import DialOrder, PreviewCard
from contact_center.roster import Offer
from contact_center.terms import Party

GOODBYE = "callwright-goodbye"  # context of the bundle: says that nobody can be reached, and hangs up
FALLBACK = "callwright-fallback"  # context of the bundle: the fallback number, else goodbye

log = structlog.get_logger(__name__)


class App:
    """Runs calls; implements :class:`contact_center.dialling.PlaceCall`.

    ``async with`` owns every call's task: leaving the block cancels them.
    """

    def __init__(self, env: Services) -> None:
        self.env = env
        self.lines = AgentLines(env)
        self.calls: dict[str, OutboundCall] = {}
        self.inbound: InboundDesk | None = None
        self.previews: dict[str, PreviewCard] = {}
        self.own: OwnDesk | None = None
        self.paused = False
        self._group = asyncio.TaskGroup()

    async def __aenter__(self) -> App:
        await self._group.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self._group.__aexit__(*error)

    @property
    def ready(self) -> bool:
        """PlaceCall: Asterisk's events are proven to come."""
        return self.env.ari.live and not self.paused

    def place(self, order: DialOrder) -> None:
        """PlaceCall: start a call's life."""
        reached("intent_committed")
        call = self.take(order)
        self.start(call, call.live())

    def place_held(self, order: DialOrder, offer: object, leg: object) -> None:
        """PlaceCall: a call for an agent who has asked for it."""
        reached("intent_committed")
        call = self.take(order)
        assert isinstance(offer, Offer)
        call.hold(offer, leg if isinstance(leg, Channel) else None)
        self.start(call, call.live())

    def show_preview(self, card: PreviewCard) -> None:
        """PlaceCall: the agent's screen shows it by the card, and his line tells him."""
        self.previews[card.call_id] = card
        self.spawn(announce(card, self.env, self.lines), f"preview {card.ext}")

    def hide_preview(self, card: PreviewCard) -> None:
        """PlaceCall: it is over."""
        self.previews.pop(card.call_id, None)

    def take(self, order: DialOrder) -> OutboundCall:
        """The call of an order, known from now on."""
        call = self.calls[order.channel_id] = OutboundCall(order, self.env, self.lines)
        if self.env.tapes is not None:
            self.env.tapes.prepare(order, self.env.settings.site.language)
        return call

    def start(self, call: OutboundCall, story: Coroutine[Any, Any, None]) -> None:
        """Run a call's coroutine as a task of ours."""
        self._group.create_task(self._run(call, story), name=call.order.channel_id)

    def withdraw(self, order: DialOrder) -> None:
        """PlaceCall: take back a call that is not answered."""
        if call := self.calls.get(order.channel_id):
            call.withdraw()

    def can_say(self, message: str) -> bool:
        """PlaceCall: the message is there to be played."""
        return bool(self.env.words(message))

    def can_leave(self, message: str) -> bool:
        """PlaceCall: what is left on machines is there to be played."""
        return bool(self.env.machine_words(message))

    def unanswered(self) -> list[DialOrder]:
        """The orders of calls that nobody has answered yet."""
        return [call.order for call in self.calls.values() if not call.customer.entered.happened]

    async def hang_up(self, call_id: str) -> bool:
        """End a call by a supervisor's wish; False when it is not up here."""
        for call in self.calls.values():
            if call.order.call_id == call_id:
                call.ended_by_supervisor()
                await call.customer.hang_up()
                return True
        if self.own is not None and await self.own.hang_up(call_id):
            return True
        return self.inbound is not None and await self.inbound.hang_up(call_id)

    async def hang_up_as(self, call_id: str, ext: str) -> bool:
        """End a call by the wish of its agent, who is not at his phone; False when he does not have it."""
        talk = self.env.talks.get(call_id)
        if talk is not None and talk.agent == ext:
            await talk.hang_up()
            return True
        return talk is None and self.own is not None and await self.own.hang_up(call_id, Party.AGENT)

    def place_own(self, call_id: str, wish: Mapping[str, Any], at: datetime) -> None:
        """`call place`: an agent (``ext``) is to be connected with a ``number``, or with another agent."""
        if self.own is not None:
            self.spawn(self.own.ordered(call_id, str(wish["ext"]), str(wish["number"]), at), f"own {call_id}")

    async def serve_callbacks(self) -> None:
        """Call back whose turn it is. Runs until cancelled."""
        if self.inbound is not None and self.inbound.reception.callbacks is not None:
            await self.inbound.reception.callbacks.run()

    def callback_cancelled(self, callback_id: str) -> None:
        """A supervisor took a callback away."""
        if self.inbound is not None and self.inbound.reception.callbacks is not None:
            self.inbound.reception.callbacks.cancelled(callback_id)

    async def _run(self, call: OutboundCall, story: Coroutine[Any, Any, None]) -> None:
        """One broken call must not end the others."""
        try:
            await story
        except Exception:
            log.exception("a call ended by an error", action="call", call_id=call.order.call_id)
        finally:
            self.calls.pop(call.order.channel_id, None)

    # -- what comes in --------------------------------------------------------------------------------

    async def serve_arrivals(self) -> None:
        """Take every channel that enters the application from the dialplan. Runs until cancelled."""
        async for arrival in self.env.ari.arrivals():
            self.spawn(self._arrived(arrival), f"arrival {arrival.channel.id}")

    def spawn(self, story: Coroutine[Any, Any, None], name: str) -> None:
        """Run something that belongs to no dialled call, as a task of ours."""
        self._group.create_task(self._guard(story), name=name)

    async def _guard(self, story: Coroutine[Any, Any, None]) -> None:
        try:
            await story
        except AriError as error:
            log.info("a channel ended early", action="arrival", reason=str(error))
        except Exception:
            log.exception("a channel ended by an error", action="arrival")

    async def _arrived(self, arrival: Arrival) -> None:
        match arrival.args:
            case ("persistent", endpoint, *_):
                await self._line(arrival, endpoint)
            case ("preview_accept", endpoint, *_):
                await accepted(arrival.channel, endpoint, self.previews, self.env)
            case ("manual", endpoint, dialled, *_) if self.own is not None:
                await self.own.dialled(arrival.channel, endpoint, dialled, arrival.at)
            case ("inbound", did, *_):
                hold_arrival(self.env, arrival.channel)
                await self.receive(arrival.channel, did, arrival.info.caller_number, arrival.at)
            case ("amd" | "ear", *_):  # of an earlier process: its customer has somebody else to listen to
                await arrival.channel.hang_up()
            case _ if arrival.channel.id.startswith(WHISPERS):
                pass  # it carries a sound of ours, where Asterisk knows no application beside this one
            case _:
                log.info("nothing is known of this channel", action="arrival", channel=arrival.channel.id)
                await arrival.channel.continue_in_dialplan(GOODBYE)

    async def load_queues(self) -> None:
        """Take the queues as the store knows them."""
        if self.inbound is not None:
            await self.inbound.load()

    async def queue_changed(self, name: str) -> None:
        """A queue was added or set."""
        if self.inbound is not None:
            await self.inbound.changed(name)

    async def receive(self, channel: Channel, did: str, number: str, at: datetime) -> None:
        """A caller's whole call; the fallback where his number leads to no queue."""
        if self.inbound is None or not await self.inbound.receive(channel, did, number, at):
            await channel.continue_in_dialplan(FALLBACK)

    async def _line(self, arrival: Arrival, endpoint: str) -> None:
        """``*48``: the agent stays connected. Who he is comes from his authenticated endpoint."""
        seat = self.env.roster.seat_of(f"PJSIP/{endpoint.removeprefix('PJSIP/')}")
        if seat is None or not await self.lines.may_replace(seat):
            await arrival.channel.continue_in_dialplan(GOODBYE)
            return
        await self.lines.hold(arrival.channel, seat, by=f"agent:{seat.ext}")
