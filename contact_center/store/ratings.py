"""Rating groups and their options, what they are assigned to, and ratings given otherwise than on the phone."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.clock import iso
from contact_center.errors import CallwrightError, NotFound, UsageError
from contact_center.models import Call, Campaign, Queue
from contact_center.models_ratings import RatingGroupRow, RatingOptionRow
from contact_center.ratings.choices import RatingGroup, RatingOption
from contact_center.store.admin import By, checked_label, checked_text, shown
from contact_center.store.changes import add_audit
from contact_center.store.queries_calls import find_call
from contact_center.store.rating_acts import RatingAct, agent_of_call, put_rating

ENTITY = "rating_group"
LONGEST_NAME = 80


class NoSuchOption(CallwrightError):
    """The group has no such option."""

    exit_code = 3


# -- groups -------------------------------------------------------------------------------------------


def find_group(session: Session, name: str) -> RatingGroupRow:
    """The group of a name. Raises NotFound."""
    row = session.scalars(select(RatingGroupRow).where(col(RatingGroupRow.name) == name)).first()
    if row is None:
        raise NotFound("rating group", name[:60])
    return row


def checked_group(session: Session, name: str) -> None:
    """Raises NotFound where a queue or campaign names a group that is not there; no name is no group."""
    if name:
        find_group(session, name)


def add_group(session: Session, by: By, name: str, *, speech: bool) -> RatingGroupRow:
    """A new group without options. Raises UsageError."""
    name = checked_label(name, "rating group")
    if session.scalars(select(RatingGroupRow).where(col(RatingGroupRow.name) == name)).first() is not None:
        raise UsageError(f"There is already a rating group {name}; choose another name.")
    row = RatingGroupRow(name=name, speech=speech)
    session.add(row)
    session.flush()
    _note(session, by, row, "add")
    return row


def set_group(session: Session, by: By, name: str, *, speech: bool) -> RatingGroupRow:
    """Whether the options are spoken."""
    row = find_group(session, name)
    row.speech = speech
    _note(session, by, row, "set")
    return row


def remove_group(session: Session, by: By, name: str) -> None:
    """Take a group away that nobody uses; calls that were rated by it keep their ratings. Raises UsageError."""
    row = find_group(session, name)
    users = [f"queue {queue.name}" for queue in session.scalars(select(Queue)) if _uses(queue.options, name)]
    users += [f"campaign {c.name}" for c in session.scalars(select(Campaign)) if _uses(c.options, name)]
    if users:
        raise UsageError(f"Rating group {name} is used by {', '.join(users[:5])}; set rating_group= there first.")
    for option in session.scalars(select(RatingOptionRow).where(col(RatingOptionRow.group_id) == row.id)):
        session.delete(option)
    session.flush()
    session.delete(row)
    session.flush()
    by.note(session, ENTITY, name, "remove", {"name": name}, obey=True)


def _uses(options: Mapping[str, Any], group: str) -> bool:
    return options.get("rating_group") == group


def list_groups(session: Session) -> list[RatingGroupRow]:
    """All groups by name."""
    return list(session.scalars(select(RatingGroupRow).order_by(col(RatingGroupRow.name))))


def group_document(session: Session, row: RatingGroupRow) -> dict[str, Any]:
    """A group with its options, and those that were removed."""
    options = session.scalars(
        select(RatingOptionRow)
        .where(col(RatingOptionRow.group_id) == row.id)
        .order_by(col(RatingOptionRow.digit), col(RatingOptionRow.id))
    ).all()
    return {
        "name": row.name,
        "speech": row.speech,
        "options": [option_document(option) for option in options if option.removed_at is None],
        "removed": [
            {**option_document(option), "removed_at": iso(option.removed_at)}
            for option in options
            if option.removed_at is not None
        ],
    }


def load_groups(session: Session) -> list[RatingGroup]:
    """All groups with the options in force, as calls use them."""
    options: dict[int, list[RatingOption]] = {}
    in_use = select(RatingOptionRow).where(col(RatingOptionRow.removed_at).is_(None))
    for row in session.scalars(in_use.order_by(col(RatingOptionRow.digit))):
        options.setdefault(row.group_id, []).append(RatingOption(row.digit, row.name, row.asks_value, row.goal))
    return [RatingGroup(row.name, row.speech, tuple(options.get(row.id or 0, ()))) for row in list_groups(session)]


# -- options ------------------------------------------------------------------------------------------


def add_option(
    session: Session, by: By, group: str, digit: str, name: str, *, asks_value: bool, goal: str
) -> RatingOptionRow:
    """A new option of a group. Raises UsageError where its digit or name is taken."""
    row, name = find_group(session, group), checked_text(name, "option's name", LONGEST_NAME)
    if digit not in tuple("123456789"):
        raise UsageError(f"The digit {shown(digit)} is not allowed: 1 to 9 is wanted.")
    if name.isdigit():
        raise UsageError(f"The option's name {shown(name)} is a number and would be taken for a digit; name it.")
    goal = checked_text(goal, "goal", LONGEST_NAME) if goal else ""
    for other in _options(session, row):
        if other.digit == int(digit):
            raise UsageError(f"Digit {digit} is {shown(other.name)} in group {group}; remove that option first.")
        if other.name.casefold() == name.casefold():
            raise UsageError(f"Group {group} has the option {shown(other.name)} already, on digit {other.digit}.")
    option = RatingOptionRow(
        group_id=row.id or 0, digit=int(digit), name=name, asks_value=asks_value, goal=goal, added_at=by.at
    )
    session.add(option)
    session.flush()
    _note(session, by, row, "set")
    return option


def remove_option(session: Session, by: By, group: str, which: str) -> RatingOptionRow:
    """Take an option (digit or name) away for the calls to come. Raises NoSuchOption."""
    row = find_group(session, group)
    option = _find_option(session, row, which)
    option.removed_at = by.at
    session.flush()
    _note(session, by, row, "set")
    return option


def option_document(option: RatingOptionRow) -> dict[str, Any]:
    """An option as people see it."""
    return {
        "digit": option.digit,
        "name": option.name,
        "asks_value": option.asks_value,
        "goal": option.goal or None,
    }


def _options(session: Session, group: RatingGroupRow) -> list[RatingOptionRow]:
    mine = (col(RatingOptionRow.group_id) == group.id, col(RatingOptionRow.removed_at).is_(None))
    return list(session.scalars(select(RatingOptionRow).where(*mine).order_by(col(RatingOptionRow.digit))))


def _find_option(session: Session, group: RatingGroupRow, which: str) -> RatingOptionRow:
    options = _options(session, group)
    for option in options:
        if which.strip() == str(option.digit) or which.strip().casefold() == option.name.casefold():
            return option
    known = ", ".join(f"{option.digit} {option.name}" for option in options) or "none"
    raise NoSuchOption(f"Rating group {group.name} has no option {shown(which)}; it has: {known}.")


def _note(session: Session, by: By, row: RatingGroupRow, action: str) -> None:
    by.note(session, ENTITY, row.name, action, group_document(session, row), obey=True)


# -- rating a call ------------------------------------------------------------------------------------


def group_of_call(session: Session, call: Call) -> RatingGroupRow:
    """The group assigned to the call's queue, else to its campaign. Raises UsageError where there is none."""
    owner: Queue | Campaign | None = None
    if call.queue:
        what, owner = "queue", session.scalars(select(Queue).where(col(Queue.name) == call.queue)).first()
    if owner is None and call.campaign:
        what, owner = "campaign", session.scalars(select(Campaign).where(col(Campaign.name) == call.campaign)).first()
    if owner is not None:
        if group := str(owner.options.get("rating_group") or ""):
            return find_group(session, group)
        raise UsageError(
            f"The {what} {owner.name} has no rating group; `{what} set {owner.name} rating_group=GROUP` gives it one."
        )
    raise UsageError(f"Call {call.id} is of no queue or campaign, so it has no rating group to be rated by.")


def rate_call(
    session: Session, by: By, call_id: str, which: str, value: Decimal | None, *, source: str = "cli"
) -> Call:
    """Rate a call, or rate it anew, by an option's digit or name. Raises NotFound, NoSuchOption and UsageError."""
    call = find_call(session, call_id)
    group = group_of_call(session, call)
    option = _find_option(session, group, which)
    if option.asks_value and value is None:
        raise UsageError(f"Option {shown(option.name)} asks a value; give --value, as --value 29.99.")
    if value is not None and not option.asks_value:
        raise UsageError(f"Option {shown(option.name)} takes no value; leave --value out.")
    agent = agent_of_call(session, call_id)
    act = RatingAct(option.name, option.digit, value, group.name, option.goal, source, agent, by.at)
    put_rating(session, call, act)
    detail = {"call_id": call_id, "option": option.name, "value": None if value is None else f"{value:.2f}"}
    add_audit(
        session, at=by.at, actor=by.actor, action="rate", entity="call", entity_id=call_id, detail=detail
    )  # fmt: skip
    return call
