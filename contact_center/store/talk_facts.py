"""A customer was given to somebody else: who had him so far, for the next process. Posted, never waited for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from contact_center.models import Call
from contact_center.store.fact import Fact
from contact_center.store.prepared import Prepared
from contact_center.store.tables import table_of

TALK = "talk"
"""Key of an open call's record: who had its customer so far, as story_kept has it."""
HEARD = "heard"
"""Key of an open call's record: what its caller was told before he stood in line, as story_kept has it."""

_CALL = table_of(Call)
_THIS = _CALL.c.id == bindparam("p_call")
_OPEN = Prepared(select(_CALL.c.record).where(_THIS, _CALL.c.ended_at.is_(None)))
_KEEP = Prepared(update(_CALL).where(_THIS).values(record=bindparam("p_record", type_=_CALL.c.record.type)))


@dataclass(frozen=True, slots=True)
class TalkMoved(Fact):
    """``talk``: story_kept.to_keep of the call, the one who has the customer now being the last in it."""

    call_id: str
    talk: list[dict[str, str]]

    def apply(self, session: Session) -> None:
        """Keep it, unless the call is over."""
        keep(session, self.call_id, TALK, self.talk)


def keep(session: Session, call_id: str, key: str, told: list[dict[str, str]]) -> None:
    """Put it into the record of a call, unless that is over."""
    found = _OPEN.first(session, {"p_call": call_id})
    if found is not None:
        _KEEP.run(session, {"p_call": call_id, "p_record": {**found.record, key: told}})


def talk_of_record(record: dict[str, Any]) -> tuple[dict[str, str], ...]:
    """What is kept of an open call's talk."""
    return tuple(record.get(TALK) or ())
