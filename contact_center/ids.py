"""Ids that we choose ourselves, so that we can ask for a thing before its creation has been confirmed."""

from __future__ import annotations

import os
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_id(prefix: str) -> str:
    """``prefix-`` and 18 characters: 45 bits of milliseconds, so ids sort by time, and 45 random bits."""
    value = (int(time.time() * 1000) << 45) | (int.from_bytes(os.urandom(6), "big") >> 3)
    digits = []
    for _ in range(18):
        digits.append(_ALPHABET[value & 31])
        value >>= 5
    return f"{prefix}-{''.join(reversed(digits))}"
