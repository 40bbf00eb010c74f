"""When a message that failed is tried again, and how long a receiver that is away is left in peace."""

from __future__ import annotations

import random

MINUTE, HOUR = 60.0, 3600.0
DELAYS = (0.0, 5.0, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)
"""Seconds before each of the ten attempts, counted from the one before (Standard Webhooks 1.0)."""
ATTEMPTS = len(DELAYS)
WHOLE_SECONDS = sum(DELAYS)
"""From the first attempt to the last: a little over three days."""
JITTER = 0.1
"""A delay is longer by up to this share, so that receivers that come back are not met by everybody at once."""
DOWN_AFTER = 3
"""So many failures in a row mean that the receiver is away, and not that one message is ill."""
LONGEST_REST_SECONDS = 5 * MINUTE
LONGEST_WISH_SECONDS = HOUR
"""The longest Retry-After that is granted."""


def delay_after(attempts: int, dice: random.Random) -> float:
    """Seconds until the next attempt when so many were made; raises IndexError when all were."""
    return DELAYS[attempts] * (1.0 + JITTER * dice.random())


def rest_seconds(failures: int) -> float:
    """How long nothing new is tried after so many failures in a row."""
    if failures < DOWN_AFTER:
        return 0.0
    return min(5.0 * 2.0 ** min(failures - DOWN_AFTER, 10), LONGEST_REST_SECONDS)
