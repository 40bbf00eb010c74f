"""That the do-not-call lists are as they were when a lead was chosen, to the moment its call is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from contact_center.clock import Clock
from contact_center.errors import Unreachable
from contact_center.store.admin_dnc import listed_among
from contact_center.store.claims import Claim
from contact_center.store.writer import Writer

FRESH_SECONDS = 0.2
"""An INVITE leaves at most so long after the lists were looked at: whoever is listed meanwhile may still be rung, and
nobody who was listed more than a quarter of a second ago."""
LOOKS = 3  # how often the lists are looked at again for calls that could not be sent in time

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Look:
    """When the lists were looked at (monotonic seconds), and how many changes of them had been told of by then."""

    at: float
    changes: int


class Lists:
    """Owned by the dialer; told of each change of a do-not-call list, after its commit."""

    def __init__(self, writer: Writer, clock: Clock) -> None:
        self._writer, self._clock = writer, clock
        self._changes = 0

    def changed(self) -> None:
        """Numbers were listed: who is on the way to be dialled is looked up again."""
        self._changes += 1

    def look(self) -> Look:
        """The lists are looked at now; to be called inside the claim's transaction, or before a reading one."""
        return Look(self._clock.monotonic(), self._changes)

    async def allowed(self, claims: Sequence[Claim], look: Look) -> tuple[set[int], float]:
        """The attempts that may still be sent, and until when (monotonic seconds).

        ``look``: of the claim, whose COMMIT may have taken long. Where the store is away now, nothing may be sent.
        """
        allowed = {claim.attempt_id for claim in claims}
        for _ in range(LOOKS):
            if not claims or self._is_good(look):
                break
            asked = {(claim.number, claim.campaign_id) for claim in claims}
            look = self.look()
            try:
                listed = await self._writer.read(partial(listed_among, calls=asked), ahead=True)
            except Unreachable as error:
                log.warning("intents are given back", action="dial", reason=str(error))
                return set(), look.at
            allowed -= {claim.attempt_id for claim in claims if (claim.number, claim.campaign_id) in listed}
        return (allowed, look.at + FRESH_SECONDS) if self._is_good(look) else (set(), look.at)

    def _is_good(self, look: Look) -> bool:
        return look.changes == self._changes and self._clock.monotonic() <= look.at + FRESH_SECONDS
