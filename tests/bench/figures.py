"""What a run came to, by the far end's own record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from statistics import median

from tests.lab.farend.record import CallRecord, Direction, Side, two_way_at

CLEAN_P95_MS = 50.0
KEPT_SHARE = 0.95  # of the rate asked for: who places fewer calls has not carried them


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value below which `share` (0 to 1) of them lie (nearest rank); None for none."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(1, ceil(round(share * len(ordered), 6))) - 1]


@dataclass(frozen=True, slots=True)
class Run:
    """One arm at one rate. Times in ms, CPU in ms per call, load as cores used by others meanwhile."""

    arm: str
    rate: float
    calls: int
    two_way_ms: list[float]
    invite_ms: list[float]
    asterisk_ms: float
    app_ms: float
    events: float
    bytes: float
    others_cores: float
    placed_per_second: float
    failures: list[str] = field(default_factory=list)

    @property
    def p50(self) -> float | None:
        """Median of customer's 200 to two-way audio."""
        return percentile(self.two_way_ms, 0.5)

    @property
    def p95(self) -> float | None:
        """95th percentile of it."""
        return percentile(self.two_way_ms, 0.95)

    @property
    def invite_p50(self) -> float | None:
        """Median of command to the customer's INVITE."""
        return percentile(self.invite_ms, 0.5)

    @property
    def clean(self) -> bool:
        """Nothing failed, the rate was kept, and two-way audio came in time."""
        p95, kept = self.p95, self.placed_per_second >= KEPT_SHARE * self.rate
        return not self.failures and kept and p95 is not None and p95 < CLEAN_P95_MS


@dataclass(frozen=True, slots=True)
class Heard:
    """What the record tells of a run's customers."""

    two_way_ms: list[float]
    invite_ms: list[float]
    failures: list[str]
    placed_per_second: float


def judge(numbers: Iterable[str], calls: Sequence[CallRecord], ordered_at: Mapping[str, float]) -> Heard:
    """The run's figures: each number once called, answered, and heard both ways. `ordered_at`: epoch seconds."""
    phones: dict[str, list[CallRecord]] = {}
    customers: dict[str, list[CallRecord]] = {}
    for call in calls:
        if call.side is Side.PHONE:
            phones.setdefault(call.party, []).append(call)
        elif call.direction is Direction.IN:
            customers.setdefault(call.party, []).append(call)
    two_way, invites, failures, invite_at = [], [], [], []
    for number in numbers:
        dials = customers.get(number, [])
        if len(dials) != 1:
            failures.append(f"{number}: dialled {len(dials)} times")
            continue
        customer = dials[0]
        invite_at.append(customer.invite_at)
        if number in ordered_at:
            invites.append((customer.invite_at - ordered_at[number]) * 1000.0)
        at = _two_way(customer, phones)
        if customer.answered_at is None or at is None:
            failures.append(f"{number}: {customer.final_code}, heard {sorted(customer.parties_heard())}")
        else:
            two_way.append((at - customer.answered_at) * 1000.0)
    span = max(invite_at) - min(invite_at) if len(invite_at) > 1 else 0.0
    return Heard(two_way, invites, failures, (len(invite_at) - 1) / span if span else 0.0)


def _two_way(customer: CallRecord, phones: Mapping[str, Sequence[CallRecord]]) -> float | None:
    moments = [
        at
        for name in customer.parties_heard()
        for phone in phones.get(name, ())
        if phone.heard_of(customer.party) and (at := two_way_at(customer, phone)) is not None
    ]
    return min(moments, default=None)


def middle(values: Iterable[float | None]) -> float | None:
    """The median of those that are there, to 2 decimals."""
    known = [value for value in values if value is not None]
    return round(median(known), 2) if known else None


def summary(runs: Sequence[Run], clean_rate: float | None) -> dict[str, float | None]:
    """The contract's keys of one arm, medians over its rounds."""
    return {
        "two_way_p50_ms": middle(run.p50 for run in runs),
        "two_way_p95_ms": middle(run.p95 for run in runs),
        "command_to_invite_p50_ms": middle(run.invite_p50 for run in runs),
        "clean_rate": clean_rate,
        "asterisk_ms_per_call": middle(run.asterisk_ms for run in runs),
        "app_ms_per_call": middle(run.app_ms for run in runs),
        "events_per_call": middle(run.events for run in runs),
    }
