"""Local presence: which number a campaign shows to whom, by the area of the customer's number."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from contact_center.numbers import dialable

_PREFIX = re.compile(r"\+[1-9][0-9]{0,13}\Z")
_WANTED = "a list of PREFIX:NUMBER such as +1212:+12125550100,+44:+442079460000 is wanted"


def checked_caller_ids(value: Any) -> tuple[str, ...]:
    """Areas and their numbers, ``+1212:+12125550100``, of a text with commas or a list. Raises ValueError."""
    parts: Iterable[Any] = value.split(",") if isinstance(value, str) else value or ()
    pairs = [_pair(str(part)) for part in parts if str(part).strip()]
    areas = [area for area, _ in pairs]
    twice = next((area for area in areas if areas.count(area) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice} is named twice")
    return tuple(f"{area}:{number}" for area, number in pairs)


def caller_id_for(number: str, caller_ids: Sequence[str], otherwise: str) -> str:
    """What the customer with this number is shown: of the longest prefix that fits, else ``otherwise``."""
    area = area_of(number, caller_ids)
    return next((shown for prefix, shown in map(_split, caller_ids) if prefix == area), otherwise)


def area_of(number: str, caller_ids: Sequence[str]) -> str:
    """The longest prefix that fits; empty where none does."""
    return max((prefix for prefix, _ in map(_split, caller_ids) if number.startswith(prefix)), key=len, default="")


def _pair(text: str) -> tuple[str, str]:
    area, number = (part.strip() for part in _split(text))
    if not _PREFIX.match(area) or not dialable(number):
        raise ValueError(_WANTED)
    return area, number


def _split(text: str) -> tuple[str, str]:
    area, _, number = text.partition(":")
    return area, number
