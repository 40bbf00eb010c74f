"""Categories of calls, and what people say of a call by hand: categories, value, comment and scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.errors import CallwrightError, UsageError
from contact_center.models import Call
from contact_center.models_ratings import CategoryRow
from contact_center.ratings.choices import Category
from contact_center.ratings.worth import value_of
from contact_center.store.admin import By, checked_text, shown
from contact_center.store.changes import add_audit, add_event
from contact_center.store.queries_calls import find_call

ENTITY = "category"
MOST_NUMBER = 99_999
LONGEST_NAME, LONGEST_COMMENT = 80, 2000


class NoSuchCategory(CallwrightError):
    """No category has this number."""

    exit_code = 3


def list_categories(session: Session) -> list[CategoryRow]:
    """All categories in use, by number."""
    in_use = select(CategoryRow).where(col(CategoryRow.removed_at).is_(None))
    return list(session.scalars(in_use.order_by(col(CategoryRow.number))))


def load_categories(session: Session) -> list[Category]:
    """The same, as calls use them."""
    return [Category(row.number, row.name, row.value) for row in list_categories(session)]


def find_category(session: Session, number: int) -> CategoryRow:
    """The category of a number. Raises NoSuchCategory."""
    rows = list_categories(session)
    for row in rows:
        if row.number == number:
            return row
    known = ", ".join(f"{row.number} {row.name}" for row in rows[:20]) or "none; `callwright category add` makes one"
    raise NoSuchCategory(f"There is no category {number}; there are: {known}.")


def add_category(session: Session, by: By, number: int, name: str, value: Decimal) -> CategoryRow:
    """A new category. Raises UsageError where its number or name is taken."""
    name = checked_text(name, "category's name", LONGEST_NAME)
    if not 0 <= number <= MOST_NUMBER:
        raise UsageError(f"The number {number} is not allowed: 0 to {MOST_NUMBER} is wanted.")
    for other in list_categories(session):
        if other.number == number:
            raise UsageError(f"Category {number} is {shown(other.name)} already; remove it first.")
        if other.name.casefold() == name.casefold():
            raise UsageError(f"There is a category {shown(other.name)} already, of number {other.number}.")
    row = CategoryRow(number=number, name=name, value=value)
    session.add(row)
    session.flush()
    by.note(session, ENTITY, number, "add", category_document(row), obey=True)
    return row


def remove_category(session: Session, by: By, number: int) -> CategoryRow:
    """Take a category away for the calls to come; calls that have it keep it. Raises NoSuchCategory."""
    row = find_category(session, number)
    row.removed_at = by.at
    session.flush()
    by.note(session, ENTITY, number, "remove", category_document(row), obey=True)
    return row


def category_document(row: CategoryRow) -> dict[str, Any]:
    """A category as people see it."""
    return {"number": row.number, "name": row.name, "value": f"{row.value:.2f}"}


# -- what is said of a call ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Note:
    """What one save sets; None and an empty ``categories`` leave what is there.

    ``value``: the explicit one, a sum that is known. Scores are 1 to 5.
    """

    comment: str | None = None
    categories: Sequence[int] = ()
    value: Decimal | None = None
    call_score: int | None = None
    agent_score: int | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it sets nothing."""
        return not self.categories and all(
            part is None for part in (self.comment, self.value, self.call_score, self.agent_score)
        )


def annotate_call(session: Session, by: By, call_id: str, note: Note) -> Call:
    """Save what a person says of a call. Raises NotFound, NoSuchCategory and UsageError."""
    call = find_call(session, call_id)
    if note.is_empty:
        raise UsageError("Say what to save: --comment, --category, --value, --call-score or --agent-score.")
    for name, score in (("call", note.call_score), ("agent", note.agent_score)):
        if score is not None and not 1 <= score <= 5:
            raise UsageError(f"The {name} score {score} is not allowed: 1 to 5 is wanted.")
    scored = note.call_score is not None or note.agent_score is not None
    if scored and not (note.comment or "").strip():
        raise UsageError("A score needs a comment in the same save; give --comment.")
    changes: dict[str, Any] = {}
    if note.comment is not None:
        changes["comment"] = checked_text(note.comment, "comment", LONGEST_COMMENT)
    if note.categories:
        rows = [find_category(session, number) for number in dict.fromkeys(note.categories)]
        changes["categories"] = [category_document(row) for row in rows]
    if note.value is not None:
        changes["explicit_value"] = f"{note.value:.2f}"
    changes |= {
        key: score
        for key, score in (("call_score", note.call_score), ("agent_score", note.agent_score))
        if score is not None
    }
    call.record = {**call.record, **changes}
    session.flush()
    payload = {"call_id": call_id, **changes, "value": value_of(call.record)}
    add_event(session, at=by.at, entity="call", entity_id=call_id, type="call.annotate", payload=payload)
    # what is said of a person is not kept where nothing is ever deleted
    saved = {"saved": sorted(changes)}
    add_audit(
        session, at=by.at, actor=by.actor, action="annotate", entity="call", entity_id=call_id, detail=saved
    )  # fmt: skip
    return call
