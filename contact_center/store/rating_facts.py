"""What an agent said on the phone after a call: a rating, that there was none, or what the category menu got."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.clock import iso
from contact_center.models import Call, Rating
from contact_center.models_ratings import RatingAskedRow
from contact_center.store.changes import add_event
from contact_center.store.fact import Fact
from contact_center.store.rating_acts import RatingAct, put_rating

IVR = "ivr"


@dataclass(frozen=True, slots=True)
class CallRated(Fact):
    """An agent rated a call on the phone. ``value``: money as a decimal string."""

    call_id: str
    at: datetime
    agent: str
    option: str
    digit: int
    value: str | None
    group: str
    goal: str

    def apply(self, session: Session) -> None:
        """Make it the call's rating, unless it was stored before."""
        call = session.get(Call, self.call_id)
        same = (col(Rating.call_id) == self.call_id, col(Rating.at) == self.at, col(Rating.source) == IVR)
        if call is None or session.scalars(select(Rating).where(*same)).first() is not None:
            return
        value = None if self.value is None else Decimal(self.value)
        act = RatingAct(self.option, self.digit, value, self.group, self.goal, IVR, self.agent, self.at)
        put_rating(session, call, act)


@dataclass(frozen=True, slots=True)
class RatingAsked(Fact):
    """An agent was asked to rate a call; ``result``: a ratings.menu.Result."""

    call_id: str
    at: datetime
    agent: str
    result: str

    def apply(self, session: Session) -> None:
        """Write it down once; that he did not rate is told to others."""
        same = (col(RatingAskedRow.call_id) == self.call_id, col(RatingAskedRow.at) == self.at)
        if session.scalars(select(RatingAskedRow).where(*same)).first() is not None:
            return
        session.add(RatingAskedRow(call_id=self.call_id, at=self.at, agent=self.agent, result=self.result))
        session.flush()
        if self.result != "rated":
            payload = {"call_id": self.call_id, "agent": self.agent, "reason": self.result, "at": iso(self.at)}
            _tell(session, self.call_id, "call.not_rated", self.at, payload)


@dataclass(frozen=True, slots=True)
class CategoryKeyed(Fact):
    """What an agent keyed in the category menu; it stands under ``keyed`` and nowhere else."""

    call_id: str
    at: datetime
    agent: str
    category: int | None
    category_name: str
    value: str | None

    def apply(self, session: Session) -> None:
        """Write it into the call's record, unless it stands there."""
        call = session.get(Call, self.call_id)
        keyed = {"category": self.category, "value": self.value}
        if call is None or call.record.get("keyed") == keyed:
            return
        call.record = {**call.record, "keyed": keyed}
        session.flush()
        payload = {
            "call_id": self.call_id,
            "agent": self.agent,
            **keyed,
            "category_name": self.category_name or None,
            "queue": call.queue or None,
            "at": iso(self.at),
        }
        _tell(session, self.call_id, "call.keyed", self.at, payload)


def _tell(session: Session, call_id: str, type: str, at: datetime, payload: dict[str, Any]) -> None:
    add_event(session, at=at, entity="call", entity_id=call_id, type=type, payload=payload)
