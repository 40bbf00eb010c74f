"""What needs no framework: JSON as it is sent, and why something is refused."""

from __future__ import annotations

from typing import Any

import orjson

from contact_center.errors import CallwrightError


class Forbidden(CallwrightError):
    """The token's role does not allow it."""


class Busy(CallwrightError):
    """Too much is being asked at once."""


def dumped(document: Any) -> bytes:
    """One JSON document, as the command line prints it."""
    return orjson.dumps(document, option=orjson.OPT_NON_STR_KEYS, default=str)
