from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from contact_center.terms import CallKind, CallState, Direction, Outcome, Party
from contact_center.timeline import (
    Announced,
    Answered,
    CallLog,
    Connected,
    Ended,
    Forced,
    Header,
    Left,
    Missed,
    Offered,
    Rang,
    Removed,
    SwitchLost,
    fold,
)

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def story(*events, language: str = "en"):
    header = Header(
        "c-1",
        CallKind.POWER,
        Direction.OUTBOUND,
        START,
        "+447400000001",
        campaign="Spring",
        language=language,
    )
    return fold(CallLog(header, list(events)))


def test_an_answered_campaign_call_is_queue_then_queue_callback_then_conversation():
    record = story(
        Rang(at(1)),
        Answered(at(4)),
        Connected(at(4.2), "Ann"),
        Left(at(64.2), Party.CALLER),
        Ended(at(64.2), Outcome.CONNECTED),
    )
    assert [(s["kind"], s["seconds"]) for s in record["timeline"]] == [
        ("queue", 0.0),
        ("queue_callback", 4.0),
        ("conversation", 60.0),
    ]
    assert record["agents"] == ["Ann"]
    assert record["ring_seconds"] == 3.0
    assert record["answer_to_agent_seconds"] == 0.2
    assert record["call_state"] == "NORMAL_CLEARING_A"
    assert record["hung_up_by"] == "caller"
    assert record["started_at"] == "2026-03-01T12:00:00.000Z"


def test_an_unanswered_call_says_so_in_the_site_s_language():
    record = story(Rang(at(1)), Left(at(26), Party.SYSTEM), Ended(at(26), Outcome.MISSED, 487), language="da")
    assert [s["kind"] for s in record["timeline"]] == ["queue", "queue_callback"]
    assert record["timeline"][1]["label"] == "1 ubesvaret opkald færdig"
    assert record["timeline"][1]["seconds"] == 26.0
    assert record["answered_at"] is None
    assert record["attempts"][0]["outcome"] == "missed"


def test_nobody_free_ends_with_the_message_that_was_heard():
    record = story(
        Answered(at(5)),
        Announced(at(7), at(12), "silent_message"),
        Left(at(12), Party.SYSTEM),
        Ended(at(12), Outcome.NO_FREE_OPERATORS),
    )
    assert [s["kind"] for s in record["timeline"]] == ["queue", "queue_callback", "menu"]
    assert record["timeline"][2]["label"] == "silent call message"
    assert record["call_state"] == CallState.NO_FREE_OPERATORS


def test_a_removed_call_ends_red():
    record = story(Removed(at(2)), Left(at(2), Party.SYSTEM), Ended(at(2), Outcome.NOT_ATTEMPTED))
    assert record["timeline"][-1]["kind"] == "deleted"
    assert record["timeline"][-1]["color"] == "red"


def test_force_hang_up_is_told_apart_from_the_agent_hanging_up():
    talk = (Answered(at(1)), Connected(at(1), "Ann"))
    forced = story(*talk, Forced(at(9)), Left(at(9), Party.AGENT), Ended(at(9), Outcome.CONNECTED))
    plain = story(*talk, Left(at(9), Party.AGENT), Ended(at(9), Outcome.CONNECTED))
    assert (forced["call_state"], plain["call_state"]) == ("FORCED_CLEARING_B", "NORMAL_CLEARING_B")


def test_a_customer_who_leaves_before_the_agent_is_there_cancelled():
    record = story(
        Answered(at(1)),
        Offered(at(1), "Ann"),
        Left(at(2), Party.CALLER),
        Ended(at(2), Outcome.TECHNICAL_ERROR),
    )
    assert record["call_state"] == "ORIGINATOR_CANCEL_A"
    assert record["agents"] == []


_instants = st.floats(0, 500).map(at)
_events = st.one_of(
    _instants.map(Rang),
    _instants.map(Answered),
    st.builds(Offered, _instants, st.sampled_from(["Ann", "Bob"])),
    st.builds(Missed, _instants, st.just("Ann"), st.just("rejected")),
    st.builds(Connected, _instants, st.sampled_from(["Ann", "Bob"])),
    st.builds(Announced, _instants, _instants, st.just("silent_message")),
    st.builds(Left, _instants, st.sampled_from(list(Party))),
    _instants.map(Forced),
    _instants.map(Removed),
    _instants.map(SwitchLost),
    st.builds(Ended, _instants, st.sampled_from(list(Outcome)), st.one_of(st.none(), st.integers(300, 699))),
)


@given(st.lists(_events, max_size=15))
def test_fold_never_raises_and_gives_one_ending_for_any_order_of_events(events):
    record = story(*events)
    assert record["call_state"] in set(CallState)
    assert record["hung_up_by"] in set(Party)
    assert all(span["seconds"] >= 0 for span in record["timeline"])
    assert record["timeline"][0]["kind"] in ("queue", "deleted", "menu", "conversation")
