"""The way to one Asterisk: a socket for events, and commands that get a reply or an error, never silence.

``Transport`` is what the client needs of it; ``AsteriskTransport`` in wire.py is the real one, FakeAri in the
tests the other. It knows URLs and sockets; what the words mean is none of its business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson


@dataclass(frozen=True, slots=True)
class Reply:
    """What Asterisk answered: an HTTP status and the text of the body, not yet decoded."""

    status: int
    text: bytes | str = b""

    @property
    def ok(self) -> bool:
        """Whether it is a yes."""
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The decoded body; None where there is none or it is not JSON."""
        try:
            return orjson.loads(self.text) if self.text else None
        except orjson.JSONDecodeError:
            return None

    @property
    def message(self) -> str:
        """Why Asterisk says no, in its own words."""
        body = self.json()
        if not isinstance(body, dict):
            return ""
        return str(body.get("message") or body.get("error") or "")


class EventSocket(Protocol):
    """An open event socket. `lost` gets the reason as text once no more events can come."""

    lost: asyncio.Future[str]

    async def close(self) -> None:
        """Close it; harmless when closed already."""
        ...


class Transport(Protocol):
    """What the client needs of a line to Asterisk."""

    async def start(self) -> None:
        """Get ready; does not wait for Asterisk."""
        ...

    async def close(self) -> None:
        """Close everything."""
        ...

    async def open_events(self, deliver: Callable[[bytes], None]) -> EventSocket:
        """Open the event socket; each frame goes to `deliver`, which must not block.

        Raises AriDown (nobody there) or Refused (wrong password, no such user ...).
        """
        ...

    async def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Mapping[str, Any] | None,
        within: float,
        *,
        may_block: bool = False,
    ) -> Reply:
        """One command; `path` without the leading "/ari/", its parts percent-encoded.

        `may_block`: Asterisk may hold the reply back for long, so nothing else should have to wait behind it.
        Raises AriDown (not sent) or Uncertain (sent, no reply within `within` seconds).
        """
        ...


def quiet_name(app: str) -> str:
    """The application beside `app` for channels of which nothing needs to be told: no event of theirs is sent."""
    return f"{app}-quiet"


def agents_name(app: str) -> str:
    """The application beside `app` for the phones of agents, of which fewer kinds of events are sent."""
    return f"{app}-agents"
