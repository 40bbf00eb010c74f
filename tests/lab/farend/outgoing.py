"""A call that a phone or a customer makes to Asterisk (the caller's side of an INVITE)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.lab.farend import auth
from tests.lab.farend.audio import AudioOptions
from tests.lab.farend.call import Call
from tests.lab.farend.dialog import Dialog
from tests.lab.farend.message import Request, Response
from tests.lab.farend.record import CallRecord, Direction, Side
from tests.lab.farend.transaction import Address, ClientTransaction

if TYPE_CHECKING:
    from tests.lab.farend.agent import UserAgent


class OutgoingCall(Call):
    """`place` sends the INVITE; a challenge is answered once with `credentials` (user, password)."""

    def __init__(
        self,
        agent: UserAgent,
        *,
        side: Side,
        party: str,
        number: str,
        peer: Address,
        display: str = "",
        credentials: tuple[str, str] | None = None,
        options: AudioOptions | None = None,
        extra: tuple[tuple[str, str], ...] = (),
    ) -> None:
        domain = peer[0] if side is Side.PHONE else agent.address[0]
        dialog = Dialog.to_call(agent.address, party, display, number, peer, domain)
        record = CallRecord(
            id=dialog.call_id,
            side=side,
            direction=Direction.OUT,
            party=party,
            number=number,
            from_user=party,
            from_display=display,
        )
        super().__init__(agent, dialog, record)
        self._credentials, self._extra = credentials, extra
        self._client: ClientTransaction | None = None
        self._tried_credentials = False
        self._cancelled = False
        self.identify(side, party, number, options or AudioOptions())
        agent.calls[dialog.call_id, dialog.local_tag] = self

    def place(self) -> None:
        """Send the INVITE."""
        request = self.dialog.request("INVITE", body=self.audio.offer(), extra=self._extra)
        self.record.invite_at = self.agent.clock.now()
        self._invite(request)

    def hangup(self) -> None:
        """BYE after the answer, else CANCEL (as soon as a provisional response allows it)."""
        if self.is_over:
            return
        if self.is_answered:
            self._bye()
            return
        self._cancelled = True
        if self._client is not None and self._client.provisional and self.record.cancel_at is None:
            self._cancel(self._client.request)

    def drop(self, reason: str) -> None:
        """The far end stops."""
        super().drop(reason)
        self._stop_transactions()

    def _invite(self, request: Request) -> None:
        self._client = self.agent.request(request, self.dialog.first_hop, self._responded, self._timed_out)

    def _cancel(self, invite: Request) -> None:
        self.record.cancel_at = self.agent.clock.now()
        wanted = ("via", "from", "to", "call-id", "route", "max-forwards")
        headers = [(name, value) for name, value in invite.headers if name in wanted]
        headers.append(("cseq", f"{invite.cseq[0]} CANCEL"))
        request = Request(headers, b"", "CANCEL", invite.uri)
        self.agent.request(request, self.dialog.first_hop, lambda _: None, lambda: None)

    def _responded(self, response: Response) -> None:
        if self.vanished:
            return
        if response.code < 200:
            self._provisional(response)
        elif response.code < 300:
            self._accepted(response)
        elif response.code in (401, 407) and self._credentials and not self._tried_credentials:
            self._authorize(response, self._credentials)
        else:
            self._refused(response)
        self.wake()

    def _provisional(self, response: Response) -> None:
        at = self.agent.received_at
        record = self.record
        if response.code == 100 and record.trying_at is None:
            record.trying_at = at
        elif response.code == 180 and record.ringing_at is None:
            record.ringing_at = at
        elif response.code == 183 and record.progress_at is None:
            record.progress_at = at
        if response.body and not self.audio.agreed:
            self._accept(response.body)
            self.audio.speak(self.voice, self.greeting_seconds)
        if self._cancelled and record.cancel_at is None and self._client is not None:
            self._cancel(self._client.request)

    def _accepted(self, response: Response) -> None:
        number = response.cseq[0]
        if number in self._acks:
            self._acknowledge(number)  # a repeated 200
            return
        self.dialog.establish(response)
        self.record.ack_at = self.agent.clock.now()
        self._acknowledge(number)
        self.record.final_code = response.code
        self.record.answered_at = self.agent.received_at
        if self._client is not None:
            self.record.repeats_sent += self._client.repeats_sent
        if self._cancelled:
            self._bye("cancelled, but answered before")
            return
        self._accept(response.body)
        if not self.is_over:
            self.audio.speak(self.voice, self.greeting_seconds)

    def _authorize(self, response: Response, credentials: tuple[str, str]) -> None:
        self._tried_credentials = True
        try:
            header = auth.authorize(response, "INVITE", self.dialog.target, *credentials)
        except auth.AuthError as error:
            self.record.problems.append(str(error))
            self._refused(response)
            return
        body = self._client.request.body if self._client is not None else self.audio.offer()
        self._invite(self.dialog.request("INVITE", body=body, extra=(*self._extra, header)))

    def _refused(self, response: Response) -> None:
        self.record.final_code = response.code
        by = "party" if self._cancelled and response.code == 487 else "switch"
        reason = "cancelled" if by == "party" else response.get("reason") or f"{response.code} {response.reason}"
        self._end(by, reason, self.agent.received_at)
        self._write()

    def _timed_out(self) -> None:
        self.record.problems.append("INVITE not answered")
        self._end("time-out", "no answer to the INVITE")
        self._write()

    def _stop_transactions(self) -> None:
        if self._client is not None:
            self._client.stop()
