"""A process that takes due callbacks and makes their dials until none is left: several of them share one database.

Usage: python -m tests.support.callback_process URL NAME FILE. Each dial is a line appended to FILE after its intent is
committed; every customer is "busy". Started again after a kill, it first settles what it left, as a serve would.
"""

from __future__ import annotations

import os
import random
import sys
from datetime import UTC, datetime

from contact_center.callbacks.plan import after
from contact_center.store.callback_claims import (
    NotAllowed,
    begin_dial,
    claim_callback,
    due_callbacks,
    open_callbacks,
    open_dials,
    release_claims,
)
from contact_center.store.callback_facts import CallbackDialEnded
from contact_center.store.engine import open_engine, reading, writing
from contact_center.terms import Outcome

MOST = 3


def ended(callback_id: str, n: int, attempt: int, *, certain: bool) -> CallbackDialEnded:
    """What the dial came to; the next attempt is due at once."""
    now = datetime.now(UTC)
    outcome = Outcome.BUSY if certain else Outcome.TECHNICAL_ERROR
    step = after(outcome, attempt=attempt, dials=n, most=MOST, delays=(0.0,), ended_at=now, certain=certain)
    return CallbackDialEnded(
        callback_id, n, now, outcome.value, 486, step.counted, step.state.value, step.due_at, step.reason, {}
    )


def main() -> None:
    """Work until nothing is due."""
    url, name, file = sys.argv[1:4]
    engine = open_engine(url, lock_seconds=60.0)
    with writing(engine) as session:
        for dial in open_dials(session, name):
            ended(dial.callback.id, dial.n, dial.callback.attempt, certain=False).apply(session)
        release_claims(session, name)
    far_end = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    while True:
        now = datetime.now(UTC)
        with reading(engine) as session:
            due = due_callbacks(session, now, 400)
            if not due and not open_callbacks(session):
                return
        random.shuffle(due)  # else all processes would ask for the same one at every instant
        for callback_id in due:
            work(engine, callback_id, name, far_end)


def work(engine, callback_id: str, name: str, far_end: int) -> None:  # type: ignore[no-untyped-def]
    """One turn: claim, intent, dial, end; each in a transaction of its own."""
    now = datetime.now(UTC)
    try:
        with writing(engine) as session:
            if not claim_callback(session, callback_id, name, now):
                return
        with writing(engine) as session:
            n = begin_dial(session, callback_id, name, f"cw-{callback_id}-{now.timestamp()}", "1001", MOST, now)
    except NotAllowed:
        return
    if n == 0:
        return
    os.write(far_end, f"{callback_id} {n} {name}\n".encode())
    with writing(engine) as session:
        ended(callback_id, n, n, certain=True).apply(session)


if __name__ == "__main__":
    main()
