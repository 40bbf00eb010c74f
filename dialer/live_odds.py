"""The odds per lead while a campaign runs: what tells of them, whether they are good enough to be used, and how good.

Forecasts are used only relative to each other: the pacer's own answer rate follows a change of the day within
some tens of calls, and a lead's odds say how much better or worse than the average it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType

from contact_center.law.places import Places
from dialer.odds import LeadMoment, LeadOdds

LEAST_CALLS = 200  # resolved calls with a forecast before forecasts are used
SKILL = 0.997  # of the plain rate's Brier score: what forecasts must be better than
MOST_FEATURES = 600  # kept for the next start; those of which least is known are left out
_LEVEL_MEMORY = 300.0
_JUDGED_EVERY = 16  # calls
_PREFIX = 5  # + and four digits: country and region or network
_TYPED_BY = 7  # + and six digits: numbers that begin alike are of one type
_TYPES = {
    PhoneNumberType.MOBILE: "mobile",
    PhoneNumberType.FIXED_LINE: "fixed",
    PhoneNumberType.FIXED_LINE_OR_MOBILE: "either",
    PhoneNumberType.VOIP: "voip",
    PhoneNumberType.TOLL_FREE: "toll_free",
    PhoneNumberType.PREMIUM_RATE: "premium",
}


class Lead(Protocol):
    """What must be known of a lead: :class:`contact_center.store.queries_pace.ComingLead` has it."""

    @property
    def number(self) -> str:
        """E.164 with ``+``."""
        ...

    @property
    def zones(self) -> str:
        """The key of his place; its first zone counts."""
        ...

    @property
    def attempts(self) -> int:
        """Used up so far."""
        ...

    @property
    def last_outcome(self) -> str:
        """Of the attempt before, empty for none."""
        ...

    @property
    def last_at(self) -> datetime | None:
        """When that attempt ended."""
        ...


@dataclass(frozen=True, slots=True)
class Forecast:
    """The odds of one call, as they were when it was dialled."""

    moment: LeadMoment
    odds: float


class LiveOdds:
    """One campaign's odds: learned from each resolved call, kept for the next start with the rest."""

    def __init__(self) -> None:
        self._odds = LeadOdds()
        self._level: float | None = None
        self._earlier: dict[str, Any] = {}
        self._observed = 0
        self.useful = False

    def forecast(self, lead: Lead, at: datetime) -> Forecast:
        """What is to be expected if this lead is dialled now."""
        moment = moment_of(lead, at)
        return Forecast(moment, self._odds.odds(moment))

    def relative(self, forecast: Forecast) -> float:
        """How much better than the average call this one is: 1 for the average."""
        return forecast.odds / self._level if self._level else 1.0

    def observe(self, forecast: Forecast, answered: bool) -> None:
        """A call that was told of is resolved."""
        level = forecast.odds if self._level is None else self._level
        self._level = level + (forecast.odds - level) / _LEVEL_MEMORY
        self._odds.observe(forecast.moment, answered)
        self._observed += 1
        if self._observed % _JUDGED_EVERY == 0:
            self._judge()

    def _judge(self) -> None:
        """``useful``: the forecasts have been better than the plain answer rate, over enough calls."""
        found = self._best_report()
        enough = found["calls"] >= LEAST_CALLS
        self.useful = enough and found["brier"] < SKILL * found["brier_of_plain_rate"]

    def _best_report(self) -> dict[str, Any]:
        """Of every call scored; where only an earlier run's report was kept, that one until calls suffice."""
        own: dict[str, Any] = self._odds.report()
        return self._earlier if own["calls"] < LEAST_CALLS and self._earlier else own

    def report(self) -> dict[str, Any]:
        """Brier score, that of the plain rate, the reliability table, and whether forecasts are ``used``."""
        return {**self._best_report(), "used": self.useful, "needed": LEAST_CALLS}

    def state(self) -> dict[str, Any]:
        """What has been learned, as JSON can hold it; of rare features the best known."""
        learned: Mapping[str, Any] = self._odds.state()
        variance, mean = learned["variance"], learned["mean"]
        best = sorted(variance, key=lambda name: (name != "base", variance[name]))[:MOST_FEATURES]
        kept = {**learned, "mean": {n: mean[n] for n in best}, "variance": {n: variance[n] for n in best}}
        return {"learned": kept, "level": self._level, "report": self._best_report()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from :meth:`state`. Raises ValueError if it is not of this form."""
        try:
            self._odds.restore(state["learned"])
            earlier = dict(state["report"])
            self._level, self._earlier = state["level"], ({} if "scores" in state["learned"] else earlier)
            if self._earlier.get("calls", 0) and self._earlier["brier"] is None:
                raise ValueError("calls without a score")
            self._judge()
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"this is not the odds' state: {error!r}") from error


def moment_of(lead: Lead, at: datetime) -> LeadMoment:
    """A lead at the moment of dialling it, on the clock of its own zone."""
    local = at.astimezone(ZoneInfo(Places.of_key(lead.zones).zones[0]))
    since = None if lead.last_at is None else max((at - lead.last_at.astimezone(UTC)).total_seconds() / 3600.0, 0.0)
    return LeadMoment(
        hour=local.hour,
        weekday=local.weekday(),
        attempt=lead.attempts + 1,
        last_outcome=lead.last_outcome,
        hours_since=since,
        number_type=_number_type(lead.number[:_TYPED_BY], len(lead.number)),
        prefix=lead.number[:_PREFIX],
    )


@lru_cache(maxsize=4096)
def _number_type(beginning: str, length: int) -> str:
    """Mobile, fixed and so on, of numbers that begin so; the rest of the digits is filled up."""
    try:
        parsed = phonenumbers.parse(beginning + "1234567890123"[: max(length - len(beginning), 0)])
    except NumberParseException:
        return ""
    return _TYPES.get(phonenumbers.number_type(parsed), "")
