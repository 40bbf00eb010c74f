"""Calls that are placed and listened to, leads that are taken and skipped, callbacks that are cancelled."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import col

from contact_center.models import Agent, Audit, Call, Control
from contact_center.store.admin import By
from contact_center.store.admin_queues import add_queue
from contact_center.store.engine import reading, writing
from contact_center.terms import AgentState
from tests.support.api_world import ApiWorld
from tests.unit.http.stored import NUMBER, show_lead, store_call, store_callback

OWN = {"ext": "1001", "number": "020 7946 0018"}


def commands(api: ApiWorld, action: str) -> list[tuple[str, dict[str, Any]]]:
    """What a running serve was asked to do: entity id and payload, oldest first."""
    with reading(api.engine) as session:
        rows = session.scalars(select(Control).where(col(Control.action) == action).order_by(col(Control.id)))
        return [(row.entity_id, row.payload) for row in rows]


def actors(api: ApiWorld, action: str) -> list[str]:
    with reading(api.engine) as session:
        return list(session.scalars(select(col(Audit.actor)).where(col(Audit.action) == action)))


def seat(api: ApiWorld, ext: str, state: AgentState) -> None:
    with writing(api.engine) as session:
        session.scalars(select(Agent).where(col(Agent.ext) == ext)).one().state = state


def queue(api: ApiWorld, name: str) -> None:
    with writing(api.engine) as session:
        add_queue(session, By("test", datetime.now(UTC)), name, {})


# -- an agent's own call ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("role", "actor"), [("supervisor", "api:supervisor"), ("agent", "api:ann")])
async def test_a_placed_call_is_asked_of_serve_at_once_in_the_tokens_name(api: ApiWorld, role: str, actor: str) -> None:
    done = await api.post("/v1/calls", OWN, role=role)
    assert (done.status, done.json["place"], api.stirs) == (202, "asked", 1)
    asked = {"call_id": done.json["call_id"], "ext": "1001", "number": "+442079460018"}
    assert commands(api, "place") == [(done.json["call_id"], asked)]
    assert actors(api, "place") == [actor]


async def test_an_agents_token_places_calls_for_him_alone(api: ApiWorld) -> None:
    refused = await api.post("/v1/calls", {**OWN, "ext": "1002"}, role="agent")
    assert (refused.status, refused.error) == (403, "This token speaks for agent 1001 only.")
    assert commands(api, "place") == []


async def test_an_agent_is_connected_with_another_by_his_extension(api: ApiWorld) -> None:
    assert (await api.post("/v1/calls", {"ext": "1001", "number": "1002"})).status == 202
    assert commands(api, "place")[0][1]["number"] == "1002"


async def test_what_cannot_be_called_is_refused_in_a_sentence_and_asked_of_nobody(api: ApiWorld) -> None:
    await api.post("/v1/dnc", {"number": "+442079460019"})
    for body, status, sentence in (
        ({**OWN, "ext": "9999"}, 404, "There is no agent '9999'"),
        ({**OWN, "number": "12x"}, 422, "'12x' is not a phone number"),
        ({**OWN, "number": "1001"}, 422, "Agent 1001 cannot call himself"),
        ({**OWN, "number": "020 7946 0019"}, 422, "+442079460019 is on the do-not-call list"),
        ({"number": NUMBER}, 422, "ext is missing in the body."),
        ({**OWN, "campaign": "spring"}, 422, "campaign is not a known key of the body."),
    ):
        refused = await api.post("/v1/calls", body)
        assert (refused.status, refused.error[: len(sentence)]) == (status, sentence)
    seat(api, "1001", AgentState.TALKING)
    busy = await api.post("/v1/calls", OWN)
    assert (busy.status, busy.error) == (409, "Agent 1001 has a call; wait for its end.")
    assert commands(api, "place") == []


async def test_one_key_places_one_call_however_often_and_however_much_at_once_it_is_sent(api: ApiWorld) -> None:
    key = {"Idempotency-Key": "dial-1"}
    replies = await asyncio.gather(*(api.post("/v1/calls", OWN, role="agent", headers=key) for _ in range(10)))
    assert {reply.status for reply in replies} == {202}
    assert len({reply.body for reply in replies}) == 1
    assert len(commands(api, "place")) == 1
    seat(api, "1001", AgentState.TALKING)  # the call is up, and the answer was lost: the same answer comes again
    again = await api.post("/v1/calls", OWN, role="agent", headers=key)
    assert (again.status, again.body, again.headers["idempotent-replayed"]) == (202, replies[0].body, "true")
    other = await api.post("/v1/calls", {**OWN, "number": NUMBER}, role="agent", headers=key)
    assert (other.status, "used for another request" in other.error) == (409, True)
    assert len(commands(api, "place")) == 1


# -- listening --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ear", ["listen", "whisper", "barge"])
async def test_a_supervisor_is_let_into_a_call_that_is_up(api: ApiWorld, ear: str) -> None:
    call_id = store_call(api, (await api.push(NUMBER)).json["id"], "spring", up=True)
    body, key = {"ext": "1002", "ear": ear}, {"Idempotency-Key": "ear-1"}
    for _ in range(2):
        done = await api.post(f"/v1/calls/{call_id}/listen", body, headers=key)
        assert (done.status, done.json) == (202, {"call_id": call_id, **body})
    assert commands(api, "listen") == [(call_id, {"call_id": call_id, **body})]
    assert actors(api, "listen") == ["api:supervisor"]


async def test_nobody_listens_to_what_is_over_or_is_not_there(api: ApiWorld) -> None:
    lead = (await api.push(NUMBER)).json["id"]
    over = store_call(api, lead, "spring")
    up = store_call(api, (await api.push("+447421000008")).json["id"], "spring", up=True)
    for call_id, body, status, sentence in (
        (over, {"ext": "1002"}, 409, f"Call {over} is over; there is nothing to listen to."),
        ("call-none", {"ext": "1002"}, 404, "There is no call 'call-none'"),
        (up, {"ext": "9999"}, 404, "There is no agent '9999'"),
        (up, {"ext": "1002", "ear": "both"}, 422, "ear in the body is not allowed"),
    ):
        refused = await api.post(f"/v1/calls/{call_id}/listen", body)
        assert (refused.status, refused.error[: len(sentence)]) == (status, sentence)
    assert (await api.post(f"/v1/calls/{up}/listen", {"ext": "1001"}, role="agent")).status == 403
    assert commands(api, "listen") == []


# -- preview ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["take", "skip"])
async def test_an_agent_sees_the_lead_that_he_is_shown_and_takes_or_skips_it(api: ApiWorld, action: str) -> None:
    assert "preview" not in (await api.get("/v1/agents/1001", role="agent")).json
    lead = (await api.push(NUMBER)).json["id"]
    show_lead(api, "1001", lead, NUMBER)
    card = (await api.get("/v1/agents/1001", role="agent")).json["preview"]
    assert (card["lead_id"], card["number"], card["fields"]) == (lead, NUMBER, {"first_name": "Zoë"})
    stirs = api.stirs
    key = {"Idempotency-Key": "decide-1"}
    for _ in range(2):
        done = await api.post(f"/v1/agents/1001/{action}", {"lead_id": lead}, role="agent", headers=key)
        assert (done.status, done.json["ext"]) == (202, "1001")
    assert commands(api, action) == [("1001", {"ext": "1001", "lead_id": lead})]
    assert actors(api, action) == ["api:ann"]
    assert api.stirs > stirs
    assert (await api.post(f"/v1/agents/1001/{action}")).status == 202  # whichever he is shown


@pytest.mark.parametrize("action", ["take", "skip"])
async def test_a_lead_that_is_not_shown_is_neither_taken_nor_skipped(api: ApiWorld, action: str) -> None:
    none = await api.post(f"/v1/agents/1001/{action}", role="agent")
    assert (none.status, "is shown no lead now" in none.error) == (409, True)
    show_lead(api, "1001", 7, NUMBER)
    other = await api.post(f"/v1/agents/1001/{action}", {"lead_id": 6}, role="agent")
    assert (other.status, other.error) == (409, "Agent 1001 is shown lead 7 now, not lead 6; look at it first.")
    assert (await api.post(f"/v1/agents/9999/{action}")).status == 404
    show_lead(api, "1002", 8, NUMBER, seconds=-1.0)
    assert (await api.post(f"/v1/agents/1002/{action}")).status == 409
    theirs = await api.post(f"/v1/agents/1002/{action}", role="agent")
    assert (theirs.status, theirs.error) == (403, "This token speaks for agent 1001 only.")
    assert commands(api, action) == []


async def test_the_number_of_a_lead_that_is_shown_is_masked_once_its_campaign_hides_it(api: ApiWorld) -> None:
    show_lead(api, "1001", 7, NUMBER, "secret")  # as it was told before the campaign was set so
    for role in ("agent", "read"):
        assert (await api.get("/v1/agents/1001", role=role)).json["preview"]["number"] == "**********007"
    assert (await api.get("/v1/agents/1001")).json["preview"]["number"] == NUMBER


# -- callbacks --------------------------------------------------------------------------------------------


async def test_callbacks_are_listed_by_queue_and_state_and_shown_with_their_dials(api: ApiWorld) -> None:
    queue(api, "support")
    queue(api, "billing")
    one, two = store_callback(api, 1), store_callback(api, 2, "billing")

    async def found(**query: object) -> list[str]:
        return [row["id"] for row in (await api.get("/v1/callbacks", query=query)).json]

    assert await found() == [one, two]
    assert await found(queue="billing") == [two]
    assert await found(limit=1) == [one]
    assert await found(state="done") == []
    shown = (await api.get(f"/v1/callbacks/{one}")).json
    assert (shown["number"], shown["state"], shown["dials"]) == (NUMBER, "waiting", [])
    assert (await api.get(f"/v1/callbacks/{shown['call_id']}")).json == shown
    assert (await api.get("/v1/callbacks", query={"queue": "none"})).status == 404
    assert (await api.get("/v1/callbacks", query={"state": "sleeping"})).status == 422
    assert (await api.get("/v1/callbacks/cb-none")).status == 404


async def test_a_cancelled_callback_is_told_to_serve_and_stands_in_red_on_its_call(api: ApiWorld) -> None:
    callback = store_callback(api, 1)
    key = {"Idempotency-Key": "cancel-1"}
    done = await api.post(f"/v1/callbacks/{callback}/cancel", headers=key)
    assert (done.status, done.json["state"]) == (200, "cancelled")
    assert done.json["reason"] == "cancelled by api:supervisor"
    assert (await api.post(f"/v1/callbacks/{callback}/cancel", headers=key)).body == done.body
    assert [id_ for id_, _ in commands(api, "cancel")] == [callback]
    assert actors(api, "cancel") == ["api:supervisor"]
    assert api.stirs == 2
    with reading(api.engine) as session:
        call = session.get(Call, "call-cb-1")
        assert call is not None
        assert [entry["kind"] for entry in call.timeline] == ["deleted"]
    again = await api.post(f"/v1/callbacks/{callback}/cancel")
    assert (again.status, again.error) == (409, f"Callback {callback} is cancelled; there is nothing to cancel.")
    assert (await api.post("/v1/callbacks/cb-none/cancel")).status == 404


async def test_a_callback_and_its_call_hide_a_number_where_a_lead_of_that_number_does(api: ApiWorld) -> None:
    other = "+447421000008"
    await api.post("/v1/campaigns/secret/leads", {"number": NUMBER}, role="lead_push")
    shown, hidden = store_callback(api, 1, number=other), store_callback(api, 2, number=NUMBER)
    for path in ("/v1/callbacks", f"/v1/callbacks/{hidden}", "/v1/calls", f"/v1/calls/call-{hidden}"):
        assert NUMBER in (await api.get(path)).body.decode(), path
        told = (await api.get(path, role="read")).body.decode()
        assert "1000007" not in told, path
        assert "**********007" in told, path
    for path in ("/v1/callbacks", f"/v1/callbacks/{shown}", "/v1/calls", f"/v1/calls/call-{shown}"):
        assert other in (await api.get(path, role="read")).body.decode(), path
    await api.request("PATCH", "/v1/campaigns/secret", {"hide_number": False})
    for path in (f"/v1/callbacks/{hidden}", f"/v1/calls/call-{hidden}"):
        assert NUMBER in (await api.get(path, role="read")).body.decode(), path
