"""A queue as a running contact centre holds it: its name and what was set for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from contact_center.options import Overflow, QueueOptions
from contact_center.queues.hours import is_served
from contact_center.queues.skills import parse_levels


@dataclass(frozen=True, slots=True)
class QueueRules:
    """One version of a queue's settings; a change makes a new one."""

    name: str
    options: QueueOptions
    needs: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, options: QueueOptions) -> QueueRules:
        """From the options of a row."""
        return cls(name, options, parse_levels(options.skills))

    @property
    def overflow(self) -> Overflow:
        """Where callers go who are not served here."""
        return Overflow.parse(self.options.overflow)

    def is_open(self, zone: str, at: datetime) -> bool:
        """Whether callers are taken now."""
        return is_served(self.options.hours, self.options.holidays, zone, at)
