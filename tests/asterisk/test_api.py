"""The HTTP API of a running contact centre: leads that ring at once, cards that are there before the phone rings."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio

from tests.asterisk.callers import by_hand, kinds
from tests.asterisk.floor import SOON, Floor
from tests.asterisk.web import Web
from tests.lab.centre import ROOT, Centre
from tests.lab.farend.numbers import stays, talks
from tests.lab.farend.record import two_way_at
from tests.lab.judge import instant
from tests.lab.until import until
from tests.prove.proof import percentile

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

POP_SECONDS = 0.2


@pytest.fixture(scope="module")
def floor(centre: Centre) -> Floor:
    return Floor(centre)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def web(floor: Floor) -> AsyncIterator[Web]:
    async with Web.of(floor) as made:
        yield made


async def test_a_pushed_lead_rings_within_a_second_when_an_agent_is_free(floor: Floor, web: Web):
    phone = await floor.agent("1001", team="push")
    await floor.campaign("push")
    waits = []
    for n in range(5):
        number = talks(0.4, 100 + n)
        asked_at = floor.far.clock.now()
        lead = await web.push("push", number, fields={"first_name": "Ann"})
        assert lead["state"] == "new"
        customer = await floor.called(number)
        waits.append(customer.record.invite_at - asked_at)
        await customer.until_over(4.0)
        await floor.until_state("1001", "idle")
    print(f"push to INVITE: {sorted(round(wait, 3) for wait in waits)}")
    assert max(waits) < SOON
    assert len(floor.rung(phone)) == 5


async def test_the_same_key_pushes_one_lead_and_one_call_also_after_a_crash_of_serve(floor: Floor, web: Web):
    await floor.agent("1002", team="once")
    await floor.campaign("once")
    number = talks(0.4, 120)
    made = await asyncio.gather(*(web.push("once", number, key="once-1") for _ in range(10)))
    assert len({lead["id"] for lead in made}) == 1
    customer = await floor.called(number)
    await customer.until_over(4.0)
    serve = floor.centre.serve
    serve.kill()
    await serve.ended()
    await serve.start()
    again = await web.push("once", number, key="once-1")
    assert again == made[0]
    status, refused = await web.request(
        "POST", "/v1/campaigns/once/leads", {"number": stays(120)}, role="lead_push", key="once-1"
    )
    assert (status, "used for another request" in refused["error"]) == (409, True)
    await web.push("once", stays(120), role="supervisor", key="once-1")  # another token's key is another key
    await floor.called(stays(120))
    assert len(floor.far.log.attempts(number)) == 1
    floor.far.hang_up_all()


async def test_the_card_comes_within_200_ms_of_the_assignment_and_is_there_when_the_phone_rings(floor: Floor, web: Web):
    phone = await floor.agent("1003", team="pop")
    await web.agent_token("1003")
    await floor.campaign("pop", screen_pop_url="https://crm.example/lead/{lead_id}?n={number}&who={first_name}")
    late, ahead = [], []
    async with web.follow("/v1/agents/1003/events", role="1003") as screen:
        for n in range(12):
            number = talks(0.4, 140 + n, ring=0.2)
            lead = await web.push("pop", number, fields={"first_name": f"Zoë {n}"})
            customer = await floor.called(number)
            pop = (await screen.until("screen_pop", n + 1))[n]
            await customer.until_over(5.0)
            assert (pop.data["lead_id"], pop.data["number"]) == (lead["id"], number)
            assert pop.data["fields"] == {"first_name": f"Zoë {n}"}
            assert pop.data["url"].startswith(f"https://crm.example/lead/{lead['id']}?n=%2B4474")
            late.append(pop.at - instant(pop.data["at"]))
            ahead.append(floor.rung(phone)[n].invite_at - pop.at)
            await floor.until_state("1003", "idle")
    print(f"assignment to card: p50 {percentile(late, 0.5):.4f}, p95 {percentile(late, 0.95):.4f}, max {max(late):.4f}")
    print(f"card before the phone's INVITE: least {min(ahead):.4f}, p50 {percentile(ahead, 0.5):.4f}")
    assert percentile(late, 0.95) < POP_SECONDS
    assert percentile(ahead, 0.05) > -0.05  # both are read by this one process
    states = [told.data["state"] for told in screen.of("agent.state")]
    assert states[:4] == ["idle", "offered", "talking", "idle"]


async def test_a_hidden_number_is_on_no_screen_and_in_no_event_for_an_agent_or_a_reader(floor: Floor, web: Web):
    await floor.agent("1004", team="hidden")
    await web.agent_token("1004")
    await floor.campaign("hidden", hide_number="on")
    number = talks(1.0, 160)
    async with (
        web.follow("/v1/agents/1004/events", role="1004") as screen,
        web.follow("/v1/events?entity=call", role="read") as masked,
        web.follow("/v1/events?entity=call") as clear,
    ):
        await web.push("hidden", number)
        customer = await floor.called(number)
        await customer.until_over(5.0)
        [pop] = await screen.until("screen_pop")
        await masked.until("attempt.connected")
        connected = (await clear.until("attempt.connected"))[-1]
    assert (pop.data["number"], pop.data["number_hidden"]) == ("*" * 10 + number[-3:], True)
    assert connected.data["payload"]["number"] == number
    assert number[-7:] not in str([told.data for told in masked.events])


async def test_events_go_on_where_they_were_left_across_a_crash_of_serve(floor: Floor, web: Web):
    await floor.agent("1005", team="resume")
    await floor.campaign("resume")
    first, second = talks(0.4, 180), talks(0.4, 181)
    async with web.follow("/v1/events") as before:
        await web.push("resume", first)
        await (await floor.called(first)).until_over(4.0)
        await before.until("attempt.connected")
        last = before.events[-1].id
    await floor.until_state("1005", "idle")
    serve = floor.centre.serve
    serve.kill()
    await serve.ended()
    await serve.start()
    await floor.until_state("1005", "idle", 10.0)
    await web.push("resume", second)
    await (await floor.called(second)).until_over(4.0)
    await floor.record("resume", second)
    async with web.follow("/v1/events", after=last) as after:
        await after.until("attempt.connected")
        await until(lambda: any(told.data["entity_id"] == "1005" for told in after.events), 3.0, "the agent's events")
    told = before.events + after.events
    assert [event.id for event in told] == sorted({event.id for event in told})
    by_entity: dict[tuple[str, str], list[int]] = {}
    for event in told:
        by_entity.setdefault((event.data["entity"], event.data["entity_id"]), []).append(event.data["seq"])
    assert all(seqs == list(range(seqs[0], seqs[0] + len(seqs))) for seqs in by_entity.values())


async def test_a_supervisor_hangs_up_pauses_and_disposes_over_http(floor: Floor, web: Web):
    await floor.agent("1006", team="control")
    await floor.campaign("control")
    number = stays(200)
    await web.push("control", number)
    customer = await floor.called(number)
    await customer.until_hears("1006", 4.0)
    _, [call] = await web.request("GET", "/v1/calls?campaign=control")
    status, _ = await web.request("POST", f"/v1/calls/{call['id']}/dispose", {"code": "1"})
    assert status == 200
    asked_at = floor.far.clock.now()
    status, _ = await web.request("POST", f"/v1/calls/{call['id']}/hangup")
    assert status == 202
    await customer.until_over(SOON)
    assert customer.record.ended_at - asked_at < SOON
    assert (await floor.record("control", number))["disposition"] == "SALE"
    status, agent = await web.request("POST", "/v1/agents/1006/pause", {"reason": "lunch"})
    assert (status, agent["pause_reason"]) == (200, "lunch")
    await floor.until_state("1006", "paused")
    status, campaign = await web.request("POST", "/v1/campaigns/control/stop")
    assert (status, campaign["state"]) in ((200, "stopped"), (200, "finished"))  # its one lead was served


async def test_an_agents_program_hangs_up_the_call_in_which_he_talks_and_not_a_colleagues(floor: Floor, web: Web):
    number, other_number = stays(141), stays(142)
    ids = []
    for ext, called in (("1041", number), ("1042", other_number)):
        phone = await floor.agent(ext, team=f"ends{ext}")
        await floor.campaign(f"ends{ext}")
        customer = await floor.call(f"ends{ext}", called)
        agent = await phone.incoming(5.0)
        await customer.until_hears(ext, 5.0)
        ids.append((await floor.until_state(ext, "talking"))["call_id"])
    await web.agent_token("1042")
    assert (await web.request("POST", f"/v1/calls/{ids[0]}/hangup", role="1042"))[0] == 403
    assert (await web.request("POST", f"/v1/calls/{ids[1]}/hangup", role="1042"))[0] == 202
    await customer.until_over(2.0)
    await agent.until_over(2.0)
    record = await floor.record("ends1042", other_number)
    assert (record["call_state"], record["hung_up_by"]) == ("NORMAL_CLEARING_B", "agent")
    assert (await floor.show("1041"))["state"] == "talking"
    floor.far.trunk.calls_to(number)[0].hangup()
    await floor.until_state("1041", "idle")


async def test_a_posted_call_rings_the_agents_phone_then_the_customer_and_once_per_key(floor: Floor, web: Web):
    phone = await floor.agent("1007", team="own")
    await web.agent_token("1007")
    by_hand(phone)
    body = {"ext": "1007", "number": stays(210)}

    async def post(key: str) -> str:
        status, told = await web.request("POST", "/v1/calls", body, role="1007", key=key)
        assert (status, told["place"]) == (202, "asked")
        return str(told["call_id"])

    asked_at = floor.far.clock.now()
    [call_id] = set(await asyncio.gather(*(post("dial-1") for _ in range(5))))
    ringing = await phone.incoming(3.0)
    assert ringing.record.invite_at - asked_at < SOON
    assert floor.far.log.attempts(body["number"]) == []
    ringing.answer()
    customer = await floor.called(body["number"])
    assert customer.record.invite_at > ringing.record.answered_at
    await customer.until_hears("1007", 3.0)
    assert await post("dial-1") == call_id
    ringing.hangup()
    await customer.until_over(3.0)
    await floor.until_state("1007", "idle")
    assert await post("dial-1") == call_id
    other_id = await post("dial-2")  # serve obeys in order: were the one before obeyed, it would ring first
    again = await phone.incoming(3.0)
    again.hangup()
    await floor.until_state("1007", "idle")
    calls = await floor.cli("call", "list", "--kind", "manual")
    assert [call["id"] for call in calls] == [other_id, call_id]
    shown = await floor.cli("call", "show", call_id)
    assert (kinds(shown), shown["queue"]) == (["queue", "queue_callback", "conversation"], "Outbound")
    assert (len(floor.rung(phone)), len(floor.far.log.attempts(body["number"]))) == (2, 1)


async def test_an_agents_program_sees_skips_and_takes_the_leads_that_he_is_shown(floor: Floor, web: Web):
    await floor.agent("1008", team="look")
    await web.agent_token("1008")
    await floor.campaign("look", mode="preview", preview_seconds="20s")
    first, second = talks(1.0, 215), talks(1.0, 216)
    for number in (first, second):  # the newest comes first, or whichever was there when he was free
        await web.push("look", number)
    card: dict[str, Any] = {}

    async def shown_after(lead_id: int) -> bool:
        _, agent = await web.request("GET", "/v1/agents/1008", role="1008")
        card.update(agent.get("preview") or {})
        return card.get("lead_id", lead_id) != lead_id

    await until(lambda: shown_after(0), 3.0, "a lead to be shown")
    skipped = dict(card)
    status, _ = await web.request("POST", "/v1/agents/1008/skip", {"lead_id": skipped["lead_id"]}, role="1008")
    assert status == 202
    await until(lambda: shown_after(skipped["lead_id"]), 3.0, "the next lead to be shown")
    assert {skipped["number"], card["number"]} == {first, second}
    status, refused = await web.request("POST", "/v1/agents/1008/take", {"lead_id": skipped["lead_id"]}, role="1008")
    assert (status, "is shown lead" in refused["error"]) == (409, True)
    status, _ = await web.request("POST", "/v1/agents/1008/take", {"lead_id": card["lead_id"]}, role="1008")
    assert status == 202
    customer = await floor.called(card["number"], SOON)
    await customer.until_over(8.0)
    assert customer.record.parties_heard() == {"1008"}
    assert floor.far.log.attempts(skipped["number"]) == []
    await floor.cli("campaign", "stop", "look")


@pytest.mark.alone
async def test_200_requests_a_second_do_not_delay_a_call(floor: Floor, web: Web):
    phones = [await floor.agent(str(1010 + n), team="load") for n in range(2)]
    await floor.campaign("load")

    async def calls(first: int, count: int) -> list[float]:
        waits = []
        for n in range(first, first + count):
            number = talks(1.5, n)
            await floor.cli("lead", "add", "load", number)
            customer = await floor.called(number)
            await customer.until_over(5.0)
            taken = next(c for p in phones for c in floor.rung(p) if c.invite_at >= customer.record.invite_at)
            await until(lambda taken=taken: taken.ended_at, 3.0, "the agent's phone to be hung up")
            both = two_way_at(customer.record, taken)
            assert both is not None
            waits.append(both - customer.record.answered_at)
        return waits

    quiet = await calls(220, 8)
    paths = ("/v1/agents", "/v1/campaigns/load", "/v1/calls?limit=20", "/v1/leads?limit=20", "/v1/agents/1010")
    async with asked(web, 200.0, *paths) as load:
        loaded = await calls(240, 8)
    requests = sum(load["statuses"].values()) / load["seconds"]
    print(f"answer to two-way audio: quiet {shown(quiet)}; loaded {shown(loaded)}; {requests:.0f} req/s")
    print(f"answers of the API: p50 {load['p50']:.4f}, p95 {load['p95']:.4f}")
    assert requests > 150
    assert set(load["statuses"]) == {"200"}
    assert percentile(loaded, 0.5) < percentile(quiet, 0.5) + 0.05
    assert max(loaded) < 1.0


def shown(values: list[float]) -> str:
    return f"p50 {percentile(values, 0.5):.4f} max {max(values):.4f}"


@asynccontextmanager
async def asked(web: Web, rate: float, *paths: str) -> AsyncIterator[dict[str, Any]]:
    """The API is asked so often while the block lasts; what came of it is there afterwards."""
    figures: dict[str, Any] = {}
    asker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.asterisk.asker", web.base, str(rate), *paths,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    assert asker.stdin is not None
    asker.stdin.write(web.tokens["supervisor"].encode() + b"\n")
    try:
        yield figures
    finally:
        asker.stdin.close()
        async with asyncio.timeout(15):
            out, _ = await asker.communicate()
    figures |= json.loads(out)
