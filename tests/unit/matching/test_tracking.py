"""Whose call it is: by the number dialled while the visitor holds it, offline otherwise."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from contact_center.errors import NotFound, UsageError
from contact_center.matching.ids import checked_context_id, is_vendors, verdict
from contact_center.matching.matcher import match_arrived, transaction_of
from contact_center.matching.orders import checked_order
from contact_center.matching.transactions import Order, TransactionType, Visit, Visitor, transaction
from contact_center.models import Call, Rating
from contact_center.settings import Tracking
from contact_center.store.admin import By
from contact_center.store.call_facts import CallArrived, CallFinished
from contact_center.store.changes import read_events
from contact_center.store.engine import reading, writing
from contact_center.store.queries_calls import call_document, find_call
from contact_center.store.report_matching import NoSuchVisitor, matching_report, visitor_document
from contact_center.store.tracking import (
    VisitNote,
    add_numbers,
    attach_context,
    match_call,
    note_visit,
    pools,
    remove_numbers,
    set_order,
)
from contact_center.store.transactions import ARRIVED, ENDED, ORDERED, TransactionFacts, transaction_facts
from tests.support.telling import NOON, later

NUMBERS = ["442079460001", "442079460002", "442079460003"]


def pool(engine: Engine, *numbers: str, name: str = "shop") -> None:
    with writing(engine) as session:
        add_numbers(session, By("test", NOON), name, numbers or NUMBERS, "GB")


def visit(engine: Engine, context: str, seconds: float = 0.0, **more: Any) -> Any:
    note = VisitNote(context, **{"url": f"http://example.com/{context}", "source": "adwords", **more})
    with writing(engine) as session:
        return note_visit(session, By("test", later(seconds)), note, hold_seconds=1800, rest_seconds=600)["number"]


def call(engine: Engine, call_id: str, did: str, seconds: float) -> dict[str, Any]:
    with writing(engine) as session:
        CallArrived(call_id, f"ch-{call_id}", later(seconds), did, "+447400000001", "sales").apply(session)
        match_arrived(session, [event for event in read_events(session, after_id=0) if event.type == ARRIVED], "GB")
    return matching_of(engine, call_id)


def matching_of(engine: Engine, call_id: str) -> Any:
    with reading(engine) as session:
        return call_document(find_call(session, call_id))["matching"]


def test_a_call_to_the_number_a_visitor_holds_is_his(engine: Engine) -> None:
    pool(engine)
    first, second = visit(engine, "ann"), visit(engine, "bo", 1)
    assert first != second
    assert call(engine, "c-1", second, 60) == {"context_id": "bo", "matched": True, "offline": False}
    assert call(engine, "c-2", first, 61) == {"context_id": "ann", "matched": True, "offline": False}


def test_the_number_lasts_for_its_time_and_the_call_after_it_is_offline(engine: Engine) -> None:
    pool(engine)
    number = visit(engine, "ann")
    assert call(engine, "c-1", number, 1799)["matched"]
    assert call(engine, "c-2", number, 1800) == {"context_id": None, "matched": False, "offline": True}


def test_a_visitor_keeps_his_number_as_long_as_he_stays_and_a_call_is_of_the_page_he_saw_last(engine: Engine) -> None:
    pool(engine)
    number = visit(engine, "ann", url="http://example.com/a")
    assert visit(engine, "ann", 1000, url="http://example.com/b") == number
    assert call(engine, "c-1", number, 2500)["matched"]
    with reading(engine) as session:
        facts = transaction_facts(session, "c-1", 10**6)
    assert facts is not None
    assert facts.visit == Visit("ann", "http://example.com/b", "adwords", later(1000))


def test_a_number_that_came_free_rests_before_another_visitor_is_shown_it(engine: Engine) -> None:
    pool(engine, "1")
    assert visit(engine, "ann") == "1"
    assert visit(engine, "bo", 1900) is None  # free, and not rested
    assert visit(engine, "bo", 2400) == "1"
    assert call(engine, "c-1", "1", 2399)["offline"]
    assert call(engine, "c-2", "1", 2401)["context_id"] == "bo"


def test_the_number_that_was_free_for_the_longest_time_goes_first(engine: Engine) -> None:
    pool(engine)
    given_out = [visit(engine, f"v{n}", n) for n in range(3)]
    assert len(set(given_out)) == 3
    assert visit(engine, "v3", 3) is None
    assert visit(engine, "v4", 2405) == given_out[0]


def test_a_call_to_a_number_of_no_pool_is_not_matched_at_all(engine: Engine) -> None:
    pool(engine)
    assert call(engine, "c-1", "442079469999", 1) is None


def test_a_number_taken_out_of_its_pool_is_still_the_visitors_for_his_time(engine: Engine) -> None:
    pool(engine, "1")
    number = visit(engine, "ann")
    with writing(engine) as session:
        assert remove_numbers(session, By("test", NOON), "shop", [], "GB") == 1
    assert call(engine, "c-1", number, 60)["matched"]


@pytest.mark.parametrize("dialled", ["442079460001", "+442079460001", "02079460001"])
def test_a_number_is_the_same_however_the_carrier_writes_it(engine: Engine, dialled: str) -> None:
    pool(engine, "020 7946 0001")
    assert visit(engine, "ann") == "+442079460001"
    assert call(engine, "c-1", dialled, 5)["matched"]


def test_pools_are_told_apart_and_a_number_is_in_one_only(engine: Engine) -> None:
    pool(engine, "1", "2")
    pool(engine, "3", name="travel")
    with pytest.raises(UsageError, match="in the pool shop already"):
        pool(engine, "4", "2", name="travel")
    with pytest.raises(UsageError, match="several pools"):
        visit(engine, "ann")
    with pytest.raises(NotFound):
        visit(engine, "ann", pool="finance")
    assert visit(engine, "ann", pool="travel") == "3"
    with reading(engine) as session:
        assert pools(session, later(1)) == [
            {"pool": "shop", "numbers": ["1", "2"], "held": 0},
            {"pool": "travel", "numbers": ["3"], "held": 1},
        ]


@pytest.mark.parametrize("vendor", ["gbr0123", "clarity-77"])
def test_a_vendors_id_is_offline_and_unusable_where_no_visit_belongs_to_it(engine: Engine, vendor: str) -> None:
    pool(engine)
    call(engine, "c-1", NUMBERS[0], 10)
    visit(engine, f"{vendor}-known", 5)
    call(engine, "c-2", NUMBERS[1], 20)
    with writing(engine) as session:
        unknown = attach_context(session, By("test", later(30)), "c-1", vendor, "GB")
        known = attach_context(session, By("test", later(30)), "c-2", f"{vendor}-known", "GB")
        assert (unknown.matched, unknown.offline, unknown.usable) == (False, True, False)
        assert (known.matched, known.offline, known.usable) == (False, True, True)
    assert matching_of(engine, "c-1") == {"context_id": vendor, "matched": False, "offline": True}


def test_a_visitors_own_id_that_a_vendor_tells_matches_the_call(engine: Engine) -> None:
    pool(engine)
    visit(engine, "ann")
    call(engine, "c-1", "442079469999", 4000)
    with writing(engine) as session:
        attach_context(session, By("test", later(4001)), "c-1", "ann", "GB")
    assert matching_of(engine, "c-1") == {"context_id": "ann", "matched": True, "offline": False}


@given(st.text(max_size=20), st.booleans())
def test_an_id_is_matched_or_offline_and_never_both(text: str, has_visit: bool) -> None:
    found = verdict(text, has_visit=has_visit)
    assert found.matched != found.offline
    assert not (found.matched and is_vendors(text))


def test_the_matching_stands_in_the_record_after_the_call_ended_and_is_told(engine: Engine) -> None:
    pool(engine)
    number = visit(engine, "ann")
    call(engine, "c-1", number, 5)
    with writing(engine) as session:
        record = {"queue": "sales", "hung_up_by": "caller", "matching": None, "talk_seconds": 3.0}
        CallFinished("c-1", later(20), "connected", 0.0, record).apply(session)
        told = [event for event in read_events(session, after_id=0) if event.type == "call.matched"]
    assert matching_of(engine, "c-1")["context_id"] == "ann"
    assert [event.payload["context_id"] for event in told] == ["ann"]


def test_matching_a_call_twice_changes_nothing(engine: Engine) -> None:
    pool(engine)
    number = visit(engine, "ann")
    call(engine, "c-1", number, 5)
    visit(engine, "bo", 2500)
    with writing(engine) as session:
        match_call(session, "c-1", number, later(2600), "GB")
        told = [event for event in read_events(session, after_id=0) if event.type == "call.matched"]
    assert len(told) == 1
    assert matching_of(engine, "c-1")["context_id"] == "ann"


# -- transaction events ---------------------------------------------------------------------------------

SEED = {
    "events": [
        {
            "context": {"id": "test-integration-property"},
            "meta": {
                "type": "ecBasketTransactionSummary",
                "ts": 1516810598,
                "url": "http://example.com/page",
                "source": "Respose-test-integration@1.0.0",
            },
            "basket": {"total": {"value": 9.99, "currency": "GBP"}},
            "transaction": {"id": "09890809"},
        }
    ]
}


def test_the_example_of_the_data_platform_field_for_field() -> None:
    made = transaction(
        TransactionType.SHOP,
        property_id="test-integration-property",
        source="Respose-test-integration@1.0.0",
        at=datetime.fromisoformat("2018-01-24T16:16:38.750+00:00"),
        call_id="c-1",
        visit=Visit("ctx", "http://example.com/page", "adwords", NOON),
        order=Order("09890809", Decimal("9.99"), "GBP"),
    )
    assert made == SEED
    meta, total = made["events"][0]["meta"], made["events"][0]["basket"]["total"]
    assert type(meta["ts"]) is int
    assert type(total["value"]) is float
    assert list(made["events"][0]) == ["context", "meta", "basket", "transaction"]


def facts(**more: Any) -> TransactionFacts:
    own: dict[str, Any] = {
        "call_id": "c-1", "started_at": NOON, "ended_at": later(60), "direction": "inbound",
        "is_tracked": True, "is_over": True,
        "matched": True, "visit": Visit("ctx", "http://example.com/page", "adwords", NOON), "order": None,
        "visitor": Visitor("ctx", True, False),
    }  # fmt: skip
    return TransactionFacts(**{**own, **more})


@pytest.mark.parametrize("kind", list(TransactionType))
def test_without_an_order_the_call_is_the_transaction_and_there_is_no_basket(kind: TransactionType) -> None:
    made = transaction_of(Tracking(event=kind, property="p"), ENDED, facts())
    assert made is not None
    (event,) = made["events"]
    assert "basket" not in event
    assert event["transaction"] == {"id": "c-1"}
    assert event["meta"]["type"] == kind.value
    assert event["meta"]["ts"] == int(later(60).timestamp())


def test_it_is_told_at_the_start_or_at_the_end_as_set_and_again_when_an_order_comes_later() -> None:
    at_start, at_end = Tracking(send_at="start"), Tracking(send_at="end")
    started = transaction_of(at_start, ARRIVED, facts(ended_at=None))
    assert started is not None
    assert started["events"][0]["meta"]["ts"] == int(NOON.timestamp())
    assert transaction_of(at_start, ENDED, facts()) is None
    assert transaction_of(at_end, ARRIVED, facts(ended_at=None)) is None
    assert transaction_of(at_end, ENDED, facts()) is not None
    assert transaction_of(at_end, ORDERED, facts(is_over=False)) is None  # the end will tell it
    assert transaction_of(at_end, ORDERED, facts()) is not None
    assert transaction_of(at_start, ORDERED, facts(ended_at=None)) is not None


def test_offline_calls_are_told_only_with_send_all_and_calls_of_no_pool_never() -> None:
    offline = facts(matched=False, visit=None)
    assert transaction_of(Tracking(send="matched"), ENDED, offline) is None
    told = transaction_of(Tracking(send="all"), ENDED, offline)
    assert told is not None
    assert told["events"][0]["meta"]["url"] == ""
    assert transaction_of(Tracking(send="all"), ENDED, facts(matched=False, visit=None, is_tracked=False)) is None
    assert transaction_of(Tracking(send="all"), ENDED, facts(direction="outbound")) is None


def test_with_details_it_is_told_whose_call_it_is_and_an_offline_call_has_the_vendors_id(engine: Engine) -> None:
    pool(engine)
    number, wanted = visit(engine, "ann"), Tracking(send="all", details=True)
    with_visit, later_on = call(engine, "c-1", number, 5), call(engine, "c-2", number, 4000)
    with writing(engine) as session:
        attach_context(session, By("test", later(4001)), "c-2", "gbr0-77", "GB")
        told = [transaction_of(wanted, ENDED, found) for c in ("c-1", "c-2")
                if (found := transaction_facts(session, c, 10**6)) is not None]  # fmt: skip
    assert (with_visit["matched"], later_on["matched"]) == (True, False)
    assert [body["events"][0]["visitor"] for body in told if body] == [
        {
            "context_id": "ann",
            "matched": True,
            "offline": False,
            "source": "adwords",
            "viewed_at": int(NOON.timestamp()),
        },
        {"context_id": "gbr0-77", "matched": False, "offline": True, "source": "", "viewed_at": None},
    ]


def test_an_order_keeps_the_zeros_of_its_id_and_the_pence_of_its_total(engine: Engine) -> None:
    pool(engine)
    call(engine, "c-1", visit(engine, "ann"), 5)
    with writing(engine) as session:
        set_order(session, By("test", later(9)), "c-1", checked_order("00120", "10.50", "GBP"), "GB")
        told = transaction_facts(session, "c-1", 10**6)
    assert told is not None
    assert told.order == Order("00120", Decimal("10.50"), "GBP")


def test_an_order_that_is_written_down_while_the_call_ends_is_told_once_however_late_it_is_looked_at(
    engine: Engine,
) -> None:
    pool(engine)
    number = visit(engine, "ann")
    for call_id, is_before in (("c-1", True), ("c-2", False)):
        call(engine, call_id, number, 5)
        with writing(engine) as session:
            order = checked_order("0042", "9.99", "GBP")
            if is_before:
                set_order(session, By("test", later(20)), call_id, order, "GB")
            CallFinished(call_id, later(20), "connected", 0.0, {"queue": "sales"}).apply(session)
            if not is_before:
                set_order(session, By("test", later(20)), call_id, order, "GB")
    told: dict[str, list[bool]] = {}
    with reading(engine) as session:
        for event in read_events(session, after_id=0):
            if event.type in (ENDED, ORDERED):
                found = transaction_facts(session, event.entity_id, event.id)
                assert found is not None
                body = transaction_of(Tracking(), event.type, found)
                if body is not None:
                    told.setdefault(event.entity_id, []).append("basket" in body["events"][0])
    assert told == {"c-1": [True], "c-2": [False, True]}


@pytest.mark.parametrize(
    ("order_id", "total", "currency"),
    [
        ("", "1", "GBP"), ("x" * 61, "1", "GBP"), ("1", "-1", "GBP"), ("1", "NaN", "GBP"), ("1", "Infinity", "GBP"),
        ("1", "1.001", "GBP"), ("1", "1e30", "GBP"), ("1", "1,50", "GBP"), ("1", "1", "gbp"), ("1", "1", "POUND"),
    ],
)  # fmt: skip
def test_an_order_that_is_none_is_refused(order_id: str, total: str, currency: str) -> None:
    with pytest.raises(UsageError):
        checked_order(order_id, total, currency)


@pytest.mark.parametrize("text", ["", "   ", "x" * 101, "a\nb", "a\x00b"])
def test_a_context_id_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        checked_context_id(text)


# -- reports --------------------------------------------------------------------------------------------


def test_the_report_counts_matched_and_offline_calls_beside_the_usual_share(engine: Engine) -> None:
    pool(engine)
    number = visit(engine, "ann")
    for n in range(8):
        call(engine, f"m-{n}", number, 10 + n)
    call(engine, "o-1", NUMBERS[2], 30)
    call(engine, "o-2", NUMBERS[2], 31)
    call(engine, "x-1", "442079469999", 32)
    with writing(engine) as session:
        attach_context(session, By("test", later(40)), "o-1", "somebody", "GB")
        attach_context(session, By("test", later(40)), "o-2", "gbr0999", "GB")
        report = matching_report(session, NOON, later(3600))
    assert {key: report[key] for key in ("calls", "matched", "offline", "vendor_ids", "unusable", "share")} == {
        "calls": 10, "matched": 8, "offline": 2, "vendor_ids": 1, "unusable": 2, "share": 0.8,
    }  # fmt: skip
    assert report["usual"] == {"least": 0.67, "most": 0.96}
    assert report["verdict"] == "usual"
    assert [(row["source"], row["matched"]) for row in report["sources"]] == [("", 0), ("adwords", 8)]
    with reading(engine) as session:
        empty = matching_report(session, later(7200), later(7300))
    assert (empty["calls"], empty["share"], empty["verdict"]) == (0, None, "no calls")


def test_a_visitors_trace_has_pages_calls_orders_and_every_rating_in_the_order_of_time(engine: Engine) -> None:
    pool(engine)
    number = visit(engine, "ann")
    call(engine, "c-1", number, 60)
    with writing(engine) as session:
        set_order(session, By("test", later(70)), "c-1", Order("0042", Decimal("9.99"), "GBP"), "GB")
        for seconds, option in ((100, "Lost"), (200, "Sale")):
            session.add(Rating(call_id="c-1", option=option, digit=1, source="cli", at=later(seconds)))
    with reading(engine) as session:
        trace = visitor_document(session, "ann")["trace"]
        assert session.scalars(select(Call)).one().id == "c-1"
        with pytest.raises(NoSuchVisitor):
            visitor_document(session, "nobody")
    assert [step["what"] for step in trace] == ["visit", "call", "order", "rating", "rating"]
    assert [step["option"] for step in trace[3:]] == ["Lost", "Sale"]
    assert trace[1]["matched"] is True
