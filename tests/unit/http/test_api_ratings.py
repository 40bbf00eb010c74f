"""Ratings by the API, and the report of calls at the address that scripts know."""

from __future__ import annotations

import base64
import csv
import io
from datetime import UTC, datetime, timedelta

import pytest

from contact_center.models import Call
from contact_center.store.admin import By
from contact_center.store.admin_queues import add_queue
from contact_center.store.admin_tokens import add_token
from contact_center.store.categories import add_category
from contact_center.store.engine import writing
from contact_center.store.ratings import add_group, add_option
from tests.support.api_world import ApiWorld, Reply

BEGAN = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
URL = "/reports/v2/triggers/calls"
SEEDS_QUERY = {
    "igrp": "123",
    "sort[]": "triggerDatetime-desc",
    "limit": "1000",
    "format": "csv",
    "display[]": ["triggerDatetime", "srcPhoneNumber", "callState"],
}


def set_up(api: ApiWorld, calls: int = 1) -> None:
    by = By("test", BEGAN)
    with writing(api.engine) as session:
        add_group(session, by, "sales", speech=True)
        add_option(session, by, "sales", "1", "Sale", asks_value=True, goal="")
        add_option(session, by, "sales", "2", "Lost", asks_value=False, goal="")
        add_queue(session, by, "support", {"dids": "442079460018", "rating_group": "sales"})
        add_category(session, by, 3, "Order", 0)
        session.add_all(
            Call(
                id=f"call-{n}", queue="support", caller_number=f"+4474{n:08}", call_state="NORMAL_CLEARING_A",
                started_at=BEGAN + timedelta(seconds=n), ended_at=BEGAN + timedelta(seconds=n + 1), agents=["Ann Lee"],
            )
            for n in range(calls)
        )  # fmt: skip


async def basic(api: ApiWorld, name: str, token: str, **query: object) -> Reply:
    word = base64.b64encode(f"{name}:{token}".encode()).decode()
    return await api.get(URL, token="", query={**SEEDS_QUERY, **query}, headers={"authorization": f"Basic {word}"})


async def test_a_call_is_rated_and_rated_anew_by_api(api: ApiWorld) -> None:
    set_up(api)
    first = await api.post("/v1/calls/call-0/rate", {"option": "Lost"}, role="agent")
    assert (first.status, first.json["rating"]["source"]) == (200, "api")
    second = await api.post("/v1/calls/call-0/rate", {"option": "1", "value": "29.99"})
    assert [entry["option"] for entry in second.json["rating"]["history"]] == ["Lost", "Sale"]
    for body, status in (({"option": "9"}, 409), ({"option": "1"}, 422), ({"option": "1", "value": "x"}, 422)):
        assert (await api.post("/v1/calls/call-0/rate", body)).status == status
    assert (await api.post("/v1/calls/call-0/rate", {"option": "2"}, role="read")).status == 403


async def test_a_call_is_annotated_by_api_and_a_score_needs_its_comment(api: ApiWorld) -> None:
    set_up(api)
    given = {"comment": "well done", "categories": [3], "value": "9.99", "call_score": 5, "agent_score": 4}
    shown = (await api.post("/v1/calls/call-0/annotate", given)).json
    assert (shown["comment"], shown["call_score"], shown["agent_score"]) == ("well done", 5, 4)
    assert shown["value"] == {"amount": "9.99", "kind": "explicit"}
    refused = await api.post("/v1/calls/call-0/annotate", {"call_score": 5})
    assert (refused.status, "comment" in refused.error) == (422, True)


async def test_the_seeds_address_is_answered_for_a_thousand_calls(api: ApiWorld) -> None:
    set_up(api, 1001)
    reply = await basic(api, "read", api.tokens["read"])
    assert (reply.status, reply.headers["content-type"].partition(";")[0]) == (200, "text/csv")
    lines = reply.body.decode().split("\r\n")
    assert lines[0] == "triggerDatetime,srcPhoneNumber,callState"
    assert lines[1] == "2026-06-01 10:16:40,+447400001000,NORMAL_CLEARING_A"
    rows = list(csv.DictReader(io.StringIO(reply.body.decode())))
    assert len(rows) == 1000
    assert rows == sorted(rows, key=lambda row: row["triggerDatetime"], reverse=True)


async def test_the_address_takes_a_tokens_name_and_the_token_and_nothing_else(api: ApiWorld) -> None:
    set_up(api)
    assert (await api.get(URL, query=SEEDS_QUERY)).status == 200
    bare = await api.get(URL, token="", query=SEEDS_QUERY)
    assert (bare.status, bare.headers["www-authenticate"].startswith("Basic ")) == (401, True)
    token = api.tokens["read"]
    for name, password in (("other", token), ("", token), ("read", "x"), ("read", ""), ("a:b", token)):
        assert (await basic(api, name, password)).status == 401
    broken = await api.get(URL, token="", query=SEEDS_QUERY, headers={"authorization": "Basic !!"})
    assert broken.status == 401
    word = base64.b64encode(f"read:{token}".encode()).decode()
    assert (await api.get("/v1/calls", token="", headers={"authorization": f"Basic {word}"})).status == 401
    assert (await basic(api, "lead_push", api.tokens["lead_push"])).status == 403


async def test_columns_come_in_their_order_as_csv_or_json_and_numbers_that_are_hidden_stay_so(api: ApiWorld) -> None:
    set_up(api)
    with writing(api.engine) as session:
        ended = {"ended_at": BEGAN, "call_state": "USER_BUSY_A"}
        session.add(Call(id="hidden", campaign="secret", caller_number="+447421000007", started_at=BEGAN, **ended))
    query = {"display[]": ["callState", "callId", "srcPhoneNumber"], "sort[]": "callId-desc", "format": "json"}
    rows = (await api.get(URL, role="read", query=query)).json
    assert [list(row) for row in rows] == [["callState", "callId", "srcPhoneNumber"]] * 2
    assert rows[0]["callId"] == "hidden"
    assert "7421000" not in rows[0]["srcPhoneNumber"]


@pytest.mark.parametrize(
    "query",
    [
        {"display[]": "x"},
        {"sort[]": "x-desc"},
        {"limit": "0"},
        {"limit": "50001"},
        {"format": "xml"},
        {"from": "x"},
        {"startDate": "1 May"},
        {"endDate": "9999-12-31"},
        {"tz": "Mars/Base"},
        {"tz": "../passwd"},
        {"offset": "-1"},
    ],
)
async def test_what_is_not_known_is_refused(api: ApiWorld, query: dict[str, str]) -> None:
    assert (await api.get(URL, query={**SEEDS_QUERY, **query})).status == 422


async def test_a_script_of_a_call_tracker_finds_its_days_zone_pages_and_names(api: ApiWorld) -> None:
    set_up(api, 6)
    with writing(api.engine) as session:
        last = session.get_one(Call, "call-5")
        last.started_at, last.talk_seconds = datetime(2026, 6, 2, 3, 30, tzinfo=UTC), 12.4  # the 1st in New York
        late = session.get_one(Call, "call-4")
        late.started_at = datetime(2026, 6, 2, 4, 0, tzinfo=UTC)
        login = add_token(session, By("test", BEGAN), "your@mom.example", "read").token
    asked = {
        "limit": "50000", "startDate": "2026-06-01", "endDate": "2026-06-01", "tz": "America/New_York",
        "sort[]": "rowId-desc", "display[]": ["rowId", "triggerDatetime", "bridgeDuration", "ringTime", "dgrpName"],
    }  # fmt: skip
    reply = await basic(api, "your@mom.example", login, **asked)
    rows = list(csv.reader(io.StringIO(reply.body.decode())))
    assert rows[:2] == [asked["display[]"], ["call-5", "2026-06-01 23:30:00", "12", "0", "support"]]
    assert [row[0] for row in rows[1:]] == ["call-5", "call-3", "call-2", "call-1", "call-0"]
    page = await basic(api, "your@mom.example", login, **{**asked, "limit": "2", "offset": "2"})
    assert [row[0] for row in csv.reader(io.StringIO(page.body.decode()))][1:] == ["call-2", "call-1"]
