"""What pacing asks of the store, on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Engine, select, update
from sqlmodel import col

from contact_center.models import Attempt, Call, Campaign, PaceHistory
from contact_center.store.engine import reading, writing
from contact_center.store.facts import PaceLearned
from contact_center.store.queries_pace import (
    AnsweredHour,
    CheckedHour,
    answered_hours,
    checked_hours,
    coming_leads,
    odds_report,
    pace_history,
)
from contact_center.store.tables import table_of
from tests.unit.store.world import LONDON, NOON, add_campaign, add_lead, due, rows, settled, take

MONTH = timedelta(days=30)


def ended(
    engine: Engine, campaign: int, number: str, outcome: str, answered_at: datetime | None, **more: object
) -> None:
    """One attempt that came to this."""
    with writing(engine) as session:
        add_lead(session, campaign, number)
        (taken,) = take(session, campaign)
        settled(taken, outcome=outcome, lead_state="done").apply(session)
        values = {"answered_at": answered_at, **more}
        table = table_of(Attempt)
        session.connection().execute(update(table).where(table.c.id == taken.attempt_id).values(**values))


def test_answers_and_drops_are_told_by_the_hour_of_the_answer(engine: Engine) -> None:
    with writing(engine) as session:
        campaign, other = add_campaign(session), add_campaign(session, "summer")
    at = NOON + timedelta(minutes=5)
    for n, (outcome, answered_at, connected) in enumerate(
        (
            ("connected", at, True),
            ("connected", at + timedelta(minutes=50), True),
            ("no_free_operators", at + timedelta(minutes=54, seconds=59, microseconds=999999), False),
            ("no_free_operators", at + timedelta(hours=2), False),
            ("technical_error", at + timedelta(hours=2), False),  # hung up before the deadline
            ("technical_error", None, False),
            ("missed", None, False),
            ("connected", NOON - timedelta(days=31), True),
        )
    ):
        more = {"connected_at": answered_at if connected else None}
        ended(engine, campaign, f"+44163296{n:04d}", outcome, answered_at, **more)
    ended(engine, other, "+441632961999", "connected", at, connected_at=at)
    with reading(engine) as session:
        found = answered_hours(session, campaign, NOON - MONTH)
    assert found == [
        AnsweredHour(NOON.timestamp(), 3, 1),
        AnsweredHour((NOON + timedelta(hours=2)).timestamp(), 2, 2),
    ]


def test_machines_and_what_agents_say_of_their_verdicts_are_told_by_the_hour(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
    later = NOON + timedelta(hours=2)
    for n, (outcome, at, verdict, keyed) in enumerate(
        (
            ("machine", NOON, "MACHINE", ""),
            ("machine", later, "MACHINE", ""),
            ("machine", later, "MACHINE", ""),
            ("connected", NOON, "MACHINE", "AM"),
            ("connected", NOON, "MACHINE", "SALE"),
            ("connected", later, "MACHINE", "connected"),
            ("connected", later, "HUMAN", "AM"),
            ("no_free_operators", later, "MACHINE", ""),
            ("connected", NOON - timedelta(days=31), "MACHINE", ""),
        )
    ):
        number = f"+44163296{n:04d}"
        ended(engine, campaign, number, outcome, at, connected_at=at if outcome == "connected" else None)
        with writing(engine) as session:
            call = session.scalars(select(Call).where(col(Call.caller_number) == number)).one()
            call.record, call.disposition = {**call.record, "amd": {"status": verdict}}, keyed
    with reading(engine) as session:
        hours = answered_hours(session, campaign, NOON - MONTH)
        checks = checked_hours(session, campaign, NOON - MONTH)
        late = checked_hours(session, campaign, later)
    assert hours == [AnsweredHour(NOON.timestamp(), 2, 0, 1), AnsweredHour(later.timestamp(), 3, 1, 2)]
    assert checks == [CheckedHour(NOON.timestamp(), 1, 2, 1), CheckedHour(later.timestamp(), 1, 1, 1)]
    assert late == checks[1:]


def test_the_leads_that_come_next_are_those_that_a_claim_takes(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        for n in range(6):
            add_lead(session, campaign, f"+44163296000{n}", priority=n % 2)
        due(session, campaign, "+441632960010", minutes=5, attempts=2, disposition="busy", zones="Asia/Tokyo")
        due(session, campaign, "+441632960011", minutes=50, attempts=1, disposition="missed")
        due(session, campaign, "+441632960012", minutes=1, last_agent="1001", attempts=1, disposition="missed")
        due(session, campaign, "+441632960013", minutes=-5)
    with reading(engine) as session:
        coming = coming_leads(session, campaign, [LONDON, "Asia/Tokyo"], NOON, 20)
        assert coming_leads(session, campaign, ["Asia/Tokyo"], NOON, 20) == [coming[8]]
        assert coming_leads(session, campaign, None, NOON, 3) == coming[:3]
    assert coming[8].last_outcome == "busy"
    assert (coming[1].attempts, coming[1].last_outcome, coming[1].last_at) == (0, "", None)
    with writing(engine) as session:
        taken = take(session, campaign, want=9)
        assert [claim.lead_id for claim in taken] == [lead.id for lead in coming]
        assert coming_leads(session, campaign, None, NOON, 20) == []


def test_of_a_lead_that_was_dialled_it_is_told_when_that_ended(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        add_lead(session, campaign, "+441632960001")
        (taken,) = take(session, campaign)
        settled(taken).apply(session)
        later = NOON + timedelta(hours=3)
        (lead,) = coming_leads(session, campaign, None, later, 5)
    assert (lead.attempts, lead.last_outcome, lead.last_at) == (1, "missed", NOON + timedelta(seconds=30))


def test_of_equal_rank_the_better_odds_are_taken_and_nobody_is_passed_over_for_ever(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        plain = [add_lead(session, campaign, f"+4416329600{n:02d}") for n in range(10)]
        first = add_lead(session, campaign, "+441632960050", priority=5)
        odds = {plain[3]: 0.9, plain[4]: 0.7, plain[5]: 0.1, plain[6]: 0.5, first: 0.01}
        taken = [claim.lead_id for claim in take(session, campaign, want=3, odds=odds)]
        assert taken == [first, plain[3], plain[4]]
        rest = [claim.lead_id for claim in take(session, campaign, want=20, odds=odds)]
        assert rest[-1] == plain[5]
        assert sorted(rest) == sorted(set(plain) - set(taken))


def test_what_was_learned_is_kept_in_place_of_what_was_learned_before(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        assert pace_history(session, campaign) == {}
        assert odds_report(session, campaign) == {}
        PaceLearned(campaign, NOON, {"pacer": {"rate": [1]}}).apply(session)
        PaceLearned(campaign, NOON + timedelta(seconds=30), {"pacer": {}, "odds_report": {"calls": 7}}).apply(session)
        PaceLearned(campaign, NOON + timedelta(seconds=30), {"pacer": {}, "odds_report": {"calls": 7}}).apply(session)
        assert pace_history(session, campaign) == {"pacer": {}, "odds_report": {"calls": 7}}
        assert odds_report(session, campaign) == {"at": "2026-03-02T12:00:30.000Z", "calls": 7}
    assert len(rows(engine, PaceHistory)) == 1
    assert len(rows(engine, Campaign)) == 1
