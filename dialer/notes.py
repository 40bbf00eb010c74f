"""Decisions kept for `why campaign`: the last of each campaign, and not so many that the store has work with them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from contact_center.clock import Clock
from contact_center.store.facts import Fact, PaceNoted
from dialer.campaign import CampaignRun

NOTE_SECONDS = 1.0  # between two notes of one campaign
NOTES_A_SECOND = 20  # of all campaigns together


class Notes:
    """Keeps a decision when it differs from the last one kept, at most once a second."""

    def __init__(self, clock: Clock, post: Callable[[Fact], None]) -> None:
        self._clock, self._post = clock, post
        self._noted: dict[int, tuple[dict[str, Any], float]] = {}

    def take(self, run: CampaignRun, at: datetime, limit: str, claimed: int) -> None:
        """A campaign was looked at; ``limit``: what held it back, ``claimed``: calls placed."""
        now = self._clock.monotonic()
        before, noted_at = self._noted.get(run.id, ({}, float("-inf")))
        if now - noted_at < max(NOTE_SECONDS, len(self._noted) / NOTES_A_SECOND):
            return
        decision = run.explain(limit, claimed)
        if decision != before:
            self._noted[run.id] = decision, now
            self._post(PaceNoted(campaign_id=run.id, at=at, decision=decision))
