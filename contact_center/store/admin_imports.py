"""Files of leads on their way in: read into batches that nobody can dial, then released batch by batch.

Every step is a short writing transaction of its own, so a running serve is never held up. A file that was
not read to its end leaves no lead; one that was is released to its end, by the next import if need be.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.carriers import Carriers
from contact_center.models import Campaign, Lead, LeadBatch, LeadImport
from contact_center.store.admin import By
from contact_center.store.admin_dnc import blocked_numbers
from contact_center.store.admin_leads import LeadDraft, add_rows
from contact_center.store.carriage import state_of_new
from contact_center.store.lead_numbers import first_callable, known_among
from contact_center.store.queries import campaign_id, campaign_options
from contact_center.terms import LeadState

BATCH_ROWS = 500
"""Rows of one transaction."""

READING = "reading"
RELEASING = "releasing"
_FORSAKEN_AFTER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Released:
    """What became of one batch's rows; ``dnc`` and ``not_carried`` of those imported will not be dialled."""

    imported: int
    duplicates: int
    dnc: int
    not_carried: int


def begin_import(session: Session, by: By, campaign: Campaign, dedupe: str) -> int:
    """The id of a new import; ``dedupe`` is campaign, system or none."""
    row = LeadImport(campaign_id=campaign_id(campaign), state=READING, dedupe=dedupe, owner=owner(), touched_at=by.at)
    session.add(row)
    session.flush()
    assert row.id is not None
    return row.id


def stage(session: Session, import_id: int, drafts: list[LeadDraft], at: datetime) -> None:
    """Keep some checked rows."""
    rows = [asdict(draft) for draft in drafts]
    connection = session.connection()
    connection.execute(insert(LeadBatch), [{"import_id": import_id, "rows": rows}])
    connection.execute(update(LeadImport).where(col(LeadImport.id) == import_id).values(touched_at=at))


def finish_reading(session: Session, import_id: int, at: datetime) -> None:
    """The file was read to its end: from now on its leads will come, whatever happens."""
    session.connection().execute(
        update(LeadImport).where(col(LeadImport.id) == import_id).values(state=RELEASING, touched_at=at)
    )


def release_next(
    session: Session, import_id: int, at: datetime, carriers_of: Callable[[Sequence[str]], Carriers]
) -> Released | None:
    """Turn the next batch into leads. None: there is no batch left, and the import is forgotten.

    ``carriers_of``: the trunks that a campaign with such a ``trunk`` uses.
    """
    batch = session.scalars(
        select(LeadBatch).where(col(LeadBatch.import_id) == import_id).order_by(col(LeadBatch.id)).limit(1)
    ).first()
    row = session.get(LeadImport, import_id)
    if batch is None or row is None:
        discard(session, import_id)
        return None
    campaign = session.get_one(Campaign, row.campaign_id)
    released = _insert(session, row, batch.rows, at, carriers_of(campaign_options(campaign).trunk))
    row.touched_at = at
    session.delete(batch)
    session.flush()
    return released


def batches_left(session: Session, import_id: int) -> int:
    """How many batches wait to be released."""
    query = select(func.count()).where(col(LeadBatch.import_id) == import_id)
    return session.scalar(query) or 0


def _insert(
    session: Session, row: LeadImport, rows: list[dict[str, Any]], at: datetime, carriers: Carriers
) -> Released:
    numbers = [str(r["number"]) for r in rows]
    known = _known(session, row, numbers)
    drafts = [_draft(given) for given in rows]
    blocked = blocked_numbers(session, [n for draft in drafts for n in draft.numbers], row.campaign_id)
    leads, everyones = [], []
    for draft in drafts:
        number = draft.number
        if row.dedupe != "none":
            if number in known:
                continue
            known.update(draft.numbers)
        number = first_callable(draft.numbers, blocked, carriers.carry)
        everyones.append(draft.numbers)
        state, reason = state_of_new(number, is_blocked=number in blocked, carriers=carriers)
        leads.append(
            {
                "campaign_id": row.campaign_id,
                "number": number,
                "zones": draft.zones,
                "priority": draft.priority,
                "fields": draft.fields,
                **draft.waiting(state),
                "reason": reason,
                "disposition": "",
                "attempts": 0,
                "dials": 0,
                "last_agent": "",
                "created_at": at,
                "closed_at": at if reason else None,
            }
        )
    if any(len(all_of_it) > 1 for all_of_it in everyones):
        add_rows(session, leads, everyones)
    elif leads:
        session.connection().execute(insert(Lead), leads)
    dnc, not_carried = (sum(lead["state"] == state for lead in leads) for state in (LeadState.DNC, LeadState.CLOSED))
    return Released(len(leads), len(rows) - len(leads), dnc, not_carried)


def _draft(row: dict[str, Any]) -> LeadDraft:
    """A staged row, perhaps of an earlier version."""
    moments = {name: datetime.fromisoformat(row[name]) for name in ("callback_at", "expires_at") if row.get(name)}
    return LeadDraft(**{**row, **moments, "others": tuple(row.get("others", ()))})


def _known(session: Session, row: LeadImport, numbers: list[str]) -> set[str]:
    if row.dedupe == "none":
        return set()
    return known_among(session, numbers, row.campaign_id if row.dedupe == "campaign" else None)


def discard(session: Session, import_id: int) -> None:
    """Forget an import and what it had read."""
    connection = session.connection()
    connection.execute(delete(LeadBatch).where(col(LeadBatch.import_id) == import_id))
    connection.execute(delete(LeadImport).where(col(LeadImport.id) == import_id))


def forsaken(session: Session, at: datetime) -> list[LeadImport]:
    """Imports whose program is gone: dead on this machine, or silent for an hour."""
    rows = session.scalars(select(LeadImport).order_by(col(LeadImport.id)))
    return [row for row in rows if at - row.touched_at > _FORSAKEN_AFTER or _is_dead(row.owner)]


def owner() -> str:
    """This process, as ``host:pid:start`` where the system tells when a process was started."""
    return f"{socket.gethostname()[:60]}:{os.getpid()}:{_started(os.getpid())}"


def _is_dead(name: str) -> bool:
    host, pid, started = [*name.rsplit(":", 2), "", ""][:3]
    if host != socket.gethostname()[:60] or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return started != _started(int(pid))


def _started(pid: int) -> str:
    """The start of a process in clock ticks since boot, so that a reused pid is not taken for the old one."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            state, *rest = file.read().rpartition(")")[2].split()
            return "" if state == "Z" else rest[18]
    except (OSError, IndexError):
        return ""
