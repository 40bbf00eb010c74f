"""Numbers outside that people here may call: what they may be, which trunk carries them, and what is shown there.

Who has an agent's password, or an agent who was talked into something, must not be able to call premium numbers:
a trunk's ``allowed_prefixes`` bind whatever is dialled by hand, by ``call place``, by a transfer and by campaigns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from contact_center.carriers import Carriers
from contact_center.errors import UsageError
from contact_center.numbers import normalise
from contact_center.settings import Settings
from contact_center.store.admin_dnc import EVERYBODY, blocked_numbers


@dataclass(frozen=True, slots=True)
class OutsideNumber:
    """A number that may be called by these trunks, the first of which that has a line carries it."""

    number: str
    trunks: tuple[str, ...]
    caller_id: str


def outside_number(settings: Settings, text: str) -> OutsideNumber:
    """What ``text``, in any notation, is to be dialled as. Raises UsageError with the reason why it must not be."""
    number = normalise(text, settings.site.country, settings.site.number_check)
    named = (settings.agents.trunk,) if settings.agents.trunk else ()
    return OutsideNumber(number, trunks_for(settings, named, number), settings.agents.caller_id)


def trunks_for(settings: Settings, named: Sequence[str], number: str) -> tuple[str, ...]:
    """The trunks, of those named or of all, that may carry a number, as :class:`Carriers` says. Raises UsageError."""
    carriers = Carriers.of(settings, named)
    if not carriers.trunks:
        raise UsageError("There is no trunk to call a number outside by; add a [trunk.NAME].")
    if not carriers.carry(number):
        raise UsageError(carriers.why_not(number))
    return carriers.for_number(number)


def forbidden(session: Session, number: str) -> bool:
    """Whether a number is on the list that holds for the whole company."""
    return bool(blocked_numbers(session, [number], EVERYBODY))
