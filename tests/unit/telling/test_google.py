"""Google Analytics: ratings by the published rules, and only one integration that carries transactions."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from contact_center.errors import UsageError
from contact_center.models import Call
from contact_center.models_telling import CallMatch, TrackingVisit
from contact_center.store.admin import By
from contact_center.store.analytics import add_analytics, live_properties, remove_analytics
from contact_center.store.changes import add_event
from contact_center.store.engine import reading, writing
from contact_center.store.telling import newest_event_id
from contact_center.telling.feed import News
from contact_center.telling.google import GoogleTeller
from contact_center.telling.measurement import Rated, Visitor, checked_event_name, document
from contact_center.telling.post import Post
from tests.support.clock import HandClock
from tests.support.receivers import HttpReceiver, Request, google_faults
from tests.support.telling import NOON, books
from tests.unit.waiting import until

BY = By("test", NOON)
KEYS = {"measurement_id": "G-ABC1234567", "api_secret": "hush", "event_name": "call_rated"}


def rate(engine: Engine, call_id: str, option: str, value: str | None = None) -> None:
    payload = {"call_id": call_id, "option": option, "digit": 1, "value": value, "source": "ivr", "agent": "1001"}
    with writing(engine) as session:
        if session.get(Call, call_id) is None:
            session.add(Call(id=call_id, kind="inbound", queue="sales", started_at=NOON))
        add_event(session, at=NOON, entity="call", entity_id=call_id, type="call.rated", payload=payload)


def add(engine: Engine, name: str, **more: Any) -> None:
    with writing(engine) as session:
        add_analytics(session, BY, name, **{**KEYS, **more})


async def told(engine: Engine, wanted: int, receiver: HttpReceiver) -> list[Request]:
    with reading(engine) as session:
        properties, newest = live_properties(session), newest_event_id(session)
    news = News()
    news.tell(newest)
    clock = HandClock(NOON + timedelta(minutes=5))
    async with Post([receiver.host]) as post, books(engine, clock) as own:
        tasks = [
            asyncio.create_task(GoogleTeller(found, receiver.url, "GBP", own, news, post.send, random.Random(1)).run())
            for found in properties
        ]
        await until(lambda: len(receiver.got) >= wanted)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for request in receiver.got:
        assert google_faults(request) == []
    return receiver.got


async def test_all_ratings_are_told_with_the_value_of_the_event(engine: Engine) -> None:
    add(engine, "shop")
    rate(engine, "c-1", "Sale", "29.99")
    rate(engine, "c-2", "Lost")
    rate(engine, "c-1", "Lost")  # rated anew: told anew
    async with HttpReceiver() as receiver:
        first, second, third = await told(engine, 3, receiver)
    assert first.query == {"measurement_id": "G-ABC1234567", "api_secret": "hush"}
    event = first.json["events"][0]
    assert event["name"] == "call_rated"
    assert (event["params"]["rating"], event["params"]["value"], event["params"]["currency"]) == ("Sale", 29.99, "GBP")
    assert event["params"]["queue"] == "sales"
    assert first.json["timestamp_micros"] == int(NOON.timestamp()) * 1_000_000
    assert "value" not in second.json["events"][0]["params"]
    assert third.json["events"][0]["params"]["rating"] == "Lost"
    assert third.json["client_id"] == first.json["client_id"] != second.json["client_id"]
    assert re.fullmatch(r"\d+\.\d+", first.json["client_id"])


async def test_only_chosen_ratings_are_told_and_a_value_can_be_a_transaction(engine: Engine) -> None:
    add(engine, "shop", ratings=["Sale"], value="transaction")
    rate(engine, "c-1", "Lost", "5.00")
    rate(engine, "c-1", "Sale", "1000.00")
    async with HttpReceiver() as receiver:
        (only,) = await told(engine, 1, receiver)
    rated, bought = only.json["events"]
    assert "value" not in rated["params"]
    assert bought["name"] == "purchase"
    assert (bought["params"]["transaction_id"], bought["params"]["value"]) == ("c-1", 1000.0)
    assert bought["params"]["items"] == [{"item_name": "Sale", "price": 1000.0, "quantity": 1}]


async def test_the_visitors_own_browser_is_told_where_the_site_told_of_it(engine: Engine) -> None:
    add(engine, "shop")
    with writing(engine) as session:
        visit = TrackingVisit(
            context_id="ctx", number="1", url="https://shop.example/a", source="adwords", client_id="555.777",
            session_id="1710000000", handed_at=NOON, until_at=NOON,
        )  # fmt: skip
        session.add(visit)
        session.flush()
        session.add(CallMatch(call_id="c-1", at=NOON, did="1", visit_id=visit.id, context_id="ctx", matched=True))
    rate(engine, "c-1", "Sale", "9.99")
    async with HttpReceiver() as receiver:
        (only,) = await told(engine, 1, receiver)
    assert only.json["client_id"] == "555.777"
    params = only.json["events"][0]["params"]
    assert (params["session_id"], params["call_source"]) == ("1710000000", "adwords")
    assert params["page_location"] == "https://shop.example/a"


async def test_google_away_is_asked_until_it_has_every_rating_in_order(engine: Engine) -> None:
    add(engine, "shop")
    for n in range(20):
        rate(engine, f"c-{n}", "Sale")
    async with HttpReceiver() as receiver:
        await receiver.stop()
        with reading(engine) as session:
            properties, newest = live_properties(session), newest_event_id(session)
        news = News()
        news.tell(newest)
        async with Post([receiver.host]) as post, books(engine, HandClock()) as own:
            teller = GoogleTeller(properties[0], receiver.url, "GBP", own, news, post.send, random.Random(1))
            task = asyncio.create_task(teller.run())
            await asyncio.wait({task}, timeout=0.3)
            await receiver.start()
            await until(lambda: len(receiver.got) == 20)
            task.cancel()
            await asyncio.wait({task})
    assert [got.json["events"][0]["params"]["call_id"] for got in receiver.got] == [f"c-{n}" for n in range(20)]


def test_only_one_integration_may_carry_the_transaction_value_and_the_first_is_named(engine: Engine) -> None:
    add(engine, "first", value="transaction")
    add(engine, "beside", value="event")
    with pytest.raises(UsageError, match="first carries the transaction value already"):
        add(engine, "second", value="transaction")
    with writing(engine) as session:
        remove_analytics(session, BY, "first")
    add(engine, "second", value="transaction")


@pytest.mark.parametrize(
    "name", ["", "1st", "a b", "x" * 41, "ga_x", "google_x", "firebase_x", "_x", "session_start", "purchase", "\u0436"]
)
def test_names_that_google_does_not_take_are_refused(name: str) -> None:
    with pytest.raises(UsageError):
        checked_event_name(name)


@pytest.mark.parametrize(
    "bad", [{"measurement_id": "UA-1234-5"}, {"measurement_id": "G-abc"}, {"value": "both"}, {"api_secret": ""}]
)
def test_a_bad_integration_is_refused(engine: Engine, bad: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        add(engine, "shop", **bad)


ANY = st.text(max_size=300)


@given(
    texts=st.lists(ANY, min_size=7, max_size=7),
    value=st.none() | st.decimals(0, Decimal("999999.99"), places=2),
    how=st.sampled_from(["none", "event", "transaction"]),
    age=st.integers(-1000, 10_000_000),
)
def test_whatever_a_rating_says_the_document_keeps_to_the_rules(
    texts: Sequence[str], value: Decimal | None, how: str, age: int
) -> None:
    rated = Rated(7, texts[0] or "c", texts[1], value, "GBP", texts[2], texts[3], NOON - timedelta(seconds=age))
    visitor = Visitor(texts[4], texts[5], texts[6], texts[4])
    body = document(rated, visitor, event_name="call_rated", value=how, now=NOON)
    import orjson

    try:
        raw = orjson.dumps(body)
    except TypeError:
        return  # a lone surrogate, which the database cannot hold
    request = Request("/", {"measurement_id": "G-A1", "api_secret": "s"}, {}, raw)
    assert google_faults(request) == []
    assert ("timestamp_micros" in body) == (0 <= age < 72 * 3600)
