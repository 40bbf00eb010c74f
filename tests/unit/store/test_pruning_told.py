"""Visits, matches, messages put aside and kept answers are forgotten in their time, and not while they are needed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, insert, update
from sqlalchemy.orm import Session

from contact_center.clock import SystemClock
from contact_center.errors import NotFound
from contact_center.matching.orders import checked_order
from contact_center.models import Call, Outbox
from contact_center.models_api import ApiAnswer
from contact_center.models_telling import CallMatch, TrackingVisit, Webhook, WebhookRetry
from contact_center.store.admin import By
from contact_center.store.admin_leads import erase_number
from contact_center.store.analytics import visitor_of
from contact_center.store.api_answers import Answer, Key, answer_once
from contact_center.store.call_facts import CallArrived, CallFinished
from contact_center.store.changes import add_event, read_events
from contact_center.store.engine import reading, writing
from contact_center.store.pruning_told import KEEP_RETRIES, KEEP_TRACKING, Forgotten, forget_told
from contact_center.store.queries_calls import call_document, find_call
from contact_center.store.tables import table_of
from contact_center.store.tracking import VisitNote, add_numbers, attach_context, match_call, note_visit, set_order
from contact_center.store.transactions import transaction_facts
from contact_center.store.webhooks import add_webhook
from contact_center.store.writer import Writer
from tests.lab.until import until
from tests.support.telling import SECRET
from tests.unit.store.world import NOON, rows

OLD = NOON - KEEP_TRACKING - timedelta(days=1)
CALLER = "+447400000001"


def by(at: datetime) -> By:
    return By("test", at)


def a_matched_call(session: Session, call_id: str, at: datetime, context: str, *, number: str = CALLER) -> str:
    """A visit, and a minute later a call to the number that it was shown, which ends after ten minutes."""
    shown = note_visit(session, by(at), VisitNote(context, source="adwords"), hold_seconds=1800, rest_seconds=600)
    began = at + timedelta(minutes=1)
    CallArrived(call_id, f"ch-{call_id}", began, shown["number"], number, "sales").apply(session)
    match_call(session, call_id, shown["number"], began, "GB")
    record = {"queue": "sales", "caller_number": number, "did": shown["number"]}
    CallFinished(call_id, began + timedelta(minutes=10), "connected", 0.0, record).apply(session)
    return str(shown["number"])


@pytest.fixture
def shop(engine: Engine) -> Engine:
    """An old visitor who called, an old one who did not, and a young one who called."""
    with writing(engine) as session:
        add_numbers(session, by(OLD), "shop", ["1", "2", "3"], "GB")
        a_matched_call(session, "old", OLD, "ann")
        note_visit(session, by(OLD), VisitNote("bo"), hold_seconds=1800, rest_seconds=600)
        a_matched_call(session, "young", NOON - timedelta(days=1), "cy")
    return engine


def forget(engine: Engine, **more: Any) -> Forgotten:
    with writing(engine) as session:
        return forget_told(session, **{"now": NOON, "limit": 200, **more})


def left(engine: Engine) -> tuple[list[str], list[str]]:
    visits = [one["context_id"] for one in rows(engine, TrackingVisit)]
    return visits, [one["call_id"] for one in rows(engine, CallMatch)]


# -- visits and matches -----------------------------------------------------------------------------------


def test_visits_and_matches_go_in_their_time_and_the_record_of_the_call_stays(shop: Engine) -> None:
    forgotten = forget(shop)
    assert (forgotten.visits, forgotten.matches, forgotten.more) == (2, 1, False)
    assert left(shop) == (["cy"], ["young"])
    with reading(shop) as session:
        matching = call_document(find_call(session, "old"))["matching"]
    assert matching == {"context_id": "ann", "matched": True, "offline": False}


def test_the_time_is_the_one_that_is_set(shop: Engine) -> None:
    assert forget(shop, keep_tracking=timedelta(days=500)).rows == 0
    assert forget(shop, keep_tracking=timedelta(hours=1)).rows == 5


def test_what_somebody_still_has_to_be_told_with_stays_however_old(shop: Engine) -> None:
    of_old = [one["id"] for one in rows(shop, Outbox) if one["entity_id"] == "old"]
    for told in (0, of_old[0], of_old[-1] - 1):
        assert forget(shop, told_up_to=told).rows == 0, told
    assert left(shop) == (["ann", "bo", "cy"], ["old", "young"])
    assert forget(shop, told_up_to=of_old[-1]).rows == 3


def test_a_rating_given_late_is_told_with_its_visitor_before_he_is_forgotten(shop: Engine) -> None:
    told = rows(shop, Outbox)[-1]["id"]
    with writing(shop) as session:
        add_event(session, at=NOON, entity="call", entity_id="old", type="call.rated", payload={"option": "Sale"})
    forgotten = forget(shop, told_up_to=told)
    assert (forgotten.visits, forgotten.matches) == (1, 0)
    with reading(shop) as session:
        assert visitor_of(session, "old").source == "adwords"
    assert forget(shop, told_up_to=told + 1).matches == 1


def test_the_visit_of_a_call_that_waits_to_be_matched_stays(shop: Engine) -> None:
    """Whoever matches was away for more than a year: the old call came in the time of a visit that must be found."""
    with writing(shop) as session:
        session.execute(update(CallMatch).where(table_of(CallMatch).c.call_id == "old").values(visit_id=None))
        session.delete(session.get_one(CallMatch, "old"))
    before = next(one["id"] for one in rows(shop, Outbox) if one["type"] == "call.arrived") - 1
    assert forget(shop, told_up_to=before).visits == 0
    with writing(shop) as session:
        found = match_call(session, "old", session.get_one(Call, "old").did, OLD + timedelta(minutes=1), "GB")
    assert found is not None
    assert found.context_id == "ann"


def test_the_match_of_a_call_that_is_still_up_stays(shop: Engine) -> None:
    with writing(shop) as session:
        session.get_one(Call, "old").ended_at = None
    assert forget(shop).matches == 0
    assert left(shop) == (["ann", "cy"], ["old", "young"])


def test_an_order_that_comes_after_the_match_was_forgotten_does_not_make_the_call_offline(shop: Engine) -> None:
    forget(shop)
    with writing(shop) as session:
        set_order(session, by(NOON), "old", checked_order("007", "9.99", "GBP"), "GB")
    with reading(shop) as session:
        assert call_document(find_call(session, "old"))["matching"]["matched"] is True
        facts = transaction_facts(session, "old", 10**6)
    assert facts is not None
    assert (facts.matched, facts.order is not None) == (True, True)


def test_a_long_past_goes_in_small_steps_that_do_not_look_twice(engine: Engine) -> None:
    with writing(engine) as session:
        add_numbers(session, by(OLD), "shop", ["1"], "GB")
        for n in range(30):
            note_visit(session, by(OLD), VisitNote(f"v{n}"), hold_seconds=1800, rest_seconds=600)
    after, steps, more = 0, 0, True
    while more:
        forgotten = forget(engine, limit=8, after_visit_id=after)
        assert forgotten.visits <= 8
        assert forgotten.last_visit_id > after or not forgotten.more
        after, more, steps = forgotten.last_visit_id, forgotten.more, steps + 1
    assert steps == 4
    assert left(engine) == ([], [])


# -- messages put aside, and answers ----------------------------------------------------------------------


def a_retry(session: Session, webhook_id: int, event_id: int, state: str, next_at: datetime) -> None:
    row = {
        "webhook_id": webhook_id, "event_id": event_id, "entity": "call", "entity_id": "old", "state": state,
        "attempts": 10, "next_at": next_at, "first_at": next_at, "error": f"answered 500 to {CALLER}",
    }  # fmt: skip
    session.connection().execute(insert(table_of(WebhookRetry)), row)


def test_dead_messages_go_after_a_month_and_what_waits_for_a_receiver_never(engine: Engine) -> None:
    long_ago, lately = NOON - KEEP_RETRIES - timedelta(days=1), NOON - timedelta(days=1)
    with writing(engine) as session:
        for name in ("on", "off", "just off"):
            add_webhook(session, by(long_ago), name.replace(" ", "_"), "https://a.example/x", secret=SECRET)
        hooks = {one.name: one for one in session.query(Webhook)}
        hooks["off"].disabled_at, hooks["just_off"].disabled_at = long_ago, lately
        on, off, just_off = (hooks[name].id or 0 for name in ("on", "off", "just_off"))
        for event_id, (hook, state, at) in enumerate(
            (
                (on, "dead", long_ago), (on, "dead", lately), (on, "waiting", long_ago),
                (off, "waiting", long_ago), (just_off, "waiting", long_ago), (just_off, "dead", long_ago),
            )
        ):  # fmt: skip
            a_retry(session, hook, event_id, state, at)
    assert forget(engine).retries == 3
    assert [one["event_id"] for one in rows(engine, WebhookRetry)] == [1, 2, 4]


def test_answers_go_after_a_day_without_any_new_request(engine: Engine) -> None:
    with writing(engine) as session:
        for n, hours in enumerate((25, 30, 23)):
            at = NOON - timedelta(hours=hours)
            answer_once(session, Key(1, f"k{n}", "r"), at, lambda: Answer(200, b"{}"))
    assert forget(engine).answers == 2
    assert [one["key"] for one in rows(engine, ApiAnswer)] == ["k2"]


async def test_a_running_writer_forgets_by_itself(engine: Engine) -> None:
    then = datetime.now(UTC) - timedelta(days=40)
    with writing(engine) as session:
        add_numbers(session, by(then), "shop", ["1"], "GB")
        a_matched_call(session, "c-1", then, "ann")
    newest = rows(engine, Outbox)[-1]["id"]
    writer = Writer(engine, SystemClock(), prune_after_seconds=0.0, keep_tracking=timedelta(days=31))
    writer.keep_events_for(lambda: newest)
    async with writer:
        await until(lambda: left(engine) == ([], []), 5.0, "the old visit to go")
        assert writer.healthy


# -- erasing ----------------------------------------------------------------------------------------------


def test_with_a_person_go_his_visits_and_that_they_were_his(shop: Engine) -> None:
    with writing(shop) as session:
        a_matched_call(session, "other", NOON, "di", number="+447400000002")
        add_webhook(session, by(NOON), "crm", "https://a.example/x", secret=SECRET)
        a_retry(session, 1, 1, "dead", NOON)
        a_retry(session, 1, 2, "waiting", NOON)
        given = {"told": lambda: Answer(200, b'{"context_id":"ann"}'), "other": lambda: Answer(200, b'{"a":"ann"}')}
        for key, act in given.items():
            answer_once(session, Key(1, key, "r"), NOON, act)
    with writing(shop) as session:
        counts = erase_number(session, by(NOON), CALLER)
    assert (counts["calls"], counts["visits"]) == (2, 2)
    assert left(shop) == (["bo", "di"], ["other"])
    assert [(one["state"], one["error"]) for one in rows(shop, WebhookRetry)] == [("waiting", "")]
    assert [one["body"] for one in rows(shop, ApiAnswer)] == ['{"erased":true}', '{"a":"ann"}']
    with reading(shop) as session:
        assert call_document(find_call(session, "old"))["matching"] is None


def test_a_vendors_id_may_be_many_persons_so_only_the_visit_of_the_call_goes(engine: Engine) -> None:
    with writing(engine) as session:
        add_numbers(session, by(NOON), "shop", ["1", "2"], "GB")
        for minutes, context in ((0, "gbr0"), (1, "gbr0"), (2, "clarity-7")):
            at = NOON + timedelta(minutes=minutes)
            note_visit(session, by(at), VisitNote(context), hold_seconds=1800, rest_seconds=600)
        later = NOON + timedelta(minutes=3)
        CallArrived("c-1", "ch-1", later, "2", CALLER, "sales").apply(session)
        CallFinished("c-1", later, "connected", 0.0, {"caller_number": CALLER}).apply(session)
        attach_context(session, by(later), "c-1", "gbr0", "GB")
        erase_number(session, by(later), CALLER)
    assert [one["context_id"] for one in rows(engine, TrackingVisit)] == ["gbr0", "clarity-7"]


def test_an_erased_call_that_waits_to_be_told_is_nobodys_and_stops_nobody(shop: Engine) -> None:
    with writing(shop) as session:
        a_matched_call(session, "late", NOON, "ed", number="+447400000003")
        set_order(session, by(NOON), "late", checked_order("007", "9.99", "GBP"), "GB")
        for n in range(3):  # more than there are numbers: the last visitor has none
            note_visit(session, by(NOON), VisitNote(f"e{n}"), hold_seconds=1800, rest_seconds=600)
        erase_number(session, by(NOON), "+447400000003")
    assert "" in [one["number"] for one in rows(shop, TrackingVisit)]
    with writing(shop) as session:
        arrived = [e for e in read_events(session, after_id=0) if e.entity_id == "late" and e.type == "call.arrived"]
        assert arrived[0].payload == {"erased": True}
        assert match_call(session, "late", "", arrived[0].at, "GB") is None
        facts = transaction_facts(session, "late", 10**6)
    assert facts is not None
    assert (facts.matched, facts.is_tracked, facts.order, facts.visit) == (False, False, None, None)
    with pytest.raises(NotFound), writing(shop) as session:
        erase_number(session, by(NOON), "+447400000003")
