from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import Engine, update

from contact_center.models import Agent, Attempt, Audit, Call, Campaign, Lead, Outbox, PaceNote, TrunkNote
from contact_center.store.engine import writing
from contact_center.store.facts import (
    AgentStateChanged,
    AgentStatusChanged,
    AttemptAnswered,
    AttemptConnected,
    AttemptRinging,
    AttemptUncounted,
    CampaignStateChanged,
    Fact,
    PaceNoted,
    TrunkNoted,
)
from contact_center.store.tables import table_of
from tests.unit.store.world import (
    NOON,
    add_agent,
    add_campaign,
    due,
    events,
    one_call,
    row,
    rows,
    settled,
    story_of,
    take,
)

LATER = NOON + timedelta(minutes=3)


def apply(engine: Engine, *facts: Fact) -> None:
    """Each in a transaction of its own, and by way of JSON, as after a crash."""
    for fact in facts:
        again = Fact.from_json(orjson.loads(orjson.dumps(fact.to_json())))
        assert again == fact
        with writing(engine) as session:
            again.apply(session)


def facts_of_a_call(taken: Any) -> list[Fact]:
    return [
        AttemptRinging(taken.channel_id, NOON + timedelta(seconds=2)),
        AttemptAnswered(taken.channel_id, NOON + timedelta(seconds=9)),
        AttemptConnected(taken.channel_id, NOON + timedelta(seconds=10), "1001", "ch-agent", "br-1"),
        settled(
            taken,
            outcome="connected",
            sip_code=200,
            lead_state="done",
            disposition="connected",
            next_attempt_at=None,
            last_agent="1001",
            agent="1001",
        ),
    ]


def test_the_facts_of_a_call_leave_attempt_lead_call_and_events(engine: Engine) -> None:
    taken = one_call(engine)
    ringing, answered, connected, end = facts_of_a_call(taken)
    apply(engine, ringing)
    assert row(engine, Attempt)["state"] == "ringing"
    apply(engine, answered, connected)
    assert row(engine, Attempt)["agent_channel_id"] == "ch-agent"
    assert row(engine, Lead)["state"] == "talking"
    apply(engine, end)
    attempt, lead, call = row(engine, Attempt), row(engine, Lead), row(engine, Call)
    assert (attempt["state"], attempt["outcome"], attempt["live_number"]) == ("done", "connected", None)
    assert (attempt["ringing_at"], attempt["connected_at"]) == (
        NOON + timedelta(seconds=2),
        NOON + timedelta(seconds=10),
    )
    assert (lead["state"], lead["last_agent"], lead["attempts"]) == ("done", "1001", 1)
    assert lead["closed_at"] == NOON + timedelta(seconds=30)
    assert (call["disposition"], call["call_state"], call["ring_seconds"]) == (
        "connected",
        "NO_ANSWER_A",
        28.5,
    )
    assert [entry["kind"] for entry in call["timeline"]] == ["queue"]
    assert call["record"]["attempts"][0]["n"] == 1
    assert "timeline" not in call["record"]
    assert events(engine) == [
        (kind, taken.call_id, seq)
        for seq, kind in enumerate(
            ("attempt.intent", "attempt.ringing", "attempt.answered", "attempt.connected", "call.ended"), 1
        )
    ]


def test_every_fact_applied_twice_leaves_what_it_left_once(engine: Engine) -> None:
    taken = one_call(engine)
    with writing(engine) as session:
        add_agent(session, "1001")
    for fact in (
        *facts_of_a_call(taken),
        AttemptUncounted((taken.attempt_id,), LATER, "trunk main is down", LATER),
        AgentStatusChanged("1001", "paused", "lunch", "1001", LATER),
        AgentStateChanged("1001", "wrap_up", LATER, None, LATER + timedelta(seconds=30), "call-1", 1),
        CampaignStateChanged("spring", "finished", LATER, ""),
        PaceNoted(1, LATER, {"dials": 3}),
        TrunkNoted("main", "down", "503", LATER),
    ):
        apply(engine, fact)
        once = (story_of(engine), rows(engine, PaceNote), rows(engine, TrunkNote), rows(engine, Audit))
        apply(engine, fact)
        twice = (story_of(engine), rows(engine, PaceNote), rows(engine, TrunkNote), rows(engine, Audit))
        assert once == twice, fact


def test_facts_that_come_late_or_in_another_order_never_lead_backwards(engine: Engine) -> None:
    taken = one_call(engine)
    ringing, answered, connected, end = facts_of_a_call(taken)
    apply(engine, connected, ringing, answered)
    assert row(engine, Attempt)["state"] == "connected"
    apply(engine, end)
    before = story_of(engine)
    apply(engine, ringing, connected)
    assert story_of(engine) == before


def test_a_dial_that_does_not_count_gives_the_attempt_back(engine: Engine) -> None:
    taken = one_call(engine)
    apply(engine, settled(taken, counted=False, outcome="not_attempted", disposition="not_attempted"))
    lead = row(engine, Lead)
    assert (lead["attempts"], lead["dials"], lead["state"]) == (0, 1, "due")


def test_an_attempt_whose_end_was_never_proven_frees_the_number(engine: Engine) -> None:
    taken = one_call(engine)
    apply(engine, settled(taken, state="unknown", record={}))
    assert row(engine, Attempt)["state"] == "unknown"
    assert row(engine, Attempt)["live_number"] is None
    assert row(engine, Call)["ended_at"] == NOON + timedelta(seconds=30)


def test_a_disposition_that_a_person_set_during_the_call_is_kept(engine: Engine) -> None:
    taken = one_call(engine)
    with writing(engine) as session:
        session.connection().execute(
            update(table_of(Call)).values(disposition="SALE", record={"comment": "wants a red one", "categories": [3]})
        )
        session.connection().execute(
            update(table_of(Lead)).values(state="due", next_attempt_at=LATER, disposition="SALE")
        )
    apply(engine, *facts_of_a_call(taken))
    call, lead = row(engine, Call), row(engine, Lead)
    assert call["disposition"] == "SALE"
    assert (call["record"]["comment"], call["record"]["categories"]) == ("wants a red one", [3])
    assert call["record"]["attempts"][0]["outcome"] == "missed"
    assert (lead["state"], lead["next_attempt_at"], lead["disposition"]) == ("due", LATER, "SALE")
    assert lead["last_agent"] == "1001"
    (ended,) = [event for event in rows(engine, Outbox) if event["type"] == "call.ended"]
    assert ended["payload"]["disposition"] == "SALE"


def test_a_disposition_alone_is_kept_and_the_lead_goes_where_the_call_sends_it(engine: Engine) -> None:
    taken = one_call(engine)
    with writing(engine) as session:
        session.connection().execute(update(table_of(Call)).values(disposition="NO_INTEREST"))
    apply(engine, *facts_of_a_call(taken))
    lead = row(engine, Lead)
    assert (lead["state"], lead["disposition"]) == ("done", "NO_INTEREST")


def test_a_lead_put_on_dnc_while_it_was_dialled_stays_there(engine: Engine) -> None:
    taken = one_call(engine)
    with writing(engine) as session:
        session.connection().execute(update(table_of(Lead)).values(state="dnc", reason="asked"))
    apply(engine, settled(taken))
    lead = row(engine, Lead)
    assert (lead["state"], lead["next_attempt_at"], lead["reason"]) == ("dnc", None, "asked")


def test_keyed_digits_are_not_told_to_others(engine: Engine) -> None:
    taken = one_call(engine)
    record = {**settled(taken).record, "keyed": {"category": 7, "value": "4929000"}}
    apply(engine, settled(taken, record=record))
    assert row(engine, Call)["record"]["keyed"] == {"category": 7, "value": "4929000"}
    assert "4929000" not in str(rows(engine, Outbox))


def test_dials_into_a_dead_trunk_are_taken_back_afterwards(engine: Engine) -> None:
    taken = one_call(engine)
    with writing(engine) as session:
        due(session, taken.campaign_id, "+441632960002", 5)
        (closed,) = take(session, taken.campaign_id)
    apply(engine, settled(taken, outcome="technical_error", disposition="technical_error", sip_code=503))
    apply(
        engine,
        settled(
            closed,
            outcome="technical_error",
            disposition="technical_error",
            lead_state="closed",
            next_attempt_at=None,
            reason="all 1 attempts used",
        ),
    )
    ids = (taken.attempt_id, closed.attempt_id)
    apply(engine, AttemptUncounted(ids, LATER, "trunk main is down", LATER))
    for lead in rows(engine, Lead):
        assert (lead["state"], lead["attempts"], lead["next_attempt_at"]) == ("due", 0, LATER)
        assert (lead["disposition"], lead["closed_at"]) == ("not_attempted", None)
    assert [(one["counted"], one["outcome"]) for one in rows(engine, Attempt)] == [(False, "not_attempted")] * 2
    call = row(engine, Call, id=taken.call_id)
    assert call["disposition"] == "not_attempted"
    assert call["record"]["attempts"][0]["outcome"] == "not_attempted"


def test_a_lead_that_moved_on_gets_its_attempt_back_and_nothing_else(engine: Engine) -> None:
    taken = one_call(engine)
    apply(engine, settled(taken, outcome="technical_error", disposition="technical_error"))
    with writing(engine) as session:
        (again,) = take(session, taken.campaign_id, now=NOON + timedelta(hours=3))
    apply(engine, AttemptUncounted((taken.attempt_id, again.attempt_id), LATER, "trunk", LATER))
    lead = row(engine, Lead)
    assert (lead["state"], lead["attempts"], lead["dials"]) == ("dialing", 1, 2)
    assert row(engine, Attempt, id=again.attempt_id)["counted"] is True


def test_an_older_dial_that_is_taken_back_does_not_move_the_time_of_the_next_one(engine: Engine) -> None:
    first = one_call(engine)
    apply(engine, settled(first, outcome="technical_error", disposition="technical_error"))
    with writing(engine) as session:
        (second,) = take(session, first.campaign_id, now=NOON + timedelta(hours=3))
    apply(engine, settled(second, outcome="technical_error", disposition="technical_error"))
    before = row(engine, Lead)
    apply(engine, AttemptUncounted((first.attempt_id,), LATER, "trunk main is down", LATER))
    assert row(engine, Lead) == {**before, "attempts": 1}


def test_what_a_person_chose_is_audited_and_what_the_system_saw_is_not(engine: Engine) -> None:
    with writing(engine) as session:
        add_agent(session, "1001")
    apply(
        engine,
        AgentStatusChanged("1001", "paused", "lunch", "phone 1001", NOON),
        AgentStateChanged("1001", "paused", NOON, None, None, "", 0),
        AgentStateChanged("9999", "idle", NOON, NOON, None, "", 0),
    )
    agent, audit = row(engine, Agent), row(engine, Audit)
    assert (agent["status"], agent["pause_reason"], agent["state"]) == ("paused", "lunch", "paused")
    assert (audit["actor"], audit["entity_id"], audit["detail"]["status"]) == (
        "phone 1001",
        "1001",
        "paused",
    )
    assert events(engine) == [("agent.status", "1001", 1), ("agent.state", "1001", 2)]


def test_a_campaign_that_a_person_started_again_is_not_stopped_by_an_old_fact(engine: Engine) -> None:
    with writing(engine) as session:
        add_campaign(session, state="running")
    apply(engine, CampaignStateChanged("spring", "stopped", NOON, "", was="ending"))
    assert row(engine, Campaign)["state"] == "running"
    apply(engine, CampaignStateChanged("spring", "finished", NOON, "", was="running"))
    campaign = row(engine, Campaign)
    assert (campaign["state"], campaign["ended_at"]) == ("finished", NOON)


def test_the_newest_twenty_pacing_decisions_are_kept(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
    for n in range(25):
        apply(engine, PaceNoted(campaign, NOON + timedelta(seconds=n), {"dials": n}))
    decisions = row(engine, PaceNote)["decisions"]
    assert [one["dials"] for one in decisions] == list(range(24, 4, -1))
    assert events(engine) == []


def test_a_trunk_is_noted_once_per_change(engine: Engine) -> None:
    apply(engine, TrunkNoted("main", "up", "", NOON), TrunkNoted("main", "up", "", NOON))
    apply(engine, TrunkNoted("main", "down", "5 dials without an answer", LATER))
    assert row(engine, TrunkNote)["state"] == "down"
    assert events(engine) == [("trunk.state", "main", 1), ("trunk.state", "main", 2)]


@pytest.mark.parametrize("values", [{}, {"fact": "Nonsense"}, {"fact": "AttemptRinging"}, {"fact": None}])
def test_what_is_not_a_fact_is_a_value_error(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"fact|argument"):
        Fact.from_json(values)
