"""Who may do what with the API, by role, and who sees which numbers."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlmodel import col

from contact_center.models import Control
from contact_center.store.engine import reading, writing
from contact_center.store.queries_agents import find_agent
from contact_center.terms import AgentState
from tests.support.api_world import ApiWorld
from tests.unit.http.stored import NUMBER, store_call

# -- who may do what --------------------------------------------------------------------------------------

SUPERVISOR, READ, PUSH, AGENT = "supervisor", "read", "lead_push", "agent"
MATRIX = [
    ("GET", "/v1/campaigns", {SUPERVISOR, READ}),
    ("GET", "/v1/campaigns/spring", {SUPERVISOR, READ}),
    ("GET", "/v1/campaigns/spring/why", {SUPERVISOR, READ}),
    ("PATCH", "/v1/campaigns/spring", {SUPERVISOR}),
    ("POST", "/v1/campaigns/spring/start", {SUPERVISOR}),
    ("POST", "/v1/campaigns/spring/leads", {SUPERVISOR, PUSH}),
    ("GET", "/v1/leads", {SUPERVISOR, READ}),
    ("GET", "/v1/leads/1", {SUPERVISOR, READ, PUSH}),
    ("GET", "/v1/leads/1/why", {SUPERVISOR}),
    ("POST", "/v1/leads/erase", {SUPERVISOR}),
    ("GET", "/v1/agents", {SUPERVISOR, READ}),
    ("GET", "/v1/agents/1001", {SUPERVISOR, READ, AGENT}),
    ("GET", "/v1/agents/1002", {SUPERVISOR, READ}),
    ("POST", "/v1/agents/1001/online", {SUPERVISOR, AGENT}),
    ("POST", "/v1/agents/1002/online", {SUPERVISOR}),
    ("POST", "/v1/agents/1001/pause", {SUPERVISOR, AGENT}),
    ("POST", "/v1/agents/1001/take", {SUPERVISOR, AGENT}),
    ("POST", "/v1/agents/1002/take", {SUPERVISOR}),
    ("POST", "/v1/agents/1001/skip", {SUPERVISOR, AGENT}),
    ("POST", "/v1/agents/1002/skip", {SUPERVISOR}),
    ("GET", "/v1/agents/1002/events", {SUPERVISOR, READ}),
    ("GET", "/v1/calls", {SUPERVISOR, READ}),
    ("POST", "/v1/calls", {SUPERVISOR, AGENT}),
    ("GET", "/v1/calls/call-1", {SUPERVISOR, READ, AGENT}),
    ("POST", "/v1/calls/call-1/listen", {SUPERVISOR}),
    ("POST", "/v1/calls/call-1/hangup", {SUPERVISOR, AGENT}),
    ("POST", "/v1/calls/call-1/record/pause", {SUPERVISOR, AGENT}),
    ("POST", "/v1/calls/call-1/dispose", {SUPERVISOR, AGENT}),
    ("POST", "/v1/calls/call-1/rate", {SUPERVISOR, AGENT}),
    ("POST", "/v1/calls/call-1/annotate", {SUPERVISOR, AGENT}),
    ("GET", "/v1/callbacks", {SUPERVISOR, READ}),
    ("GET", "/v1/callbacks/cb-1", {SUPERVISOR, READ}),
    ("POST", "/v1/callbacks/cb-1/cancel", {SUPERVISOR}),
    ("GET", "/v1/dnc", {SUPERVISOR, READ}),
    ("POST", "/v1/dnc", {SUPERVISOR, PUSH}),
    ("DELETE", "/v1/dnc/+447421000007", {SUPERVISOR}),
    ("GET", "/v1/queues", {SUPERVISOR, READ}),
    ("GET", "/v1/queues/none", {SUPERVISOR, READ}),
    ("GET", "/v1/reports/queues", {SUPERVISOR, READ}),
    ("GET", "/v1/reports/agents", {SUPERVISOR, READ}),
    ("GET", "/v1/reports/abandonment", {SUPERVISOR, READ}),
    ("GET", "/v1/reports/campaign", {SUPERVISOR, READ}),
    ("GET", "/v1/reports/hours", {SUPERVISOR, READ}),
    ("GET", "/v1/reports/amd", {SUPERVISOR, READ}),
    ("GET", "/v1/reports/ratings", {SUPERVISOR, READ}),
    ("GET", "/v1/reports/goals", {SUPERVISOR, READ}),
    ("GET", "/v1/reports/matching", {SUPERVISOR, READ}),
    ("GET", "/v1/reports/evidence", {SUPERVISOR}),
    ("GET", "/v1/events", {SUPERVISOR, READ}),
]


@pytest.mark.parametrize(("method", "path", "allowed"), MATRIX)
async def test_a_role_may_do_what_is_its_own_and_nothing_else(
    api: ApiWorld, method: str, path: str, allowed: set[str]
) -> None:
    bodies = {
        "pause": {"reason": "x"},
        "erase": {"number": NUMBER},
        "dispose": {"code": "SALE"},
        "rate": {"option": "1"},
        "annotate": {"comment": "x"},
        "calls": {"ext": "1001", "number": NUMBER},
        "listen": {"ext": "1002"},
        "take": {"lead_id": 1},
        "skip": {"lead_id": 1},
    }
    body = bodies.get(path.rsplit("/", 1)[1], {"number": NUMBER})
    for role in (SUPERVISOR, READ, PUSH, AGENT):
        if role in allowed and path.endswith("/events"):
            continue  # it would stream: test_api_events has it
        reply = await api.request(method, path, body if method in ("POST", "PATCH") else None, role=role)
        assert (reply.status == 403) == (role not in allowed), (role, reply)
    assert (await api.request(method, path, body, token="")).status == 401


async def test_every_route_stands_in_the_matrix(api: ApiWorld) -> None:
    operations = {
        (method.upper(), path)
        for path, item in api.app.openapi()["paths"].items()
        for method in item
        if path.startswith("/v1")
    }
    named = {
        (method, path.replace("spring/start", "{name}/{move}").replace("spring", "{name}").replace("none", "{name}")
         .replace("leads/1", "leads/{lead_id}").replace("call-1", "{call_id}").replace("+447421000007", "{number}")
         .replace("1001", "{ext}").replace("1002", "{ext}").replace("record/pause", "record/{wish}")
         .replace("cb-1", "{callback_id}"))
        for method, path, _ in MATRIX
    }  # fmt: skip
    extra = {("POST", "/v1/agents/{ext}/offline"), ("POST", "/v1/agents/{ext}/unpause")}
    assert operations == named | extra


async def test_an_agents_token_disposes_of_his_own_calls_only(api: ApiWorld) -> None:
    mine = store_call(api, (await api.push(NUMBER)).json["id"], "spring", up=True)
    theirs = store_call(api, (await api.push("+447421000008")).json["id"], "spring", agent="1002", up=True)
    assert (await api.post(f"/v1/calls/{mine}/dispose", {"code": "SALE"}, role="agent")).status == 200
    refused = await api.post(f"/v1/calls/{theirs}/dispose", {"code": "SALE"}, role="agent")
    assert (refused.status, refused.error) == (403, f"Call {theirs} is not one of agent 1001's.")
    assert (await api.get(f"/v1/calls/{theirs}", role="agent")).status == 403


async def test_an_agents_token_hangs_up_the_call_in_which_he_talks_and_no_other(api: ApiWorld) -> None:
    mine = store_call(api, (await api.push(NUMBER)).json["id"], "spring", up=True)
    theirs = store_call(api, (await api.push("+447421000008")).json["id"], "spring", agent="1002", up=True)
    early = await api.post(f"/v1/calls/{mine}/hangup", role="agent")
    assert (early.status, "does not talk in call" in early.error) == (409, True)
    with writing(api.engine) as session:
        agent = find_agent(session, "1001")
        agent.state, agent.call_id = AgentState.TALKING, mine
    assert (await api.post(f"/v1/calls/{mine}/hangup", role="agent")).status == 202
    assert (await api.post(f"/v1/calls/{theirs}/hangup", role="agent")).status == 403
    assert (await api.post(f"/v1/calls/{theirs}/hangup")).status == 202
    with reading(api.engine) as session:
        rows = session.scalars(select(Control).where(col(Control.action) == "hangup").order_by(col(Control.id))).all()
    assert [row.payload for row in rows] == [{"call_id": mine, "ext": "1001"}, {"call_id": theirs}]


# -- hidden numbers ---------------------------------------------------------------------------------------


async def test_numbers_that_a_campaign_hides_are_shown_to_supervisors_alone(api: ApiWorld) -> None:
    body = {"number": NUMBER, "fields": {"note": "also 07421 000007", "city": "Leeds"}}
    pushed = (await api.post("/v1/campaigns/secret/leads", body, role="lead_push")).json
    call_id = store_call(api, pushed["id"], "secret")
    await api.post("/v1/dnc", {"number": NUMBER})
    for path in ("/v1/leads", f"/v1/leads/{pushed['id']}", "/v1/calls", f"/v1/calls/{call_id}", "/v1/dnc"):
        assert "1000007" in (await api.get(path)).body.decode(), path
        assert "000007" not in (await api.get(path, role="read")).body.decode().replace(" ", ""), path
    seen = (await api.get(f"/v1/leads/{pushed['id']}", role="read")).json
    assert (seen["number"], seen["fields"]["city"]) == ("**********007", "Leeds")
    for path in ("/v1/leads", "/v1/calls", "/v1/dnc"):
        refused = await api.get(path, role="read", query={"number": NUMBER})
        assert refused.status == 403
        assert (await api.get(path, query={"number": NUMBER})).status == 200


async def test_numbers_of_other_campaigns_are_shown_to_all_who_may_read(api: ApiWorld) -> None:
    lead = (await api.push(NUMBER)).json["id"]
    assert (await api.get(f"/v1/leads/{lead}", role="read")).json["number"] == NUMBER
