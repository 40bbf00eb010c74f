"""The hashes of evidence files, noted in the audit log when they are made: who makes one anew is found out."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.clock import iso
from contact_center.models import Audit
from contact_center.store.changes import add_audit
from contact_center.store.evidence import Asked

_ENTITY, _ACTION = "evidence", "made"


def seal(session: Session, asked: Asked, *, lines: int, end: str) -> None:
    """Note a file that was made: how many lines it has, and the hash of its last one."""
    add_audit(
        session,
        at=asked.made_at,
        actor=asked.made_by,
        action=_ACTION,
        entity=_ENTITY,
        entity_id=asked.campaign,
        detail={
            "from_at": iso(asked.stretch.since),
            "to_at": iso(asked.stretch.until),
            "lines": lines,
            "end": end,
        },
    )


def sealed_ends(session: Session) -> set[str]:
    """The hashes of all files that were made here."""
    rows = session.scalars(select(col(Audit.detail)).where(col(Audit.entity) == _ENTITY, col(Audit.action) == _ACTION))
    return {str(detail.get("end")) for detail in rows}
