"""The figures of queues, from the stays of callers in them. Pure arithmetic; shares from 0 to 1, spans in seconds.

SL: answered within T / answered. SL2: (answered within T + abandoned within T) / (answered + abandoned), both as
Asterisk's app_queue counts them. Abandonment: abandoned / queued; who was sent on by a rule, or ordered a callback,
has not abandoned. ASA: waits of the answered / answered. AHT: (talk + wrap-up) / answered.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import Any

from contact_center import metrics
from contact_center.terms import VisitEnd


@dataclass(frozen=True, slots=True)
class Visit:
    """One stay of one caller in one queue; ``left_at`` None: he waits, or talks since ``connected_at``."""

    queue: str
    entered_at: datetime
    connected_at: datetime | None
    left_at: datetime | None
    outcome: str
    wait_seconds: float
    talk_seconds: float
    wrap_up_seconds: float
    agent: str = ""
    said_seconds: float | None = None
    said_at: datetime | None = None

    @property
    def is_answered(self) -> bool:
        """Whether an agent took him."""
        return self.connected_at is not None

    @property
    def has_abandoned(self) -> bool:
        """Whether he left before anybody took him."""
        return self.left_at is not None and self.outcome in (VisitEnd.ABANDONED, VisitEnd.LOST)

    @property
    def said_error_seconds(self) -> float | None:
        """Real wait after the announcement less the wait that was announced; None unless both are known."""
        if self.said_seconds is None or self.said_at is None or self.connected_at is None:
            return None
        return (self.connected_at - self.said_at).total_seconds() - self.said_seconds


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """What became of the callers of a queue."""

    queued: int
    answered: int
    abandoned: int
    sent_on: int
    service_level: float
    service_level_2: float
    abandonment: float
    asa_seconds: float
    aht_seconds: float
    talk_seconds: float
    longest_wait_seconds: float
    said: int
    said_error_seconds: float | None
    said_off_seconds: float | None

    def as_json(self) -> dict[str, Any]:
        """As documents show them."""
        return {
            "queued": self.queued,
            "answered": self.answered,
            "abandoned": self.abandoned,
            "sent_on": self.sent_on,
            "service_level": round(self.service_level, 4),
            "service_level_2": round(self.service_level_2, 4),
            "abandonment": round(self.abandonment, 4),
            "asa_seconds": round(self.asa_seconds, 1),
            "aht_seconds": round(self.aht_seconds, 1),
            "talk_seconds": round(self.talk_seconds, 1),
            "longest_wait_seconds": round(self.longest_wait_seconds, 1),
            "said_waits": self.said,
            "said_error_seconds": None if self.said_error_seconds is None else round(self.said_error_seconds, 1),
            "said_off_seconds": None if self.said_off_seconds is None else round(self.said_off_seconds, 1),
        }


def figures(visits: Sequence[Visit], threshold_seconds: float) -> QueueFigures:
    """The figures of these stays; those that are not over count as queued, and as answered once they talk.

    ``said_error_seconds``: the mean of real less announced wait, which shows whether callers are told too little
    or too much; ``said_off_seconds``: the mean of its size.
    """
    answered = [visit for visit in visits if visit.is_answered]
    abandoned = [visit for visit in visits if visit.has_abandoned]
    done = [visit for visit in answered if visit.left_at is not None]
    talked = sum(visit.talk_seconds for visit in done)
    soon = sum(1 for visit in answered if visit.wait_seconds <= threshold_seconds)
    left_soon = sum(1 for visit in abandoned if visit.wait_seconds <= threshold_seconds)
    errors = [error for visit in answered if (error := visit.said_error_seconds) is not None]
    return QueueFigures(
        queued=len(visits),
        answered=len(answered),
        abandoned=len(abandoned),
        sent_on=sum(1 for v in visits if v.left_at is not None and not v.is_answered and not v.has_abandoned),
        service_level=metrics.service_level(soon, len(answered)) or 0.0,
        service_level_2=metrics.service_level_sl2(soon, left_soon, len(answered), len(abandoned)) or 0.0,
        abandonment=metrics.abandonment(len(abandoned), len(visits)) or 0.0,
        asa_seconds=metrics.asa(visit.wait_seconds for visit in answered) or 0.0,
        aht_seconds=metrics.aht(talked, 0.0, sum(visit.wrap_up_seconds for visit in done), len(done)) or 0.0,
        talk_seconds=talked,
        longest_wait_seconds=max((visit.wait_seconds for visit in visits), default=0.0),
        said=len(errors),
        said_error_seconds=_mean(errors) if errors else None,
        said_off_seconds=_mean(abs(error) for error in errors) if errors else None,
    )


def smoothed(values: Iterable[float]) -> int:
    """The running mean that ``queue show`` of Asterisk calls holdtime and talktime, in whole seconds."""
    return int(reduce(metrics.ewma, values, 0.0))


def header(name: str, options: Any, visits: Sequence[Visit]) -> str:
    """The line by which Asterisk's users know a queue; ``options`` are QueueOptions."""
    now = [visit for visit in visits if visit.left_at is None and not visit.is_answered]
    done = [visit for visit in visits if visit.is_answered and visit.left_at is not None]
    counted = figures(visits, options.service_level_seconds)
    most = options.max_length or "unlimited"
    return (
        f"{name} has {len(now)} calls (max {most}) in '{options.strategy}' strategy "
        f"({smoothed(v.wait_seconds for v in visits if v.is_answered)}s holdtime, "
        f"{smoothed(v.talk_seconds for v in done)}s talktime), "
        f"W:{options.priority}, C:{len(done)}, A:{counted.abandoned}, "
        f"SL:{100 * counted.service_level:.1f}%, SL2:{100 * counted.service_level_2:.1f}% "
        f"within {options.service_level_seconds:g}s"
    )


def _mean(values: Iterable[float]) -> float:
    known = list(values)
    return sum(known) / len(known) if known else 0.0
