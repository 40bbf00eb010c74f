"""Notes of trunks: the smallest facts there are, to see what a writer stores and in which order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import Engine, insert
from sqlalchemy.orm import Session

from contact_center.models import Outbox, TrunkNote
from contact_center.store.engine import writing
from contact_center.store.facts import TrunkNoted
from contact_center.store.tables import table_of
from tests.unit.store.world import NOON, rows


def note(n: int, name: str = "main") -> TrunkNoted:
    """The nth."""
    return TrunkNoted(name, "up", f"note {n}", NOON + timedelta(seconds=n))


def notes(engine: Engine, name: str = "main") -> list[str]:
    """What was noted of a trunk, in the order in which it was stored."""
    return [one["payload"]["reason"] for one in rows(engine, Outbox) if one["entity_id"] == name]


@contextmanager
def locked(engine: Engine) -> Iterator[None]:
    """Somebody else is in the middle of a writing transaction and does not come to an end."""
    with writing(engine) as session:
        yield
        session.rollback()


def commit_note(session: Session, name: str) -> str:
    """Stands for an intent."""
    row = {"name": name, "state": "up", "reason": "", "since_at": NOON}
    session.connection().execute(insert(table_of(TrunkNote)), row)
    return name
