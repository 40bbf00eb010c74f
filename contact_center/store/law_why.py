"""Why the law holds a lead back, and what it makes of a campaign, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from contact_center.attempt_rules import NO_RULES, AttemptRules
from contact_center.law.moments import zone_of
from contact_center.law.places import Places
from contact_center.law.windows import next_opening, why_closed
from contact_center.models import Campaign, Lead
from contact_center.options import CampaignOptions
from contact_center.store.law_claims import held_by_law
from contact_center.store.ledgers import Ledger, ledgers
from contact_center.store.queries import campaign_options
from contact_center.terms import CampaignMode


@dataclass(frozen=True, slots=True)
class LawReason:
    """One rule that speaks. ``rule``: outside_hours, cap, lockout, machine_lockout, person_cap, day_parts,
    abandonment_limit or law.

    ``binds``: it holds the lead or the campaign back; otherwise it only explains.
    """

    rule: str
    detail: str
    binds: bool = True


def why_law_holds(
    session: Session,
    lead: Lead,
    options: CampaignOptions,
    now: datetime,
    *,
    agent_is_sure: bool = False,
    own: AttemptRules = NO_RULES,
) -> Iterator[LawReason]:
    """What keeps a lead from being called now: hours of its campaign and of the law, caps, parts of the day, lock-outs.

    ``agent_is_sure`` and ``own``: as :func:`held_by_law` has them.
    """
    closed = why_closed(lead.zones, options.hours, options.profile, now)
    if closed:
        opens = next_opening(lead.zones, options.hours, options.profile, now)
        yield LawReason("outside_hours", f"{_sentence(closed)}; {_opens(lead.zones, opens)}.")
    held = held_by_law(session, [lead], profile=options.profile, now=now, agent_is_sure=agent_is_sure, own=own)
    hold = held.get(lead.id or 0)
    if hold is not None:
        yield LawReason(hold.rule, f"{_capital(hold.reason)}: not before {_local(hold.until, lead.zones)}.")


def why_law_slows(session: Session, campaign: Campaign, now: datetime, site_zone: str) -> Iterator[LawReason]:
    """Where a campaign stands in each window of abandoned calls; it binds where the next one would be too many."""
    options = campaign_options(campaign)
    if options.profile != "none":
        yield LawReason("law", f"Profile {options.profile}.", binds=False)
    for one in ledgers(session, campaign, now, site_zone):
        if one.limit is None or not one.counted.answered:
            continue
        told = f"{one.counted_words} abandoned in {one.stretch.name}, {100 * one.limit:g} % allowed"
        if _is_used_up(campaign.mode, options, one):
            yield LawReason("abandonment_limit", f"{told}: one call per free agent until there is room again.")
        else:
            room = f"; room for {one.counted.room(one.limit)} more" if one.counted.allows(one.limit) else ""
            yield LawReason("abandonment_limit", f"{told}{room}.", binds=False)


def _is_used_up(mode: str, options: CampaignOptions, one: Ledger) -> bool:
    """Whether the campaign calls for one agent once because of this window: as the dialer decides it."""
    counted, limit = one.counted, one.limit or 0.0
    if mode == CampaignMode.PREDICTIVE:
        return not counted.allows(limit)
    if mode == CampaignMode.POWER and options.profile != "none":
        return counted.abandoned > 0 and counted.abandoned >= limit * counted.answered
    return False


def _opens(key: str, at: datetime | None) -> str:
    return f"opens at {_local(at, key)}" if at else "it does not open within three weeks"


def _local(at: datetime, key: str) -> str:
    """As the clock on the wall of the lead's first zone shows it."""
    zone = zone_of(Places.of_key(key).law_zones[0])
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S} {zone.key}"


def _sentence(parts: list[str]) -> str:
    return f"Closed by {'; by '.join(parts)}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
