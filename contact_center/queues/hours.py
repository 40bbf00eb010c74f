"""Whether a queue is open: its weekly hours, less its holidays, by the site's wall clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from contact_center.queues.days import is_holiday
from contact_center.zones import is_open


def is_served(hours: str, holidays: Sequence[str], zone: str, at: datetime) -> bool:
    """Whether callers are taken at the instant ``at``."""
    if holidays and is_holiday(holidays, at.astimezone(ZoneInfo(zone)).date()):
        return False
    return is_open(zone, hours, at)
