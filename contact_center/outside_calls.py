"""Numbers outside that people here may call: what they may be, which trunk carries them, and what is shown there.

Who has an agent's password, or an agent who was talked into something, must not be able to call premium numbers:
a trunk's ``allowed_prefixes`` bind whatever is dialled by hand, by ``call place`` and by a transfer.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from contact_center.dial_strings import dial_string
from contact_center.errors import UsageError
from contact_center.numbers import normalise
from contact_center.settings import Settings
from contact_center.store.admin_dnc import EVERYBODY, blocked_numbers


@dataclass(frozen=True, slots=True)
class OutsideNumber:
    """A number that may be called. ``endpoint``: the complete dial string."""

    number: str
    trunk: str
    endpoint: str
    caller_id: str


def outside_number(settings: Settings, text: str) -> OutsideNumber:
    """What ``text``, in any notation, is to be dialled as. Raises UsageError with the reason why it must not be."""
    number = normalise(text, settings.site.country, settings.site.number_check)
    name = settings.agents.trunk or next(iter(settings.trunk), "")
    trunk = settings.trunk.get(name)
    if trunk is None:
        raise UsageError("There is no trunk to call a number outside by; add a [trunk.NAME].")
    if trunk.allowed_prefixes and not number.startswith(trunk.allowed_prefixes):
        allowed = ", ".join(trunk.allowed_prefixes)
        raise UsageError(f"{number} may not be called: trunk.{name}.allowed_prefixes has only {allowed}.")
    server = settings.asterisk.external_address or settings.asterisk.sip_bind.rpartition(":")[0]
    return OutsideNumber(number, name, dial_string(name, trunk, number, server), settings.agents.caller_id)


def forbidden(session: Session, number: str) -> bool:
    """Whether a number is on the list that holds for the whole company."""
    return bool(blocked_numbers(session, [number], EVERYBODY))
