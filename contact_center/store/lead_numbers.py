"""Leads with more numbers than one: which is dialled next, and which are left out.

``lead.number`` is always the number that is dialled next, so whatever asks about a number (lists, trunks, open calls)
asks about that one. All numbers of such a lead stand in ``lead_number``; of a lead with one number nothing does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, MutableMapping, Sequence
from itertools import chain
from typing import Any, Protocol

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.models import DncEntry, Lead
from contact_center.models_leads import LeadNumber
from contact_center.store.prepared import Prepared
from contact_center.store.tables import table_of
from contact_center.terms import LeadState

DOES_NOT_EXIST = "the number does not exist"
_GONE = 410
_NUMBER, _LEAD, _DNC = table_of(LeadNumber), table_of(Lead), table_of(DncEntry)
_WAITING = (LeadState.NEW.value, LeadState.DUE.value)
_OF_LEAD = Prepared(
    select(_NUMBER.c.position, _NUMBER.c.number, _NUMBER.c.left_out)
    .where(_NUMBER.c.lead_id == bindparam("p_lead"))
    .order_by(_NUMBER.c.position)
)
_SHARING = Prepared(select(_NUMBER.c.lead_id).where(_NUMBER.c.number == bindparam("p_number")))
_ANY = Prepared(select(_NUMBER.c.id).limit(1))
_LEAVE_OUT = Prepared(
    update(_NUMBER)
    .where(_NUMBER.c.lead_id == bindparam("p_lead"), _NUMBER.c.number == bindparam("p_number"))
    .values(left_out=bindparam("p_why"))
)
_TURN_TO = Prepared(update(_LEAD).where(_LEAD.c.id == bindparam("p_lead")).values(number=bindparam("p_number")))


class Known(Protocol):
    """What is asked of a lead here."""

    @property
    def id(self) -> int | None:
        """The lead's key."""
        ...

    @property
    def number(self) -> str:
        """The number that is dialled next, E.164."""
        ...


def add_numbers(session: Session, numbers: Mapping[int, Sequence[str]]) -> None:
    """All numbers of new leads, by the leads' ids; one number alone is not kept here."""
    rows = [
        {"lead_id": lead_id, "position": position, "number": number, "left_out": ""}
        for lead_id, all_of_it in numbers.items()
        if len(all_of_it) > 1
        for position, number in enumerate(all_of_it, 1)
    ]
    if rows:
        session.connection().execute(insert(_NUMBER), rows)


def numbers_of(session: Session, lead: Known) -> list[Any]:
    """Rows of position, number and left_out in their order; none for a lead with one number."""
    return _OF_LEAD.rows(session, {"p_lead": lead.id})


def has_several(session: Session, lead_id: int) -> bool:
    """Whether a lead has more numbers than one."""
    return bool(_OF_LEAD.rows(session, {"p_lead": lead_id}))


def any_has_several(session: Session) -> bool:
    """Whether any lead at all has: where none has, nobody needs to be asked about."""
    return bool(_ANY.rows(session, {}))


def all_numbers(session: Session, lead: Known) -> list[str]:
    """Every number of a lead, those left out, too."""
    return [row.number for row in numbers_of(session, lead)] or [lead.number]


def numbers_by_lead(session: Session, lead_ids: Sequence[int]) -> dict[int, list[str]]:
    """All numbers of those of these leads that have several."""
    rows = session.execute(
        select(col(LeadNumber.lead_id), col(LeadNumber.number))
        .where(col(LeadNumber.lead_id).in_(lead_ids))
        .order_by(col(LeadNumber.lead_id), col(LeadNumber.position))
    )
    found: dict[int, list[str]] = {}
    for lead_id, number in rows:
        found.setdefault(lead_id, []).append(number)
    return found


def most_numbers(session: Session) -> int:
    """How many numbers the lead with the most of them has; 0 where all have one."""
    return session.scalar(select(func.max(_NUMBER.c.position))) or 0


def leads_with(session: Session, numbers: Collection[str]) -> set[int]:
    """The leads of several numbers that have one of these."""
    return set(session.scalars(select(col(LeadNumber.lead_id)).where(col(LeadNumber.number).in_(numbers))))


def known_among(session: Session, numbers: Collection[str], campaign: int | None) -> set[str]:
    """Which of these are numbers of a lead already; ``campaign`` None: of any."""
    own = select(col(Lead.number)).where(col(Lead.number).in_(numbers))
    other = (
        select(col(LeadNumber.number))
        .join(Lead, col(Lead.id) == col(LeadNumber.lead_id))
        .where(col(LeadNumber.number).in_(numbers))
    )
    if campaign is not None:
        own, other = (query.where(col(Lead.campaign_id) == campaign) for query in (own, other))
    return {*session.scalars(own), *session.scalars(other)}


def first_callable(numbers: Sequence[str], listed: Collection[str], carry: Callable[[str], bool]) -> str:
    """The number a new lead begins with: the first that may be called, else the first."""
    return next((number for number in numbers if number not in listed and carry(number)), numbers[0])


def people(session: Session, lead: Known) -> list[tuple[str, int | None]]:
    """Numbers and leads by which a person is known: all of his, and all of other leads that share one with him."""
    ids = {row.lead_id for row in _SHARING.rows(session, {"p_number": lead.number})}
    if not ids:
        return [(lead.number, lead.id)]
    own = select(col(LeadNumber.number)).where(col(LeadNumber.lead_id).in_({*ids, lead.id}))
    leads = {lead.id, *leads_with(session, set(session.scalars(own)))}
    found = session.execute(
        select(col(LeadNumber.number), col(LeadNumber.lead_id)).where(col(LeadNumber.lead_id).in_(leads))
    )
    return sorted({(number, lead_id) for number, lead_id in found})


def persons_numbers(session: Session, numbers: Collection[str]) -> list[str]:
    """These, and the others by which whoever has one of them is known, as :func:`people` knows him."""
    his = {*numbers, *_numbers_beside(session, numbers)}
    return sorted({*his, *_numbers_beside(session, his)})


def _numbers_beside(session: Session, numbers: Collection[str]) -> Iterable[str]:
    """All numbers of the leads that have one of these."""
    return chain.from_iterable(numbers_by_lead(session, sorted(leads_with(session, numbers))).values())


def one_of_each(session: Session, leads: Iterable[Any]) -> list[Any]:
    """Of leads that share a number the first one: calls of one transaction do not see each other."""
    rows = list(leads)
    if len(rows) < 2 or not any_has_several(session):
        return rows
    own = numbers_by_lead(session, [row.id for row in rows])
    kept, taken = [], set[str]()
    for row in rows:
        numbers = {row.number, *own.get(row.id, ())}
        if not numbers & taken:
            kept.append(row)
            taken |= numbers
    return kept


def next_number(
    session: Session, lead: Known, campaign: int, *, carry: Callable[[str], bool] | None = None, without: str = ""
) -> str:
    """The number after the lead's own in their order, the own one last: not left out, not listed, and carried.

    Empty where there is none. ``without``: that one is not taken either.
    """
    rows = numbers_of(session, lead)
    place = next((n for n, row in enumerate(rows, 1) if row.number == lead.number), 0)
    turned = [row for row in (*rows[place:], *rows[:place]) if not row.left_out and row.number != without]
    if not turned:
        return ""
    listed = _listed(session, [row.number for row in turned], campaign)
    may = (row.number for row in turned if row.number not in listed and (carry is None or carry(row.number)))
    return next(may, "")


def turn_from(session: Session, lead: Known, campaign: int, *, carry: Callable[[str], bool] | None = None) -> bool:
    """Turn a lead from a number that may not be called to the next that may; whether there is one."""
    number = next_number(session, lead, campaign, carry=carry, without=lead.number)
    if number:
        _TURN_TO.run(session, {"p_lead": lead.id, "p_number": number})
    return bool(number)


def turn_away(
    session: Session,
    rows: Iterable[Any],
    against: MutableMapping[int, Any],
    campaign: int,
    carry: Callable[[str], bool] | None = None,
) -> set[int]:
    """Turn leads of a claim, whose number alone speaks ``against`` them, to another that may be called; their ids.

    They are looked at again: nothing is against them any more.
    """
    turned = set[int]()
    for row in rows:
        of_number = row.is_forbidden or (carry is not None and not carry(row.number))
        if row.id in against and of_number and turn_from(session, row, campaign, carry=carry):
            turned.add(row.id)
            del against[row.id]
    return turned


def turn_waiting_from(session: Session, numbers: Collection[str], campaign: int | None) -> None:
    """Turn waiting leads of several numbers from those that were put on a do-not-call list (``campaign`` None: all)."""
    query = select(Lead).where(
        col(Lead.id).in_(leads_with(session, numbers)), col(Lead.number).in_(numbers), col(Lead.state).in_(_WAITING)
    )
    if campaign is not None:
        query = query.where(col(Lead.campaign_id) == campaign)
    for lead in session.scalars(query).all():
        if turn_from(session, lead, lead.campaign_id):
            session.expire(lead)


def leave_out(session: Session, lead_id: int, number: str, why: str) -> None:
    """A number of a lead is not dialled any more."""
    _LEAVE_OUT.run(session, {"p_lead": lead_id, "p_number": number, "p_why": why[:120]})


def turn_to(session: Session, lead_id: int, number: str) -> None:
    """This number of a lead is dialled next."""
    _TURN_TO.run(session, {"p_lead": lead_id, "p_number": number})


def forget(session: Session, lead_ids: Collection[int | None]) -> None:
    """Leads whose numbers are erased."""
    session.connection().execute(delete(_NUMBER).where(_NUMBER.c.lead_id.in_(lead_ids)))


def does_not_exist(outcome: str, sip_code: int | None) -> bool:
    """Whether a dial showed that nobody has the number: 404, 484 and 604, or 410 (gone)."""
    return outcome == "invalid_number" or sip_code == _GONE


def numbers_document(session: Session, lead: Known) -> list[dict[str, Any]]:
    """All numbers of a lead, as JSON: which is next, and why others are left out."""
    rows = numbers_of(session, lead)
    if not rows:
        return [{"number": lead.number, "next": True, "left_out": None}] if lead.number else []
    return [{"number": row.number, "next": row.number == lead.number, "left_out": row.left_out or None} for row in rows]


def _listed(session: Session, numbers: Sequence[str], campaign: int) -> set[str]:
    rows = session.connection().execute(
        select(_DNC.c.number).where(_DNC.c.number.in_(numbers), _DNC.c.campaign_id.in_((0, campaign)))
    )
    return set(rows.scalars())
