"""A lead as people give it, checked: the same rules for the command line and the HTTP API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contact_center import numbers
from contact_center.law.places import LeadFacts, place_key
from contact_center.settings import Site
from contact_center.store.admin_leads import LeadDraft, checked_priority


def lead_draft(site: Site, number: str, values: Mapping[str, Any]) -> LeadDraft:
    """``values``: ``priority`` and ``timezone``, and any field of one's own. Raises UsageError.

    National numbers are those of the site's country; without a ``timezone`` his number, postal code, state and
    country tell where he lives.
    """
    fields = dict(values)
    own = numbers.normalise(number, site.country, site.number_check)
    facts = LeadFacts.of(own, fields, str(fields.pop("timezone", None) or ""))
    place = place_key(facts, site_zone=site.timezone)
    priority = checked_priority(str(fields.pop("priority", "0")))
    return LeadDraft(own, place, priority, fields)
