"""What every call is handed: the line to Asterisk, the agents, and who is told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from ari_app.after_call import AfterCalls
from ari_app.bridge import BridgePool
from ari_app.client import AriClient
from contact_center.clock import Clock
from contact_center.dialling import Progress
from contact_center.roster import Roster
from contact_center.settings import Settings


@dataclass(slots=True)
class Services:
    """Built once by the composition root, which sets the last two when the dialer is there.

    ``dispose(call_id, code, by)`` stores a disposition that an agent keyed. ``after``: what agents are asked when the
    customer has gone; None: nothing.
    """

    ari: AriClient
    bridges: BridgePool
    roster: Roster
    settings: Settings
    clock: Clock
    progress: Progress = field(init=False)
    dispose: Callable[[str, str, str], Awaitable[None]] = field(init=False)
    after: AfterCalls | None = None
