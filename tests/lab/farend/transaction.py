"""SIP transactions over UDP (RFC 3261 section 17, RFC 6026): retransmission, matching, time-out.

A server transaction also retransmits the 2xx to an INVITE until `acknowledged()` is called, so the call above
it only says what it answers. Timer values are those of the RFC unless a `Timers` says otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from tests.lab.farend.message import Request, Response

Address = tuple[str, int]
Send = Callable[[bytes, Address], None]


@dataclass(frozen=True, slots=True)
class Timers:
    """T1, T2 and T4 of RFC 3261, seconds; a transaction gives up after 64 x T1."""

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0

    @property
    def give_up(self) -> float:
        """Timers B, F, H: seconds."""
        return 64 * self.t1


class _Repeater:
    """Sends a datagram again after T1, 2 T1, ... until stopped; calls `on_timeout` after 64 T1."""

    def __init__(self, send: Callable[[], None], timers: Timers, cap: float, on_timeout: Callable[[], None]) -> None:
        self._send, self._cap, self._on_timeout = send, cap, on_timeout
        self._loop = asyncio.get_running_loop()
        self._wait = timers.t1
        self._deadline = self._loop.time() + timers.give_up
        self._handle: asyncio.TimerHandle | None = self._loop.call_later(self._wait, self._fire)
        self.count = 0

    def _fire(self) -> None:
        if self._loop.time() >= self._deadline - 1e-3:
            self._handle = None
            self._on_timeout()
            return
        self.count += 1
        self._send()
        self._wait = min(self._wait * 2, self._cap)
        at = min(self._loop.time() + self._wait, self._deadline)
        self._handle = self._loop.call_at(at, self._fire)

    def slow_down(self, wait: float) -> None:
        """From now on wait `wait` seconds between two sendings."""
        self._wait = self._cap = wait

    def stop(self) -> None:
        """Send no more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None


class ServerTransaction:
    """One request received and what was answered to it."""

    def __init__(self, request: Request, source: Address, send: Send, timers: Timers) -> None:
        self.request, self.source, self.timers = request, source, timers
        self.is_invite = request.method == "INVITE"
        self.final_code: int | None = None
        self.acked = False
        self.on_no_ack: Callable[[], None] | None = None
        self.on_ack: Callable[[], None] | None = None
        self.on_repeat: Callable[[], None] | None = None
        self.repeats_received = 0
        self._send = send
        self._last: bytes | None = None
        self._repeater: _Repeater | None = None

    @property
    def repeats_sent(self) -> int:
        """How often the final response had to be sent again by the timer."""
        return self._repeater.count if self._repeater else 0

    def respond(self, response: Response) -> None:
        """Send a response; a final one to an INVITE is repeated until its ACK. Nothing after a final one."""
        if self.final_code is not None:
            return
        self._last = response.to_bytes()
        if response.code >= 200:
            self.final_code = response.code
        self._send(self._last, self.source)
        if self.is_invite and response.code >= 200:
            self._repeater = _Repeater(self._again, self.timers, self.timers.t2, self._no_ack)

    def repeated(self) -> None:
        """The request arrived again."""
        self.repeats_received += 1
        if self.on_repeat is not None:
            self.on_repeat()
        if self._last is not None and not self.acked:
            self._again()

    def acknowledged(self) -> None:
        """The ACK of the final response arrived."""
        if self.acked:
            return
        self.acked = True
        if self._repeater is not None:
            self._repeater.stop()
        if self.on_ack is not None:
            self.on_ack()

    def stop(self) -> None:
        """Send nothing any more, whatever arrives (a party that vanished)."""
        if self._repeater is not None:
            self._repeater.stop()
        self._last = None

    def _again(self) -> None:
        if self._last is not None:
            self._send(self._last, self.source)

    def _no_ack(self) -> None:
        if self.on_no_ack is not None:
            self.on_no_ack()


class ClientTransaction:
    """One request sent; `on_response` gets every response that is new to the caller, `on_timeout` none at
    all.
    """

    def __init__(
        self,
        request: Request,
        target: Address,
        send: Send,
        timers: Timers,
        on_response: Callable[[Response], None],
        on_timeout: Callable[[], None],
    ) -> None:
        self.request, self.target = request, target
        self.is_invite = request.method == "INVITE"
        self.final_code: int | None = None
        self.provisional = False
        self._send, self._timers = send, timers
        self._on_response, self._on_timeout = on_response, on_timeout
        self._data = request.to_bytes()
        self._give_up: asyncio.TimerHandle | None = None
        send(self._data, target)
        cap = timers.give_up if self.is_invite else timers.t2
        self._repeater = _Repeater(self._again, timers, cap, self._timed_out)

    @property
    def repeats_sent(self) -> int:
        """How often the request had to be sent again."""
        return self._repeater.count

    def received(self, response: Response) -> None:
        """A response that matches this transaction arrived."""
        if response.code < 200:
            if self.final_code is None:
                self.provisional = True
                if self.is_invite:
                    self._repeater.stop()
                else:
                    self._repeater.slow_down(self._timers.t2)
                self._on_response(response)
            return
        self._repeater.stop()
        if self.is_invite and response.code >= 300:
            self._send(self._ack(response), self.target)
        if self.final_code is None:
            self.final_code = response.code
            self._on_response(response)
        elif self.is_invite and response.code < 300:
            self._on_response(response)  # a repeated 2xx: the call sends its ACK again

    def stop(self) -> None:
        """Send nothing any more."""
        self._repeater.stop()

    def _again(self) -> None:
        self._send(self._data, self.target)

    def _timed_out(self) -> None:
        if self.final_code is None:
            self.final_code = 408
            self._on_timeout()

    def _ack(self, response: Response) -> bytes:
        wanted = ("from", "call-id", "route", "max-forwards")
        headers = [("via", self.request.need("via"))]
        headers += [(name, value) for name, value in self.request.headers if name in wanted]
        number, _ = self.request.cseq
        headers += [("to", response.need("to")), ("cseq", f"{number} ACK")]
        return Request(headers, b"", "ACK", self.request.uri).to_bytes()
