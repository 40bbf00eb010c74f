"""The rows of `report hours`: dials, answers, connects, drops and agents' hours by hour of the day and weekday."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Executable, String, cast, func, select, type_coerce
from sqlalchemy.orm import Session

from contact_center import metrics
from contact_center.clock import iso
from contact_center.law.abandonment import Stretch
from contact_center.models import Attempt, Campaign
from contact_center.store.agent_spans import AgentSpan, campaign_spans, known_since, on_line_spans
from contact_center.store.queries import campaign_id
from contact_center.store.tables import table_of
from contact_center.terms import AgentState, Outcome

_ATTEMPT = table_of(Attempt)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_QUARTER = 900.0  # seconds: the offset of every zone is a multiple of it
_FREE = (AgentState.IDLE, AgentState.OFFERED)


@dataclass(slots=True)
class _Hour:
    """What happened within one hour; ``completed``: dials over that a trunk took."""

    dials: int = 0
    completed: int = 0
    answered: int = 0
    connected: int = 0
    dropped: int = 0
    agent_seconds: float = 0.0

    def add(self, other: _Hour) -> None:
        self.dials += other.dials
        self.completed += other.completed
        self.answered += other.answered
        self.connected += other.connected
        self.dropped += other.dropped
        self.agent_seconds += other.agent_seconds

    def as_json(self) -> dict[str, Any]:
        rate, abandonment = (
            metrics.share(self.answered, self.completed),
            metrics.drop_rate(self.dropped, self.connected),
        )
        return {
            "dials": self.dials,
            "completed": self.completed,
            "answered": self.answered,
            "answer_rate": None if rate is None else round(rate, 6),
            "connected": self.connected,
            "dropped": self.dropped,
            "abandonment": None if abandonment is None else round(abandonment, 6),
            "agent_hours": round(self.agent_seconds / 3600.0, 4),
        }


def hours_report(
    session: Session, campaign: Campaign | None, asked: Stretch, now: datetime, zone: str
) -> dict[str, Any]:
    """A campaign, or all of them, on the site's clock; calls count in the hour in which they were dialled.

    ``hours`` has a row for each hour of the day, ``weekdays`` one for each hour of the week with anything in it.
    Agents' hours are those of :func:`agent_spans.campaign_spans`; of all campaigns, all time on line.
    """
    week = [_Hour() for _ in range(7 * 24)]
    clock = _clock(zone)
    connection = session.connection()
    for row in connection.execute(_dials(connection.dialect.name, campaign, asked)):
        at = datetime.strptime(row.minute, "%Y-%m-%d %H:%M").replace(tzinfo=UTC).timestamp()
        week[clock(int(at // _QUARTER))].add(_Hour(row.dials, row.completed, row.answered, row.connected, row.dropped))
    since, until = known_since(asked.since, now), min(asked.until, now)
    if since < until:
        for span in _spans(session, campaign, since, until):
            for quarter, seconds in _quarters(span):
                week[clock(quarter)].agent_seconds += seconds
    day = [_Hour() for _ in range(24)]
    for n, one in enumerate(week):
        day[n % 24].add(one)
    return {
        "campaign": campaign.name if campaign is not None else None,
        "since_at": iso(asked.since),
        "until_at": iso(asked.until),
        "agents_since_at": iso(since) if since < until else None,
        "timezone": zone,
        "hours": [{"hour": hour, **one.as_json()} for hour, one in enumerate(day)],
        "weekdays": [
            {"weekday": DAYS[n // 24], "hour": n % 24, **one.as_json()} for n, one in enumerate(week) if one != _Hour()
        ],
    }


def _dials(dialect: str, campaign: Campaign | None, asked: Stretch) -> Executable:
    minute = _minute(dialect)
    outcome = _ATTEMPT.c.outcome
    over = outcome.not_in(("", Outcome.NOT_ATTEMPTED.value))
    query = (
        select(
            minute.label("minute"),
            func.count().label("dials"),
            func.count().filter(over).label("completed"),
            func.count().filter(over, _ATTEMPT.c.answered_at.is_not(None)).label("answered"),
            func.count().filter(outcome == Outcome.CONNECTED.value).label("connected"),
            func.count().filter(outcome == Outcome.NO_FREE_OPERATORS.value).label("dropped"),
        )
        .where(_ATTEMPT.c.intent_at >= asked.since, _ATTEMPT.c.intent_at < asked.until)
        .group_by("minute")
    )
    return query if campaign is None else query.where(_ATTEMPT.c.campaign_id == campaign_id(campaign))


def _minute(dialect: str) -> ColumnElement[str]:
    """``2026-03-02 12:05`` of the instant of the dial, in UTC."""
    if dialect == "sqlite":
        return func.substr(type_coerce(_ATTEMPT.c.intent_at, String), 1, 16)
    return cast(func.to_char(func.timezone("UTC", _ATTEMPT.c.intent_at), "YYYY-MM-DD HH24:MI"), String)


def _spans(session: Session, campaign: Campaign | None, since: datetime, until: datetime) -> Iterator[AgentSpan]:
    if campaign is None:
        found = on_line_spans(session, since, until)
    else:
        found = campaign_spans(session, campaign, since, until)
    return (span for span, is_own in found if is_own or span.state in _FREE)


def _quarters(span: AgentSpan) -> Iterator[tuple[int, float]]:
    """The quarters of an hour (counted since the epoch) that a stretch lies in, with its seconds in each."""
    begin, end = span.begin.timestamp(), span.end.timestamp()
    while begin < end:
        quarter = int(begin // _QUARTER)
        following = min((quarter + 1) * _QUARTER, end)
        yield quarter, following - begin
        begin = following


def _clock(zone: str) -> Any:
    """The hour of the week (0 is Monday's first) of a quarter of an hour on a zone's clock."""
    local = ZoneInfo(zone)

    @cache
    def hour_of_week(quarter: int) -> int:
        at = datetime.fromtimestamp(quarter * _QUARTER, local)
        return at.weekday() * 24 + at.hour

    return hour_of_week
