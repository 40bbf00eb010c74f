"""The probability that a person answers, per lead: learned online, with honest uncertainty.

A Bayesian logistic regression on features of the lead and the moment, updated call by call by assumed density
filtering with a diagonal normal posterior (MacKay 1992; Chu et al. 2011), with slow forgetting. Uncertainty
shrinks the prediction towards the base rate: E[sigmoid(x)] ~ sigmoid(mean / sqrt(1 + pi variance / 8)).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log, pi, sqrt
from typing import Any

PRIOR_VARIANCE = 0.35  # of a feature's weight on the log-odds scale
BASE_VARIANCE = 2.0
FORGETTING = 1.0 - 1e-5  # of precision, per call
BUCKETS = 10  # of the reliability table


@dataclass(frozen=True, slots=True)
class LeadMoment:
    """A lead at the moment of calling it.

    ``hour`` (0 to 23) and ``weekday`` (0 Monday) in the lead's own time zone; ``attempt``: 1 for the first;
    ``last_outcome``: of the attempt before, "" for none; ``hours_since``: that attempt; ``number_type``: as
    mobile; ``prefix``: the leading digits that tell region or network.
    """

    hour: int
    weekday: int
    attempt: int = 1
    last_outcome: str = ""
    hours_since: float | None = None
    number_type: str = ""
    prefix: str = ""

    def features(self) -> tuple[str, ...]:
        """The names of what is true of it."""
        since = "" if self.hours_since is None else f"since:{min(int(log(1.0 + max(self.hours_since, 0.0)) * 2), 12)}"
        names = (
            f"hour:{self.hour}",
            f"weekday:{self.weekday}",
            f"attempt:{min(self.attempt, 8)}",
            f"last:{self.last_outcome}" if self.last_outcome else "",
            since,
            f"type:{self.number_type}" if self.number_type else "",
            f"prefix:{self.prefix}" if self.prefix else "",
            f"when:{self.weekday >= 5}:{self.hour // 3}",
        )
        return tuple(name for name in names if name)


class LeadOdds:
    """Learns from every resolved call; tells the odds of the next."""

    def __init__(self, base_rate: float = 0.25) -> None:
        self._mean: dict[str, float] = {"base": log(base_rate / (1.0 - base_rate))}
        self._variance: dict[str, float] = {"base": BASE_VARIANCE}
        self._brier, self._calls, self._answered = 0.0, 0, 0
        self._buckets: list[list[Any]] = [[0, 0.0, 0] for _ in range(BUCKETS)]

    def odds(self, moment: LeadMoment) -> float:
        """P(a person answers), between 0 and 1."""
        mean, variance = self._score(moment.features())
        return _sigmoid(mean / sqrt(1.0 + pi * variance / 8.0))

    def spread(self, moment: LeadMoment) -> float:
        """The standard deviation of the log-odds: how little is known of such a lead."""
        return sqrt(self._score(moment.features())[1])

    def observe(self, moment: LeadMoment, answered: bool) -> None:
        """A call to a lead has been resolved. Its forecast is scored before it is learned from."""
        self._score_forecast(self.odds(moment), answered)
        features = ("base", *moment.features())
        mean, variance = self._score(features[1:])
        chance = _sigmoid(mean / sqrt(1.0 + pi * variance / 8.0))
        curvature = max(chance * (1.0 - chance), 0.02)
        step = (float(answered) - chance) / (1.0 + curvature * variance)
        for name in features:
            own = self._variance.get(name, PRIOR_VARIANCE)
            self._mean[name] = self._mean.get(name, 0.0) + own * step
            shrunk = own - own * own * curvature / (1.0 + curvature * variance)
            self._variance[name] = min(shrunk / FORGETTING, BASE_VARIANCE if name == "base" else PRIOR_VARIANCE)

    def best_first(self, moments: Sequence[LeadMoment]) -> list[int]:
        """The positions of the leads by odds, highest first; equal ones keep their order."""
        return sorted(range(len(moments)), key=lambda i: -self.odds(moments[i]))

    def report(self) -> dict[str, object]:
        """Calibration of the forecasts: Brier score, that of the plain answer rate, reliability per bucket."""
        if not self._calls:
            return {"calls": 0, "brier": None, "brier_of_plain_rate": None, "reliability": []}
        rate = self._answered / self._calls
        return {
            "calls": self._calls,
            "brier": round(self._brier / self._calls, 5),
            "brier_of_plain_rate": round(rate * (1.0 - rate), 5),
            "reliability": [
                {
                    "from": place / BUCKETS,
                    "to": (place + 1) / BUCKETS,
                    "calls": n,
                    "forecast": round(total / n, 4),
                    "answered": round(hits / n, 4),
                }
                for place, (n, total, hits) in enumerate(self._buckets)
                if n
            ],
        }

    def state(self) -> dict[str, Any]:
        """What has been learned and how good the forecasts were (``scores``), as JSON can hold it."""
        scores = {
            "calls": self._calls,
            "answered": self._answered,
            "brier": self._brier,
            "buckets": [list(bucket) for bucket in self._buckets],
        }
        return {"mean": dict(self._mean), "variance": dict(self._variance), "scores": scores}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what was learned before; without ``scores`` forecasts are scored anew.

        Raises KeyError, TypeError or ValueError if it is not of the form of :meth:`state`.
        """
        mean, variance = dict(state["mean"]), dict(state["variance"])
        scores = state.get("scores")
        if scores is not None:
            buckets = [[int(n), float(total), int(hits)] for n, total, hits in scores["buckets"]]
            calls, answered, brier = int(scores["calls"]), int(scores["answered"]), float(scores["brier"])
            if len(buckets) != BUCKETS or sum(bucket[0] for bucket in buckets) != calls:
                raise ValueError("the scores are not those of one reliability table")
            self._calls, self._answered, self._brier, self._buckets = calls, answered, brier, buckets
        self._mean, self._variance = mean, variance

    def _score(self, features: Sequence[str]) -> tuple[float, float]:
        mean, variance = self._mean["base"], self._variance["base"]
        for name in features:
            mean += self._mean.get(name, 0.0)
            variance += self._variance.get(name, PRIOR_VARIANCE)
        return mean, variance

    def _score_forecast(self, chance: float, answered: bool) -> None:
        self._calls += 1
        self._answered += answered
        self._brier += (chance - answered) ** 2
        bucket = self._buckets[min(int(chance * BUCKETS), BUCKETS - 1)]
        bucket[0] += 1
        bucket[1] += chance
        bucket[2] += answered


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + exp(-max(min(x, 35.0), -35.0)))
