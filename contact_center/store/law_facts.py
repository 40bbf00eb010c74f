"""What people tell us on the phone that the law obliges us to remember."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from sqlalchemy.orm import Session

from contact_center.store.admin import By
from contact_center.store.admin_dnc import add_dnc
from contact_center.store.fact import Fact
from contact_center.store.lead_numbers import persons_numbers


@dataclass(frozen=True, slots=True)
class NumberForbidden(Fact):
    """A person does not want to be called any more; ``campaign_id`` 0: by nobody of us.

    Whatever is claimed after it must see it: a claim does not go ahead of it.
    """

    holds_back: ClassVar[bool] = True

    number: str
    campaign_id: int
    reason: str
    actor: str
    at: datetime

    def apply(self, session: Session) -> None:
        """Put it on the list, and all his other numbers; those there already stay as they are."""
        numbers = persons_numbers(session, [self.number])
        add_dnc(session, By(self.actor, self.at), numbers, self.campaign_id, self.reason)
