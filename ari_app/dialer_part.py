"""What a running contact centre needs of its dialer, which it never imports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from contact_center.clock import Clock
from contact_center.dialling import CallResult, DialOrder, PlaceCall, Progress
from contact_center.roster import Roster
from contact_center.settings import Settings
from contact_center.store.recovery import OpenAttempt
from contact_center.store.writer import Writer
from contact_center.trunks import Trunks


class Ledger(Progress, Protocol):
    """The part of a dialer that hears of its calls."""

    @property
    def on_result(self) -> list[Callable[[DialOrder, CallResult], None]]:
        """Told of every dial that ended."""
        ...

    def adopted(self, attempt: OpenAttempt, order: DialOrder, answered: bool, connected: bool) -> None:
        """A call of an earlier process goes on."""
        ...


class PreviewPart(Protocol):
    """The leads that agents are shown."""

    async def take(self, ext: str, leg: object = None) -> DialOrder | None:
        """Call the lead that an agent is shown; None where he is shown none, or it may not be called."""
        ...

    async def decide(self, ext: str, action: str, lead_id: int) -> None:
        """``take`` or ``skip`` this lead, unless another is shown by now."""
        ...

    def changed(self) -> None:
        """Agents or campaigns were changed."""
        ...


class DialerPart(Protocol):
    """What a contact centre needs of its dialer."""

    draining: bool

    @property
    def ledger(self) -> Ledger:
        """Hears of the calls."""
        ...

    @property
    def trunks(self) -> Trunks:
        """The lines to the outside, which every call takes from."""
        ...

    async def load(self) -> None:
        """Take the campaigns as the store knows them."""
        ...

    async def reload(self, name: str) -> None:
        """A campaign was changed."""
        ...

    async def leads_arrived(self, name: str) -> None:
        """Leads were added to a campaign."""
        ...

    @property
    def previews(self) -> PreviewPart:
        """The leads that agents are shown."""
        ...

    def lists_changed(self) -> None:
        """Numbers were put on a do-not-call list."""
        ...

    async def leads_changed(self) -> None:
        """Leads changed somewhere."""
        ...

    def rebuild(self, attempt: OpenAttempt) -> DialOrder | None:
        """The order behind an open attempt."""
        ...

    async def run(self) -> None:
        """Dial until cancelled."""
        ...


class MakeDialer(Protocol):
    """How the composition root makes the dialer."""

    def __call__(
        self, *, writer: Writer, roster: Roster, placer: PlaceCall, settings: Settings, clock: Clock
    ) -> DialerPart:
        """A dialer that places its calls by ``placer``."""
        ...
