"""Where agents' own calls begin: what they dialled, or what was ordered for them; and every such call that is up."""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import datetime
from typing import Any

import structlog

from ari_app.agent_line import AgentLines
from ari_app.channel import Channel
from ari_app.inbound_desk import Read
from ari_app.internal import InternalCall, InternalOrder
from ari_app.manual import ManualCall, OwnOrder
from ari_app.own_parts import OwnParts
from ari_app.services import Services
from ari_app.transfer import Targets
from contact_center.errors import CallwrightError, Unreachable, UsageError
from contact_center.http.metrics import Meters
from contact_center.ids import new_id
from contact_center.outside_calls import OutsideNumber, forbidden, outside_number
from contact_center.own_seat import take_seat
from contact_center.queues.board import QueueBoard
from contact_center.roster import Offer
from contact_center.seat import Seat
from contact_center.store.writer import Writer
from contact_center.terms import Party

_BUSY, _REJECTED, _BAD_NUMBER, _FAILED = 17, 21, 28, 38

log = structlog.get_logger(__name__)

OwnCall = ManualCall | InternalCall


class NotAllowed(CallwrightError):
    """A rule forbids the call; ``cause`` is what the agent's phone is told."""

    def __init__(self, reason: str, cause: int) -> None:
        super().__init__(reason)
        self.cause = cause


class OwnDesk:
    """Agents' own calls, by the call's id."""

    def __init__(self, parts: OwnParts, read: Read) -> None:
        self.parts, self.calls = parts, dict[str, OwnCall]()
        self._read = read

    async def dialled(self, phone: Channel, endpoint: str, text: str, at: datetime) -> None:
        """An agent has dialled ``text`` on his phone; who he is comes from his authenticated endpoint."""
        seat = self.parts.env.roster.seat_of(f"PJSIP/{endpoint.removeprefix('PJSIP/')}")
        if seat is None:
            log.warning("no agent has this phone", action="own_call", endpoint=endpoint)
            await phone.hang_up(reason_code=_REJECTED)
            return
        if self.parts.lines.get(seat.ext) is not None:
            self.parts.env.ari.spawn(self.parts.lines.end_if_old(seat.ext), f"old line of {seat.ext}")
        await self._begin(seat, text, at, phone, new_id("call"))

    async def ordered(self, call_id: str, ext: str, text: str, at: datetime) -> None:
        """`call place`, or the API: the agent's phone is rung first, then the number."""
        seat = self.parts.env.roster.get(ext)
        if seat is None:
            log.warning("an own call of no agent", action="own_call", agent=ext)
            return
        await self._begin(seat, text, at, None, call_id)

    async def _begin(self, seat: Seat, text: str, at: datetime, phone: Channel | None, call_id: str) -> None:
        offer = take_seat(self.parts.env.roster, seat, call_id)
        if offer is None and phone is not None and self._consults(seat, phone, text):
            return
        if offer is None:
            log.info("the agent has another call", action="own_call", agent=seat.ext)
            await _refuse(phone, _BUSY)
            return
        try:
            call = await self._call(offer, text, at, call_id)
        except BaseException as refusal:
            offer.close()
            if not isinstance(refusal, NotAllowed):
                await _refuse(phone, _FAILED)
                raise
            log.info("own call refused", action="own_call", agent=seat.ext, reason=str(refusal))
            await _refuse(phone, refusal.cause)
            return
        await self.run(call, call.live(phone))

    def _consults(self, seat: Seat, phone: Channel, text: str) -> bool:
        """Whether his talk takes this second call of his phone: his customer waits on hold meanwhile."""
        talk = self.parts.env.talks.get(seat.call_id)
        return talk is not None and talk.agent == seat.ext and talk.consults(phone, text)

    async def _call(self, offer: Offer, text: str, at: datetime, call_id: str) -> OwnCall:
        other = self.parts.env.roster.get(text)
        if other is not None:
            return InternalCall(InternalOrder(call_id, other, at), offer, self.parts)
        return ManualCall(OwnOrder(call_id, await self.allowed(text), at), offer, self.parts)

    async def allowed(self, text: str) -> OutsideNumber:
        """A number outside that may be called now. Raises NotAllowed."""
        settings = self.parts.env.settings
        try:
            outside = outside_number(settings, text)
        except UsageError as error:
            raise NotAllowed(str(error), _BAD_NUMBER) from None
        if not settings.agents.obey_dnc:
            return outside
        try:
            listed = await self._read(lambda session: forbidden(session, outside.number))
        except Unreachable as error:
            raise NotAllowed(f"The do-not-call list cannot be asked: {error}", _FAILED) from None
        if listed:
            raise NotAllowed(f"{outside.number} is on the do-not-call list.", _REJECTED)
        return outside

    async def run(self, call: OwnCall, life: Coroutine[Any, Any, None]) -> None:
        """Live through a call; one that is broken must not end the others."""
        self.calls[call.call_id] = call
        try:
            await life
        except Exception:
            log.exception("an own call ended by an error", action="own_call", call_id=call.call_id)
        finally:
            self.calls.pop(call.call_id, None)

    async def hang_up(self, call_id: str, by: Party = Party.SYSTEM) -> bool:
        """End a call by a supervisor's wish, or its agent's; False when it is not up here."""
        call = self.calls.get(call_id)
        if call is None:
            return False
        await call.ended_by_command(by)
        return True


def open_own_desk(env: Services, lines: AgentLines, board: QueueBoard, writer: Writer, meters: Meters) -> OwnDesk:
    """The desk of a running contact centre; from then on agents can consult."""
    desk = OwnDesk(OwnParts(env, lines, board, writer.post, meters), writer.read)
    env.targets = Targets(env, lines, board, desk.allowed)
    return desk


async def _refuse(phone: Channel | None, cause: int) -> None:
    if phone is not None:
        await phone.hang_up(reason_code=cause)
