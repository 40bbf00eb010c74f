"""Event streams: the outbox that is taken up where it was left, and the card on an agent's screen."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from contact_center.http.api import stream, tail
from contact_center.http.server import HttpServer
from contact_center.http.watched import STALL_SECONDS
from contact_center.pop_url import checked_pop_url, filled_pop_url
from contact_center.pops import MOST_WAITING, Card
from contact_center.store.admin import By
from contact_center.store.admin_tokens import remove_token
from contact_center.store.changes import add_event
from contact_center.store.engine import writing
from tests.support.api_world import ApiWorld, Following
from tests.unit.waiting import until

pytestmark = pytest.mark.clock

NUMBER = "+447421000007"
BIND = "127.64.5.3:0"


def tell(api: ApiWorld, count: int, *, entity: str = "trunk", first: int = 0, size: int = 0) -> None:
    """Events, as many changes as there are."""
    with writing(api.engine) as session:
        for n in range(first, first + count):
            payload = {"n": n, "filler": "x" * size}
            add_event(
                session, at=datetime.now(UTC), entity=entity, entity_id="main", type=f"{entity}.note", payload=payload
            )


# -- the stream of everything -----------------------------------------------------------------------------


async def test_what_happens_is_streamed_as_it_happens_and_filtered_as_asked(api: ApiWorld) -> None:
    async with (
        Following(api, "/v1/events") as all_,
        Following(api, "/v1/events", "entity=agent&entity_id=1001") as ann,
        Following(api, "/v1/events", "type=campaign.start") as starts,
    ):
        assert all_.status == 200
        await api.post("/v1/agents/1002/online")
        await api.post("/v1/agents/1001/online")
        await api.post("/v1/campaigns/spring/start")
        [start] = await starts.until("campaign.start")
        assert start["payload"]["state"] == "running"
        [online] = await ann.until("agent.online")
        assert (online["entity_id"], online["payload"]["name"]) == ("1001", "Ann Lee")
        assert len(await all_.until("agent.online", 2)) == 2
        assert not starts.of("agent.online")
        ids = [int(event["id"]) for event in all_.events if "data" in event]
        assert ids == sorted(set(ids))


async def test_a_reader_who_comes_again_gets_every_event_once(api: ApiWorld) -> None:
    tell(api, 1)
    async with Following(api, "/v1/events", "after=0&entity=trunk") as first:
        tell(api, 20, first=1)
        await first.until("trunk.note", 21)
        last = next(event["id"] for event in reversed(first.events) if "data" in event)
    tell(api, 1500, first=21)  # more than a page, while nobody listens
    async with Following(api, "/v1/events", "entity=trunk", headers={"last-event-id": last}) as second:
        await second.until("trunk.note", 1500)
        tell(api, 3, first=1521)
        await second.until("trunk.note", 1503)
    seen = [told["payload"]["n"] for told in first.of("trunk.note") + second.of("trunk.note")]
    assert seen == list(range(1524))
    assert all(b["seq"] == a["seq"] + 1 for a, b in pairwise(second.of("trunk.note")))


async def test_a_reader_who_has_read_further_than_the_poll_is_told_nothing_twice(api: ApiWorld) -> None:
    tell(api, 3)
    newest = await api.desk.read(tail.newest_id)
    outbox = tail.OutboxTail(api.desk.read)
    outbox._floor = outbox._newest = newest - 2  # as far as a poll had come when the last reader left
    async with aclosing(outbox.follow(newest, 1.0)) as pages:
        assert await anext(pages) == (newest, [])
        outbox._wanted.clear()
        polling = asyncio.create_task(outbox.run())
        tell(api, 1, first=3)
        at, [told] = await anext(pages)
        assert (at, told.id) == (newest + 1, newest + 1)
    polling.cancel()
    await asyncio.wait({polling})


async def test_a_filter_that_leaves_everything_out_still_moves_on(api: ApiWorld) -> None:
    async with Following(api, "/v1/events", "entity=queue") as none:
        tell(api, 5)
        newest = await api.desk.read(tail.newest_id)
        await until(lambda: any(int(event.get("id", 0)) >= newest for event in none.events))
        assert all("data" not in event for event in none.events)


async def test_an_id_from_another_database_begins_at_the_end(api: ApiWorld) -> None:
    async with Following(api, "/v1/events", headers={"last-event-id": str(10**9)}) as late:
        tell(api, 1)
        await late.until("trunk.note", 1)
    assert (await api.get("/v1/events", headers={"Last-Event-ID": "x"})).status == 422


async def test_more_events_than_memory_keeps_reach_a_reader_who_is_far_behind(api: ApiWorld) -> None:
    async with Following(api, "/v1/events", "entity=trunk") as slow:
        slow.pause()
        for n in range(5):
            tell(api, 1000, first=1000 * n)
        newest = await api.desk.read(tail.newest_id)
        await until(lambda: api.desk.tail._newest >= newest)
        assert len(api.desk.tail._events) == tail.KEPT
        slow._go_on.set()
        await slow.until("trunk.note", 5000, within=20)
        assert [told["payload"]["n"] for told in slow.of("trunk.note")] == list(range(5000))


async def test_numbers_that_are_hidden_are_masked_in_events_for_all_but_supervisors(api: ApiWorld) -> None:
    await api.post("/v1/campaigns/secret/leads", {"number": NUMBER}, role="lead_push")
    async with Following(api, "/v1/events") as clear, Following(api, "/v1/events", role="read") as masked:
        await api.post("/v1/dnc", {"number": NUMBER})
        await clear.until("dnc.add")
        await masked.until("dnc.add")
        with writing(api.engine) as session:
            payload = {"call_id": "call-x", "number": NUMBER, "note": "rang 07421 000007"}
            add_event(
                session, at=datetime.now(UTC), entity="call", entity_id="call-x", type="call.ringing", payload=payload
            )
        [shown] = await clear.until("call.ringing")
        [hidden] = await masked.until("call.ringing")
    assert shown["payload"]["number"] == NUMBER
    assert hidden["payload"]["number"] == "**********007"
    text = "".join(event.get("data", "") for event in masked.events).replace(" ", "")
    assert "1000007" not in text


async def test_events_of_callbacks_hide_the_same_numbers_as_those_of_calls(api: ApiWorld) -> None:
    other = "+447421000008"
    await api.post("/v1/campaigns/secret/leads", {"number": NUMBER}, role="lead_push")
    async with Following(api, "/v1/events") as clear, Following(api, "/v1/events", role="read") as masked:
        with writing(api.engine) as session:
            for number in (NUMBER, other):
                for entity in ("call", "callback"):
                    told = {"entity": entity, "entity_id": f"{entity}-{number[-1]}", "type": f"{entity}.ordered"}
                    payload = {"call_id": "call-x", "number": number, "reason": f"rang {number}"}
                    add_event(session, at=datetime.now(UTC), payload=payload, **told)
        await clear.until("callback.ordered", 2)
        for entity in ("call", "callback"):
            hidden, shown = await masked.until(f"{entity}.ordered", 2)
            assert (hidden["payload"]["number"], shown["payload"]["number"]) == ("**********007", other)
            assert "1000007" not in str(hidden)
            assert shown["payload"]["reason"] == f"rang {other}"


async def test_a_stream_ends_within_seconds_of_its_token(api: ApiWorld) -> None:
    async with Following(api, "/v1/events", role="read") as stream_:
        with writing(api.engine) as session:
            remove_token(session, By("test", datetime.now(UTC)), "read")
        await until(lambda: api.desk.streams == 0, within=3.0)
        assert stream_.status == 200


async def test_nobody_asks_the_database_while_nobody_follows(api: ApiWorld) -> None:
    async with Following(api, "/v1/events"):
        tell(api, 1)
        await until(lambda: api.desk.tail._newest > 0)
    await until(lambda: not api.desk.tail._wanted.is_set())
    assert api.desk.tail._floor is None
    assert api.desk.streams == 0


async def test_streams_have_a_limit(api: ApiWorld) -> None:
    api.desk.streams = stream.MOST_STREAMS
    assert (await api.get("/v1/events")).status == 429


# -- slow readers, over real sockets ----------------------------------------------------------------------


async def test_a_reader_who_stops_reading_is_cut_off_and_delays_nobody(api: ApiWorld) -> None:
    def request(role: str) -> bytes:
        return f"GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.tokens[role]}\r\n\r\n".encode()

    async with HttpServer(BIND, api.app) as http:
        host, port = http.bind.split(":")
        stuck, stuck_writer = await asyncio.open_connection(host, int(port), limit=1024)
        stuck_writer.write(request("supervisor"))
        await stuck.readuntil(b"retry: 1000")
        stuck_writer.transport.pause_reading()
        good, good_writer = await asyncio.open_connection(host, int(port), limit=2**20)
        good_writer.write(request("read"))
        await good.readuntil(b"retry: 1000")
        loop = asyncio.get_running_loop()
        slowest, began = 0.0, loop.time()
        while api.desk.streams == 2:
            assert loop.time() - began < STALL_SECONDS + 8
            told_at = loop.time()
            tell(api, 20, size=20_000)
            for _ in range(20):
                async with asyncio.timeout(3):
                    await good.readuntil(b"trunk.note\ndata: ")
            slowest = max(slowest, loop.time() - told_at)
        assert api.desk.streams == 1
        assert slowest < 1.0
        stuck_writer.transport.abort()
        good_writer.close()


# -- the screen pop ---------------------------------------------------------------------------------------


def card(**more: Any) -> Card:
    values: dict[str, Any] = {
        "call_id": "call-1", "kind": "power", "number": NUMBER, "campaign": "spring", "lead_id": 7, "attempt": 1,
        "fields": {"first_name": "Zoë & Co", "phone2": "07421-000007"},
        "url": "https://crm.example/lead/{lead_id}?n={number}&name={first_name}&none={nothing}",
    }  # fmt: skip
    return Card(**{**values, **more})


def seat_ann_idle(api: ApiWorld) -> Any:
    seat = api.roster.get("1001")
    assert seat is not None
    api.roster.phone(seat.endpoint, True)
    api.roster.set_status("1001", "online", "", by="test")  # type: ignore[arg-type]
    return seat


async def test_the_card_is_there_in_the_turn_in_which_the_call_is_assigned(api: ApiWorld) -> None:
    api.cards["call-1"] = card()
    seat_ann_idle(api)
    async with Following(api, "/v1/agents/1001/events", role="agent") as screen:
        await screen.until("agent.state")
        offer = api.roster.reserve("", "call-1")
        assert offer is not None
        [pop] = await screen.until("screen_pop", within=0.2)
        offer.connected(0.0)
        offer.close()
        states = await screen.until("agent.state", 4)
    assert (pop["agent"], pop["lead_id"], pop["number"], pop["number_hidden"]) == ("1001", 7, NUMBER, False)
    assert pop["fields"]["first_name"] == "Zoë & Co"
    assert pop["url"] == "https://crm.example/lead/7?n=%2B447421000007&name=Zo%C3%AB%20%26%20Co&none="
    assert [state["state"] for state in states] == ["idle", "offered", "talking", "idle"]


async def test_a_call_that_waited_for_him_pops_as_well(api: ApiWorld) -> None:
    api.cards["call-1"] = card()
    seat = api.roster.get("1001")
    assert seat is not None
    async with Following(api, "/v1/agents/1001/events") as screen:
        waiting = asyncio.create_task(api.roster.reserve_within(2.0, "", "call-1"))
        await until(lambda: len(api.roster._waiters) == 1)
        seat_ann_idle(api)
        [pop] = await screen.until("screen_pop")
        offer = await waiting
        assert offer is not None
        offer.close()
    assert pop["call_id"] == "call-1"
    assert len(screen.of("screen_pop")) == 1


async def test_a_screen_that_is_opened_during_a_call_gets_its_card_first(api: ApiWorld) -> None:
    api.cards["call-1"] = card()
    seat_ann_idle(api)
    offer = api.roster.reserve("", "call-1")
    assert offer is not None
    offer.connected(0.0)
    async with Following(api, "/v1/agents/1001/events") as screen:
        [pop] = await screen.until("screen_pop")
        assert screen.of("agent.state")[0]["state"] == "talking"
    assert pop["lead_id"] == 7


async def test_a_hidden_number_is_masked_on_the_screen_its_fields_and_its_address(api: ApiWorld) -> None:
    api.cards["call-1"] = card(hide_number=True)
    seat_ann_idle(api)
    async with (
        Following(api, "/v1/agents/1001/events", role="agent") as screen,
        Following(api, "/v1/agents/1001/events", role="supervisor") as clear,
    ):
        offer = api.roster.reserve("", "call-1")
        assert offer is not None
        [pop] = await screen.until("screen_pop")
        [full] = await clear.until("screen_pop")
        offer.close()
    assert (pop["number"], pop["number_hidden"], pop["fields"]["phone2"]) == ("**********007", True, "**********007")
    assert "1000007" not in pop["url"]
    assert (full["number"], full["number_hidden"]) == (NUMBER, False)


async def test_an_agent_of_whom_nothing_is_known_has_no_screen(api: ApiWorld) -> None:
    assert (await api.get("/v1/agents/9999/events")).status == 404


async def test_a_screen_that_is_too_slow_is_cut_off(api: ApiWorld) -> None:
    seat = seat_ann_idle(api)
    async with Following(api, "/v1/agents/1001/events") as screen:
        await screen.until("agent.state")
        screen.pause()
        for n in range(MOST_WAITING + 10):
            api.roster.change(seat, call_id=f"call-{n}")
        screen._go_on.set()
        await until(lambda: api.desk.streams == 0)


async def test_pops_do_not_wait_for_the_store(api: ApiWorld) -> None:
    """The facts of the assignment stand in the queue while a slow transaction runs; the screen has it already."""
    api.cards["call-1"] = card()
    seat_ann_idle(api)
    async with Following(api, "/v1/agents/1001/events") as screen:
        await screen.until("agent.state")
        with writing(api.engine):  # nobody else can write meanwhile
            offer = api.roster.reserve("", "call-1")
            assert offer is not None
            await screen.until("screen_pop", within=0.2)
            assert api.writer.backlog
        offer.close()


# -- the address of the pop -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "template",
    [
        "",
        "https://crm.example/lead/{lead_id}",
        "http://10.0.0.5:8080/?n={number}&f={first name}".replace("first name", "first_name"),
        "https://crm.example#{call_id}",
        "https://[::1]/x",
    ],
)
def test_addresses_of_pages_are_taken(template: str) -> None:
    assert checked_pop_url(template) == template


@pytest.mark.parametrize(
    "template",
    [
        "javascript:alert(1)", "https://{host}/x", "https://crm.example{x}/", "//crm.example/", "https:///x",
        "https://crm.example/{", "https://crm.example/{}", "https://crm.example/ x", "https://a@b/", "ftp://x/",
        "https://crm.example/\n", "https://crm.example/{{lead_id}}", "https://crm.example/" + "x" * 1000,
    ],
)  # fmt: skip
def test_addresses_that_lead_elsewhere_are_refused(template: str) -> None:
    if template.endswith("\n"):
        assert checked_pop_url(template) == template.strip()
        return
    with pytest.raises(ValueError, match="an address such as"):
        checked_pop_url(template)


def test_what_a_lead_says_stays_in_its_place_of_the_address() -> None:
    hostile = "../../admin?x=1#y&z=%2e //evil.example\u2028"
    url = filled_pop_url("https://crm.example/lead/{name}?n={number}", {"name": hostile, "number": None})
    assert url.startswith("https://crm.example/lead/..%2F..%2Fadmin%3Fx%3D1%23y%26z%3D%252e%20%2F%2Fevil.example")
    assert url.endswith("?n=")
