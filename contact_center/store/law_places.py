"""The places of leads that were stored before their jurisdictions were, worked out again in small batches."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from contact_center.law.places import LeadFacts, Places, place_key, places_of
from contact_center.models import Lead
from contact_center.store.lead_numbers import numbers_by_lead
from contact_center.store.tables import table_of
from contact_center.terms import LeadState

BATCH_ROWS = 500
_LEAD = table_of(Lead)
_WAITING = (LeadState.NEW.value, LeadState.DUE.value, LeadState.DIALING.value, LeadState.TALKING.value)
_SET = update(_LEAD).where(_LEAD.c.id == bindparam("p_id")).values(zones=bindparam("p_zones"))


def place_leads_again(session: Session, campaign: int, *, site_zone: str, after_id: int = 0) -> int | None:
    """Give the next batch of a campaign's leads the key of their place, from number and fields.

    Gives the id to go on after, None when no lead is left. A zone that the number alone does not tell was given
    by a person, and stays. Leads that are done keep theirs.
    """
    rows = session.connection().execute(
        select(_LEAD.c.id, _LEAD.c.number, _LEAD.c.zones, _LEAD.c.fields)
        .where(_LEAD.c.campaign_id == campaign, _LEAD.c.id > after_id, _LEAD.c.state.in_(_WAITING))
        .order_by(_LEAD.c.id)
        .limit(BATCH_ROWS)
    )
    found = rows.all()
    others = numbers_by_lead(session, [row.id for row in found])
    changed = [
        {"p_id": row.id, "p_zones": key}
        for row in found
        if (key := _key(row.number, row.zones, row.fields, site_zone, others.get(row.id, ()))) != row.zones
    ]
    if changed:
        session.connection().execute(_SET, changed)
    return int(found[-1].id) if len(found) == BATCH_ROWS else None


def _key(number: str, zones: str, fields: dict[str, object], site_zone: str, others: Sequence[str]) -> str:
    own = Places.of_key(zones).zones
    told = places_of(LeadFacts(number, others=tuple(others)), site_zone=site_zone).zones
    explicit = own[0] if zones and len(own) == 1 and own[0] not in told else ""
    return place_key(LeadFacts.of(number, fields, explicit, others), site_zone=site_zone)
