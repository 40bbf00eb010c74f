"""One SIP socket: transactions, matching of messages to calls, and what stands outside any call.

The trunk side and the phones each have a `UserAgent`; what a new call means is told by its `on_call`.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import traceback
from collections import Counter, deque
from collections.abc import Callable

from tests.lab.farend.call import Call
from tests.lab.farend.dialog import AGENT, ALLOW, new_tag
from tests.lab.farend.gate import Gate
from tests.lab.farend.incoming import IncomingCall
from tests.lab.farend.media import SO_TIMESTAMPNS, Media, stamped
from tests.lab.farend.message import Request, Response, SipError, Uri, parse, reply
from tests.lab.farend.record import CallLog
from tests.lab.farend.transaction import Address, ClientTransaction, ServerTransaction, Timers

log = logging.getLogger(__name__)
LINGER_SECONDS = 40.0


def user_of(uri: str) -> str:
    """The user part of a request URI, empty when there is none."""
    try:
        return Uri.parse(uri).user
    except SipError:
        return ""


class UserAgent:
    """Owns the socket `address`. `deaf`: drop all that comes and send nothing, as a dead host does."""

    def __init__(self, address: Address, media: Media, calls: CallLog, timers: Timers | None = None) -> None:
        self.address, self.media, self.log = address, media, calls
        self.clock = media.clock
        self.timers = timers or Timers()
        self.on_call: Callable[[IncomingCall], None] | None = None
        self.options_code = 200
        self.gate: Gate | None = None
        self.is_dead: Callable[[str], bool] = lambda user: False
        self.received_at = 0.0
        self.deaf = False
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []
        self.calls: dict[tuple[str, str], Call] = {}
        self._servers: dict[tuple[str, str, str], ServerTransaction] = {}
        self._clients: dict[tuple[str, str], ClientTransaction] = {}
        self._owners: dict[ServerTransaction, Call] = {}
        self._lingering: deque[tuple[float, str, tuple[str, ...]]] = deque()
        self._socket: socket.socket | None = None

    def open(self) -> None:
        """Bind the socket; OSError when the address is taken."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            sock.setsockopt(socket.SOL_SOCKET, option, 4 << 20)
        try:
            sock.bind(self.address)
        except OSError:
            sock.close()
            raise
        self.address = sock.getsockname()
        self._socket = sock
        asyncio.get_running_loop().add_reader(sock.fileno(), self._read)

    def close(self) -> None:
        """Close the socket and stop every timer; calls still alive are ended in the record."""
        for call in list(self.calls.values()):
            call.drop("the far end was stopped")
        for server in self._servers.values():
            server.stop()
        for client in self._clients.values():
            client.stop()
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def send(self, data: bytes, target: Address) -> None:
        """Send one datagram; what cannot be sent is lost, as on a wire."""
        if self.deaf or self._socket is None:
            return
        self.counts["sent"] += 1
        try:
            self._socket.sendto(data, target)
        except OSError as error:
            self.counts["send_failed"] += 1
            log.debug("could not send to %s: %s", target, error)

    def request(
        self,
        request: Request,
        target: Address,
        on_response: Callable[[Response], None],
        on_timeout: Callable[[], None],
    ) -> ClientTransaction:
        """Send a request in a client transaction of its own."""
        transaction = ClientTransaction(request, target, self.send, self.timers, on_response, on_timeout)
        key = request.branch, request.method
        self._clients[key] = transaction
        self._linger("client", key)
        return transaction

    def live_calls(self) -> list[Call]:
        """Calls that have not ended."""
        return [call for call in self.calls.values() if not call.is_over]

    def forget(self, call: Call) -> None:
        """The call's record is complete: its dialog is no longer known (481 from now on)."""
        self.calls.pop((call.dialog.call_id, call.dialog.local_tag), None)

    def _read(self) -> None:
        sock = self._socket
        while sock is not None and sock is self._socket:
            try:
                data, ancillary, _, source = sock.recvmsg(65536, 64)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP error of an earlier datagram
            if self.deaf or not data.strip():
                continue
            self.counts["received"] += 1
            try:
                self.take(data, source, stamped(ancillary, self.clock))
            except SipError as error:
                self.counts["refused"] += 1
                log.debug("datagram from %s refused: %s", source, error)
            except Exception:
                self.faults.append(traceback.format_exc())
                log.exception("fault on a datagram from %s", source)

    def take(self, data: bytes, source: Address, at: float) -> None:
        """Handle a datagram that came at `at`; SipError when it is not SIP."""
        message = parse(data)
        if isinstance(message, Request):
            self._take_request(message, source, at)
            return
        client = self._clients.get((message.branch, message.cseq[1]))
        if client is None:
            self.counts["stray_response"] += 1
            return
        self.received_at = at
        client.received(message)

    def _take_request(self, request: Request, source: Address, at: float) -> None:
        self.received_at = at
        self._mark_via(request, source)
        host, port, _ = request.via
        key = request.branch or f"{request.call_id} {request.cseq[0]}", f"{host}:{port}", request.method
        if request.method == "ACK":
            self._take_ack(request, (key[0], key[1], "INVITE"))
            return
        known = self._servers.get(key)
        if known is not None:
            self.counts["repeated_request"] += 1
            known.repeated()
            return
        if "tag" not in request.to.params and self.is_dead(user_of(request.uri)) and request.method != "INVITE":
            return
        transaction = ServerTransaction(request, source, self.send, self.timers)
        self._servers[key] = transaction
        self._linger("server", key)
        if request.method == "CANCEL":
            self._take_cancel(transaction, (key[0], key[1], "INVITE"))
        elif "tag" in request.to.params:
            call = self.calls.get((request.call_id, request.to.params["tag"]))
            if call is None:
                self.answer(transaction, 481)
            else:
                call.take_request(transaction)
        elif request.method == "INVITE":
            self._take_invite(transaction)
        else:
            self._take_other(transaction)

    def _take_ack(self, request: Request, key: tuple[str, str, str]) -> None:
        transaction = self._servers.get(key)
        call = self._owners.get(transaction) if transaction is not None else None
        if call is None:
            call = self.calls.get((request.call_id, request.to.params.get("tag", "")))
        if call is not None:
            call.take_ack(request, transaction)
        elif transaction is not None:
            transaction.acknowledged()

    def _take_cancel(self, transaction: ServerTransaction, key: tuple[str, str, str]) -> None:
        invite = self._servers.get(key)
        call = self._owners.get(invite) if invite is not None else None
        if invite is None or call is None:
            self.answer(transaction, 481)
        else:
            if not call.is_silent:
                self.answer(transaction, 200, to_tag=call.dialog.local_tag)
            call.take_cancel(transaction.request)

    def _take_invite(self, transaction: ServerTransaction) -> None:
        required = transaction.request.get("require")
        if required:
            self.answer(transaction, 420, extra=(("unsupported", required),))
            return
        if self.on_call is None:
            self.answer(transaction, 480)
            return
        if self.gate is not None and not self.gate.admits(transaction):
            return
        call = IncomingCall(self, transaction)
        self._owners[transaction] = call
        self.calls[call.dialog.call_id, call.dialog.local_tag] = call
        self.on_call(call)

    def _take_other(self, transaction: ServerTransaction) -> None:
        method = transaction.request.method
        if method == "OPTIONS":
            self.answer(transaction, self.options_code, extra=(("allow", ALLOW), ("accept", "application/sdp")))
        elif method in ("NOTIFY", "INFO", "MESSAGE"):
            self.answer(transaction, 200)
        elif method == "REGISTER" and self.gate is not None:
            if self.gate.admits(transaction):
                self.gate.register(transaction, self.received_at)
        elif method in ("BYE", "UPDATE", "REFER", "PRACK"):
            self.answer(transaction, 481)
        else:
            self.answer(transaction, 405, extra=(("allow", ALLOW),))

    def answer(
        self,
        transaction: ServerTransaction,
        code: int,
        *,
        to_tag: str = "",
        extra: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Respond outside of any dialog."""
        response = reply(transaction.request, code, to_tag=to_tag or new_tag())
        response.headers += [("user-agent", AGENT), *extra]
        transaction.respond(response)

    @staticmethod
    def _mark_via(request: Request, source: Address) -> None:
        for n, (name, value) in enumerate(request.headers):
            if name == "via":
                parts = [
                    p for p in value.split(";") if p.strip().lower().partition("=")[0] not in ("rport", "received")
                ]
                asked = len(parts) != value.count(";") + 1
                extra = f";received={source[0]}" + (f";rport={source[1]}" if asked else "")
                request.headers[n] = name, ";".join(parts) + extra
                return

    def _linger(self, kind: str, key: tuple[str, ...]) -> None:
        """Remember when to forget the transaction, and forget those whose time has come."""
        now = asyncio.get_running_loop().time()
        self._lingering.append((now + LINGER_SECONDS, kind, key))
        while self._lingering[0][0] < now:
            _, old_kind, old_key = self._lingering.popleft()
            if not self._drop_transaction(old_kind, old_key):
                self._lingering.append((now + LINGER_SECONDS, old_kind, old_key))

    def _drop_transaction(self, kind: str, key: tuple[str, ...]) -> bool:
        if kind == "client":
            client = self._clients.get((key[0], key[1]))
            if client is not None and client.final_code is None:
                return False
            self._clients.pop((key[0], key[1]), None)
            return True
        server = self._servers.get((key[0], key[1], key[2]))
        if server is not None and server.is_invite and server.final_code is None:
            return False
        if server is not None:
            self._owners.pop(server, None)
            del self._servers[key[0], key[1], key[2]]
        return True
