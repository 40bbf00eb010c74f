from __future__ import annotations

import os
import time
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, Select, insert, update

from contact_center.models import Agent, Lead
from contact_center.store.engine import reading, writing
from contact_center.store.facts import AttemptConnected
from contact_center.store.recovery import (
    ORPHANED,
    TIMELESS_LEADS,
    Mended,
    mend_leads,
    open_attempts,
    restore_agents,
)
from contact_center.store.tables import table_of
from contact_center.terms import AgentState, AgentStatus, AttemptState, CallKind, LeadState
from tests.unit.store.world import NOON, add_agent, add_lead, due, one_call, row, settled, take

pytestmark = pytest.mark.clock


def test_open_attempts_carry_all_that_adopting_them_takes(engine: Engine) -> None:
    taken = one_call(engine)
    with writing(engine) as session:
        AttemptConnected(taken.channel_id, NOON + timedelta(seconds=5), "1001", "ch-a", "br-1").apply(session)
        add_lead(session, taken.campaign_id, "+441632960002")
        (other,) = take(session, taken.campaign_id)
        settled(other).apply(session)
    with reading(engine) as session:
        (found,) = open_attempts(session)
    assert (found.attempt_id, found.call_id, found.channel_id) == (
        taken.attempt_id,
        taken.call_id,
        taken.channel_id,
    )
    assert (found.state, found.kind) == (AttemptState.CONNECTED, CallKind.POWER)
    assert (found.agent, found.agent_channel_id, found.bridge_id) == ("1001", "ch-a", "br-1")
    assert (found.campaign, found.number, found.attempts, found.n) == ("spring", "+441632960001", 1, 1)
    assert found.connected_at == NOON + timedelta(seconds=5)


def test_agents_are_seated_as_they_were_last_seen(engine: Engine) -> None:
    with writing(engine) as session:
        add_agent(session, "1002")
        add_agent(session, "1001")
        session.connection().execute(
            update(table_of(Agent))
            .where(table_of(Agent).c.ext == "1002")
            .values(state="wrap_up", wrap_up_until_at=NOON + timedelta(minutes=1), queues=["sales"])
        )
    with reading(engine) as session:
        first, second = restore_agents(session)
    assert (first.ext, first.state, first.status) == ("1001", AgentState.IDLE, AgentStatus.ONLINE)
    assert (second.state, second.queues) == (AgentState.WRAP_UP, ("sales",))
    assert second.wrap_up_until_at == NOON + timedelta(minutes=1)


def test_leads_on_the_line_without_an_attempt_are_put_right_and_reported(engine: Engine) -> None:
    taken = one_call(engine)
    with writing(engine) as session:
        lost = add_lead(session, taken.campaign_id, "+4402", state="talking", attempts=2)
        timeless = add_lead(session, taken.campaign_id, "+4403", state="due")
        due(session, taken.campaign_id, "+4404", -9)
    with writing(engine) as session:
        assert mend_leads(session, NOON) == [
            Mended(lost, "+4402", LeadState.TALKING, LeadState.DUE),
            Mended(timeless, "+4403", LeadState.DUE, LeadState.DUE),
        ]
    with writing(engine) as session:
        assert mend_leads(session, NOON) == []
    lead = row(engine, Lead, id=lost)
    assert (lead["state"], lead["next_attempt_at"], lead["attempts"]) == ("due", NOON, 2)
    assert row(engine, Lead, id=taken.lead_id)["state"] == "dialing"


def test_a_million_leads_are_reconciled_without_reading_them(engine: Engine) -> None:
    size = int(os.environ.get("CALLWRIGHT_TEST_LEADS", "100000"))
    taken = one_call(engine)
    states = ("new", "due", "done", "closed")
    with writing(engine) as session:
        for start in range(0, size, 20000):
            session.connection().execute(
                insert(table_of(Lead)),
                [
                    {
                        "campaign_id": taken.campaign_id,
                        "number": f"+44{n:09d}",
                        "zones": "Europe/London",
                        "state": states[n % 4],
                        "disposition": "",
                        "attempts": 0,
                        "dials": 0,
                        "next_attempt_at": NOON if n % 4 == 1 else None,
                        "last_agent": "",
                        "priority": 0,
                        "fields": {},
                        "created_at": NOON,
                        "reason": "",
                    }
                    for n in range(start, start + 20000)
                ],
            )
        lost = add_lead(session, taken.campaign_id, "+4402", state="talking", attempts=2)
        timeless = add_lead(session, taken.campaign_id, "+4403", state="due")
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE lead")
    for statement, index in ((ORPHANED, "ix_lead_state"), (TIMELESS_LEADS, "ix_lead_timeless")):
        plan = _plan(engine, statement, {"p_campaign": taken.campaign_id})
        assert index in plan, plan
        assert "SCAN lead" not in plan.replace(f"SCAN lead USING INDEX {index}", ""), plan
        assert "Seq Scan on lead" not in plan, plan
    started = time.perf_counter()
    with writing(engine) as session:
        assert [one.lead_id for one in mend_leads(session, NOON)] == [lost, timeless]
    spent = time.perf_counter() - started
    print(f"\n{engine.dialect.name}: {size} leads reconciled in {spent * 1e3:.1f} ms")
    assert spent < 0.5


def _plan(engine: Engine, statement: Select[Any], parameters: dict[str, Any]) -> str:
    words = "EXPLAIN QUERY PLAN " if engine.dialect.name == "sqlite" else "EXPLAIN "
    with reading(engine) as session:
        sql = str(statement.params(parameters).compile(engine, compile_kwargs={"literal_binds": True}))
        return "\n".join(str(tuple(row)) for row in session.connection().exec_driver_sql(words + sql))
