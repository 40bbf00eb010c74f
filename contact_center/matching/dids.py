"""Numbers that are dialled in: carriers write the same one with +, without, or as a national number."""

from __future__ import annotations

from contact_center.errors import UsageError
from contact_center.numbers import normalise
from contact_center.terms import NumberCheck


def one_spelling(did: str, country: str) -> str:
    """E.164 with ``+``; as it stands, without ``+``, where it is none, as with short numbers."""
    try:
        return normalise(did, country, NumberCheck.DIGITS)
    except UsageError:
        return did.strip().removeprefix("+").lower()
