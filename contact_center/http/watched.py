"""uvicorn's HTTP/1.1 with the deadlines it lacks: for the header of a request, and for a reader who stops reading."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 5.0
"""How long a connection may take for the header of a request, from its first byte, or from being opened."""
STALL_SECONDS = 10.0
"""How long a reader may leave what is sent to him unread before he is cut off."""
HEADER_BYTES = 16_384
"""The longest header of a request."""


class WatchedProtocol(H11Protocol):
    """One connection."""

    _header_timer: asyncio.TimerHandle | None = None
    _stall_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """asyncio: somebody connected."""
        super().connection_made(transport)
        self._watch_header()

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes came."""
        super().data_received(data)
        self._watch_header()

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: it is over."""
        self._cancel_header()
        self._cancel_stall()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """asyncio: the reader does not keep up."""
        super().pause_writing()
        if self._stall_timer is None:
            self._stall_timer = self.loop.call_later(STALL_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """asyncio: he reads again."""
        self._cancel_stall()
        super().resume_writing()

    def _watch_header(self) -> None:
        """The deadline counts while a request's header has not come whole; it is not put off by more bytes."""
        if self.conn.their_state is not h11.IDLE:
            self._cancel_header()
        elif self._header_timer is None:
            self._header_timer = self.loop.call_later(HEADER_SECONDS, self._header_is_late)

    def _cancel_header(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _cancel_stall(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def _header_is_late(self) -> None:
        self._header_timer = None
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self.transport.close()


def limits() -> dict[str, Any]:
    """What uvicorn's Config is given for all this."""
    return {"http": WatchedProtocol, "h11_max_incomplete_event_size": HEADER_BYTES, "timeout_keep_alive": 10}
