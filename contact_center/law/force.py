"""The rules that apply to a person at an instant, and what the strictest of them asks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any, TypeVar

from contact_center.errors import UsageError
from contact_center.law.books import PROFILES, library
from contact_center.law.moments import zone_of
from contact_center.law.places import LeadFacts, Places, places_of
from contact_center.law.rules import (
    AbandonmentRule,
    CapRule,
    Clock,
    HoursRule,
    LedgerWindow,
    ListRule,
    LockoutRule,
    MachineLockoutRule,
    MessageRule,
    RecordsRule,
    RingRule,
    Rule,
)

_R = TypeVar("_R", bound=Rule)


@dataclass(frozen=True, slots=True)
class Cap:
    """At most ``calls`` calls to one person in any ``seconds``."""

    calls: int
    seconds: float


@dataclass(frozen=True, slots=True)
class RulesInForce:
    """All rules that may apply to a person at an instant; each property is what the strictest asks.

    ``rules`` is empty with profile ``none``, and then nothing is asked.
    """

    profile: str
    rules: tuple[Rule, ...]

    @property
    def hours(self) -> tuple[HoursRule, ...]:
        """Calling hours: all of them must be open."""
        return self._of(HoursRule)

    @property
    def abandonment(self) -> dict[LedgerWindow, float | None]:
        """The largest share of abandoned calls in each window that is counted; None: counted, none is safe."""
        limits: dict[LedgerWindow, float | None] = {}
        for rule in self._of(AbandonmentRule):
            before = limits.get(rule.window)
            known = [limit for limit in (before, rule.limit) if limit is not None]
            limits[rule.window] = min(known) if known else None
        return limits

    @property
    def message_seconds(self) -> float | None:
        """Within how many seconds a person without an agent must hear the message."""
        return min((rule.within_seconds for rule in self._of(MessageRule)), default=None)

    @property
    def message_clock(self) -> Clock:
        """From when those seconds count: from the answer as soon as one rule says so."""
        clocks = {rule.counted_from for rule in self._of(MessageRule)}
        return Clock.GREETING_END if clocks == {Clock.GREETING_END} else Clock.ANSWER

    @property
    def message_contents(self) -> tuple[str, ...]:
        """What the message must say."""
        return tuple(dict.fromkeys(text for rule in self._of(MessageRule) for text in rule.contents))

    @property
    def ring_seconds(self) -> float:
        """How long a call must ring before it may be given up; 0: no rule."""
        return max((rule.seconds for rule in self._of(RingRule)), default=0.0)

    @property
    def caps(self) -> tuple[Cap, ...]:
        """How often a person may be called; for each stretch of time the fewest calls."""
        fewest: dict[float, int] = {}
        for rule in self._of(CapRule):
            fewest[rule.within_seconds] = min(rule.calls, fewest.get(rule.within_seconds, rule.calls))
        return tuple(Cap(calls, seconds) for seconds, calls in sorted(fewest.items()))

    @property
    def lockout_seconds(self) -> float:
        """How long somebody whose call was abandoned is left alone; 0: no rule."""
        return max((rule.seconds for rule in self._of(LockoutRule)), default=0.0)

    @property
    def machine_lockout_seconds(self) -> float:
        """How long somebody whom detection took for a machine is left alone; 0: no rule."""
        return max((rule.seconds for rule in self._of(MachineLockoutRule)), default=0.0)

    @property
    def list_days(self) -> int | None:
        """How old the national do-not-call list may be."""
        return min((rule.max_age_days for rule in self._of(ListRule)), default=None)

    @property
    def keep_days(self) -> int:
        """How long the records of calls are kept; 0: no rule."""
        return max((rule.keep_days for rule in self._of(RecordsRule)), default=0)

    @property
    def version(self) -> str:
        """The books these rules stand in, with their versions and the digest of their text."""
        return version_of(self.rules)

    def _of(self, kind: type[_R]) -> tuple[_R, ...]:
        return tuple(rule for rule in self.rules if isinstance(rule, kind))


def rules_for(facts: LeadFacts | Places | str, at: datetime, *, profile: str, site_zone: str = "UTC") -> RulesInForce:
    """The rules that may apply to a lead at an instant: the profile's country's and those of where he may be.

    ``facts``: what is known of the lead, or his place, or the key of it. Raises UsageError on a profile that
    does not exist.
    """
    if isinstance(facts, LeadFacts):
        facts = places_of(facts, site_zone=site_zone, year=at.year)
    return _rules_at(Places.of_key(facts) if isinstance(facts, str) else facts, quarter_of(at), profile)


def quarter_of(at: datetime) -> datetime:
    """The beginning of its quarter of an hour: local days begin with one of UTC, so one date holds for all of it."""
    return at.replace(minute=at.minute // 15 * 15, second=0, microsecond=0)


@lru_cache(maxsize=4096)
def _rules_at(places: Places, quarter: datetime, profile: str) -> RulesInForce:
    """Asked for with each call, of the same places in the same quarter of an hour."""
    days = frozenset(quarter.astimezone(zone_of(zone)).date() for zone in places.law_zones)
    return _in_force(profile, places.jurisdictions, days)


def every_rule(profile: str, jurisdictions: Iterable[str]) -> tuple[Rule, ...]:
    """The rules of a profile and of these jurisdictions, whenever they are in force.

    An unknown state is every state. Raises UsageError on a profile that does not exist.
    """
    return _every_rule(profile, tuple(sorted(jurisdictions)))


@lru_cache(maxsize=1024)
def _every_rule(profile: str, jurisdictions: tuple[str, ...]) -> tuple[Rule, ...]:
    if profile not in PROFILES:
        raise UsageError(f"profile={profile[:40]} is not known; one of {', '.join(PROFILES)} is wanted.")
    home = PROFILES[profile]
    if not home:
        return ()
    wanted = {home, *jurisdictions}
    if "US" in jurisdictions or (not jurisdictions and home == "US"):
        wanted |= {rule.jurisdiction for rule in library().rules if rule.jurisdiction.startswith("US-")}
    return library().of(wanted)


@lru_cache(maxsize=4096)
def _in_force(profile: str, jurisdictions: tuple[str, ...], days: frozenset[date]) -> RulesInForce:
    """A rule that holds on one of the local days holds: at a change the old and the new one both do."""
    rules = every_rule(profile, jurisdictions)
    return RulesInForce(profile, tuple(rule for rule in rules if any(rule.in_force(day) for day in days)))


def version_of(rules: Iterable[Rule]) -> str:
    """``us_federal 2026.1, us_states 2026.1 (1f0c...)``; empty for no rules."""
    books = sorted({library().version_of(rule) for rule in rules})
    return f"{', '.join(books)} ({library().digest})" if books else ""


def rule_document(rule: Rule) -> dict[str, Any]:
    """A rule as JSON."""
    return rule.model_dump(mode="json", by_alias=True, exclude_defaults=False)
