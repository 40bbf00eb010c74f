"""How good machine detection is: its verdicts against the word of the agents who had the calls.

A verdict is known to be wrong only where somebody listened: agents have every call that was judged to be a person's,
and a sample of those judged to be machines. What they key (``MACHINE_CODES``) is the truth; a call for which nothing
was keyed counts as a person's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from contact_center import metrics
from contact_center.clock import iso
from contact_center.law.abandonment import MACHINE_CODES, PERIOD, Stretch
from contact_center.models import Attempt, Call, Campaign
from contact_center.store.queries import campaign_id
from contact_center.store.tables import table_of
from contact_center.terms import AmdStatus, Outcome

_ATTEMPT, _CALL = table_of(Attempt), table_of(Call)
_STATUS = _CALL.c.record["amd"]["status"].as_string()
_SECONDS = _CALL.c.record["amd"]["seconds"].as_float()


@dataclass(frozen=True, slots=True)
class Detection:
    """Calls that were listened to, in whole numbers.

    ``humans``, ``unsure`` and ``machines`` are the verdicts. Of the machines ``ended`` had no agent, ``checked`` had
    one, to whom ``false_machines`` were persons. Of the others agents had ``handled``, and ``missed`` were machines.
    ``delay_p50``, ``delay_p95`` and ``delay_max``: the seconds that those waited who were taken for persons.
    """

    humans: int = 0
    unsure: int = 0
    machines: int = 0
    ended: int = 0
    checked: int = 0
    false_machines: int = 0
    handled: int = 0
    missed: int = 0
    delay_p50: float | None = None
    delay_p95: float | None = None
    delay_max: float | None = None

    @property
    def false_rate(self) -> float | None:
        """The share of persons among those judged to be machines; None: nobody has listened to one."""
        return metrics.share(self.false_machines, self.checked)

    @property
    def false_interval(self) -> tuple[float, float] | None:
        """95 % interval of it."""
        return metrics.wilson(self.false_machines, self.checked)

    @property
    def missed_rate(self) -> float | None:
        """The share of machines among those taken for persons."""
        return metrics.share(self.missed, self.handled)

    def persons_among(self, machines: int) -> int:
        """How many of so many calls that were ended as machines' were persons' by this measure, rounded up."""
        return ceil(machines * (self.false_rate or 0.0) - 1e-9)

    def as_json(self) -> dict[str, Any]:
        """For reports; shares as fractions, spans in seconds."""
        low, high = self.false_interval or (None, None)
        missed = metrics.wilson(self.missed, self.handled) or (None, None)
        return {
            "judged": self.humans + self.unsure + self.machines,
            "humans": self.humans,
            "unsure": self.unsure,
            "machines": self.machines,
            "ended_as_machines": self.ended,
            "checked_by_agents": self.checked,
            "false_machines": self.false_machines,
            "false_machine_rate": _rounded(self.false_rate),
            "false_machine_rate_low": _rounded(low),
            "false_machine_rate_high": _rounded(high),
            "persons_ended": self.persons_among(self.ended) if self.checked else None,
            "persons_ended_at_most": ceil(self.ended * high) if high is not None else None,
            "handled_by_agents": self.handled,
            "missed_machines": self.missed,
            "missed_machine_rate": _rounded(self.missed_rate),
            "missed_machine_rate_low": _rounded(missed[0]),
            "missed_machine_rate_high": _rounded(missed[1]),
            "person_delay_p50_seconds": _rounded(self.delay_p50),
            "person_delay_p95_seconds": _rounded(self.delay_p95),
            "person_delay_max_seconds": _rounded(self.delay_max),
        }


def detection(session: Session, campaign: int, since: datetime, until: datetime) -> Detection:
    """The verdicts on a campaign's calls that were answered from ``since`` until just before ``until``."""
    joined = _ATTEMPT.join(_CALL, _CALL.c.id == _ATTEMPT.c.call_id)
    mine = and_(
        _ATTEMPT.c.campaign_id == campaign,
        _ATTEMPT.c.answered_at >= since,
        _ATTEMPT.c.answered_at < until,
        _STATUS.is_not(None),
    )
    by_machine = _CALL.c.disposition.in_(MACHINE_CODES).label("by_machine")
    # the inner select, since a JSON path cannot be grouped by in every database
    each = select(_ATTEMPT.c.outcome, _STATUS.label("status"), by_machine).select_from(joined).where(mine).subquery()
    counted = select(each.c.outcome, each.c.status, each.c.by_machine, func.count().label("calls"))
    rows = session.execute(counted.group_by(each.c.outcome, each.c.status, each.c.by_machine)).all()
    waits = select(_SECONDS).select_from(joined).where(mine, _STATUS != AmdStatus.MACHINE)
    return _folded(rows, sorted(session.scalars(waits)))


def detection_rows(
    session: Session, campaigns: Sequence[Campaign], since: datetime, until: datetime
) -> list[dict[str, Any]]:
    """The rows of `report amd`, one for each campaign."""
    return [
        {
            "campaign": row.name,
            "since_at": iso(since),
            "until_at": iso(until),
            **detection(session, campaign_id(row), since, until).as_json(),
        }
        for row in campaigns
    ]


def false_machines(session: Session, campaign: int, stretch: Stretch, machines: int) -> int:
    """How many persons were hung up on as machines in a stretch, by what agents said in the 30 days up to its end."""
    if not machines:
        return 0
    since = min(stretch.since, stretch.until - PERIOD)
    return detection(session, campaign, since, stretch.until).persons_among(machines)


def _folded(rows: Any, waits: list[float]) -> Detection:
    counts: dict[str, int] = dict.fromkeys(("humans", "unsure", "machines"), 0)
    ended = checked = wrong = handled = missed = 0
    for outcome, status, by_machine, calls in rows:
        counts[{AmdStatus.MACHINE: "machines", AmdStatus.HUMAN: "humans"}.get(status, "unsure")] += calls
        if outcome == Outcome.MACHINE:
            ended += calls
        elif outcome == Outcome.CONNECTED and status == AmdStatus.MACHINE:
            checked, wrong = checked + calls, wrong + (0 if by_machine else calls)
        elif outcome == Outcome.CONNECTED:
            handled, missed = handled + calls, missed + (calls if by_machine else 0)
    return Detection(
        **counts,
        ended=ended,
        checked=checked,
        false_machines=wrong,
        handled=handled,
        missed=missed,
        delay_p50=_at(waits, 0.5),
        delay_p95=_at(waits, 0.95),
        delay_max=_at(waits, 1.0),
    )


def _at(ordered: list[float], share: float) -> float | None:
    """The smallest value that so large a share does not exceed."""
    return ordered[max(ceil(share * len(ordered)) - 1, 0)] if ordered else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
