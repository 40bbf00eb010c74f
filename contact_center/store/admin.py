"""What people change, part 1: what all parts share. Each change is one row, one audit line, one control row.

The functions of the ``admin_*`` modules run inside ``with writing(engine) as session`` and raise UsageError
or NotFound before they have changed anything.
"""

from __future__ import annotations

import re
import secrets
import string
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from contact_center.errors import UsageError
from contact_center.store.changes import note_change

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}\Z")
_LABEL = re.compile(r"[^\W_](?:[\w .-]{0,38}\w)?\Z")
_PASSWORD_LENGTH = 28
_ALPHABET = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class By:
    """Who changes something, and when."""

    actor: str
    at: datetime

    def note(
        self,
        session: Session,
        entity: str,
        entity_id: object,
        action: str,
        payload: dict[str, Any],
        *,
        obey: bool,
    ) -> int | None:
        """Outbox and audit rows of a change, and with ``obey`` the row that a running serve takes."""
        return note_change(
            session,
            at=self.at,
            actor=self.actor,
            action=action,
            entity=entity,
            entity_id=str(entity_id),
            payload=payload,
            obey=obey,
        )


def checked_name(text: str, what: str) -> str:
    """The name of a thing that programs speak of: of a token, webhook or pool. Raises UsageError."""
    if not _NAME.match(text):
        raise UsageError(f"The {what} name {shown(text)} may only have letters, digits, _ and -, 40 at most.")
    return text


def checked_label(text: str, what: str) -> str:
    """The name of a campaign, queue, team or rating group, in one spelling of its letters. Raises UsageError.

    Letters of any alphabet, digits, spaces within, ``_ - .``: nothing that a list of names, a topic or an address of
    the API would have to be told apart from.
    """
    name = unicodedata.normalize("NFC", text)
    if not _LABEL.match(name) or "  " in name:
        raise UsageError(
            f"The {what} name {shown(text)} may only have letters, digits, single spaces within, _ - and ., 40 at most."
        )
    return name


def checked_text(text: str, what: str, longest: int) -> str:
    """Free text of people, stripped. Raises UsageError when empty, too long or with control characters."""
    plain = text.strip()
    if not plain:
        raise UsageError(f"The {what} is empty; give it one.")
    if len(plain) > longest:
        raise UsageError(f"The {what} {shown(plain)} is too long; {longest} characters are allowed.")
    if any(not c.isprintable() for c in plain):
        raise UsageError(f"The {what} {shown(plain)} has control characters; leave them out.")
    return plain


def pairs(words: list[str] | tuple[str, ...], example: str = "ring_seconds=25") -> dict[str, str]:
    """``key=value`` words as a dict. Raises UsageError on a word without ``=`` and on a key given twice.

    ``example``: what is told to who writes none.
    """
    values: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        key = key.strip()
        if not equals or not key:
            raise UsageError(f"{shown(word)} is not key=value; write it as {example}.")
        if key in values:
            raise UsageError(f"{key} is given twice; give it once.")
        if "\0" in value:
            raise UsageError(f"{key} has a NUL byte; leave it out.")
        values[key] = value
    return values


def fresh_password() -> str:
    """28 characters that no phone's keyboard, configuration file or digest stumbles over."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_PASSWORD_LENGTH))


def shown(text: str) -> str:
    """Somebody's input inside a message: quoted and not too long."""
    return repr(text if len(text) <= 40 else text[:37] + "...")
