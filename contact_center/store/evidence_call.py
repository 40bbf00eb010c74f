"""One call as evidence: the ten items of 16 CFR 310.5(a)(2), and which rules it had to obey."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from contact_center.clock import iso
from contact_center.labels import label
from contact_center.law.force import RulesInForce, rules_for
from contact_center.law.windows import is_open
from contact_center.local_presence import caller_id_for
from contact_center.models import Attempt, Call, Lead
from contact_center.options import CampaignOptions
from contact_center.terms import Outcome, TimelineKind

_GIVEN_UP = (Outcome.MISSED, Outcome.UNAVAILABLE)
_MESSAGE_LABELS = frozenset(label("silent_message", language) for language in ("en", "da", "ru"))
_BRIEF = 0.5
"""Clocks of the far end and ours may differ by that much about when it began to ring."""


@dataclass(frozen=True, slots=True)
class Settings:
    """A campaign's settings from an instant on."""

    since_at: datetime
    mode: str
    options: dict[str, Any]
    by: str

    def get(self, key: str) -> Any:
        """An option as it was; what it did not have yet has its default."""
        field = CampaignOptions.model_fields.get(key)
        return self.options.get(key, field.default if field else None)

    def as_json(self) -> dict[str, Any]:
        """For the line of the settings."""
        return {"since_at": iso(self.since_at), "mode": self.mode, "options": self.options, "by": self.by}


class Whose(Protocol):
    """Who places the calls."""

    @property
    def telemarketer(self) -> str:
        """Their name."""
        ...


def call_line(attempt: Attempt, call: Call, lead: Lead, *, settings: Settings, asked: Whose) -> dict[str, Any]:
    """The body of a call's line. ``missing``: items of the ten that nobody has stated.

    ``rules_version`` is that of the books at hand, read for the day of the call; ``rules_version_then`` is what
    the program noted when it placed the call, None where it noted nothing.
    """
    profile = str(settings.get("profile") or "none")
    rules = rules_for(lead.zones, attempt.intent_at, profile=profile)
    items = _items(attempt, call, settings, asked.telemarketer)
    return {
        "kind": "call",
        "call_id": attempt.call_id,
        "attempt": attempt.n,
        "lead_id": attempt.lead_id,
        "mode": call.kind,
        "profile": profile,
        "place": lead.zones,
        "rules": [rule.id for rule in rules.rules],
        "rules_version": rules.version,
        "rules_version_then": call.record.get("law_version"),
        "inside_hours": _inside_hours(lead, settings, profile, attempt.intent_at),
        "rang_seconds": _rang_seconds(attempt),
        "rang_long_enough": _rang_long_enough(attempt, rules),
        "answer_to_agent_seconds": call.answer_to_agent_seconds,
        "greeting_seconds": call.record.get("greeting_seconds"),
        "abandoned": _abandoned(attempt, call, rules),
        "items": items,
        "missing": sorted(name for name, value in items.items() if value in (None, "")),
    }


def _items(attempt: Attempt, call: Call, settings: Settings, telemarketer: str) -> dict[str, Any]:
    """The ten items, by the names that the rule of law lists."""
    message = str(settings.get("silent_message") or "")
    shown = _shown(attempt, settings)
    heard_message = any(_is_message(entry) for entry in call.timeline)
    return {
        "telemarketer": telemarketer,
        "seller": settings.get("seller") or "",
        "product": settings.get("product") or "",
        "audience": settings.get("audience") or "",
        "outbound": True,
        "prerecorded": heard_message,
        "numbers_and_time": {
            "calling_number": shown or None,
            "called_number": attempt.number or "erased on request",
            "started_at": iso(attempt.intent_at),
            "ringing_at": iso(attempt.ringing_at),
            "answered_at": iso(attempt.answered_at),
            "ended_at": iso(attempt.ended_at),
            "duration_seconds": _seconds(attempt.answered_at, attempt.ended_at) or 0.0,
        },
        "script": {"script": settings.get("script") or None, "prerecorded_message": message if heard_message else None}
        if settings.get("script") or heard_message
        else "",
        "caller_id": {"number": shown, "trunk": attempt.trunk} if shown else "",
        "disposition": {
            "outcome": attempt.outcome or str(attempt.state),
            "sip_code": attempt.sip_code,
            "disposition": call.disposition or None,
            "call_state": call.call_state or None,
            "hung_up_by": call.hung_up_by,
            "agents": call.agents,
            "transferred_to": _transferred_to(call),
        },
    }


def _shown(attempt: Attempt, settings: Settings) -> str:
    """The number that the customer was shown, where the campaign said one."""
    areas, own = settings.get("caller_ids") or (), str(settings.get("caller_id") or "")
    if areas and not attempt.number:
        return "of the area of the erased number"
    return caller_id_for(attempt.number, areas, own)


def _is_message(entry: dict[str, Any]) -> bool:
    """Whether a timeline's entry is the message that somebody heard for whom nobody was free."""
    return entry.get("kind") == TimelineKind.MENU and entry.get("label") in _MESSAGE_LABELS


def _transferred_to(call: Call) -> str | None:
    """Who had the customer last, where more than one agent spoke with him."""
    talks = [entry for entry in call.timeline if entry.get("kind") == "conversation"]
    return str(talks[-1].get("agent") or "") or None if len(talks) > 1 else None


def _inside_hours(lead: Lead, settings: Settings, profile: str, at: datetime) -> bool:
    return is_open(lead.zones, str(settings.get("hours")), profile, at)


def _rang_seconds(attempt: Attempt) -> float | None:
    return _seconds(attempt.ringing_at, attempt.answered_at or attempt.ended_at)


def _rang_long_enough(attempt: Attempt, rules: RulesInForce) -> bool | None:
    """Whether a call that we gave up rang as long as the law wants; None where that is no question."""
    rang = _rang_seconds(attempt)
    given_up = attempt.answered_at is None and attempt.outcome in _GIVEN_UP and attempt.sip_code in (None, 487)
    if not rules.ring_seconds or rang is None or not given_up:
        return None
    return rang >= rules.ring_seconds - _BRIEF


def _abandoned(attempt: Attempt, call: Call, rules: RulesInForce) -> bool | None:
    """Whether a person answered and had no agent in time; None when nobody answered."""
    if attempt.answered_at is None:
        return None
    waited = (call.answer_to_agent_seconds or 0.0) - float(call.record.get("greeting_seconds") or 0.0)
    late = rules.message_seconds is not None and waited > rules.message_seconds
    return attempt.outcome == Outcome.NO_FREE_OPERATORS or (attempt.outcome == Outcome.CONNECTED and late)


def _seconds(since: datetime | None, until: datetime | None) -> float | None:
    return round((until - since).total_seconds(), 3) if since and until else None
