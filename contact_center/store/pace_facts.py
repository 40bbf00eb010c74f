"""What pacing learns of a campaign, kept for the next start."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from contact_center.models import PaceHistory
from contact_center.store.fact import Fact
from contact_center.store.tables import table_of

_HISTORY = table_of(PaceHistory)


@dataclass(frozen=True, slots=True)
class PaceLearned(Fact):
    """What has been learned up to ``at``; ``learned`` is read by the dialer only. Others are not told."""

    campaign_id: int
    at: datetime
    learned: dict[str, Any]

    def apply(self, session: Session) -> None:
        """Keep it in place of what was kept before."""
        connection = session.connection()
        row = {"campaign_id": self.campaign_id, "at": self.at, "learned": self.learned}
        mine = _HISTORY.c.campaign_id == self.campaign_id
        if connection.execute(update(_HISTORY).where(mine).values(row)).rowcount == 0:
            connection.execute(insert(_HISTORY).values(row))
