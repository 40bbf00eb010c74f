"""Queues: added and set. A number that callers dial (DID) belongs to one queue only."""

from __future__ import annotations

import re
from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.errors import UsageError
from contact_center.models import Queue
from contact_center.options import Overflow, QueueOptions
from contact_center.store.admin import By, checked_name, shown
from contact_center.store.queries_agents import find_queue, list_queues, queue_options
from contact_center.store.ratings import checked_group

_DID = re.compile(r"\+?[0-9A-Za-z]{1,19}\Z")


def add_queue(session: Session, by: By, name: str, values: dict[str, str], trunks: Collection[str] = ()) -> Queue:
    """A new queue. ``trunks``: the names in the settings. Raises UsageError when the name or a DID is taken."""
    checked_name(name, "queue")
    if session.scalars(select(Queue).where(col(Queue.name) == name)).first():
        raise UsageError(f"There is already a queue {name}; choose another name, or use `queue set`.")
    options = _checked(session, name, QueueOptions(), values, trunks)
    queue = Queue(name=name, options=options.model_dump(mode="json"))
    session.add(queue)
    session.flush()
    by.note(session, "queue", name, "add", {"name": name, "options": queue.options}, obey=True)
    return queue


def set_queue(session: Session, by: By, name: str, values: dict[str, str], trunks: Collection[str] = ()) -> Queue:
    """Change options. ``trunks``: the names in the settings. Raises UsageError naming the key and what is allowed."""
    queue = find_queue(session, name)
    if not values:
        raise UsageError(f"Say what to change, as ring_seconds=20; known are {', '.join(QueueOptions.model_fields)}.")
    queue.options = _checked(session, name, queue_options(queue), values, trunks).model_dump(mode="json")
    by.note(session, "queue", name, "set", {"name": name, "options": queue.options}, obey=True)
    return queue


def _checked(
    session: Session, name: str, options: QueueOptions, values: dict[str, str], trunks: Collection[str]
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
    if way.kind == "queue" and way.target not in {other.name for other in list_queues(session)}:
        raise UsageError(f"There is no queue {way.target}; add it first.")
    taken = {did: other.name for other in list_queues(session) for did in other.options.get("dids", ())}
    seen: set[str] = set()
    for did in changed.dids:
        if not _DID.match(did):
            raise UsageError(f"The number {shown(did)} is not allowed: + and up to 19 digits or letters are wanted.")
        if taken.get(did, name) != name:
            raise UsageError(f"The number {did} belongs to queue {taken[did]}; take it away there first.")
        if did in seen:
            raise UsageError(f"The number {did} is given twice; give it once.")
        seen.add(did)
    return changed
