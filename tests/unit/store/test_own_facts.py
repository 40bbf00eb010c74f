"""Agents' own calls as the store keeps them, told twice and by way of the journal."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from contact_center.models import Call
from contact_center.store.engine import reading, writing
from contact_center.store.facts import CallFinished, Fact, OwnCallAnswered, OwnCallPlaced
from contact_center.store.queries_calls import call_document, find_call
from contact_center.store.queries_own import open_own
from contact_center.store.talk_facts import TalkMoved
from contact_center.story import Answered, CallLog, Connected, Consulted, Header
from contact_center.story_kept import kept, to_keep
from contact_center.terms import CallKind, Direction
from tests.unit.store.world import NOON, events, row

PLACED = OwnCallPlaced(
    "call-1", "manual", "outbound", "Outbound", "+442079460018", NOON, "1001", "phone-1", "cw-call-1-c"
)
ANSWERED = OwnCallAnswered("call-1", NOON + timedelta(seconds=4), ("Ann",))


def told(engine: Engine, *facts: Fact) -> None:
    for fact in facts:
        for _ in range(2):
            with writing(engine) as session:
                Fact.from_json(fact.to_json()).apply(session)


def test_the_legs_of_an_open_own_call_are_those_that_were_joined(engine: Engine) -> None:
    joined = OwnCallAnswered("call-1", NOON + timedelta(seconds=4), ("Ann",), "line-1", "cw-call-1-c")
    told(engine, PLACED, joined)
    with reading(engine) as session:
        [found] = open_own(session)
    assert (found.ext, found.agent_channel_id, found.channel_id) == ("1001", "line-1", "cw-call-1-c")


def test_who_had_the_number_is_kept_while_the_call_is_open_and_no_longer(engine: Engine) -> None:
    at = NOON + timedelta(seconds=4)
    log = CallLog(Header("call-1", CallKind.MANUAL, Direction.OUTBOUND, NOON, "+442079460018"))
    log.events = [Answered(at), Connected(at, "Ann"), Consulted(at, "Ann", "Bob", "Bob"), Connected(at, "Bob")]
    moved = TalkMoved("call-1", to_keep(log))
    told(engine, PLACED, ANSWERED, moved)
    with reading(engine) as session:
        [found] = open_own(session)
    assert kept(found.talk) == log.events[1:]
    with pytest.raises(ValueError, match="no part of a talk"):
        kept([{"what": "Answered", "at": at.isoformat()}])
    told(engine, CallFinished("call-1", NOON + timedelta(seconds=9), "connected", 0.0, {"kind": "manual"}), moved)
    assert "talk" not in row(engine, Call)["record"]


def test_an_own_call_is_open_with_both_its_legs_until_its_end_is_written(engine: Engine) -> None:
    told(engine, PLACED, ANSWERED)
    with reading(engine) as session:
        [found] = open_own(session)
    assert (found.kind, found.ext, found.number) == (CallKind.MANUAL, "1001", "+442079460018")
    assert (found.agent_channel_id, found.channel_id) == ("phone-1", "cw-call-1-c")
    assert found.answered_at == NOON + timedelta(seconds=4)
    assert row(engine, Call)["agents"] == ["Ann"]
    record = {
        "kind": "manual",
        "queue": "Outbound",
        "call_state": "NORMAL_CLEARING_B",
        "disposition": "connected",
        "agents": ["Ann"],
    }
    told(engine, CallFinished("call-1", NOON + timedelta(seconds=9), "connected", 0.0, record))
    with reading(engine) as session:
        assert open_own(session) == []
        document = call_document(find_call(session, "call-1"))
    assert (document["kind"], document["queue"], document["disposition"]) == ("manual", "Outbound", "connected")
    assert row(engine, Call)["record"].keys() & {"channel_id", "agent_channel_id", "ext"} == set()
    assert [type_ for type_, _, _ in events(engine, "call")] == ["call.placed", "call.connected", "call.ended"]
