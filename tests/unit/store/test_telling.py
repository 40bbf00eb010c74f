"""Cursors, webhooks and visitors in the store, on both databases."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Engine, update
from sqlmodel import col

from contact_center.matching.orders import checked_order
from contact_center.models_telling import Webhook
from contact_center.store.admin import By
from contact_center.store.analytics import add_analytics, analytics_document, list_analytics, rated_calls
from contact_center.store.call_facts import CallArrived, CallFinished
from contact_center.store.changes import read_events
from contact_center.store.engine import reading, writing
from contact_center.store.report_matching import matching_report, visitor_document
from contact_center.store.telling import cursor_of, move_cursor, oldest_cursor, open_cursor, webhook_cursor, who_is_told
from contact_center.store.told_states import places_of_calls, states
from contact_center.store.tracking import VisitNote, add_numbers, attach_context, note_visit, pools, set_order
from contact_center.store.transactions import transaction_facts
from contact_center.store.webhook_work import Results, next_work, store_results
from contact_center.store.webhooks import enable_webhook, find_webhook, replay, webhook_document
from tests.support.telling import NOON, add_events, add_hook, later

BY = By("test", NOON)


def test_a_cursor_only_goes_forward(engine: Engine) -> None:
    add_events(engine, 5)
    with writing(engine) as session:
        assert open_cursor(session, "mqtt", NOON) == 5
        move_cursor(session, "mqtt", 9, NOON)
        move_cursor(session, "mqtt", 7, NOON)
        assert cursor_of(session, "mqtt") == 9
        assert oldest_cursor(session) == 9
        assert oldest_cursor(session, names=["other"]) is None
        assert oldest_cursor(session, now=NOON + timedelta(days=31)) is None


def test_it_is_known_who_there_is_to_be_told(engine: Engine) -> None:
    def told() -> tuple[int, bool, bool, bool]:
        with reading(engine) as session:
            there = who_is_told(session)
            return there.newest, bool(there.has_hooks), bool(there.has_properties), bool(there.has_pools)

    assert told() == (0, False, False, False)
    add_events(engine, 3)
    hook = add_hook(engine)
    newest = told()[0]
    assert newest >= 3
    assert told() == (newest, True, False, False)
    with writing(engine) as session:
        session.execute(update(Webhook).where(col(Webhook.id) == hook.id).values(disabled_at=NOON))
        keys = {"measurement_id": "G-ABC1234567", "api_secret": "hush", "event_name": "call_rated"}
        add_analytics(session, BY, "shop", **keys)
    assert told()[1:] == (False, True, False)
    with writing(engine) as session:
        add_numbers(session, BY, "shop", ["1"], "GB")
    assert told()[1:] == (False, True, True)


def test_what_was_put_aside_is_due_in_its_turn_and_frees_what_waits_behind_it(engine: Engine) -> None:
    hook = add_hook(engine)
    add_events(engine, 6, entities=2)
    with writing(engine) as session:
        start = cursor_of(session, webhook_cursor(hook.id)) or 0
        (
            first,
            *_,
        ) = read_events(session, after_id=start)
        results = Results(last_id=first.id + 2)
        results.put(hook.id, first, NOON, later(5), 1, "answered 500")
        behind = read_events(session, after_id=start)[2]
        results.put(hook.id, behind, NOON, later(9999), 0, "")
        store_results(session, hook.id, results, NOON)
        store_results(session, hook.id, results, NOON)  # as after a lost reply of the database
    with reading(engine) as session:
        work = next_work(session, hook.id, start + 3, later(1), rests=False)
        assert [event.id for event in work.events] == [start + 4, start + 5, start + 6]
        assert work.blocked == {("call", "c-0")}
        assert work.next_at == later(5)
        resting = next_work(session, hook.id, start + 3, later(1), rests=True)
        assert (resting.events, resting.next_at) == ([], later(5))
        due = next_work(session, hook.id, start + 3, later(6), rests=True)
        assert [event.id for event in due.events] == [first.id]
        assert due.asides[first.id].attempts == 1
        assert oldest_cursor(session) == first.id - 1
    with writing(engine) as session:
        store_results(session, hook.id, Results(done=[first.id], freed={("call", "c-0")}, any_delivered=True), later(6))
    with reading(engine) as session:
        assert [event.id for event in next_work(session, hook.id, start + 3, later(6), rests=False).events] == [
            behind.id
        ]
        document = webhook_document(session, find_webhook(session, "crm"))
    assert (document["retrying"], document["behind"], document["dead"]) == (1, 3, 0)


def test_the_dead_are_counted_replayed_and_brought_back_by_enabling(engine: Engine) -> None:
    hook = add_hook(engine)
    add_events(engine, 4)
    with writing(engine) as session:
        events = read_events(session, after_id=cursor_of(session, webhook_cursor(hook.id)) or 0)
        results = Results(last_id=events[-1].id)
        for event in events:
            results.put(hook.id, event, NOON, later(1), 9, "answered 500")
        store_results(session, hook.id, results, NOON)
        store_results(session, hook.id, Results(dead={event.id: "answered 500" for event in events}), NOON)
        assert webhook_document(session, find_webhook(session, "crm"))["dead"] == 4
        assert next_work(session, hook.id, events[-1].id, later(1), rests=False).events == []
        assert replay(session, BY, "crm", after_id=None, since=None) == 4
        assert len(next_work(session, hook.id, events[-1].id, later(1), rests=False).events) == 4
        assert replay(session, BY, "crm", after_id=events[1].id, since=None) == 2
        assert replay(session, BY, "crm", after_id=None, since=NOON) == 5  # its own addition, too
        enable_webhook(session, BY, "crm")
        assert webhook_document(session, find_webhook(session, "crm"))["retrying"] == 5


def test_visitors_calls_orders_and_reports(engine: Engine) -> None:
    with writing(engine) as session:
        add_numbers(session, BY, "shop", ["1", "2"], "GB")
        note = VisitNote("ann", "http://example.com/page", "adwords", client_id="5.7")
        shown = note_visit(session, BY, note, hold_seconds=1800, rest_seconds=600)
        CallArrived("c-1", "ch-1", later(5), shown["number"], "+447400000001", "sales").apply(session)
        set_order(session, By("test", later(6)), "c-1", checked_order("007", "9.99", "GBP"), "GB")
        CallFinished("c-1", later(20), "connected", 0.0, {"queue": "sales"}).apply(session)
        attach_context(session, BY, "c-1", "gbr0", "GB")
    with reading(engine) as session:
        facts = transaction_facts(session, "c-1", 10**6)
        assert facts is not None
        assert facts.order is not None
        assert (facts.order.id, str(facts.order.total), facts.is_over, facts.matched) == ("007", "9.99", True, False)
        report = matching_report(session, NOON, later(60))
        assert (report["calls"], report["matched"], report["vendor_ids"], report["unusable"]) == (1, 0, 1, 1)
        assert pools(session, later(1))[0]["held"] == 1
        assert report["pools"][0]["vendor_ids"] == 1
        assert [step["what"] for step in visitor_document(session, "gbr0")["trace"]] == ["call", "order"]


def test_states_of_all_and_of_some(engine: Engine) -> None:
    with writing(engine) as session:
        CallArrived("c-1", "ch-1", NOON, "1", "+447400000001", "sales").apply(session)
    with reading(engine) as session:
        assert states(session, NOON) == {}
        assert states(session, NOON, [("agent", "1001")]) == {("agent", "1001"): None}
        assert places_of_calls(session, ["c-1", "none"]) == {("queue", "sales")}


def test_an_integration_is_told_of_ratings_of_its_calls(engine: Engine) -> None:
    with writing(engine) as session:
        keys = {"measurement_id": "G-ABC1234567", "api_secret": "hush", "event_name": "call_rated"}
        add_analytics(session, BY, "shop", **keys)
        (row,) = list_analytics(session)
        assert analytics_document(session, row)["behind"] == 0
        assert rated_calls(session, read_events(session, after_id=0), "GBP") == []
