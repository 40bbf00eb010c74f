"""One call of one party: what calls from Asterisk (incoming.py) and calls to it (outgoing.py) share.

Methods that send return at once; those that wait take a deadline in seconds and raise TimeoutError with what
was waited for.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.lab.farend import sdp
from tests.lab.farend.audio import Audio, AudioOptions, Voice
from tests.lab.farend.dialog import Dialog
from tests.lab.farend.message import Request, Response
from tests.lab.farend.record import CallRecord, Side
from tests.lab.farend.transaction import ClientTransaction, ServerTransaction

if TYPE_CHECKING:
    from tests.lab.farend.agent import UserAgent

_INFO_DIGIT = re.compile(rb"Signal\s*=\s*([0-9A-D*#])|^\s*([0-9A-D*#])\s*$", re.IGNORECASE | re.MULTILINE)

LOOK_SECONDS = 0.25
"""How long nothing is looked at while no change is told: who stood still for a moment when he was told of a sound takes
what he hears for nothing, and is not told again while it goes on."""


class Call:
    """State, waiting, requests within the dialog, and the end."""

    def __init__(self, agent: UserAgent, dialog: Dialog, record: CallRecord) -> None:
        self.agent, self.dialog, self.record = agent, dialog, record
        self.audio = Audio(agent.media, agent.address[0], record.side, record.party, AudioOptions())
        self.audio.on_change = self.wake
        self.voice = Voice.TONES
        self.greeting_seconds = 0.0
        self.is_silent = False
        self.refer_codes: list[int] = []
        self.vanished = False
        self.on_over: list[Callable[[], object]] = []
        self._info_digits: list[tuple[str, float, float]] = []
        self._written = False
        self._reinvite: ServerTransaction | None = None
        self._reinvite_offered = False
        self._acks: dict[int, bytes] = {}
        self._waiters: set[asyncio.Future[None]] = set()

    def identify(self, side: Side, party: str, number: str, options: AudioOptions) -> None:
        """Who this party is; begins the record."""
        self.record.side, self.record.party, self.record.number = side, party, number
        self.audio = Audio(self.agent.media, self.agent.address[0], side, party, options)
        self.audio.on_change = self.wake
        self.agent.log.begin(self.record)

    # ---- state and waiting

    @property
    def is_over(self) -> bool:
        """The call has ended."""
        return self.record.ended_at is not None

    @property
    def is_answered(self) -> bool:
        """A 200 was sent or received (also true after the end)."""
        return self.record.answered

    def hears(self) -> frozenset[str]:
        """What the party hears now."""
        return self.audio.hears(self.agent.clock.now())

    def heard(self) -> CallRecord:
        """The record with what was heard, digits and RTP counts brought up to now."""
        record, stream = self.record, self.audio.stream
        record.heard = self.audio.heard(self.agent.clock.now())
        record.dtmf_sent = list(self.audio.dtmf_sent)
        if stream is not None:
            record.dtmf_received = sorted([*stream.dtmf, *self._info_digits], key=lambda digit: digit[1])
            record.codec = stream.codec if self.audio.agreed else None
            record.rtp_received, record.rtp_lost = stream.received, stream.lost
            record.first_rtp_at = stream.first_packet_at
            record.rtp_sent = stream.sender.sent if stream.sender else 0
        return record

    def story(self) -> str:
        """The call in one line, for error texts."""
        record = self.record
        return (
            f"final code {record.final_code}, ended by {record.ended_by} ({record.end_reason}),"
            f" hears {sorted(self.hears())}, problems {record.problems}"
        )

    def wake(self) -> None:
        """Something changed: look at all conditions waited for."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def until(self, predicate: Callable[[], bool], deadline: float, what: str) -> None:
        """Wait until `predicate()`; TimeoutError saying `what` after `deadline` seconds."""
        try:
            async with asyncio.timeout(deadline):
                while not predicate():
                    waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._waiters.add(waiter)
                    try:
                        await asyncio.wait([waiter], timeout=LOOK_SECONDS)
                    finally:
                        self._waiters.discard(waiter)
        except TimeoutError:
            raise TimeoutError(f"{self.record.party}: no {what} within {deadline:g} s; {self.story()}") from None

    async def until_answered(self, deadline: float) -> None:
        """Wait for the 200; ConnectionError when the call ends without one."""
        await self.until(lambda: self.is_answered or self.is_over, deadline, "answer")
        if not self.is_answered:
            raise ConnectionError(f"{self.record.party}: not answered; {self.story()}")

    async def until_over(self, deadline: float) -> CallRecord:
        """Wait for the end; the record."""
        await self.until(lambda: self.is_over, deadline, "end of the call")
        return self.record

    async def until_hears(self, what: str, deadline: float) -> None:
        """Wait until `what` (a party's name or a word of hearing.py) is heard; ConnectionError if the call
        ends before.

        NOTHING cannot be waited for with this: no packet comes to say so.
        """
        await self.until(lambda: self.is_over or what in self.hears(), deadline, f"{what!r} heard")
        if what not in self.hears():
            raise ConnectionError(f"{self.record.party}: over before {what!r} was heard; {self.story()}")

    async def until_digits(self, digits: str, deadline: float) -> None:
        """Wait until exactly these DTMF digits, in all, have arrived."""
        await self.until(lambda: self.digits == digits, deadline, f"digits {digits!r}")

    @property
    def digits(self) -> str:
        """All DTMF digits received, as telephone events or in INFO."""
        return "".join(digit for digit, _, _ in self.heard().dtmf_received)

    # ---- what the party does in a call

    def press(self, digits: str, seconds: float = 0.1) -> None:
        """Send DTMF digits of `seconds` each; ValueError when no audio with telephone events is agreed on."""
        self.audio.press(digits, seconds)

    def hangup(self) -> None:
        """End the call: BYE, CANCEL or a refusal, as its state asks. Nothing when it is over."""
        raise NotImplementedError

    def vanish(self) -> None:
        """Be gone without a word: no RTP, no BYE, no answer to anything of this call any more."""
        if not self.is_over:
            self.vanished = self.is_silent = True
            self._stop_transactions()
            self._end("party", "vanished")
            self._write()

    def drop(self, reason: str) -> None:
        """The far end itself stops: end the record, tell Asterisk if it is there to be told."""
        if not self.is_over:
            self.hangup()
        if not self.is_over:
            self._end("party", reason)
        self._write()

    async def hold(self, on: bool = True, deadline: float = 5.0) -> int:
        """Put the other side on hold (re-INVITE, sendonly), or take it back; the final code."""
        self.audio.on_hold = on
        return await self.reinvite("sendonly" if on else "sendrecv", deadline)

    async def reinvite(self, direction: str = "sendrecv", deadline: float = 5.0) -> int:
        """Offer the audio again in `direction`; the final code of the re-INVITE."""
        self.record.holds.append((self.agent.clock.now(), "party", direction))
        done: asyncio.Future[Response | None] = asyncio.get_running_loop().create_future()
        request = self.dialog.request("INVITE", body=self.audio.offer(direction))
        number = request.cseq[0]

        def on_response(response: Response) -> None:
            if 200 <= response.code < 300:
                self._acknowledge(number)
            if response.code >= 200 and not done.done():
                done.set_result(response)

        self.agent.request(request, self.dialog.next_hop(), on_response, lambda: _finish(done, None))
        response = await self._within(done, deadline, f"answer to the re-INVITE ({direction})")
        if response is not None and response.code == 200:
            self.audio.accept(response.body)
        return response.code if response is not None else 408

    async def refer(self, target: str, deadline: float = 5.0, *, replaces: Call | None = None) -> int:
        """Ask Asterisk to transfer the other side to `target` (number or URI); the code of the REFER.

        `replaces`: another call of this party, whose other side is meant (attended transfer).
        When a NOTIFY then tells of success the call is hung up, as phones do.
        """
        host, port = self.dialog.first_hop
        uri = target if target.startswith("sip:") else f"sip:{target}@{host}:{port}"
        if replaces is not None:
            other = replaces.dialog
            tags = f"to-tag={other.remote_tag};from-tag={other.local_tag}"
            uri += "?Replaces=" + quote(f"{other.call_id};{tags}", safe="")
        extra = (
            ("refer-to", f"<{uri}>"),
            ("referred-by", f"<sip:{self.dialog.own_user}@{self.agent.address[0]}>"),
        )
        response = await self._ask("REFER", extra, deadline)
        return response.code if response is not None else 408

    async def _ask(self, method: str, extra: tuple[tuple[str, str], ...], deadline: float) -> Response | None:
        done: asyncio.Future[Response | None] = asyncio.get_running_loop().create_future()
        request = self.dialog.request(method, extra=extra)
        self.agent.request(
            request,
            self.dialog.next_hop(),
            lambda r: _finish(done, r if r.code >= 200 else None, r.code >= 200),
            lambda: _finish(done, None),
        )
        return await self._within(done, deadline, f"answer to {method}")

    async def _within(self, done: asyncio.Future[Response | None], deadline: float, what: str) -> Response | None:
        try:
            async with asyncio.timeout(deadline):
                return await done
        except TimeoutError:
            raise TimeoutError(f"{self.record.party}: no {what} within {deadline:g} s; {self.story()}") from None

    def _acknowledge(self, number: int) -> None:
        """Send the ACK of the 2xx to INVITE `number`, the same one each time."""
        ack = self._acks.get(number)
        if ack is None:
            ack = self._acks[number] = self.dialog.request("ACK", cseq=number).to_bytes()
        self.agent.send(ack, self.dialog.next_hop())

    def _bye(self, reason: str = "hung up") -> None:
        transaction: ClientTransaction | None = None

        def on_response(response: Response) -> None:
            if response.code >= 200:
                if response.code != 200:
                    self.record.problems.append(f"BYE answered {response.code}")
                self.record.repeats_sent += transaction.repeats_sent if transaction else 0
                self._write()

        def on_timeout() -> None:
            self.record.problems.append("BYE not answered")
            self._write()

        request = self.dialog.request("BYE")
        self.record.bye_at = self.agent.clock.now()
        self._end("party", reason, self.record.bye_at)
        transaction = self.agent.request(request, self.dialog.next_hop(), on_response, on_timeout)

    # ---- what Asterisk does in a call

    def take_request(self, transaction: ServerTransaction) -> None:
        """A request within the dialog arrived."""
        if self.is_silent:
            transaction.stop()
            return
        request = transaction.request
        if request.cseq[0] < self.dialog.remote_cseq:
            self._answer(transaction, 500)
            self.record.problems.append(f"{request.method} with an old CSeq")
            return
        self.dialog.remote_cseq = request.cseq[0]
        handlers: dict[str, Callable[[ServerTransaction], None]] = {
            "BYE": self._take_bye,
            "INVITE": self._take_offer,
            "UPDATE": self._take_offer,
            "INFO": self._take_info,
            "NOTIFY": self._take_notify,
        }
        handler = handlers.get(request.method)
        if handler is not None:
            handler(transaction)
        else:
            self._answer(transaction, 200 if request.method in ("OPTIONS", "MESSAGE") else 405)

    def take_ack(self, request: Request, transaction: ServerTransaction | None) -> None:
        """An ACK arrived; `transaction`: the INVITE it fits by branch (a refusal), None for a 2xx."""
        pending = transaction or self._reinvite
        if pending is None or self.is_silent:
            return
        pending.acknowledged()
        if pending is self._reinvite and self._reinvite_offered and request.body:
            self._reinvite_offered = False
            self._accept(request.body)

    def take_cancel(self, request: Request) -> None:
        """A CANCEL of the INVITE that began this call arrived."""

    def _take_bye(self, transaction: ServerTransaction) -> None:
        self._answer(transaction, 200)
        if not self.is_over:
            self.record.bye_at = self.agent.received_at
            self._end("switch", transaction.request.get("reason") or "bye", self.record.bye_at)
        self._write()

    def _take_offer(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        if self.is_over:
            self._answer(transaction, 481)
            return
        try:
            body = self._renegotiate(request)
        except sdp.SdpError as error:
            self.record.problems.append(f"{request.method} refused: {error}")
            self._answer(transaction, 488)
            return
        if request.contact is not None:
            self.dialog.target = str(request.contact)
        if request.method == "INVITE":
            self._reinvite, self._reinvite_offered = transaction, not request.body
            transaction.on_no_ack = lambda: self.record.problems.append("no ACK for the 200 to a re-INVITE")
        transaction.respond(self.dialog.response(request, 200, body=body))
        self.wake()

    def _renegotiate(self, request: Request) -> bytes:
        if request.body:
            body = self.audio.answer(request.body)
            direction = self.audio.remote.direction if self.audio.remote else "?"
            self.record.holds.append((self.agent.received_at, "switch", direction))
            return body
        return self.audio.offer() if request.method == "INVITE" else b""

    def _take_info(self, transaction: ServerTransaction) -> None:
        match = _INFO_DIGIT.search(transaction.request.body)
        if match is not None:
            digit = (match[1] or match[2]).decode().upper()
            self._info_digits.append((digit, self.agent.received_at, 0.0))
        self._answer(transaction, 200)
        self.wake()

    def _take_notify(self, transaction: ServerTransaction) -> None:
        match = re.match(rb"SIP/2\.0 (\d{3})", transaction.request.body)
        if match is not None:
            self.refer_codes.append(int(match[1]))
        self._answer(transaction, 200)
        if match is not None and match[1].startswith(b"2"):
            self.hangup()  # the transfer went through: the phone's own leg has no more use
        self.wake()

    def _answer(self, transaction: ServerTransaction, code: int) -> None:
        transaction.respond(self.dialog.response(transaction.request, code))

    def _accept(self, body: bytes) -> None:
        try:
            self.audio.accept(body)
        except sdp.SdpError as error:
            self.record.problems.append(f"answer not usable: {error}")
            self.hangup()

    # ---- the end

    def _stop_transactions(self) -> None:
        """A vanishing party repeats nothing."""

    def _end(self, by: str, reason: str, at: float | None = None) -> None:
        """The call is over since `at` (now): close the audio; the record's line is written by `_write`."""
        if self.is_over:
            return
        self.record.ended_at = at if at is not None else self.agent.clock.now()
        self.record.ended_by, self.record.end_reason = by, reason
        self.audio.close()
        self.heard()
        for told in self.on_over:
            told()
        self.on_over.clear()
        self.wake()

    def _write(self) -> None:
        """The last message of the call has come and gone."""
        if not self._written and self.is_over:
            self._written = True
            self.agent.log.end(self.record)
            if not self.vanished:
                self.agent.forget(self)


def _finish(done: asyncio.Future[Response | None], response: Response | None, really: bool = True) -> None:
    if really and not done.done():
        done.set_result(response)
