"""Passwords: how fresh ones are made, and which ones are refused everywhere."""

from __future__ import annotations

import secrets
import string

from contact_center.errors import UsageError

LENGTH = 32
SHORTEST = 12

KNOWN_DEFAULTS = frozenset(
    word
    for line in (
        "1234 12345 123456 1234567 12345678 123456789 1234567890 0000 000000 1111 111111 abc123 admin",
        "admin123 administrator ami amp111 ari arisecret asterisk asterisk123 astricon callwright",
        "changeme change_me default demo elastix elastix456 freepbx guest issabel letmein manager",
        "mypassword mysecret pass passw0rd password password1 password123 pbx peekaboo public qwerty",
        "root s3cret secret secret5 strongpassword test trixbox unsecure unsecurepassword",
        "unsecurepassword1 vicidial verysecret welcome",
    )
    for word in line.split()
)
"""Passwords of samples, books and distributions, in lower case: each is tried by scanners within the hour."""


def fresh() -> str:
    """32 characters out of A-Z, a-z and 0-9 (190 bits), from the system's random source."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(LENGTH))


def weakness(secret: str, *, user: str = "") -> str | None:
    """Why this password must not be used, as the rest of a sentence; None when it may."""
    if not secret:
        return "is empty"
    if secret.lower() in KNOWN_DEFAULTS or (user and secret.lower() == user.lower()):
        return "is a password everybody knows"
    if len(secret) < SHORTEST:
        return f"has fewer than {SHORTEST} characters"
    return None


def demand_strong(key: str, secret: str, *, user: str = "") -> None:
    """Raise UsageError, naming the setting ``key``, unless the password may be used."""
    reason = weakness(secret, user=user)
    if reason:
        raise UsageError(f"{key} {reason}; put 32 random letters and digits there, as `callwright init` does.")
