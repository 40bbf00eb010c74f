"""What becomes of the recordings of talks, and of the disk they are on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.clock import iso
from contact_center.models import Call, Outbox
from contact_center.store.changes import add_event
from contact_center.store.fact import Fact


@dataclass(frozen=True, slots=True)
class RecordingNoted(Fact):
    """A talk's recording ``began``, was ``adopted`` after a crash, ``paused`` or ``resumed``.

    ``cut``: it was interrupted by a crash and goes on in the same file. ``alarm``: it is not made as it should be, for
    the reason given. ``recording`` is the file's name, which the call's record keeps from the beginning.
    """

    call_id: str
    recording: str
    what: str
    at: datetime
    reason: str = ""

    def apply(self, session: Session) -> None:
        """Name the file in the call's record, and tell others."""
        call = session.get(Call, self.call_id)
        if call is not None and self.what != "alarm" and not call.record.get("recording"):
            call.record = {**call.record, "recording": self.recording}
            session.flush()
        payload = {"call_id": self.call_id, "recording": self.recording, "at": iso(self.at)}
        if self.reason:
            payload["reason"] = self.reason
        _tell_once(session, self.at, "call", self.call_id, f"call.recording_{self.what}", payload)


@dataclass(frozen=True, slots=True)
class DiskNoted(Fact):
    """The disk of the recordings has no room or cannot be seen, for this reason; empty: all is well again."""

    folder: str
    reason: str
    at: datetime

    def apply(self, session: Session) -> None:
        """Tell others."""
        payload = {"folder": self.folder, "reason": self.reason, "at": iso(self.at)}
        type_ = "recordings.disk_alarm" if self.reason else "recordings.disk_well"
        _tell_once(session, self.at, "recordings", "disk", type_, payload)


def _tell_once(
    session: Session, at: datetime, entity: str, entity_id: str, type_: str, payload: dict[str, Any]
) -> None:
    """An event, unless the fact was applied before."""
    same = (col(Outbox.entity) == entity, col(Outbox.entity_id) == entity_id, col(Outbox.type) == type_)
    if session.scalars(select(col(Outbox.id)).where(*same, col(Outbox.at) == at)).first() is None:
        add_event(session, at=at, entity=entity, entity_id=entity_id, type=type_, payload=payload)
