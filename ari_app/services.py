"""What every call is handed: the line to Asterisk, the agents, and who is told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ari_app.after_call import AfterCalls
from ari_app.bridge import BridgePool
from ari_app.client import AriClient
from ari_app.leg_ids import LegIds
from contact_center.clock import Clock
from contact_center.dialling import DialOrder, Progress
from contact_center.roster import Roster
from contact_center.settings import Settings
from contact_center.store.fact import Fact
from contact_center.trunks import Trunks

if TYPE_CHECKING:
    from ari_app.talks import Talking
    from ari_app.tapes import Tapes
    from ari_app.transfer import Targets


def _no_words(text: str) -> tuple[str, ...]:
    """Nothing can be spoken."""
    return ()


def _nobody_remembers(order: DialOrder) -> None:
    """Without a store nobody remembers it."""


async def _nothing_shown(ext: str, leg: object) -> DialOrder | None:
    """Without a dialer no agent is shown a lead."""
    return None


def _shown_to_all(number: str) -> bool:
    """Without a store no number is known to be hidden."""
    return False


async def _known_already(number: str) -> None:
    """Nobody hides numbers."""


def _not_looked_up(number: str) -> None:
    """Without a store nothing can be looked up."""


def _untold(fact: Fact) -> None:
    """Without a store nobody is told of it."""


@dataclass(slots=True)
class Services:
    """Built once by the composition root, which sets the last ones when the dialer is there.

    ``dispose(call_id, code, by)`` stores a disposition that an agent keyed; ``talks`` are those that go on, by their
    calls; ``words(text)`` are the sounds of a message that are ready to be played, ``machine_words(text)`` of one that
    is left on machines; ``forbid(order)`` remembers that
    this person wants no more calls; ``take_preview(ext, leg)`` calls the lead that an agent is shown, his own call
    ``leg`` (a Channel) waiting for it. ``after``: what agents are asked when the customer has gone; None: nothing.
    ``targets``: whom an agent may consult; None: nobody. ``tapes``: who records talks; None: nobody. ``trunks`` are the
    lines to the outside, the dialer's where there is one; ``spoken(word)`` are the sounds of a prompt of ours; ``post``
    takes facts; ``legs`` gives ids to what we dial. ``look_up(number)``, when a customer comes, has ``hides(number)``
    know whether agents must not see it; ``known(number)`` waits for that where it matters.
    """

    ari: AriClient
    bridges: BridgePool
    roster: Roster
    settings: Settings
    clock: Clock
    progress: Progress = field(init=False)
    dispose: Callable[[str, str, str], Awaitable[None]] = field(init=False)
    talks: dict[str, Talking] = field(default_factory=dict)
    words: Callable[[str], tuple[str, ...]] = _no_words
    machine_words: Callable[[str], tuple[str, ...]] = _no_words
    forbid: Callable[[DialOrder], None] = _nobody_remembers
    take_preview: Callable[[str, object], Awaitable[DialOrder | None]] = _nothing_shown
    after: AfterCalls | None = None
    targets: Targets | None = None
    tapes: Tapes | None = None
    spoken: Callable[[str], tuple[str, ...]] = _no_words
    trunks: Trunks = field(init=False)
    post: Callable[[Fact], None] = _untold
    hides: Callable[[str], bool] = _shown_to_all
    look_up: Callable[[str], None] = _not_looked_up
    known: Callable[[str], Awaitable[None]] = _known_already
    legs: LegIds = field(default_factory=LegIds)

    def __post_init__(self) -> None:
        self.trunks = Trunks(self.settings, self.clock, _untold)
