"""How a channel came to us, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class GoneKind(StrEnum):
    """How we lost a channel."""

    DESTROYED = "destroyed"
    LEFT = "left"
    REFUSED = "refused"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Gone:
    """The end of a channel.

    `kind`: destroyed (the normal end), left (it lives on in the dialplan, not in our hands), refused (never
    placed), lost (it ended while we were deaf: the instant is when we found out, the cause is unknown).
    `cause` is Q.850, `tech_cause` the SIP status; `asked`: we had asked for it; `cut_off`: since it lasted too long.
    """

    kind: GoneKind
    at: datetime
    cause: int | None = None
    tech_cause: int | None = None
    asked: bool = False
    cut_off: bool = False


@dataclass(frozen=True, slots=True)
class Entered:
    """A channel came into Stasis; `args` are the application's arguments."""

    args: tuple[str, ...]
    at: datetime
