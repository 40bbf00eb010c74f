"""Visitors by HTTP: a number for a time, for those whose token may push."""

from __future__ import annotations

from contact_center.store.admin import By
from contact_center.store.call_facts import CallArrived
from contact_center.store.engine import writing
from contact_center.store.tracking import add_numbers
from tests.support.api_world import ApiWorld
from tests.support.telling import NOON

VISIT = {"context_id": "ann", "url": "http://example.com/page", "source": "adwords"}


def pool(api: ApiWorld) -> None:
    with writing(api.engine) as session:
        add_numbers(session, By("test", NOON), "shop", ["442079460001", "442079460002"], "GB")


async def test_a_visitor_is_given_a_number_and_the_same_one_again(api: ApiWorld) -> None:
    pool(api)
    first = await api.post("/tracking/visits", VISIT, role="lead_push")
    again = await api.post("/tracking/visits", {**VISIT, "url": "http://example.com/b"}, role="lead_push")
    other = await api.post("/tracking/visits", {**VISIT, "context_id": "bo"}, role="supervisor")
    none = await api.post("/tracking/visits", {**VISIT, "context_id": "cy"}, role="lead_push")
    assert first.status == again.status == other.status == none.status == 200
    assert first.json["number"] == again.json["number"] != other.json["number"]
    assert none.json["number"] is None
    assert first.json["until_at"].endswith("Z")


async def test_who_may_not_tell_of_visits_is_refused(api: ApiWorld) -> None:
    pool(api)
    for role, status in (("read", 403), ("agent", 403)):
        assert (await api.post("/tracking/visits", VISIT, role=role)).status == status
    assert (await api.post("/tracking/visits", VISIT, token="")).status == 401


async def test_bad_visits_are_refused_in_one_sentence(api: ApiWorld) -> None:
    for body in ({}, {"context_id": ""}, {"context_id": "x" * 101}, {**VISIT, "more": 1}, {"context_id": "a\u0000"}):
        refused = await api.post("/tracking/visits", body, role="lead_push")
        assert refused.status == 422
        assert refused.error
    assert (await api.post("/tracking/visits", {**VISIT, "pool": "none"}, role="lead_push")).status == 404


async def test_without_any_pool_the_visit_is_noted_and_no_number_is_given(api: ApiWorld) -> None:
    told = await api.post("/tracking/visits", VISIT, role="lead_push")
    assert (told.status, told.json["number"]) == (200, None)


async def test_a_vendor_and_a_shop_tell_of_a_call(api: ApiWorld) -> None:
    pool(api)
    with writing(api.engine) as session:
        CallArrived("c-1", "ch-1", NOON, "442079460001", "+447400000001", "sales").apply(session)
    body = {"context_id": "clarity-1", "order": {"id": "09890809", "total": "9.99"}}
    told = await api.post("/tracking/calls/c-1", body, role="lead_push")
    assert told.json == {
        "call_id": "c-1", "context_id": "clarity-1", "matched": False, "offline": True,
        "order": {"id": "09890809", "total": "9.99", "currency": "GBP"},
    }  # fmt: skip
    assert (await api.post("/tracking/calls/nobody", body, role="lead_push")).status == 404
    assert (await api.post("/tracking/calls/c-1", {}, role="lead_push")).status == 422
    shown = await api.get("/v1/calls/c-1")
    assert shown.json["matching"]["context_id"] == "clarity-1"
