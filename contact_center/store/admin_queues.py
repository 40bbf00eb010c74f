"""Queues: added and set. A number that callers dial (DID) belongs to one queue only."""

from __future__ import annotations

import re
from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.errors import UsageError
from contact_center.matching.dids import one_spelling
from contact_center.models import Queue
from contact_center.options import Overflow, QueueOptions
from contact_center.store.admin import By, checked_label, shown
from contact_center.store.queries_agents import find_queue, list_queues, queue_options
from contact_center.store.ratings import checked_group

_DID = re.compile(r"\+?[0-9A-Za-z]{1,19}\Z")


def add_queue(
    session: Session,
    by: By,
    name: str,
    values: dict[str, str],
    trunks: Collection[str] = (),
    country: str = "GB",
) -> Queue:
    """A new queue. ``trunks``, ``country``: those of the settings. Raises UsageError when name or DID are taken."""
    name = checked_label(name, "queue")
    if session.scalars(select(Queue).where(col(Queue.name) == name)).first():
        raise UsageError(f"There is already a queue {name}; choose another name, or use `queue set`.")
    options = _checked(session, name, QueueOptions(), values, trunks, country)
    queue = Queue(name=name, options=options.model_dump(mode="json"))
    session.add(queue)
    session.flush()
    by.note(session, "queue", name, "add", {"name": name, "options": queue.options}, obey=True)
    return queue


def set_queue(
    session: Session,
    by: By,
    name: str,
    values: dict[str, str],
    trunks: Collection[str] = (),
    country: str = "GB",
) -> Queue:
    """Change options. ``trunks``, ``country``: those of the settings; the latter is that of national numbers.

    Raises UsageError naming the key and what is allowed, and NotFound where another queue or a group is not there.
    """
    queue = find_queue(session, name)
    if not values:
        raise UsageError(f"Say what to change, as ring_seconds=20; known are {', '.join(QueueOptions.model_fields)}.")
    if queue.id is None:
        return add_queue(session, by, name, values, trunks, country)
    queue.options = _checked(session, name, queue_options(queue), values, trunks, country).model_dump(mode="json")
    by.note(session, "queue", name, "set", {"name": name, "options": queue.options}, obey=True)
    return queue


def _checked(
    session: Session, name: str, options: QueueOptions, values: dict[str, str], trunks: Collection[str], country: str
) -> QueueOptions:
    changed = options.changed(**values)
    missing = next((named for named in changed.trunk if named not in trunks), None) if "trunk" in values else None
    if missing is not None:
        known = ", ".join(sorted(trunks)) or "none; add a [trunk.NAME] to the settings"
        raise UsageError(f"There is no trunk {shown(missing)} in the settings; known are {known}.")
    for key, value in changed.model_dump().items():
        if isinstance(value, str) and any(not c.isprintable() for c in value):
            raise UsageError(f"{key} has control characters; leave them out.")
    checked_group(session, changed.rating_group)
    way = Overflow.parse(changed.overflow)
    if way.kind == "queue" and way.target == name:
        raise UsageError(f"Queue {name} cannot overflow into itself; name another one.")
    if way.kind == "queue":
        find_queue(session, way.target)
    if "dids" in values:
        _check_dids(session, name, changed.dids, country)
    return changed


def _check_dids(session: Session, name: str, dids: Collection[str], country: str) -> None:
    """A line belongs to one queue, however its number is written. Raises UsageError."""
    taken = {
        spelling: (did, other.name)
        for other in list_queues(session)
        if other.name != name
        for did in other.options.get("dids", ())
        for spelling in _spellings(did, country)
    }
    seen: set[str] = set()
    for did in dids:
        if not _DID.match(did):
            raise UsageError(f"The number {shown(did)} is not allowed: + and up to 19 digits or letters are wanted.")
        theirs, owner = next((taken[s] for s in _spellings(did, country) if s in taken), ("", ""))
        if owner:
            written = "" if theirs == did else f", as {theirs}"
            raise UsageError(f"The number {did} belongs to queue {owner}{written}; take it away there first.")
        if did in seen:
            raise UsageError(f"The number {did} is given twice; give it once.")
        seen.add(did)


def _spellings(did: str, country: str) -> tuple[str, ...]:
    """What the line answers to: the number as it stands, and as E.164 where it can be that; both without +."""
    plain = did.removeprefix("+").lower()
    return (plain, one_spelling(did, country).removeprefix("+")) if plain.isdigit() else (plain,)
