"""What one call owes the law: until when it may be sent, how long it rings, what is heard and by when."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache

from contact_center.law.force import quarter_of, rules_for
from contact_center.law.rules import Clock
from contact_center.law.windows import open_until


@dataclass(frozen=True, slots=True)
class Duties:
    """The duties of a call at the instant of its intent.

    ``invite_before``: no INVITE at or after it. ``ring_seconds``: it is not given up before it has rung so long
    (0: no rule). ``message_seconds``: a person without an agent hears who called within so many seconds of
    ``message_clock`` (None: no rule). ``lockout_seconds``: how long he is left alone if the call is abandoned,
    ``machine_lockout_seconds``: if detection takes him for a machine. ``version``: the books, for the record.
    """

    invite_before: datetime
    ring_seconds: float
    message_seconds: float | None
    message_clock: Clock
    lockout_seconds: float
    version: str
    machine_lockout_seconds: float = 0.0

    def next_attempt_at(self, wanted: datetime | None, ended_at: datetime, *, abandoned: bool) -> datetime | None:
        """When the lead may be tried again: as wanted, but not inside the lock-out after an abandoned call."""
        if wanted is None or not abandoned:
            return wanted
        return max(wanted, ended_at + timedelta(seconds=self.lockout_seconds))


def duties(key: str, hours: str, profile: str, at: datetime) -> Duties:
    """The duties of a call to a place (a lead's key), by the campaign's ``hours`` and ``profile``."""
    return replace(_owed(key, profile, quarter_of(at)), invite_before=open_until(key, hours, profile, at))


@lru_cache(maxsize=4096)
def _owed(key: str, profile: str, quarter: datetime) -> Duties:
    """All but ``invite_before``, which is the same for all calls to a place in a quarter of an hour."""
    rules = rules_for(key, quarter, profile=profile)
    return Duties(
        invite_before=quarter,
        ring_seconds=rules.ring_seconds,
        message_seconds=rules.message_seconds,
        message_clock=rules.message_clock,
        lockout_seconds=rules.lockout_seconds,
        version=rules.version,
        machine_lockout_seconds=rules.machine_lockout_seconds,
    )
