"""What channels, bridges and playbacks need of the client that made them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import quote

from ari_app.counters import Counters

T = TypeVar("T")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

if TYPE_CHECKING:
    from ari_app.channel import Channel
    from ari_app.media import Playback, Recording


class Line(Protocol):
    """The client as its handles see it."""

    app: str
    quiet_app: str
    agents_app: str
    counters: Counters

    @property
    def playbacks(self) -> dict[str, Playback]:
        """Sounds being played, by id."""
        ...

    @property
    def recordings(self) -> dict[str, Recording]:
        """Recordings being made, by name."""
        ...

    @property
    def live(self) -> bool:
        """Whether events are proven to come."""
        ...

    @property
    def now(self) -> Callable[[], datetime]:
        """The clock: an aware UTC instant."""
        ...

    def channel(self, channel_id: str) -> Channel:
        """Stage a channel."""
        ...

    def forget(self, channel: Channel) -> None:
        """Stop routing events to `channel`: it has gone."""
        ...

    def owe(self, channel: Channel) -> None:
        """Hang up `channel` as soon and as often as needed; it could not be done now."""
        ...

    def spawn(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Run `work` as a task the client owns."""
        ...

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        within: float | None = None,
        may_block: bool = False,
    ) -> Any:
        """One command; the decoded reply. Raises AriDown, Uncertain or Refused."""
        ...


def part(text: str) -> str:
    """`text` as one part of a path."""
    return quote(text, safe="")


def clean(what: str, text: str) -> str:
    """`text`, or ValueError where it holds a control character (it could forge a SIP header)."""
    if _CONTROL.search(text):
        raise ValueError(f"The {what} {text!r} holds a control character.")
    return text


def printable(text: str) -> str:
    """`text` without control characters: what a person is shown, so never a reason to refuse a call."""
    return "".join(character for character in text if character >= " " and character != "\x7f")
