"""Campaigns: added, set, and walked through stopped, running, paused, ending and finished."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.errors import CallwrightError, UsageError, typed
from contact_center.models import Campaign, Lead
from contact_center.options import CampaignOptions
from contact_center.outcomes import USED_UP
from contact_center.silent_text import refuse_without_words
from contact_center.store.admin import By, checked_label, shown
from contact_center.store.queries import campaign_options, find_campaign, live_counts
from contact_center.store.ratings import checked_group
from contact_center.terms import CampaignMode, CampaignState, LeadState

_CALLER_ID = re.compile(r"\+?[0-9]{0,19}\Z")
_OWN_COLUMNS = ("mode", "multiplier", "team")

_FROM = {
    "start": (CampaignState.STOPPED, CampaignState.FINISHED, CampaignState.ENDING),
    "pause": (CampaignState.RUNNING,),
    "resume": (CampaignState.PAUSED,),
    "stop": (CampaignState.RUNNING, CampaignState.PAUSED, CampaignState.ENDING, CampaignState.FINISHED),
}
_TO = {
    "start": CampaignState.RUNNING,
    "pause": CampaignState.PAUSED,
    "resume": CampaignState.RUNNING,
    "stop": CampaignState.STOPPED,
}
_INSTEAD = {
    CampaignState.STOPPED: "start",
    CampaignState.FINISHED: "start",
    CampaignState.ENDING: "start",
    CampaignState.PAUSED: "resume",
    CampaignState.RUNNING: "stop",
}


def add_campaign(session: Session, by: By, name: str, values: dict[str, str], trunks: Collection[str]) -> Campaign:
    """A new campaign, stopped. ``values``: any keys of `campaign set`. Raises UsageError."""
    name = checked_label(name, "campaign")
    if session.scalars(select(Campaign).where(col(Campaign.name) == name)).first():
        raise UsageError(f"There is already a campaign {name}; choose another name, or use `campaign set`.")
    campaign = Campaign(name=name, created_at=by.at, options=CampaignOptions().model_dump(mode="json"))
    checked_group(session, values.get("rating_group", ""))
    _apply(campaign, values, trunks)
    session.add(campaign)
    session.flush()
    by.note(session, "campaign", name, "add", _payload(campaign), obey=True)
    return campaign


def set_campaign(session: Session, by: By, name: str, values: dict[str, str], trunks: Collection[str]) -> Campaign:
    """Change mode, multiplier, team and options. ``trunks``: the names in the settings."""
    campaign = find_campaign(session, name)
    if not values:
        known = ", ".join((*_OWN_COLUMNS, *CampaignOptions.model_fields))
        raise UsageError(f"Say what to change, as multiplier=1.2; known are {known}.")
    checked_group(session, values.get("rating_group", ""))
    _apply(campaign, values, trunks)
    if "max_attempts" in values:
        _close_used_up(session, by, campaign)
    by.note(session, "campaign", name, "set", _payload(campaign), obey=True)
    return campaign


def _close_used_up(session: Session, by: By, campaign: Campaign) -> None:
    """A lower limit holds for leads that wait, too: else they would only be closed when they are due."""
    limit = campaign_options(campaign).max_attempts
    if not limit:
        return
    waiting = (
        col(Lead.campaign_id) == _id(campaign),
        col(Lead.state) == LeadState.DUE,
        col(Lead.attempts) >= limit,
    )
    changes = {"state": LeadState.CLOSED, "reason": USED_UP, "closed_at": by.at, "next_attempt_at": None}
    session.execute(update(Lead).where(*waiting).values(**changes))


def move_campaign(session: Session, by: By, name: str, action: str, *, served: bool) -> Campaign:
    """``start``, ``pause``, ``resume`` or ``stop``; asking for the state it has changes nothing.

    ``served``: a serve is running, so calls in progress may go on while the campaign is ``ending``.
    Raises CallwrightError when the state does not allow it.
    """
    campaign = find_campaign(session, name)
    state = CampaignState(campaign.state)
    if state == _TO[action] or (action == "stop" and state is CampaignState.FINISHED):
        return campaign
    if state not in _FROM[action]:
        raise CallwrightError(
            f"Campaign {name} is {state}, so {action} does nothing; "
            f"`callwright campaign {_INSTEAD[state]} {typed(name)}` is possible."
        )
    target = _TO[action]
    if target is CampaignState.RUNNING:
        refuse_without_words(name, campaign_options(campaign), by.at)
    if action == "stop" and served and any(live_counts(session, _id(campaign)).values()):
        target = CampaignState.ENDING
    if action == "start" and state is not CampaignState.ENDING:
        campaign.started_at = by.at
    campaign.ended_at = by.at if target is CampaignState.STOPPED else None
    campaign.state = target
    by.note(session, "campaign", name, action, {"name": name, "state": str(target), "was": str(state)}, obey=True)
    return campaign


def _apply(campaign: Campaign, values: dict[str, str], trunks: Collection[str]) -> None:
    own = {key: values[key] for key in _OWN_COLUMNS if key in values}
    options = _checked(campaign_options(campaign), {k: v for k, v in values.items() if k not in own}, trunks)
    if "mode" in own:
        if own["mode"] not in list(CampaignMode):
            raise UsageError(f"mode={own['mode']} is not allowed: one of {', '.join(CampaignMode)} is wanted.")
        campaign.mode = own["mode"]
    if "multiplier" in own:
        campaign.multiplier = _multiplier(own["multiplier"])
    if "team" in own:
        campaign.team = checked_label(own["team"], "team") if own["team"] else ""
    campaign.options = options.model_dump(mode="json")


def _multiplier(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0.1 <= value <= 10:
        raise UsageError(f"multiplier={text} is not allowed: a number from 0.1 to 10 is wanted.")
    return value


def _checked(options: CampaignOptions, values: dict[str, str], trunks: Collection[str]) -> CampaignOptions:
    unknown = next((key for key in values if key not in CampaignOptions.model_fields), None)
    if unknown is not None:
        known = ", ".join((*_OWN_COLUMNS, *CampaignOptions.model_fields))
        raise UsageError(f"{shown(unknown)[1:-1]} is not a known key; known are {known}.")
    changed = options.changed(**values)
    for key in values:
        value = getattr(changed, key)
        if isinstance(value, str) and any(not c.isprintable() for c in value):
            raise UsageError(f"{key} has control characters; leave them out.")
    if not _CALLER_ID.match(changed.caller_id):
        raise UsageError(f"caller_id={shown(changed.caller_id)} is not allowed: + and up to 19 digits are wanted.")
    missing = next((name for name in changed.trunk if name not in trunks), None) if "trunk" in values else None
    if missing is not None:
        known = ", ".join(sorted(trunks)) or "none; add a [trunk.NAME] to the settings"
        raise UsageError(f"trunk={shown(missing)[1:-1]} is not in the settings; known are {known}.")
    return changed


def _payload(campaign: Campaign) -> dict[str, Any]:
    return {
        "name": campaign.name,
        "mode": str(campaign.mode),
        "multiplier": campaign.multiplier,
        "team": campaign.team,
        "state": str(campaign.state),
        "options": campaign.options,
    }


def _id(campaign: Campaign) -> int:
    assert campaign.id is not None
    return campaign.id
