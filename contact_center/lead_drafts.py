"""A lead as people give it, checked: the same rules for the command line, files and the HTTP API."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from datetime import datetime, timedelta
from typing import Any

from contact_center import numbers
from contact_center.console.moments import instant
from contact_center.errors import UsageError
from contact_center.law.places import LeadFacts, Places, place_key
from contact_center.other_numbers import is_other_number, others_of, place_of
from contact_center.settings import Site
from contact_center.store.admin_leads import LeadDraft, checked_priority

TIMES = ("callback_at", "callback_agent", "expires_at")
"""Names of a lead that say when it is called, and by whom."""
ANYONE = "anyone"
_LONGEST = timedelta(days=3653)


def lead_draft(site: Site, number: str, values: Mapping[str, Any], now: datetime) -> LeadDraft:
    """``values``: ``priority``, ``timezone``, TIMES, and any field of one's own. Raises UsageError.

    National numbers are those of the site's country; without a ``timezone`` his number, postal code, state and
    country tell where he lives. Further numbers stand as ``phone2``, ``phone3`` or ``alt_phone``.
    """
    fields = dict(values)
    own = numbers.normalise(number, site.country, site.number_check)
    given = {name: str(fields.pop(name, None) or "") for name in TIMES}
    if "next_attempt_at" in fields:
        raise UsageError("next_attempt_at is not set by hand; callback_at=T says when a lead is to be called.")
    others = others_of(own, _others(site, fields))
    facts = LeadFacts.of(own, fields, str(fields.pop("timezone", None) or ""), others)
    place = place_key(facts, site_zone=site.timezone)
    priority = checked_priority(str(fields.pop("priority", "0")))
    return LeadDraft(own, place, priority, fields, others, **times(given, place, site.timezone, now))


def _others(site: Site, fields: dict[str, Any]) -> list[str]:
    """The further numbers, taken out of ``fields``; an empty one is none."""
    found = [str(fields.pop(name) or "").strip() for name in sorted(filter(is_other_number, fields), key=place_of)]
    return [numbers.normalise(text, site.country, site.number_check) for text in found if text]


def times(given: MutableMapping[str, str], place: str, site_zone: str, now: datetime) -> dict[str, Any]:
    """TIMES as a LeadDraft has them; local times are those of the lead where its zone is known. Raises UsageError."""
    zones = Places.of_key(place).zones if place else ()
    zone = zones[0] if len(zones) == 1 else site_zone
    found = {name: _moment(given.get(name, ""), name, zone, now) for name in ("callback_at", "expires_at")}
    agent = given.get("callback_agent", "").strip()
    if agent and not found["callback_at"]:
        raise UsageError("callback_agent goes with callback_at, the time to call back.")
    if len(agent) > 20:
        raise UsageError("callback_agent is an agent's extension, or anyone.")
    if found["callback_at"] and found["expires_at"] and found["callback_at"] >= found["expires_at"]:
        raise UsageError("callback_at is not before expires_at, so nobody would call back.")
    return {**found, "callback_agent": "" if agent.lower() == ANYONE else agent}


def _moment(text: str, name: str, zone: str, now: datetime) -> datetime | None:
    if not text.strip():
        return None
    at = instant(text, zone, now, name)
    if at <= now:
        raise UsageError(f"{name} {text.strip()[:40]!r} is past; give a time that comes.")
    if at - now > _LONGEST:
        raise UsageError(f"{name} {text.strip()[:40]!r} is more than ten years away; give an earlier one.")
    return at
