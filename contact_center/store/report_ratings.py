"""`report ratings` and `report goals`: what calls are rated and worth, who rates and hangs up first, goals reached."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.clock import iso
from contact_center.models import Agent, Call, Queue, Rating
from contact_center.models_ratings import RatingAskedRow
from contact_center.models_telling import CallMatch
from contact_center.ratings.menu import Result
from contact_center.terms import CallState

NO_CHANNEL = ""
"""Of calls that neither a visit nor their queue's `source` gives one."""


@dataclass(slots=True)
class _Sum:
    count: int = 0
    value: Decimal = Decimal(0)

    def add(self, value: Decimal | None) -> None:
        self.count += 1
        self.value += value or 0


@dataclass(slots=True)
class _Habit:
    """One agent: calls he talked in, how they ended, and how often he rated where he was asked."""

    talked: int = 0
    rated: int = 0
    asked: int = 0
    rated_when_asked: int = 0
    agent_hung_up_first: int = 0
    caller_hung_up_first: int = 0
    forced: int = 0
    results: Counter[str] = field(default_factory=Counter)


def ratings_report(session: Session, since: datetime, until: datetime) -> dict[str, Any]:
    """The ratings in force of the calls begun in a stretch of time, by channel and by agent, and agents' habits.

    A call has one rating, the newest: to rate it anew moves its count from one option to another. Categories are those
    that were set by hand, by channel; a call's own sum counts where it has one category, else the categories' values.
    """
    channels: dict[tuple[str, str], _Sum] = defaultdict(_Sum)
    agents: dict[tuple[str, str], _Sum] = defaultdict(_Sum)
    sources, names = _sources(session), _names(session)
    total = _Sum()
    for rating, call, match in _rated(session, since, until):
        channel = (match.source if match is not None else "") or sources.get(call.queue, NO_CHANNEL)
        for sums, key in ((channels, channel), (agents, names.get(rating.agent, rating.agent))):
            sums[key, rating.option].add(rating.value)
        total.add(rating.value)
    return {
        "since_at": iso(since),
        "until_at": iso(until),
        "total": total.count,
        "value": f"{total.value:.2f}",
        "channels": _rows("channel", channels),
        "agents": _rows("agent", agents),
        "categories": _categories(session, since, until, sources),
        "habits": _habits(session, since, until, names),
    }


def _rated(session: Session, since: datetime, until: datetime) -> Iterable[tuple[Rating, Call, CallMatch | None]]:
    newest = select(func.max(col(Rating.id))).group_by(col(Rating.call_id))
    rows = session.execute(
        select(Rating, Call, CallMatch)
        .join(Call, col(Call.id) == col(Rating.call_id))
        .outerjoin(CallMatch, col(CallMatch.call_id) == col(Rating.call_id))
        .where(col(Rating.id).in_(newest), col(Call.started_at) >= since, col(Call.started_at) < until)
    )
    return [(rating, call, match) for rating, call, match in rows]


def _sources(session: Session) -> dict[str, str]:
    return {queue.name: str(queue.options.get("source") or "") for queue in session.scalars(select(Queue))}


def _names(session: Session) -> dict[str, str]:
    return {agent.ext: agent.name for agent in session.scalars(select(Agent))}


def _rows(key: str, sums: Mapping[tuple[str, str], _Sum]) -> list[dict[str, Any]]:
    return [
        {key: name, "option": option, "count": sum_.count, "value": f"{sum_.value:.2f}"}
        for (name, option), sum_ in sorted(sums.items())
    ]


def _categories(session: Session, since: datetime, until: datetime, sources: Mapping[str, str]) -> list[dict[str, Any]]:
    sums: dict[tuple[str, str], _Sum] = defaultdict(_Sum)
    rows = session.execute(
        select(col(Call.queue), col(Call.record), col(CallMatch.source))
        .outerjoin(CallMatch, col(CallMatch.call_id) == col(Call.id))
        .where(col(Call.started_at) >= since, col(Call.started_at) < until, col(Call.ended_at).is_not(None))
    )
    for queue, record, source in rows:
        found = record.get("categories") or ()
        own = record.get("explicit_value") if len(found) == 1 else None
        for category in found:
            key = source or sources.get(queue, NO_CHANNEL), str(category["name"])
            sums[key].add(Decimal(own if own is not None else category["value"]))
    return [
        {"channel": channel, "category": name, "count": sum_.count, "value": f"{sum_.value:.2f}"}
        for (channel, name), sum_ in sorted(sums.items())
    ]


def _habits(session: Session, since: datetime, until: datetime, names: Mapping[str, str]) -> list[dict[str, Any]]:
    habits: dict[str, _Habit] = defaultdict(_Habit)
    within = (col(Call.started_at) >= since, col(Call.started_at) < until)
    columns = (col(Call.agents), col(Call.call_state), col(Call.record))
    for agents, state, record in session.execute(select(*columns).where(*within, col(Call.ended_at).is_not(None))):
        if agents and state:
            _count(habits[agents[-1]], state, record)
    asked = select(RatingAskedRow).join(Call, col(Call.id) == col(RatingAskedRow.call_id)).where(*within)
    for row in session.scalars(asked):
        habit = habits[names.get(row.agent, row.agent)]
        habit.asked += 1
        habit.rated_when_asked += row.result == Result.DONE
        habit.results[row.result] += 1
    return [_habit(name, habit) for name, habit in sorted(habits.items())]


def _count(habit: _Habit, state: str, record: Mapping[str, Any]) -> None:
    habit.talked += 1
    habit.rated += record.get("rating") is not None
    habit.forced += state == CallState.FORCED_CLEARING_B
    habit.agent_hung_up_first += state == CallState.NORMAL_CLEARING_B
    habit.caller_hung_up_first += state == CallState.NORMAL_CLEARING_A


def _habit(name: str, habit: _Habit) -> dict[str, Any]:
    return {
        "agent": name,
        "talked": habit.talked,
        "rated": habit.rated,
        "rated_share": round(habit.rated / habit.talked, 4) if habit.talked else None,
        "asked": habit.asked,
        "rated_when_asked": habit.rated_when_asked,
        "not_rated": {key: habit.results[key] for key in sorted(habit.results) if key != Result.DONE},
        "caller_hung_up_first": habit.caller_hung_up_first,
        "agent_hung_up_first": habit.agent_hung_up_first,
        "forced": habit.forced,
    }


def goals_report(session: Session, since: datetime, until: datetime) -> dict[str, Any]:
    """Goals reached by acts of rating in a stretch of time: every act counts, also one that was replaced since."""
    rows = session.execute(
        select(Rating, CallMatch)
        .outerjoin(CallMatch, col(CallMatch.call_id) == col(Rating.call_id))
        .where(col(Rating.goal) != "", col(Rating.at) >= since, col(Rating.at) < until)
        .order_by(col(Rating.id))
    )
    reached: dict[tuple[str, str], _Sum] = defaultdict(_Sum)
    calls: dict[tuple[str, str], set[str]] = defaultdict(set)
    log = []
    for rating, match in rows:
        key = (rating.goal, rating.option)
        reached[key].add(rating.value)
        calls[key].add(rating.call_id)
        log.append(_reached(rating, match))
    goals = [
        {
            "goal": goal, "option": option, "reached": sum_.count, "calls": len(calls[goal, option]),
            "value": f"{sum_.value:.2f}",
        }
        for (goal, option), sum_ in sorted(reached.items())
    ]  # fmt: skip
    return {"since_at": iso(since), "until_at": iso(until), "goals": goals, "log": log}


def _reached(rating: Rating, match: CallMatch | None) -> dict[str, Any]:
    return {
        "at": iso(rating.at),
        "goal": rating.goal,
        "option": rating.option,
        "value": None if rating.value is None else f"{rating.value:.2f}",
        "call_id": rating.call_id,
        "context_id": (match.context_id if match is not None else "") or None,
        "source": rating.source,
        "agent": rating.agent or None,
    }
