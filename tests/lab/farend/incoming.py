"""A call that Asterisk makes to a customer or a phone (the callee's side of an INVITE)."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from tests.lab.farend import sdp
from tests.lab.farend.audio import Voice
from tests.lab.farend.call import Call
from tests.lab.farend.dialog import Dialog
from tests.lab.farend.message import Request
from tests.lab.farend.record import CallRecord, Direction, Side
from tests.lab.farend.transaction import ServerTransaction

if TYPE_CHECKING:
    from tests.lab.farend.agent import UserAgent

KEPT_HEADERS = frozenset({
    "alert-info", "call-info", "remote-party-id", "privacy", "diversion", "user-agent", "supported", "to",
})  # fmt: skip
_AUTO = re.compile(r"answer-after=0|auto[- ]?answer|ring-answer|intercom", re.IGNORECASE)


class IncomingCall(Call):
    """Nothing has been answered when it is made, not even 100."""

    def __init__(self, agent: UserAgent, transaction: ServerTransaction) -> None:
        request = transaction.request
        dialog = Dialog.from_invite(request, transaction.source, agent.address)
        record = CallRecord(
            id=request.call_id,
            side=Side.CUSTOMER,
            direction=Direction.IN,
            party=dialog.own_user,
            number=dialog.own_user,
            from_user=request.from_.uri.user,
            from_display=request.from_.display,
            p_asserted_identity=request.get("p-asserted-identity"),
            headers={k: v for k, v in request.headers if k in KEPT_HEADERS or k.startswith("x-")},
            invite_at=agent.received_at,
        )
        super().__init__(agent, dialog, record)
        self.request = request
        self._server = transaction
        self._body = b""
        self._offered = False
        self._bye_after_ack = False
        self._last_seen_at = agent.received_at
        self._timer: asyncio.TimerHandle | None = None
        transaction.on_ack, transaction.on_no_ack = self._acked, self._not_acked

    @property
    def wants_auto_answer(self) -> bool:
        """The INVITE asks the phone to answer by itself (Call-Info answer-after=0, Alert-Info)."""
        return any(_AUTO.search(self.record.headers.get(name, "")) for name in ("call-info", "alert-info"))

    def trying(self) -> None:
        """Send 100."""
        self.record.trying_at = self._respond(100)

    def ring(self) -> None:
        """Send 180."""
        if self._can_respond():
            self.record.ringing_at = self._respond(180)
            self.wake()

    def progress(self) -> None:
        """Send 183 with an answer and early audio (ringback)."""
        if self._can_respond() and self._negotiate():
            self.record.progress_at = self._respond(183, self._body)
            self.audio.speak(Voice.RINGBACK)
            self.wake()

    def answer(self) -> None:
        """Send 200 and talk; 488 when the offer cannot be taken. Nothing when it is too late."""
        if not self._can_respond() or not self._negotiate():
            return
        self.record.final_code = 200
        self.record.answered_at = self._respond(200, self._body)
        self.audio.speak(self.voice, self.greeting_seconds)
        self.wake()

    def reject(self, code: int, *, reason: str = "", contact: str = "") -> None:
        """Refuse the call with a final code of 300 to 699; `contact`: where a 3xx sends the caller."""
        if not self._can_respond():
            return
        extra = (("contact", f"<sip:{contact}>"),) if contact else ()
        self.record.final_code = code
        self._end("party", f"rejected {code}", self._respond(code, reason=reason, extra=extra))

    def ignore(self) -> None:
        """Answer nothing to this INVITE, its repeats and its CANCEL.

        The record ends with the CANCEL, else at the last repeat of the INVITE (known after 64 x T1).
        """
        self.is_silent = True
        self._last_seen_at = self.agent.received_at
        self._server.on_repeat = self._seen_again
        wait = self.agent.timers.give_up
        self._timer = asyncio.get_running_loop().call_later(wait, self._given_up)

    def _seen_again(self) -> None:
        self._last_seen_at = self.agent.received_at
        self.record.repeats_received += 1

    def _given_up(self) -> None:
        self._end("switch", "never answered", self._last_seen_at)
        self._write()

    def hangup(self) -> None:
        """BYE after the answer (when its ACK is there), else 480."""
        if self.is_over:
            return
        if self.is_silent:
            self._end("party", "never answered")
            self._write()
        elif not self.is_answered:
            self.reject(480)
        elif self._server.acked:
            self._bye()
        else:
            self._bye_after_ack = True  # RFC 3261, 15: the callee sends no BYE before the ACK

    def take_ack(self, request: Request, transaction: ServerTransaction | None) -> None:
        """The ACK of the answer, a refusal or a re-INVITE."""
        again = self._reinvite is not None and request.cseq == (self._reinvite.request.cseq[0], "ACK")
        if again or self.is_silent:
            super().take_ack(request, transaction)
            return
        if self._offered and request.body and not self.audio.agreed:
            self._accept(request.body)
            self.audio.speak(self.voice, self.greeting_seconds)
        if self.record.ack_at is None:
            self.record.ack_at = self.agent.received_at
        self._server.acknowledged()

    def take_cancel(self, request: Request) -> None:
        """CANCEL: 487, unless a final response was sent before."""
        self.record.cancel_at = self.agent.received_at
        if self._can_respond():
            self.record.final_code = 487
            self._respond(487)
            self._end("switch", request.get("reason") or "cancelled", self.record.cancel_at)
        elif self.is_silent and not self.vanished:
            self._end("switch", request.get("reason") or "cancelled", self.record.cancel_at)
            self._write()

    def _stop_transactions(self) -> None:
        self._server.stop()

    def _write(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super()._write()

    def _respond(
        self, code: int, body: bytes = b"", reason: str = "", extra: tuple[tuple[str, str], ...] = ()
    ) -> float:
        response = self.dialog.response(self.request, code, body=body, reason=reason, extra=extra)
        at = self.agent.clock.now()  # before sending: the answer to it may be here before sendto returns
        self._server.respond(response)
        return at

    def _can_respond(self) -> bool:
        return self._server.final_code is None and not self.is_over and not self.is_silent

    def _negotiate(self) -> bool:
        """Write the answer (our offer when the INVITE had none) into `_body`, once; False after a 488."""
        if self._body:
            return True
        try:
            self._offered = not self.request.body
            self._body = self.audio.offer() if self._offered else self.audio.answer(self.request.body)
        except sdp.SdpError as error:
            self.record.problems.append(f"offer refused: {error}")
            self.reject(488)
            return False
        return True

    def _acked(self) -> None:
        self.record.repeats_sent += self._server.repeats_sent
        self.record.repeats_received += self._server.repeats_received
        if self.is_over:
            self._write()
        elif self._bye_after_ack:
            self._bye()
        self.wake()

    def _not_acked(self) -> None:
        self.record.problems.append(f"no ACK for the {self._server.final_code}")
        if self.is_answered and not self.is_over:
            self._bye("time-out: no ACK")
            self.record.ended_by = "time-out"
        self._write()
