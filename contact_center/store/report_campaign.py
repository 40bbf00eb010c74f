"""The rows of `report campaign`: a campaign's leads, dials, abandonment, times, agents and the odds it learned.

Dials are counted by the instant they were placed; abandonment by the law's count by that of the answer, as in
`report abandonment`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from math import ceil
from typing import Any

from sqlalchemy import Select, and_, case, func, select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center import metrics
from contact_center.clock import iso
from contact_center.law.abandonment import MACHINE_CODES, Stretch
from contact_center.models import Attempt, Call, Campaign, Lead
from contact_center.store.agent_spans import TeamTime, campaign_spans, known_since
from contact_center.store.claims import lead_counts
from contact_center.store.expiry import expired_count
from contact_center.store.ledgers import Ledger, campaign_rules, tally
from contact_center.store.queries import campaign_id, campaign_options
from contact_center.store.queries_pace import odds_report
from contact_center.store.tables import table_of
from contact_center.terms import Outcome

_ATTEMPT, _CALL, _LEAD = table_of(Attempt), table_of(Call), table_of(Lead)
_TAKEN = _ATTEMPT.c.outcome.not_in(("", Outcome.NOT_ATTEMPTED.value))
NOTHING_LEARNED = "Nothing was learned yet: odds per lead come from the calls of a predictive campaign."
TOO_LONG_AGO = "What agents did so long ago is not kept; ask for a later time."


def campaign_report(session: Session, campaign: Campaign, asked: Stretch, now: datetime, zone: str) -> dict[str, Any]:
    """One campaign between two instants. Shares are fractions, None where nothing can be divided."""
    key, options = campaign_id(campaign), campaign_options(campaign)
    dials = _dials(session, key, asked)
    agents = _agents(session, campaign, asked, now)
    return {
        "campaign": campaign.name,
        "mode": str(campaign.mode),
        "state": str(campaign.state),
        "since_at": iso(asked.since),
        "until_at": iso(asked.until),
        "leads": _leads(session, key, asked),
        **dials,
        "law": _law(session, campaign, options.profile, asked, now, zone),
        **_answer_to_agent(session, key, asked),
        "wrap_up_seconds": agents.pop("mean_wrap_up_seconds"),
        "agents": agents,
        "calibration": calibration(session, key),
    }


def _window(key: int, asked: Stretch) -> Any:
    return and_(_ATTEMPT.c.campaign_id == key, _ATTEMPT.c.intent_at >= asked.since, _ATTEMPT.c.intent_at < asked.until)


def _leads(session: Session, key: int, asked: Stretch) -> dict[str, Any]:
    """Leads there by its end, and how many were dialled and reached within it; ``by_state`` is as of now."""
    loaded = session.execute(
        select(func.count()).where(_LEAD.c.campaign_id == key, _LEAD.c.created_at < asked.until)
    ).scalar_one()
    reached = case((_ATTEMPT.c.outcome == Outcome.CONNECTED.value, _ATTEMPT.c.lead_id))
    dialled = case((_ATTEMPT.c.outcome != Outcome.NOT_ATTEMPTED.value, _ATTEMPT.c.lead_id))
    row = session.execute(
        select(func.count(dialled.distinct()).label("dialled"), func.count(reached.distinct()).label("reached")).where(
            _window(key, asked)
        )
    ).one()
    return {
        "loaded": loaded,
        "dialled": row.dialled,
        "penetration": _rounded(metrics.share(row.dialled, loaded)),
        "reached": row.reached,
        "expired": expired_count(session, key),
        "by_state": lead_counts(session, key),
    }


def _total(value: Any, where: Any) -> Any:
    return func.coalesce(func.sum(case((where, value), else_=0)), 0)


def _by_outcome(key: int, asked: Stretch) -> Select[Any]:
    answered = _ATTEMPT.c.answered_at.is_not(None)
    return (
        select(
            _ATTEMPT.c.outcome,
            func.count().label("dials"),
            func.count(_ATTEMPT.c.answered_at).label("answered"),
            func.count(_ATTEMPT.c.ringing_at).label("rang"),
            _total(1, _CALL.c.disposition.in_(MACHINE_CODES)).label("machines"),
            _total(_CALL.c.ring_seconds, _ATTEMPT.c.ringing_at.is_not(None)).label("ring_seconds"),
            _total(_CALL.c.wait_seconds, answered).label("wait_seconds"),
            _total(_CALL.c.talk_seconds, _ATTEMPT.c.connected_at.is_not(None)).label("talk_seconds"),
        )
        .select_from(_ATTEMPT.outerjoin(_CALL, _CALL.c.id == _ATTEMPT.c.call_id))
        .where(_window(key, asked))
        .group_by(_ATTEMPT.c.outcome)
    )


def _dials(session: Session, key: int, asked: Stretch) -> dict[str, Any]:
    """Dials and what came of them.

    ``completed``: those over that a trunk took; ``people``: answered, less machines by detection and by the agents'
    dispositions. answer_rate = answered / completed, contact_rate = people / completed.
    """
    rows = {row.outcome: row for row in session.execute(_by_outcome(key, asked))}
    over = {outcome: row for outcome, row in rows.items() if outcome}
    taken = [row for outcome, row in over.items() if outcome != Outcome.NOT_ATTEMPTED]
    completed, answered = sum(row.dials for row in taken), sum(row.answered for row in taken)
    detected, connected = over.get(Outcome.MACHINE), over.get(Outcome.CONNECTED)
    machines = (detected.answered if detected else 0) + (int(connected.machines) if connected else 0)
    connects, dropped = _count(over, Outcome.CONNECTED), _count(over, Outcome.NO_FREE_OPERATORS)
    ended = sum(row.dials for row in over.values())
    return {
        "dials": sum(row.dials for row in rows.values()),
        "in_progress": rows[""].dials if "" in rows else 0,
        "not_attempted": _count(over, Outcome.NOT_ATTEMPTED),
        "completed": completed,
        "answered": answered,
        "answer_rate": _rounded(metrics.share(answered, completed)),
        "machines": machines,
        "people": answered - machines,
        "contact_rate": _rounded(metrics.share(answered - machines, completed)),
        "connected": connects,
        "dropped": dropped,
        "abandonment": _rounded(metrics.drop_rate(dropped, connects)),
        "outcomes": [
            {
                "outcome": outcome.value,
                "count": _count(over, outcome),
                "share": _rounded(metrics.share(_count(over, outcome), ended)),
            }
            for outcome in Outcome
        ],
        "ring_seconds": _mean(sum(row.ring_seconds for row in taken), sum(row.rang for row in taken)),
        "wait_seconds": _mean(sum(row.wait_seconds for row in taken), answered),
        "talk_seconds": _mean(connected.talk_seconds if connected else 0.0, connects),
    }


def _count(rows: Mapping[str, Any], outcome: Outcome) -> int:
    return int(rows[outcome].dials) if outcome in rows else 0


def _law(
    session: Session, campaign: Campaign, profile: str, asked: Stretch, now: datetime, zone: str
) -> dict[str, Any]:
    """Abandonment as `report abandonment` counts it: persons only, agents who came too late included."""
    rules = campaign_rules(profile, now, zone)
    own = campaign_options(campaign).abandonment_limit
    limit = min([own, *(known for known in rules.abandonment.values() if known is not None)])
    counted = Ledger(asked, limit, tally(session, campaign_id(campaign), asked, rules.message_seconds)).as_json()
    return {"profile": profile, **{k: v for k, v in counted.items() if k not in ("window", "since_at", "until_at")}}


def _answer_to_agent(session: Session, key: int, asked: Stretch) -> dict[str, float | None]:
    """The time from the customer's answer to the agent: mean, and the nearest-rank 50th and 95th percentile."""
    joined = _ATTEMPT.join(_CALL, _CALL.c.id == _ATTEMPT.c.call_id)
    waited = _CALL.c.answer_to_agent_seconds
    where = and_(_window(key, asked), _TAKEN, waited.is_not(None))
    count, mean = session.execute(select(func.count(), func.avg(waited)).select_from(joined).where(where)).one()

    def rank(quantile: float) -> float | None:
        if not count:
            return None
        ordered = select(waited).select_from(joined).where(where).order_by(waited)
        return round(float(session.execute(ordered.offset(ceil(quantile * count) - 1).limit(1)).scalar_one()), 3)

    return {
        "answer_to_agent_seconds": None if mean is None else round(float(mean), 3),
        "answer_to_agent_p50_seconds": rank(0.5),
        "answer_to_agent_p95_seconds": rank(0.95),
    }


def _agents(session: Session, campaign: Campaign, asked: Stretch, now: datetime) -> dict[str, Any]:
    """What the agents did for it, as far back as their states are kept (``since_at``).

    hours = talk, wrap-up and free while it ran, other calls left out; connects_per_agent_hour over the same time.
    """
    since, until = known_since(asked.since, now), min(asked.until, now)
    time, connects = TeamTime(), 0
    if since < until:
        for span, is_own in campaign_spans(session, campaign, since, until):
            time.add(span, is_own)
        within = (col(Attempt.connected_at) >= since, col(Attempt.connected_at) < until)
        mine = col(Attempt.campaign_id) == campaign_id(campaign)
        connects = session.execute(select(func.count()).select_from(Attempt).where(mine, *within)).scalar_one()
    return {
        "since_at": iso(since) if since < until else None,
        "hours": round(time.hours, 4),
        "connects": connects,
        "connects_per_agent_hour": _rounded(metrics.share(connects, time.hours)),
        "occupancy": _rounded(time.occupancy),
        "utilization": _rounded(time.utilisation),
        "talk_seconds": round(time.talk_seconds, 1),
        "wrap_up_seconds": round(time.wrap_up_seconds, 1),
        "free_seconds": round(time.free_seconds, 1),
        "other_calls_seconds": round(time.other_seconds, 1),
        "mean_wrap_up_seconds": _mean(time.wrap_up_seconds, connects),
        "words": "" if since < until else TOO_LONG_AGO,
    }


def calibration(session: Session, key: int) -> dict[str, Any]:
    """How good the odds per lead were: Brier score against that of the plain answer rate, and how forecasts came true.

    Counted since the campaign began to learn. ``skill`` = 1 - brier / brier_of_plain_rate: above 0, the odds tell
    leads apart. ``words`` says it, also when nothing was learned.
    """
    found = odds_report(session, key)
    calls = int(found.get("calls") or 0)
    brier, plain = found.get("brier"), found.get("brier_of_plain_rate")
    skill = round(1.0 - brier / plain, 4) if calls and brier is not None and plain else None
    return {
        "at": found.get("at"),
        "calls": calls,
        "brier": brier if calls else None,
        "brier_of_plain_rate": plain if calls else None,
        "skill": skill,
        "used": bool(found.get("used")),
        "needed": found.get("needed"),
        "reliability": list(found.get("reliability") or []),
        "words": _told(calls, skill, bool(found.get("used"))),
    }


def _told(calls: int, skill: float | None, used: bool) -> str:
    if not calls:
        return NOTHING_LEARNED
    use = "they are used" if used else "they are not used"
    if skill is None:
        return f"All {calls} calls ended alike, so the odds cannot be judged; {use}."
    better = f"{100 * abs(skill):.1f} % {'better' if skill > 0 else 'worse'} than the plain answer rate"
    return f"Over {calls} calls the odds were {better}; {use}."


def _mean(total: float, count: int) -> float | None:
    return round(float(total) / count, 3) if count else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
