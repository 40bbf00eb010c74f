"""The tz database's own spelling of zones."""

from __future__ import annotations

from functools import lru_cache
from zoneinfo import available_timezones

from contact_center.errors import UsageError


def known_zone(text: str) -> str:
    """The tz database's own spelling of a zone. Raises UsageError when there is none."""
    name = _spellings().get(text.strip().lower())
    if name is None:
        raise UsageError(f"timezone {text.strip()[:40]!r} is not in the tz database; write it as Europe/London.")
    return name


def is_zone(name: str) -> bool:
    """Whether this is a zone of the tz database, in its own spelling; ``Etc/Unknown`` is none."""
    return _spellings().get(name.lower()) == name


@lru_cache(maxsize=1)
def _spellings() -> dict[str, str]:
    return {name.lower(): name for name in available_timezones()}
