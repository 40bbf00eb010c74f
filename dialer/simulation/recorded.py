"""The laws of a campaign that has run, from its attempts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.errors import CallwrightError
from contact_center.models import Attempt, Campaign
from contact_center.options import CampaignOptions
from contact_center.terms import Outcome
from dialer.simulation.laws import Laws, Recorded

LEAST_ATTEMPTS, LEAST_TALKS = 200, 50
SLOT_SECONDS = 900.0
_KINDS = {Outcome.BUSY: "busy", Outcome.INVALID_NUMBER: "invalid"}


def laws_of(session: Session, campaign: Campaign, agents: int | None = None) -> Laws:
    """The laws that a campaign's attempts show: spans, answer rate per quarter hour, agents at work.

    ``agents``: so many throughout instead. Raises CallwrightError where there are too few attempts.
    """
    query = select(Attempt).where(
        col(Attempt.campaign_id) == campaign.id, col(Attempt.ended_at).is_not(None), col(Attempt.counted)
    )
    rows = list(session.scalars(query.order_by(col(Attempt.intent_at))))
    talked = [row for row in rows if row.connected_at is not None]
    if len(rows) < LEAST_ATTEMPTS or len(talked) < LEAST_TALKS:
        raise CallwrightError(
            f"The data do not suffice: campaign {campaign.name} has {len(rows)} ended attempts and {len(talked)} "
            f"talks, and {LEAST_ATTEMPTS} and {LEAST_TALKS} are needed; let it run on, or simulate by parameters."
        )
    options = CampaignOptions.model_validate(campaign.options)
    first = _days_work(rows)
    length = max((row.intent_at - first).total_seconds() for row in rows) + SLOT_SECONDS
    return Laws(
        agents=((0.0, agents),) if agents else _agents_by_slot(talked, first),
        answer_rate=_rate_by_slot(rows, first),
        wrap_up_mean=options.wrap_up_seconds,
        ring_timeout=float(options.ring_seconds),
        connect_deadline=options.connect_deadline,
        shift_seconds=length,
        break_every=None,
        recorded=Recorded(
            tuple(sorted(_span(row.intent_at, row.answered_at) for row in rows if row.answered_at)),
            tuple(_fail(row) for row in rows if row.answered_at is None),
            tuple(sorted(_span(row.connected_at, row.ended_at) for row in talked)),
        ),
    )


def _days_work(rows: list[Attempt]) -> datetime:
    """Keep the last day's attempts only; returns its first instant."""
    last = rows[-1].intent_at.date()
    rows[:] = [row for row in rows if row.intent_at.date() == last]
    return rows[0].intent_at


def _span(start: datetime | None, end: datetime | None) -> float:
    return max((end - start).total_seconds(), 0.0) if start and end else 0.0


def _fail(row: Attempt) -> tuple[float, str]:
    kind = _KINDS.get(Outcome(row.outcome), "no_answer") if row.outcome else "no_answer"
    return _span(row.intent_at, row.ended_at), kind


def _slot(at: datetime, first: datetime) -> int:
    return int(max((at - first).total_seconds(), 0.0) // SLOT_SECONDS)


def _rate_by_slot(rows: Sequence[Attempt], first: datetime) -> Callable[[float], float]:
    overall = sum(row.answered_at is not None for row in rows) / len(rows)
    counts: dict[int, list[float]] = defaultdict(lambda: [20.0 * overall, 20.0])
    for row in rows:
        counts[_slot(row.intent_at, first)][0] += row.answered_at is not None
        counts[_slot(row.intent_at, first)][1] += 1
    rates = {slot: hits / calls for slot, (hits, calls) in counts.items()}
    return lambda at: rates.get(int(at // SLOT_SECONDS), overall)


def _agents_by_slot(rows: Sequence[Attempt], first: datetime) -> tuple[tuple[float, int], ...]:
    names: dict[int, set[str]] = defaultdict(set)
    for row in rows:
        if row.connected_at and row.agent:
            names[_slot(row.connected_at, first)].add(row.agent)
    slots = sorted(names) or [0]
    steps = [(slot * SLOT_SECONDS, max(len(names[slot]), 1)) for slot in slots]
    return ((0.0, steps[0][1]), *steps[1:])
