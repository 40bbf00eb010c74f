"""What every call is handed: the line to Asterisk, the agents, and who is told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ari_app.bridge import BridgePool
from ari_app.client import AriClient
from contact_center.clock import Clock
from contact_center.dialling import Progress
from contact_center.roster import Roster
from contact_center.settings import Settings

if TYPE_CHECKING:
    from ari_app.transfer import Targets


@dataclass(slots=True)
class Services:
    """Built once by the composition root, which sets the last three when the dialer is there.

    ``dispose(call_id, code, by)`` stores a disposition that an agent keyed. ``targets``: whom an agent may consult;
    None: nobody.
    """

    ari: AriClient
    bridges: BridgePool
    roster: Roster
    settings: Settings
    clock: Clock
    progress: Progress = field(init=False)
    dispose: Callable[[str, str, str], Awaitable[None]] = field(init=False)
    targets: Targets | None = None
