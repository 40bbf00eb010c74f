"""Numbers outside that people here may call: what they may be, which trunk carries them, and what is shown there.

Who has an agent's password, or an agent who was talked into something, must not be able to call premium numbers:
a trunk's ``allowed_prefixes`` bind whatever is dialled by hand, by ``call place`` and by a transfer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

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
    """The trunks, of those named or of all, that may carry a number which people call. Raises UsageError.

    Where one of them has ``allowed_prefixes``, the number must be on such a list; a trunk without a list is a spare
    for what the lists of the others allow.
    """
    trunks = {name: settings.trunk[name] for name in (named or settings.trunk) if name in settings.trunk}
    if not trunks:
        raise UsageError("There is no trunk to call a number outside by; add a [trunk.NAME].")
    lists = {name: trunk.allowed_prefixes for name, trunk in trunks.items() if trunk.allowed_prefixes}
    if lists and not any(number.startswith(allowed) for allowed in lists.values()):
        said = "; ".join(f"trunk.{name}.allowed_prefixes has only {', '.join(only)}" for name, only in lists.items())
        raise UsageError(f"{number} may not be called: {said}.")
    return tuple(name for name in trunks if name not in lists or number.startswith(lists[name]))


def forbidden(session: Session, number: str) -> bool:
    """Whether a number is on the list that holds for the whole company."""
    return bool(blocked_numbers(session, [number], EVERYBODY))
