"""Whatever happens to a caller, in whatever order, his story folds into one record that holds together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from contact_center import story
from contact_center.terms import CallKind, Direction, Party, Reception, VisitEnd
from contact_center.timeline import fold

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
AT = st.floats(0, 600).map(lambda seconds: START + timedelta(seconds=seconds))
EVENT = st.one_of(
    st.builds(story.Answered, AT),
    st.builds(story.Entered, AT, st.sampled_from(["sales", "help"]), st.integers(1, 3), st.integers(1, 9)),
    st.builds(story.Offered, AT, st.just("Ann")),
    st.builds(story.Missed, AT, st.just("Ann"), st.just("no_answer")),
    st.builds(story.Connected, AT, st.sampled_from(["Ann", "Bob"])),
    st.builds(story.WaitOver, AT, st.just("sales"), st.sampled_from(list(VisitEnd))),
    st.builds(story.Closed, AT, st.just("sales")),
    st.builds(story.Diverted, AT, st.just("+442079460018")),
    st.builds(story.Announced, AT, AT, st.sampled_from(["greeting", "welcome_message", "closed_message"])),
    st.builds(story.Forced, AT),
    st.builds(story.Left, AT, st.sampled_from(list(Party))),
    st.builds(story.SwitchLost, AT),
    st.builds(story.Over, AT),
)


@given(st.lists(EVENT, max_size=14))
def test_every_story_has_one_record_with_spans_in_order_and_none_negative(events: list[story.Event]) -> None:
    log = story.CallLog(
        story.Header("call-1", CallKind.INBOUND, Direction.INBOUND, START, "+447400000001", queue="sales")
    )
    for event in events:
        log.add(event)
    record = fold(log)
    starts = [entry["at"] for entry in record["timeline"]]
    assert starts == sorted(starts)
    assert all(entry["seconds"] >= 0 for entry in record["timeline"])
    assert record["disposition"] in list(Reception)
    assert record["wait_seconds"] >= 0
    assert record["talk_seconds"] >= 0
    assert (record["disposition"] == "answered") == bool(record["agents"])
    assert sum(e["kind"] == "queue" for e in record["timeline"]) == len(log.all(story.Entered))


@given(AT, AT)
def test_a_welcome_that_began_in_the_very_moment_of_the_talk_comes_after_it(entered: datetime, talk: datetime) -> None:
    log = story.CallLog(story.Header("c", CallKind.INBOUND, Direction.INBOUND, START, "+447400000001"))
    log.add(story.Announced(min(entered, talk), min(entered, talk), "greeting"))
    log.add(story.Entered(min(entered, talk), "sales"))
    log.add(story.Connected(max(entered, talk), "Ann"))
    log.add(story.Announced(max(entered, talk), max(entered, talk), "welcome_message"))
    log.add(story.Over(max(entered, talk) + timedelta(seconds=9)))
    kinds = [entry["kind"] for entry in fold(log)["timeline"]]
    if entered != talk:
        assert kinds == ["menu", "queue", "conversation", "menu"]
