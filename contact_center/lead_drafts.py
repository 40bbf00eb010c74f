"""A lead as people give it, checked: the same rules for the command line and the HTTP API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contact_center import numbers, zones
from contact_center.settings import Site
from contact_center.store.admin_leads import LeadDraft, checked_priority


def lead_draft(site: Site, number: str, values: Mapping[str, Any]) -> LeadDraft:
    """``values``: ``priority`` and ``timezone``, and any field of one's own. Raises UsageError.

    National numbers are those of the site's country; without a ``timezone`` the number tells where he lives.
    """
    fields = dict(values)
    own = numbers.normalise(number, site.country, site.number_check)
    zone = zones.zone_key(own, site_zone=site.timezone, explicit=fields.pop("timezone", None))
    priority = checked_priority(str(fields.pop("priority", "0")))
    return LeadDraft(own, zone, priority, fields)
