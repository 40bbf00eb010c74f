"""Context ids: a visitor's own, or one that a call-tracking vendor made up for a caller it could not tell."""

from __future__ import annotations

from dataclasses import dataclass

from contact_center.errors import UsageError

VENDOR_PREFIXES = ("gbr0", "clarity")
"""How the vendor's ids of offline callers begin."""
LONGEST_ID = 100
USUAL_SHARES = (0.67, 0.96)
"""The share of call events that are usually matched."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """``usable``: something is known of whoever the id names; without an id nothing is."""

    matched: bool
    offline: bool
    usable: bool


def checked_context_id(text: str) -> str:
    """A context id as it is stored. Raises UsageError."""
    plain = text.strip()
    if not 1 <= len(plain) <= LONGEST_ID or not plain.isprintable():
        raise UsageError(f"A context id has 1 to {LONGEST_ID} printable characters.")
    return plain


def is_vendors(context_id: str) -> bool:
    """Whether the vendor made this id for an offline call."""
    return context_id.startswith(VENDOR_PREFIXES)


def verdict(context_id: str, *, has_visit: bool) -> Verdict:
    """What a call is whose visitor has this id (empty: nobody knows). ``has_visit``: a visit of his is known."""
    if is_vendors(context_id):
        return Verdict(matched=False, offline=True, usable=has_visit)
    return Verdict(matched=bool(context_id) and has_visit, offline=not (context_id and has_visit), usable=has_visit)
