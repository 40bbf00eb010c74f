"""What the API does, and what it refuses, by role."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter
from sqlalchemy import func, select
from sqlmodel import col

from contact_center.http.api import shapes
from contact_center.models import Agent, Audit, Lead
from contact_center.store.admin import By
from contact_center.store.admin_queues import add_queue
from contact_center.store.engine import reading, writing
from tests.support.api_world import ApiWorld, call
from tests.unit.http.stored import NUMBER, show_lead, store_call, store_callback


def leads(api: ApiWorld) -> int:
    with reading(api.engine) as session:
        return session.scalar(select(func.count(col(Lead.id)))) or 0


# -- leads ------------------------------------------------------------------------------------------------


async def test_a_pushed_lead_is_a_lead_as_lead_show_prints_it_and_serve_is_told_at_once(api: ApiWorld) -> None:
    body = {"number": "07421 000007", "priority": 5, "fields": {"first_name": "Zoë", "age": 40, "vip": True}}
    made = await api.post("/v1/campaigns/spring/leads", body, role="lead_push")
    assert made.status == 201
    lead = made.json
    assert (lead["number"], lead["campaign"], lead["state"], lead["priority"]) == (NUMBER, "spring", "new", 5)
    assert lead["fields"] == {"first_name": "Zoë", "age": 40, "vip": True}
    assert api.stirs == 1
    shown = await api.get(f"/v1/leads/{lead['id']}", role="lead_push")
    numbers = [{"number": NUMBER, "next": True, "left_out": None}]
    assert shown.json == {**lead, "numbers": numbers, "history": []}
    with reading(api.engine) as session:
        assert session.scalars(select(col(Audit.actor)).where(col(Audit.action) == "leads")).all() == ["api:lead_push"]


async def test_further_numbers_are_taken_and_hidden_where_the_first_is(api: ApiWorld) -> None:
    second, third = "+447421000008", "+447421000009"
    body = {"number": NUMBER, "other_numbers": ["07421 000008", third]}
    lead = (await api.post("/v1/campaigns/secret/leads", body)).json
    shown = (await api.get(f"/v1/leads/{lead['id']}")).json
    assert [one["number"] for one in shown["numbers"]] == [NUMBER, second, third]
    told = (await api.get(f"/v1/leads/{lead['id']}", role="read")).body.decode()
    assert "100000" not in told
    assert "**********008" in told
    wrong = await api.post("/v1/campaigns/spring/leads", {"number": NUMBER, "other_numbers": ["12x"]})
    assert (wrong.status, wrong.error) == (422, "'12x' is not a phone number: 'x' does not belong in one.")
    both = {"number": NUMBER, "other_numbers": [second], "fields": {"phone3": third}}
    assert (await api.post("/v1/campaigns/spring/leads", both)).status == 422


async def test_a_number_the_campaign_has_already_is_409_and_one_that_is_no_number_is_422(api: ApiWorld) -> None:
    lead = (await api.push(NUMBER)).json
    again = await api.push("+44 7421 000 007")
    assert again.status == 409
    assert again.error == f"{NUMBER} is already in campaign spring: it is lead {lead['id']}."
    wrong = await api.push("12x")
    assert (wrong.status, wrong.error) == (422, "'12x' is not a phone number: 'x' does not belong in one.")
    nowhere = await api.push(NUMBER, "summer")
    assert nowhere.status == 404
    assert nowhere.error.startswith("There is no campaign 'summer'")
    assert leads(api) == 1


async def test_many_leads_are_taken_in_one_request_and_each_that_is_not_is_told(api: ApiWorld) -> None:
    await api.post("/v1/dnc", {"number": "+447421000003"})
    given = [{"number": f"+44742100000{n}"} for n in (1, 2, 3)] + [{"number": "nonsense"}, {"number": "+447421000001"}]
    done = await api.post("/v1/campaigns/spring/leads", {"leads": given})
    assert done.status == 200
    counts = done.json
    assert (counts["imported"], counts["duplicates"], counts["rejected"], counts["dnc"]) == (3, 1, 1, 1)
    assert counts["rejects"][0]["n"] == 4
    assert "nonsense" in counts["rejects"][0]["reason"]
    listed = (await api.get("/v1/leads", query={"campaign": "spring"})).json
    assert [lead["id"] for lead in listed] == counts["leads"]
    assert [lead["state"] for lead in listed] == ["new", "new", "dnc"]


@pytest.mark.parametrize(("dedupe", "imported"), [("campaign", 1), ("system", 0), ("none", 1)])
async def test_dedupe_looks_where_it_is_told_to(api: ApiWorld, dedupe: str, imported: int) -> None:
    await api.push(NUMBER, "secret")
    body = {"leads": [{"number": NUMBER}], "dedupe": dedupe}
    assert (await api.post("/v1/campaigns/spring/leads", body)).json["imported"] == imported


async def test_erasing_a_person_also_takes_him_out_of_the_answers_that_are_kept(api: ApiWorld) -> None:
    await api.push(NUMBER, headers={"Idempotency-Key": "one"})
    done = await api.post("/v1/leads/erase", {"number": NUMBER})
    assert (done.status, done.json["leads"], done.json["number"]) == (200, 1, "**********007")
    again = await api.push(NUMBER, headers={"Idempotency-Key": "one"})
    assert NUMBER not in again.body.decode()
    assert leads(api) == 1


# -- the same key twice does once -------------------------------------------------------------------------


async def test_the_same_key_again_gives_the_same_answer_and_does_nothing(api: ApiWorld) -> None:
    first = await api.push(NUMBER, headers={"Idempotency-Key": "abc"})
    second = await api.push(NUMBER, headers={"Idempotency-Key": "abc"})
    assert (first.status, second.status) == (201, 201)
    assert first.body == second.body
    assert second.headers["idempotent-replayed"] == "true"
    assert leads(api) == 1
    other = await api.push("+447421000008", headers={"Idempotency-Key": "abc"})
    assert (other.status, other.error) == (409, "This Idempotency-Key was used for another request; take a new key.")
    theirs = await api.push("+447421000008", headers={"Idempotency-Key": "abc"}, role="lead_push")
    assert theirs.status == 201


async def test_a_refused_request_leaves_its_key_free(api: ApiWorld) -> None:
    key = {"Idempotency-Key": "abc"}
    assert (await api.push(NUMBER, "summer", headers=key)).status == 404
    assert (await api.push(NUMBER, headers=key)).status == 201


@pytest.mark.parametrize("key", ["", "a b", "x" * 201, "é"])
async def test_a_key_that_is_none_is_refused(api: ApiWorld, key: str) -> None:
    assert (await api.push(NUMBER, headers={"Idempotency-Key": key})).status == 422
    assert leads(api) == 0


async def test_of_a_hundred_races_with_one_key_each_does_the_thing_once(api: ApiWorld) -> None:
    for n in range(100):
        number, key = f"+4474210{n:05}", {"Idempotency-Key": f"race-{n}"}
        replies = await asyncio.gather(*(api.push(number, headers=key) for _ in range(4)))
        assert {reply.status for reply in replies} == {201}
        assert len({reply.body for reply in replies}) == 1
        assert sum("idempotent-replayed" in reply.headers for reply in replies) == 3
    assert leads(api) == 100


async def test_a_key_outlives_the_process_that_answered_it(api: ApiWorld) -> None:
    first = await api.push(NUMBER, headers={"Idempotency-Key": "abc"})
    tokens = api.tokens
    url = api.url
    async with Later(url, tokens) as later:
        again = await later.push(NUMBER, headers={"Idempotency-Key": "abc"})
    assert (again.status, again.body) == (201, first.body)


class Later(ApiWorld):
    """A later process on the same database."""

    def __init__(self, url: str, tokens: dict[str, str]) -> None:
        super().__init__(url, tokens=dict(tokens))

    def _populate(self, by: By) -> None:
        """It is there already."""


# -- control ----------------------------------------------------------------------------------------------


async def test_a_campaign_is_set_started_paused_resumed_and_stopped(api: ApiWorld) -> None:
    changed = await api.request("PATCH", "/v1/campaigns/spring", {"multiplier": 1.5, "amd": False, "trunk": ["main"]})
    assert changed.status == 200
    assert (changed.json["multiplier"], changed.json["options"]["trunk"]) == (1.5, ["main"])
    for move, state in (("start", "running"), ("pause", "paused"), ("resume", "running"), ("stop", "stopped")):
        assert (await api.post(f"/v1/campaigns/spring/{move}")).json["state"] == state
    refused = await api.post("/v1/campaigns/spring/resume")
    assert refused.status == 409
    assert "Campaign spring is stopped, so resume does nothing" in refused.error
    unknown = await api.request("PATCH", "/v1/campaigns/spring", {"colour": "red"})
    assert unknown.status == 422
    assert unknown.error.startswith("colour is not a known key; known are mode,")
    assert (await api.get("/v1/campaigns/spring/why")).json["reasons"]


async def test_an_agent_is_put_on_line_paused_and_off_line(api: ApiWorld) -> None:
    assert (await api.post("/v1/agents/1001/online")).json["status"] == "online"
    paused = (await api.post("/v1/agents/1001/pause", {"reason": "lunch"})).json
    assert (paused["status"], paused["pause_reason"]) == ("paused", "lunch")
    assert (await api.post("/v1/agents/1001/unpause")).json["status"] == "online"
    assert (await api.post("/v1/agents/1002/unpause")).json["status"] == "offline"
    assert (await api.post("/v1/agents/1001/offline")).json["status"] == "offline"
    assert (await api.post("/v1/agents/9999/online")).status == 404
    assert (await api.post("/v1/agents/1001/pause", {"reason": " "})).status == 422


async def test_a_call_is_shown_disposed_of_and_hung_up(api: ApiWorld) -> None:
    lead = (await api.push(NUMBER)).json["id"]
    call_id = store_call(api, lead, "spring")
    assert (await api.get(f"/v1/calls/{call_id}")).json["caller_number"] == NUMBER
    body = {"code": "CALLBK", "callback_at": "+2h"}
    assert (await api.post(f"/v1/calls/{call_id}/dispose", body)).json["disposition"] == "CALLBK"
    assert (await api.get(f"/v1/leads/{lead}")).json["state"] == "due"
    over = await api.post(f"/v1/calls/{call_id}/hangup")
    assert (over.status, over.error) == (409, f"Call {call_id} is over; there is nothing to hang up.")
    up = store_call(api, (await api.push("+447421000008")).json["id"], "spring", up=True)
    assert (await api.post(f"/v1/calls/{up}/hangup")).status == 202
    off = await api.post(f"/v1/calls/{up}/record/pause")
    assert (off.status, "is not being recorded" in off.error) == (409, True)
    assert (await api.post(f"/v1/calls/{up}/record/erase")).status == 422
    late = await api.post(f"/v1/calls/{call_id}/dispose", {"code": "CALLBK", "callback_at": "yesterday"})
    assert late.status == 422
    assert late.error.startswith("callback_at 'yesterday' is not an instant")


async def test_lists_are_filtered_by_what_is_asked_for(api: ApiWorld) -> None:
    one = store_call(api, (await api.push(NUMBER)).json["id"], "spring")
    other = store_call(api, (await api.push("+447421000008", "secret")).json["id"], "secret", agent="1002")

    async def found(path: str, **query: object) -> list[str]:
        documents = (await api.get(path, query=query)).json
        return [str(document.get("id") or document.get("ext") or document["number"]) for document in documents]

    assert sorted(await found("/v1/calls")) == sorted([one, other])
    assert await found("/v1/calls", campaign="spring") == [one]
    assert await found("/v1/calls", number="07421 000008") == [other]
    assert sorted(await found("/v1/calls", agent="Ann Lee", kind="power")) == sorted([one, other])
    assert await found("/v1/calls", queue="support") == await found("/v1/calls", disposition="SALE") == []
    assert await found("/v1/calls", sort="-started_at", limit=1) == [other]
    assert await found("/v1/calls", **{"from": "2099-01-01"}) == await found("/v1/calls", to="2001-01-01") == []
    assert await found("/v1/leads", campaign="secret", state="new") == [other.removeprefix("call-")]
    assert await found("/v1/agents", state="offline") == ["1001", "1002"]
    assert await found("/v1/agents", team="sales") == await found("/v1/agents", queue="support") == []
    await api.post("/v1/dnc", {"number": NUMBER, "campaign": "spring"})
    assert await found("/v1/dnc", campaign="spring") == [NUMBER]
    assert await found("/v1/dnc", campaign="secret") == []
    assert (await api.get("/v1/leads", query={"limit": 5000})).status == 422
    assert (await api.get("/v1/calls", query={"sort": "colour"})).status == 422


async def test_reports_are_those_of_the_command_line(api: ApiWorld) -> None:
    with writing(api.engine) as session:
        add_queue(session, By("test", datetime.now(UTC)), "support", {})
    [row] = (await api.get("/v1/reports/queues", query={"queue": "support"})).json
    assert (row["queue"], row["queued"]) == ("support", 0)
    assert [row["ext"] for row in (await api.get("/v1/reports/agents")).json] == ["1001", "1002"]
    assert [row["campaign"] for row in (await api.get("/v1/reports/abandonment")).json] == ["secret", "spring"]
    for query in ({"from": "2020-01-01"}, {"to": "2020-01-01"}, {"from": "soon"}):
        assert (await api.get("/v1/reports/queues", query=query)).status == 422
    assert (await api.get("/v1/reports/queues", query={"queue": "none"})).status == 404


async def test_the_do_not_call_list_is_added_to_shown_and_taken_from(api: ApiWorld) -> None:
    lead = (await api.push(NUMBER)).json["id"]
    added = await api.post("/v1/dnc", {"number": NUMBER, "reason": "asked"}, role="lead_push")
    assert added.json == {"number": NUMBER, "campaign": None, "added": True, "leads": 1}
    assert (await api.get(f"/v1/leads/{lead}")).json["state"] == "dnc"
    [entry] = (await api.get("/v1/dnc")).json
    assert (entry["number"], entry["reason"]) == (NUMBER, "asked")
    removed = await api.request("DELETE", f"/v1/dnc/{NUMBER}")
    assert removed.json == {"number": NUMBER, "campaign": None, "leads": 1}
    assert (await api.request("DELETE", f"/v1/dnc/{NUMBER}")).status == 404


async def test_documents_have_the_shapes_that_the_schema_promises(api: ApiWorld) -> None:
    with writing(api.engine) as session:
        add_queue(session, By("test", datetime.now(UTC)), "support", {})
    lead = (await api.push(NUMBER)).json["id"]
    call_id = store_call(api, lead, "spring")
    await api.post("/v1/dnc", {"number": NUMBER})
    callback = store_callback(api, 1)
    show_lead(api, "1001", lead, NUMBER)
    promised = {
        "/v1/campaigns": list[shapes.Campaign],
        "/v1/campaigns/spring": shapes.Campaign,
        "/v1/leads": list[shapes.Lead],
        f"/v1/leads/{lead}": shapes.LeadWithHistory,
        "/v1/agents": list[shapes.Agent],
        "/v1/agents/1001": shapes.AgentWithPreview,
        "/v1/calls": list[shapes.Call],
        f"/v1/calls/{call_id}": shapes.Call,
        "/v1/callbacks": list[shapes.Callback],
        f"/v1/callbacks/{callback}": shapes.CallbackWithDials,
        "/v1/dnc": list[shapes.DncEntry],
        "/v1/queues": list[shapes.Queue],
        "/v1/queues/support": shapes.Queue,
    }
    for path, shape in promised.items():
        document = (await api.get(path)).json
        assert document, path
        TypeAdapter(shape).validate_python(document, strict=True)


# -- what is no request -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"{", "The body is not JSON that can be read."),
        (b'{"number": "\\ud800"}', "The body is not JSON that can be read."),
        (b'{"number": NaN}', "The body is not JSON that can be read."),
        (b"[" * 100_000, "The body is not JSON that can be read."),
        (b"", "The body is missing."),
    ],
)
async def test_a_body_that_is_no_json_is_one_sentence(api: ApiWorld, raw: bytes, sentence: str) -> None:
    reply = await api.post("/v1/campaigns/spring/leads", raw=raw)
    assert (reply.status, reply.error) == (422, sentence)


@pytest.mark.parametrize("body", [{}, [], 7, "x", {"leads": 7}, {"leads": [7]}, {"leads": [{}]}, {"number": {}}])
async def test_what_is_wrong_with_a_pushed_lead_is_told_without_names_of_the_program(
    api: ApiWorld, body: object
) -> None:
    reply = await api.post("/v1/campaigns/spring/leads", body)
    assert reply.status == 422
    assert not re.search(r"function|LeadIn|LeadsIn|dictionary|extract|\[_|Input", reply.error), reply.error
    assert "body" in reply.error


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"leads": [{"number": NUMBER}] * 501}, "leads in the body is not allowed: list should have at most 500 items"),
        ({"leads": "all"}, "leads in the body is not allowed: input should be a valid list."),
        ({"leads": [{"numbr": NUMBER}]}, "leads.0.number is missing in the body."),
        ({"leads": [{"number": NUMBER}], "dedupe": "foo"}, "dedupe in the body is not allowed: input should be"),
        ({"number": 7, "priority": "x"}, "number in the body is not allowed: input should be a valid string."),
        ({}, "number is missing in the body."),
    ],
)
async def test_what_is_wrong_is_told_of_the_form_that_the_body_has(api: ApiWorld, body: object, told: str) -> None:
    reply = await api.post("/v1/campaigns/spring/leads", body)
    assert reply.status == 422
    assert reply.error.startswith(told), reply.error


async def test_unknown_keys_and_wrong_types_are_one_sentence_that_names_them(api: ApiWorld) -> None:
    async def sentence(body: object) -> str:
        reply = await api.post("/v1/dnc", body)
        assert reply.status == 422
        return reply.error

    assert await sentence({"number": NUMBER, "colour": 1}) == "colour is not a known key of the body."
    assert await sentence({}) == "number is missing in the body."
    assert (await sentence({"number": 7})).startswith("number in the body is not allowed: ")
    assert "control characters" in await sentence({"number": "+44\x007421"})
    body = {"number": NUMBER, "fields": {"timezone": "Europe/Paris"}}
    reply = await api.post("/v1/campaigns/spring/leads", body)
    assert reply.status == 422
    assert "timezone stands beside fields" in reply.error


async def test_an_unknown_address_and_a_wrong_method_are_one_sentence(api: ApiWorld) -> None:
    for method, path, status in (("GET", "/v1/nothing", 404), ("PUT", "/v1/agents", 405), ("GET", "/nothing", 404)):
        reply = await api.request(method, path)
        assert (reply.status, bool(reply.error)) == (status, True)


async def test_addresses_with_control_characters_or_broken_utf8_are_refused(api: ApiWorld) -> None:
    headers = {"authorization": f"Bearer {api.tokens['supervisor']}"}
    for query in ("team=%00", "team=%0a", "team=%ff"):
        assert (await call(api.app, "GET", "/v1/agents", query, headers, b"")).status == 422
    assert (await call(api.app, "GET", "/v1/agents", "team=" + "x" * 5000, headers, b"")).status == 414


async def test_a_body_of_more_than_a_megabyte_is_refused_before_it_is_read(api: ApiWorld) -> None:
    big = json.dumps({"number": NUMBER, "fields": {"a": "x" * 1_100_000}}).encode()
    told = await api.post("/v1/campaigns/spring/leads", raw=big, headers={"Content-Length": str(len(big))})
    untold = await api.post("/v1/campaigns/spring/leads", raw=big)
    assert (told.status, untold.status) == (413, 413)


async def test_no_password_is_ever_in_an_answer(api: ApiWorld) -> None:
    with reading(api.engine) as session:
        passwords = list(session.scalars(select(col(Agent.password))))
    assert all(passwords)
    for path in ("/v1/agents", "/v1/agents/1001", "/openapi.json"):
        text = (await api.get(path)).body.decode()
        assert not any(password in text for password in passwords)
