"""What comes next for a lead that was not served: another of his numbers, another part of his day."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from contact_center.attempt_rules import AttemptRules, free_part_at, parts_of
from contact_center.law.places import Places
from contact_center.models import Attempt, Lead
from contact_center.store.lead_numbers import (
    DOES_NOT_EXIST,
    does_not_exist,
    has_several,
    leave_out,
    next_number,
    numbers_of,
    turn_to,
)
from contact_center.store.prepared import Prepared
from contact_center.store.tables import table_of
from contact_center.terms import LeadState, Outcome

PART_USED = "called in this part of the day already"
_LOOKED_AT = 200
_ATTEMPT, _LEAD = table_of(Attempt), table_of(Lead)
_UP = (LeadState.DIALING, LeadState.TALKING)
_THE_LEAD = Prepared(
    select(_LEAD.c.id, _LEAD.c.number, _LEAD.c.zones, _LEAD.c.state).where(_LEAD.c.id == bindparam("p_lead"))
)
_DIALS = Prepared(
    select(_ATTEMPT.c.intent_at, _ATTEMPT.c.outcome, _ATTEMPT.c.sip_code, _ATTEMPT.c.ringing_at)
    .where(_ATTEMPT.c.lead_id == bindparam("p_lead"))
    .order_by(_ATTEMPT.c.n.desc())
    .limit(_LOOKED_AT)
)


class Settled(Protocol):
    """What is asked of the end of an attempt: facts.AttemptSettled."""

    @property
    def outcome(self) -> str:
        """As terms.Outcome."""
        ...

    @property
    def sip_code(self) -> int | None:
        """The final answer."""
        ...

    @property
    def ended_at(self) -> datetime:
        """When it was over."""
        ...

    @property
    def alternate(self) -> bool:
        """Whether the next of his numbers is dialled next."""
        ...

    @property
    def alternate_at(self) -> datetime | None:
        """When, where that number was not tried yet in this round; None: as after any such outcome."""
        ...

    @property
    def day_parts(self) -> str:
        """The campaign's ``day_parts``."""
        ...

    @property
    def attempts_per_part(self) -> int:
        """The campaign's."""
        ...


def next_step(session: Session, attempt: Any, settled: Settled, parameters: dict[str, Any]) -> dict[str, Any]:
    """The lead's new values by number and part of the day; ``parameters``: those by the outcome alone.

    ``attempt``: a row with lead_id, campaign_id and number. Turns the lead to its next number where it goes on.
    """
    alternate = settled.alternate and has_several(session, attempt.lead_id)
    if not (alternate or settled.day_parts):
        return parameters
    lead = _THE_LEAD.first(session, {"p_lead": attempt.lead_id})
    if lead is None or lead.state not in _UP:
        return parameters
    if alternate and lead.number == attempt.number:
        parameters = _by_number(session, lead, attempt.campaign_id, settled, parameters)
    if settled.day_parts and parameters["p_lead_state"] == LeadState.DUE:
        rules = AttemptRules(parts=parts_of(settled.day_parts), per_part=settled.attempts_per_part)
        free_at = free_in_parts_at(session, lead, rules, parameters["p_next_at"])
        if free_at > parameters["p_next_at"]:
            parameters = {**parameters, "p_next_at": free_at, "p_reason": PART_USED}
    return parameters


def free_in_parts_at(session: Session, lead: Any, rules: AttemptRules, at: datetime) -> datetime:
    """When from ``at`` on a lead may be called by ``day_parts``; ``at`` itself where it was never tried or was served
    last: then whoever asked for another call said when.

    A dial that never rang, as one that the trunk swallowed, or of a number that does not exist disturbed nobody.
    """
    rows = _DIALS.rows(session, {"p_lead": lead.id}) if rules.parts else []
    if not rows or rows[0].outcome == Outcome.CONNECTED:
        return at
    dialled = [
        row.intent_at
        for row in rows
        if (row.outcome != Outcome.NOT_ATTEMPTED or row.ringing_at is not None)
        and not does_not_exist(row.outcome, row.sip_code)
    ]
    return free_part_at(rules.parts, rules.per_part, Places.of_key(lead.zones).zones, dialled, at) if dialled else at


def _by_number(
    session: Session, lead: Any, campaign: int, settled: Settled, parameters: dict[str, Any]
) -> dict[str, Any]:
    gone = does_not_exist(settled.outcome, settled.sip_code)
    number = next_number(session, lead, campaign, without=lead.number if gone else "")
    if not number or number == lead.number:
        return parameters
    turn_to(session, lead.id, number)
    if gone:
        leave_out(session, lead.id, lead.number, DOES_NOT_EXIST)
        due = {"p_lead_state": LeadState.DUE.value, "p_closed_at": None, "p_reason": ""}
        return {**parameters, **due, "p_next_at": settled.ended_at}
    order = [row.number for row in numbers_of(session, lead)]
    if settled.alternate_at is not None and order.index(number) > order.index(lead.number):
        return {**parameters, "p_next_at": settled.alternate_at}
    return parameters
