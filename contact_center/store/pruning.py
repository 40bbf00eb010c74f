"""Forgetting what nobody asks for any more: old events that everybody has, commands obeyed long ago, and what is kept
of visitors and of what was told (``pruning_told``).

A few rows at a time, so that no call waits for it. The newest event of each entity stays, whatever its age:
the numbers of its next ones go on from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, delete, select
from sqlalchemy.orm import Session

from contact_center.models import Control, Instant, Outbox
from contact_center.store.pruning_told import KEEP_TRACKING, Forgotten, forget_told
from contact_center.store.tables import table_of

KEEP = timedelta(days=30)
BATCH_ROWS = 200
"""So many rows are looked at in one transaction."""
NEXT_SECONDS = 1.0
"""Between two transactions while there is more."""
FIRST_SECONDS = 60.0
"""After a start, which has better things to do."""
PAUSE_SECONDS = 3600.0
"""Before it is looked again once everything old is gone."""

_OUTBOX, _CONTROL = table_of(Outbox), table_of(Control)
_NEWER = _OUTBOX.alias()
_NEXT = (
    select(_OUTBOX.c.id, _OUTBOX.c.at)
    .where(_OUTBOX.c.id > bindparam("p_after"))
    .order_by(_OUTBOX.c.id)
    .limit(bindparam("p_limit"))
)
_FORGET_EVENTS = delete(_OUTBOX).where(
    _OUTBOX.c.id > bindparam("p_after"),
    _OUTBOX.c.id <= bindparam("p_last"),
    select(_NEWER.c.id)
    .where(
        _NEWER.c.entity == _OUTBOX.c.entity,
        _NEWER.c.entity_id == _OUTBOX.c.entity_id,
        _NEWER.c.seq > _OUTBOX.c.seq,
    )
    .exists(),
)
_FORGET_CONTROLS = delete(_CONTROL).where(
    _CONTROL.c.id.in_(
        select(_CONTROL.c.id)
        .where(_CONTROL.c.taken_at < bindparam("p_before", type_=Instant()))
        .order_by(_CONTROL.c.id)
        .limit(bindparam("p_limit"))
    )
)


@dataclass(frozen=True, slots=True)
class Pruned:
    """What one step did: rows gone, the last event looked at, and whether there is more to do."""

    events: int
    controls: int
    last_id: int
    more: bool


def prune(
    session: Session, *, before: datetime, after_id: int = 0, told_up_to: int | None = None, limit: int = BATCH_ROWS
) -> Pruned:
    """Forget events and obeyed commands older than ``before``; at most ``limit`` rows of each are looked at.

    Events up to ``after_id`` were looked at before. ``told_up_to``: the last event that every consumer has;
    None when there is no consumer.
    """
    connection = session.connection()
    seen = connection.execute(_NEXT, {"p_after": after_id, "p_limit": limit}).all()
    last_id = after_id
    for row in seen:
        if row.at >= before or (told_up_to is not None and row.id > told_up_to):
            break
        last_id = row.id
    events = 0
    if last_id > after_id:
        events = connection.execute(_FORGET_EVENTS, {"p_after": after_id, "p_last": last_id}).rowcount
    controls = connection.execute(_FORGET_CONTROLS, {"p_before": before, "p_limit": limit}).rowcount
    all_old = len(seen) == limit and last_id == seen[-1].id
    return Pruned(events, controls, last_id, all_old or controls == limit)


@dataclass(frozen=True, slots=True)
class Step:
    """What one step of a pruner did, which counts once it is committed."""

    pruned: Pruned
    forgotten: Forgotten

    @property
    def rows(self) -> int:
        """All rows that are gone."""
        return self.pruned.events + self.pruned.controls + self.forgotten.rows


class Pruner:
    """When to prune, and where it goes on. ``consumers``: each gives the id of the last event that it has.

    ``keep_tracking``: how long visits, and whose call it was, are kept.
    """

    def __init__(self, first_seconds: float = FIRST_SECONDS, keep_tracking: timedelta = KEEP_TRACKING) -> None:
        self.consumers: list[Callable[[], int]] = []
        self._keep_tracking = keep_tracking
        self._after_id = self._after_visit_id = 0
        self._next_at = time.monotonic() + first_seconds

    @property
    def is_due(self) -> bool:
        """Whether it is time for a step."""
        return time.monotonic() >= self._next_at

    def put_off(self) -> None:
        """Try again much later."""
        self._next_at = time.monotonic() + PAUSE_SECONDS

    def step(self, session: Session, now: datetime) -> Step:
        """One step, inside the caller's writing transaction."""
        told = min((consumer() for consumer in self.consumers), default=None)
        forgotten = forget_told(
            session,
            now=now,
            limit=BATCH_ROWS,
            keep_tracking=self._keep_tracking,
            after_visit_id=self._after_visit_id,
            told_up_to=told,
        )
        return Step(prune(session, before=now - KEEP, after_id=self._after_id, told_up_to=told), forgotten)

    def done(self, step: Step) -> None:
        """The step is committed."""
        self._after_id, self._after_visit_id = step.pruned.last_id, step.forgotten.last_visit_id
        more = step.pruned.more or step.forgotten.more
        self._next_at = time.monotonic() + (NEXT_SECONDS if more else PAUSE_SECONDS)
