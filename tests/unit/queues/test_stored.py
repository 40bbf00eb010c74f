"""What is written down of callers, and what the queue commands and reports make of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from contact_center.models import Agent, Call
from contact_center.store.admin import By
from contact_center.store.admin_queues import add_queue
from contact_center.store.call_facts import (
    CallArrived,
    CallConnected,
    CallFinished,
    CallLeftQueue,
    CallQueued,
    WaitSaid,
)
from contact_center.store.changes import read_events
from contact_center.store.engine import open_engine, reading, writing
from contact_center.store.fact import Fact
from contact_center.store.queries_agents import find_queue, list_agents
from contact_center.store.queries_calls import call_document, find_call, live_document
from contact_center.store.queries_queues import live_queue, open_inbound
from contact_center.store.report_queues import agent_rows, queue_rows
from tests.support.databases import fresh_sqlite

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    is_sqlite = request.param == "sqlite"
    url = fresh_sqlite(tmp_path / "calls.db") if is_sqlite else request.getfixturevalue("postgres").fresh()
    engine = open_engine(url)
    with writing(engine) as session:
        add_queue(session, By("test", AT), "help", {})
        add_queue(session, By("test", AT), "sales", {"dids": "442079460018", "overflow": "queue:help"})
        session.add(
            Agent(ext="1001", name="Ann", endpoint="PJSIP/1001", queues=["sales"], state="talking", since_at=AT)
        )
    yield engine
    engine.dispose()


def told(engine: Engine, *facts: Fact) -> None:
    """Each fact goes through its journal form, and twice: it must count once."""
    for fact in facts:
        for _ in range(2):
            with writing(engine) as session:
                Fact.from_json(fact.to_json()).apply(session)


def arrives(call: str, at: float) -> list[Fact]:
    return [
        CallArrived(call, f"ch-{call}", after(at), "442079460018", "+447400000001", "sales"),
        CallQueued(call, 1, "sales", f"ch-{call}", after(at + 1), 50, 1),
    ]


def record(**more) -> dict:
    values = {
        "id": "a", "kind": "inbound", "queue": "sales", "caller_number": "+447400000001", "agents": ["Ann"],
        "answered_at": "2026-03-02T09:00:00.000Z", "talk_seconds": 50.0, "wait_seconds": 9.0, "hung_up_by": "caller",
        "call_state": "NORMAL_CLEARING_A", "disposition": "answered", "timeline": [{"kind": "queue"}], "attempts": [],
    }  # fmt: skip
    return {**values, **more}


def test_a_call_is_followed_from_arrival_to_its_end(engine: Engine):
    told(engine, *arrives("a", 0))
    with reading(engine) as session:
        [found] = open_inbound(session)
        assert (found.channel_id, found.visit.entered_at, found.visits) == ("ch-a", after(1), 1)
        [caller] = live_queue(session, find_queue(session, "sales"), list_agents(session), "UTC", after(11))["callers"]
        assert (caller["number"], caller["wait_seconds"], caller["position"]) == ("+447400000001", 10.0, 1)
        so_far = live_document(session, find_call(session, "a"), after(6), "en")
        assert [(e["kind"], e["seconds"]) for e in so_far["timeline"]] == [("queue", 5.0)]
    told(
        engine,
        WaitSaid("a", 1, after(3), 60.0),
        WaitSaid("a", 1, after(5), 30.0),
        CallConnected("a", 1, "sales", after(10), "1001", "leg", "bridge", 9.0),
    )
    with reading(engine) as session:
        [found] = open_inbound(session)
        assert (found.visit.agent, found.visit.agent_channel_id, found.visit.bridge_id) == ("1001", "leg", "bridge")
        so_far = live_document(session, find_call(session, "a"), after(15), "en")
        assert [e["kind"] for e in so_far["timeline"]] == ["queue", "conversation"]
        assert so_far["agents"] == ["Ann"]
    told(engine, CallFinished("a", after(60), "abandoned", 20.0, record()))
    with reading(engine) as session:
        assert open_inbound(session) == []
        document = call_document(find_call(session, "a"))
        assert (document["call_state"], document["disposition"], document["talk_seconds"]) == (
            "NORMAL_CLEARING_A",
            "answered",
            50.0,
        )
        [row] = queue_rows(session, "sales", AT, after(3600))
        assert (row["answered"], row["asa_seconds"], row["aht_seconds"], row["service_level"]) == (1, 9.0, 70.0, 1.0)
        assert (row["said_waits"], row["said_error_seconds"]) == (1, -53.0)
        [agent] = agent_rows(session, "sales", "", AT, after(3600))
        assert (agent["taken"], agent["aht_seconds"]) == (1, 70.0)
        types = [e.type for e in read_events(session, after_id=0) if e.entity == "call"]
        assert types == ["call.arrived", "call.queued", "call.connected", "call.ended"]


def test_a_disposition_set_during_the_call_stands(engine: Engine):
    told(engine, *arrives("a", 0))
    with writing(engine) as session:
        session.get(Call, "a").disposition = "SALE"
    told(engine, CallFinished("a", after(60), "abandoned", 0.0, record()))
    with reading(engine) as session:
        assert find_call(session, "a").disposition == "SALE"


def test_who_is_sent_on_counts_for_each_queue_by_itself_and_is_not_abandoned(engine: Engine):
    told(
        engine,
        *arrives("a", 0),
        CallLeftQueue("a", 1, "sales", after(31), "timeout", "queue:help", 30.0),
        CallQueued("a", 2, "help", "ch-a", after(31), 50, 1),
        CallFinished("a", after(41), "abandoned", 0.0, record(queue="help", agents=[], disposition="abandoned")),
    )
    with reading(engine) as session:
        sales, help_ = (queue_rows(session, name, AT, after(3600))[0] for name in ("sales", "help"))
        assert (sales["queued"], sales["sent_on"], sales["abandoned"]) == (1, 1, 0)
        assert (help_["queued"], help_["abandoned"], help_["longest_wait_seconds"]) == (1, 1, 10.0)
        assert find_call(session, "a").queue == "help"
        shown = live_queue(session, find_queue(session, "help"), list_agents(session), "UTC", after(60))
        assert shown["header"].startswith("help has 0 calls (max unlimited) in 'longest_idle' strategy")
        assert "A:1" in shown["header"]


def test_the_talk_of_who_lost_his_agent_and_waits_again_counts_once(engine: Engine):
    told(
        engine,
        *arrives("a", 0),
        CallConnected("a", 1, "sales", after(10), "1001", "leg", "bridge", 9.0, 4.0),
        CallQueued("a", 2, "sales", "ch-a", after(40), 50, 1),
    )
    with reading(engine) as session:
        [found] = open_inbound(session)
        assert (found.visit.n, found.visit.connected_at, found.ring_seconds) == (2, None, 4.0)
        assert [type(event).__name__ for event in found.before] == ["Entered", "Connected", "Alone"]
    told(
        engine,
        CallConnected("a", 2, "sales", after(50), "1001", "leg2", "bridge", 10.0),
        CallFinished("a", after(70), "abandoned", 20.0, record()),
    )
    with reading(engine) as session:
        [row] = queue_rows(session, "sales", AT, after(3600))
        assert (row["queued"], row["answered"], row["talk_seconds"]) == (2, 2, 50.0)
