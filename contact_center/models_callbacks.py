"""The tables of callbacks: who waits for a call of ours, and every dial that was made for him."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from contact_center.models import Instant

_OPEN = text("ended_at IS NULL")


def _instant(*, nullable: bool = False) -> Any:
    if nullable:
        return Field(default=None, sa_column=Column(Instant(), nullable=True))
    return Field(sa_column=Column(Instant(), nullable=False))


class Callback(SQLModel, table=True):
    """A customer who keeps his place in a queue and is called when his turn comes.

    ``state``: a terms.CallbackState. ``attempt``: how many attempts are used up, ``dials``: how often he was dialled
    (a dial that the trunk swallowed uses up none). ``entered_at`` and ``priority`` are his place. ``since_at``: the
    order, or the end of the last attempt that counted. ``live_key`` is queue and number while the callback is open
    and NULL afterwards: its unique index makes two callbacks of one number in one queue impossible. ``owner``: the
    process that holds it in the states calling_agent and calling_customer.
    """

    __table_args__ = (Index("ix_callback_due", "state", "due_at"),)
    id: str = Field(primary_key=True, max_length=40)
    call_id: str = Field(foreign_key="call.id", unique=True, max_length=40)
    queue: str = Field(max_length=40, index=True)
    number: str = Field(max_length=16)
    did: str = Field(default="", max_length=20)
    state: str = Field(max_length=20)
    attempt: int = 0
    dials: int = 0
    priority: int = 50
    entered_at: datetime = _instant()
    ordered_at: datetime = _instant()
    since_at: datetime = _instant()
    due_at: datetime = _instant()
    expires_at: datetime = _instant()
    ended_at: datetime | None = _instant(nullable=True)
    live_key: str | None = Field(default=None, unique=True, max_length=60)
    owner: str = Field(default="", max_length=40)
    reason: str = Field(default="", max_length=120)


class CallbackAttempt(SQLModel, table=True):
    """One dial of a customer who is called back, committed before anything is sent to him.

    ``n`` numbers the dials of a callback and is never used twice; ``counted``: whether it used up an attempt.
    """

    __tablename__ = "callback_attempt"
    __table_args__ = (
        UniqueConstraint("callback_id", "n", name="uq_callback_attempt_n"),
        Index("ix_callback_attempt_open", "callback_id", sqlite_where=_OPEN, postgresql_where=_OPEN),
    )
    id: int | None = Field(default=None, primary_key=True)
    callback_id: str = Field(foreign_key="callback.id", max_length=40)
    n: int
    channel_id: str = Field(unique=True, max_length=60)
    agent: str = Field(max_length=20)
    agent_channel_id: str = Field(default="", max_length=60)
    bridge_id: str = Field(default="", max_length=60)
    counted: bool = True
    outcome: str = Field(default="", max_length=24)
    sip_code: int | None = None
    intent_at: datetime = _instant()
    answered_at: datetime | None = _instant(nullable=True)
    connected_at: datetime | None = _instant(nullable=True)
    ended_at: datetime | None = _instant(nullable=True)
