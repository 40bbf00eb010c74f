"""Why a lead is not dialled, and why a campaign goes at its pace: the rule that binds most first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, func, select, text
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.attempt_rules import AttemptRules
from contact_center.carriers import Carriers
from contact_center.clock import iso
from contact_center.errors import typed
from contact_center.law.places import Places
from contact_center.law.windows import is_open, next_opening
from contact_center.local_presence import area_of, caller_id_for
from contact_center.models import Agent, Attempt, Campaign, Instant, Lead, TrunkNote
from contact_center.options import CampaignOptions
from contact_center.own_agents import BUSY
from contact_center.settings import Settings
from contact_center.store.admin_dnc import blocked_numbers
from contact_center.store.carriage import NOT_CARRIED, not_carried_count
from contact_center.store.claim_sql import CLASSES, LeadClass, asked_of
from contact_center.store.claims import campaign_exhausted, next_due_at, zones_of
from contact_center.store.filter_sql import condition
from contact_center.store.law_why import LawReason, why_law_holds, why_law_slows
from contact_center.store.lead_numbers import next_number, numbers_of
from contact_center.store.lead_why import Reason, ended, left_out, left_out_of, promised
from contact_center.store.preview_why import all_let_pass, let_pass
from contact_center.store.queries import (
    campaign_id,
    campaign_options,
    live_counts,
    pace_decisions,
    team_agents,
)
from contact_center.store.queries_pace import odds_report
from contact_center.terms import AgentState, AttemptState, CampaignMode, CampaignState, LeadState

COUNTED_AHEAD = 100_000
"""Leads in front are counted no further than this."""

_OPEN = [state for state in AttemptState if state.is_open]


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the rows do not say: the settings, the instant, and whether a serve is running."""

    settings: Settings
    now: datetime
    served: bool
    pace: dict[str, Any] = field(default_factory=dict)

    @property
    def site_zone(self) -> str:
        """The zone in which instants are told to people."""
        return self.settings.site.timezone


def why_lead(session: Session, lead: Lead, seen: Circumstances) -> list[Reason]:
    """All that holds this lead back, and what comes before it; empty: it is dialled at once."""
    campaign = session.get(Campaign, lead.campaign_id)
    assert campaign is not None
    options, is_preview = campaign_options(campaign), campaign.mode == CampaignMode.PREVIEW
    carriers, rules = Carriers.of(seen.settings, options.trunk), AttemptRules.of(options, seen.settings.site)
    own = list(_ended(lead, carriers))
    if own:
        return own
    reasons = [
        *_campaign_state(campaign),
        *_forbidden(session, lead, options, carriers),
        *_not_carried(session, lead, carriers),
        *left_out(lead, options),
        *ended(lead, options, seen.now),
        *_by_law(why_law_holds(session, lead, options, seen.now, agent_is_sure=is_preview, own=rules)),
        *_not_due(lead, seen),
        *_own_agent(session, lead, options, seen),
        *promised(session, lead, options, seen.now, seen.site_zone),
        *_line(session, lead),
        *_numbers(session, lead),
        *around(session, campaign, options, seen),
        *(let_pass(session, campaign, lead, seen.now, seen.site_zone) if is_preview else ()),
    ]
    if not any(reason.binds for reason in reasons):
        reasons += _others_first(session, lead, options, seen)
        reasons += _last_pace(session, campaign)
    return [*reasons, *_area(lead, options)]


def why_campaign(session: Session, campaign: Campaign, seen: Circumstances) -> list[Reason]:
    """What holds the whole campaign back, and its last pacing decision."""
    options = campaign_options(campaign)
    reasons = [*_campaign_state(campaign)]
    if campaign_exhausted(session, campaign_id(campaign)):
        reasons.append(Reason("no_leads", "No lead is left that waits to be called."))
    else:
        reasons += _nothing_due(session, campaign, options, seen)
    reasons += left_out_of(session, campaign_id(campaign), options)
    if held := not_carried_count(session, campaign_id(campaign)):
        noun = "lead is" if held == 1 else "leads are"
        reasons.append(Reason("not_carried", f"{held} {noun} closed: {NOT_CARRIED}.", binds=False))
    reasons += around(session, campaign, options, seen)
    if campaign.mode == CampaignMode.PREVIEW:
        places = _open_places(zones_of(session, campaign_id(campaign)), options, seen)
        reasons += all_let_pass(session, campaign, places, seen.now, seen.site_zone)
    reasons += _by_law(why_law_slows(session, campaign, seen.now, seen.site_zone))
    reasons += _last_pace(session, campaign)
    return reasons


def around(session: Session, campaign: Campaign, options: CampaignOptions, seen: Circumstances) -> Iterator[Reason]:
    """Serve, trunks and agents: what every lead of a campaign needs."""
    if not seen.served:
        yield Reason("no_serve", "No serve is running; `callwright serve` does the dialling.")
    yield from _trunks(session, options, seen)
    yield from _agents(session, campaign)


def _area(lead: Lead, options: CampaignOptions) -> Iterator[Reason]:
    if area := area_of(lead.number, options.caller_ids):
        shown = caller_id_for(lead.number, options.caller_ids, "")
        yield Reason("caller_id", f"It is shown {shown}, the caller ID of its area {area} (caller_ids).", binds=False)


def _not_carried(session: Session, lead: Lead, carriers: Carriers) -> Iterator[Reason]:
    if not carriers.carry(lead.number):
        yield _of_number(session, lead, carriers, Reason("not_carried", carriers.why_not(lead.number)))


def _of_number(session: Session, lead: Lead, carriers: Carriers, reason: Reason) -> Reason:
    """The reason, which does not bind where the lead has another number that may be called."""
    other = next_number(session, lead, lead.campaign_id, carry=carriers.carry, without=lead.number)
    return replace(reason, detail=f"{reason.detail} {other} is called instead.", binds=False) if other else reason


def _numbers(session: Session, lead: Lead) -> Iterator[Reason]:
    rows = numbers_of(session, lead)
    if not rows:
        return
    place = next((f" (number {row.position} of {len(rows)})" for row in rows if row.number == lead.number), "")
    left_out = "".join(f" {row.number} is left out: {row.left_out}." for row in rows if row.left_out)
    yield Reason("numbers", f"{lead.number} is dialled next{place}.{left_out}", binds=False)


def _ended(lead: Lead, carriers: Carriers) -> Iterator[Reason]:
    because = f": {lead.reason}" if lead.reason else ""
    came = f" It came to {lead.disposition}." if lead.disposition else ""
    if lead.state == LeadState.DONE:
        yield Reason("done", f"The customer was served; no further call is planned.{came}")
    elif lead.state == LeadState.CLOSED and lead.reason == NOT_CARRIED:
        again = "A trunk may carry its number now: it waits again as soon as serve has seen that."
        told = carriers.why_not(lead.number) if not carriers.carry(lead.number) else again
        yield Reason("not_carried", f"The lead is closed: {NOT_CARRIED}. {told}")
    elif lead.state == LeadState.CLOSED:
        yield Reason("closed", f"The lead is closed{because}.{came}")
    elif lead.state == LeadState.DNC:
        yield Reason("dnc", "The number must not be called (do-not-call list).")
    elif lead.state == LeadState.DIALING:
        yield Reason("dialing", f"It is being dialled now (dial {lead.dials}).")
    elif lead.state == LeadState.TALKING:
        yield Reason("talking", "The customer is on the line now.")


def _campaign_state(campaign: Campaign) -> Iterator[Reason]:
    if campaign.state != CampaignState.RUNNING:
        verb = "resume" if campaign.state == CampaignState.PAUSED else "start"
        yield Reason(
            "campaign_not_running",
            f"Campaign {campaign.name} is {campaign.state}; "
            f"`callwright campaign {verb} {typed(campaign.name)}` runs it.",
        )


def _forbidden(session: Session, lead: Lead, options: CampaignOptions, carriers: Carriers) -> Iterator[Reason]:
    if blocked_numbers(session, [lead.number], lead.campaign_id):
        yield _of_number(session, lead, carriers, Reason("dnc", "The number is on the do-not-call list."))
    if options.max_attempts and lead.attempts >= options.max_attempts:
        yield Reason("attempts_used_up", f"All {options.max_attempts} attempts are used up (max_attempts).")


def _by_law(found: Iterable[LawReason]) -> Iterator[Reason]:
    for reason in found:
        yield Reason(reason.rule, reason.detail, reason.binds)


def _not_due(lead: Lead, seen: Circumstances) -> Iterator[Reason]:
    if lead.state == LeadState.DUE and lead.next_attempt_at and lead.next_attempt_at > seen.now:
        last = f" after {lead.disposition}" if lead.disposition else ""
        because = f" ({lead.reason})" if lead.reason else ""
        when = _local(lead.next_attempt_at, lead.zones or seen.site_zone)
        yield Reason("not_due", f"The next attempt{last} is due at {when}{because}.")


def _own_agent(session: Session, lead: Lead, options: CampaignOptions, seen: Circumstances) -> Iterator[Reason]:
    if not (options.sticky and options.sticky_seconds and lead.last_agent and lead.next_attempt_at):
        return
    agent = session.scalars(select(Agent).where(col(Agent.ext) == lead.last_agent)).first()
    until = lead.next_attempt_at + timedelta(seconds=options.sticky_seconds)
    if agent is not None and agent.state in BUSY and lead.next_attempt_at <= seen.now < until:
        when = _local(until, seen.site_zone)
        yield Reason(
            "own_agent_busy", f"It waits for agent {agent.ext}, who is {agent.state}, until {when} at the latest."
        )


def _line(session: Session, lead: Lead) -> Iterator[Reason]:
    call = session.scalars(select(col(Attempt.call_id)).where(col(Attempt.live_number) == lead.number)).first()
    if call:
        yield Reason("number_in_use", f"The number is on a live call already ({call}).")


def _trunks(session: Session, options: CampaignOptions, seen: Circumstances) -> Iterator[Reason]:
    names = [name for name in (options.trunk or seen.settings.trunk) if name in seen.settings.trunk]
    if not names:
        yield Reason("no_trunk", "The settings have no [trunk.NAME] that this campaign may use.")
        return
    notes = {note.name: note for note in session.scalars(select(TrunkNote))}
    trunk_name = col(Attempt.trunk)
    is_open = (col(Attempt.live_number) > "", col(Attempt.state).in_(_OPEN))
    rows = session.execute(select(trunk_name, func.count()).where(*is_open).group_by(trunk_name))
    used = {row[0]: row[1] for row in rows}
    held: list[Reason] = []
    for name in names:
        note, trunk = notes.get(name), seen.settings.trunk[name]
        free = trunk.max_channels - trunk.reserve_inbound
        since = _local(note.since_at, seen.site_zone) if note else ""
        if note and note.state == "capped":
            told = f"Trunk {name} takes no more calls since {since}: {note.reason}; `callwright trunk set` raises it."
            held.append(Reason("trunk_capped", told))
        elif note and note.state != "up":
            held.append(Reason("trunk_down", f"Trunk {name} is {note.state} since {since}: {note.reason}."))
        elif used.get(name, 0) >= free:
            held.append(Reason("trunk_full", f"Trunk {name} has {used[name]} of its {free} channels in use."))
    if len(held) == len(names):
        yield from held


def _agents(session: Session, campaign: Campaign) -> Iterator[Reason]:
    team = f"team {campaign.team}" if campaign.team else "the contact centre"
    states = Counter(str(agent.state) for agent in team_agents(session, campaign.team))
    away = (AgentState.OFFLINE, AgentState.PAUSED, AgentState.UNREACHABLE)
    on_line = sum(count for state, count in states.items() if state not in away)
    told = ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "it has no agents"
    if not on_line:
        yield Reason("no_agents", f"No agent of {team} is on line ({told}).")
    elif not states.get(AgentState.IDLE):
        ahead = campaign.mode == CampaignMode.PREDICTIVE
        yield Reason("agents_busy", f"All agents of {team} on line are busy ({told}).", binds=not ahead)


def _others_first(session: Session, lead: Lead, options: CampaignOptions, seen: Circumstances) -> Iterator[Reason]:
    ahead = leads_ahead(session, lead, options, seen)
    if ahead:
        number = f"{COUNTED_AHEAD} or more" if ahead >= COUNTED_AHEAD else str(ahead)
        noun = "lead comes" if ahead == 1 else "leads come"
        yield Reason(
            "others_first",
            f"{number} {noun} first (promised or served before, then new ones, newest first, then retries).",
            binds=False,
        )


def leads_ahead(session: Session, lead: Lead, options: CampaignOptions, seen: Circumstances) -> int:
    """How many leads that could be dialled now stand before this one, counted to COUNTED_AHEAD."""
    open_zones = _open_places(zones_of(session, lead.campaign_id), options, seen)
    if not open_zones:
        return 0
    ahead = 0
    for lead_class in CLASSES:
        own = _belongs(session, lead, lead_class)
        ahead += _count(session, lead, lead_class, open_zones, seen.now, before_own=own)
        if own or ahead >= COUNTED_AHEAD:
            break
    return min(ahead, COUNTED_AHEAD)


def _open_places(places: list[str], options: CampaignOptions, seen: Circumstances) -> list[str]:
    return [place for place in places if is_open(place, options.hours, options.profile, seen.now)]


def _belongs(session: Session, lead: Lead, lead_class: LeadClass) -> bool:
    query = text(f"SELECT 1 FROM lead WHERE id = :id AND {lead_class.where}")
    return session.connection().execute(query, {"id": lead.id}).first() is not None


def _count(
    session: Session, lead: Lead, lead_class: LeadClass, zones: list[str], now: datetime, *, before_own: bool
) -> int:
    conditions = [f"campaign_id = :campaign AND {lead_class.where} AND zones IN :zones"]
    parameters: dict[str, Any] = {"campaign": lead.campaign_id, "zones": zones, "most": COUNTED_AHEAD}
    if lead_class.is_timed:
        conditions.append("next_attempt_at <= :now")
        parameters["now"] = now
    if before_own:
        earlier = "(next_attempt_at, id) < (:due, :id)" if lead_class.is_timed else "id > :id"
        conditions.append(f"(priority > :priority OR (priority = :priority AND {earlier}))")
        parameters |= {"priority": lead.priority, "id": lead.id}
        if lead_class.is_timed:
            parameters["due"] = lead.next_attempt_at
    asked = condition(asked_of(session, lead.campaign_id).wanted, session.get_bind().dialect.name)
    where = f"{' AND '.join(conditions)}{asked.sql}"
    query = asked.bind(
        text(f"SELECT count(*) FROM (SELECT 1 FROM lead WHERE {where} LIMIT :most) AS ahead")
    ).bindparams(bindparam("zones", expanding=True))
    instants = [bindparam(name, type_=Instant()) for name in ("now", "due") if name in parameters]
    return int(session.connection().execute(query.bindparams(*instants), parameters).scalar_one())


def _nothing_due(
    session: Session, campaign: Campaign, options: CampaignOptions, seen: Circumstances
) -> Iterator[Reason]:
    key = campaign_id(campaign)
    zones = zones_of(session, key)
    open_zones = _open_places(zones, options, seen)
    if zones and not open_zones:
        openings = (next_opening(zone, options.hours, options.profile, seen.now) for zone in zones)
        moments = [at for at in openings if at]
        when = f"the first zone opens at {_local(min(moments), seen.site_zone)}" if moments else "they never open"
        law = f" and those of {options.profile}" if options.profile != "none" else ""
        yield Reason("outside_hours", f"Outside the calling hours {options.hours}{law} of every lead: {when}.")
        return
    due = next_due_at(session, key, open_zones, seen.now) if open_zones else None
    if due is not None and due > seen.now:
        yield Reason("not_due", f"The next lead is due at {_local(due, seen.site_zone)}.")


def _last_pace(session: Session, campaign: Campaign) -> Iterator[Reason]:
    decisions = pace_decisions(session, campaign_id(campaign))
    if decisions:
        yield Reason("pace", f"Last pacing decision: {pace_text(decisions[0])}.", binds=False)


def pace_text(decision: dict[str, Any]) -> str:
    """A pacing decision in one line."""
    words = decision.get("detail") or decision.get("reason") or decision.get("why")
    rest = {k: v for k, v in decision.items() if k not in ("detail", "reason", "why") and not isinstance(v, dict)}
    told = ", ".join(f"{key} {_short(value)}" for key, value in rest.items())
    return f"{words} ({told})" if words else told


def why_document(reasons: list[Reason]) -> dict[str, Any]:
    """``dialable``: nothing holds it back now."""
    return {
        "dialable": not any(reason.binds for reason in reasons),
        "reasons": [reason.as_json() for reason in reasons],
    }


def campaign_facts(session: Session, campaign: Campaign, seen: Circumstances) -> dict[str, Any]:
    """What stands beside the reasons of `why campaign`."""
    key = campaign_id(campaign)
    agents = Counter(str(agent.state) for agent in team_agents(session, campaign.team))
    return {
        "campaign": campaign.name,
        "mode": str(campaign.mode),
        "state": str(campaign.state),
        "multiplier": campaign.multiplier,
        "agents": dict(agents),
        "live": live_counts(session, key),
        "decisions": pace_decisions(session, key),
        "odds": odds_report(session, key),
        "at": iso(seen.now),
    }


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _local(at: datetime, zones: str) -> str:
    """An instant as the clock on the wall of the first zone shows it."""
    zone = ZoneInfo(Places.of_key(zones).zones[0])
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S} {zone.key}"
