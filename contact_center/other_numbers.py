"""Further numbers of a lead, by the names that lists give their columns."""

from __future__ import annotations

import re
from collections.abc import Iterable

MOST = 10
"""Numbers of one lead."""

_OTHER = re.compile(
    r"(?:phone|phone_number|number|tel|telephone|mobile)_?(?:[2-9]|10)|alt(?:ernate|ernative)?_(?:phone|number)_?[2-9]?"
)


def is_other_number(name: str) -> bool:
    """Whether a column or key holds a further number: ``phone2``, ``phone_3``, ``alt_phone``."""
    return _OTHER.fullmatch(name.strip().lower()) is not None


def place_of(name: str) -> tuple[int, str]:
    """Where it stands among the others: ``phone2`` and ``alt_phone`` before ``phone3``."""
    digits = re.search(r"\d+$", name)
    return int(digits[0]) if digits else 2, name


def others_of(number: str, found: Iterable[str]) -> tuple[str, ...]:
    """Each of these once, without the lead's first number."""
    return tuple(dict.fromkeys(other for other in found if other != number))[: MOST - 1]
