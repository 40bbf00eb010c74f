"""The line to Asterisk brings nonsense, too much, or not everything; Asterisk refuses. Rows B of the matrix."""

from __future__ import annotations

import asyncio
import socket

import aiohttp
import orjson
import pytest

from tests.asterisk.faults.fault import AGENTS, part, survived
from tests.lab.farend.record import Direction, Side
from tests.lab.faults import ProxiedCentre
from tests.lab.until import until
from tests.prove.books import Books
from tests.prove.campaign import metric
from tests.prove.losses import CLOSED_SECONDS
from tests.prove.scene import stand
from tests.prove.sockets import SOCKET_FAULTS, socket_round

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

DEEP = b'{"type":"StasisStart","channel":' + b"[" * 10_000 + b"]" * 10_000 + b"}"
NONSENSE = (
    b"", b"null", b"[]", b"5", b"not json", b'{"type":5}', b'{"type":"NoSuchEvent"}', b"{}", b'"\\ud800"', b"\xff\xfe{",
    b'{"type":"StasisStart"}', b'{"type":"StasisStart","channel":null,"args":7}', b'{"type":"ChannelDestroyed"}',
    b'{"type":"ChannelDestroyed","channel":{"id":["x"]},"cause":"NaN"}', b'{"type":"Dial","dialstatus":NaN}',
    b'{"type":"ChannelDtmfReceived","channel":{"id":"x"},"digit":{},"duration_ms":1e999}', DEEP,
    b'{"type":"StasisStart","application":"callwright","channel":{"id":"' + b"x" * 5_000_000 + b'"}}',
)  # fmt: skip


@pytest.mark.parametrize("fault", ["closed in good order", "Asterisk frozen for 6 s"])
async def test_a_line_that_ends_or_stands_still_stops_dialling_at_once(proxied: ProxiedCentre, fault: str):
    number = next(n for n, (name, _, _) in enumerate(SOCKET_FAULTS) if name == fault)
    assert (await socket_round(proxied, number, leads=8)).failures == []


async def test_frames_that_are_no_events_are_dropped_and_the_line_is_kept(proxied: ProxiedCentre):
    connects = proxied.ari.accepted

    async def nonsense() -> None:
        for frame in NONSENSE * 3:
            assert proxied.ari.say(frame) >= 1
            await asyncio.sleep(0)

    failures, _ = await survived(proxied, "nonsense", 100, nonsense)
    assert failures == []
    assert proxied.ari.accepted - connects < 20  # commands of the CLI come this way too; no storm of connects


async def test_an_event_of_a_call_with_half_its_fields_harms_no_other_call(proxied: ProxiedCentre):
    async def poison() -> None:
        ids = await _channel_ids(proxied)
        assert ids
        proxied.ari.say(orjson.dumps({"type": "ChannelDtmfReceived", "channel": {"id": ids[0]}}))
        proxied.ari.say(orjson.dumps({"type": "ChannelTalkingStarted", "channel": {"id": ids[0], "state": 7}}))
        proxied.ari.say(orjson.dumps({"type": "ChannelHangupRequest", "channel": {"id": ids[0]}, "cause": []}))

    failures, _ = await survived(proxied, "poison", 200, poison)
    assert failures == []


async def _channel_ids(centre: ProxiedCentre) -> list[str]:
    return [channel["id"] for channel in await _ask(centre, "GET", "channels")]


async def _ask(centre: ProxiedCentre, method: str, path: str) -> list[dict[str, str]]:
    async with _session(centre) as session, session.request(method, f"{centre.direct.asterisk.ari_url}/{path}") as said:
        found: list[dict[str, str]] = await said.json()
        return found


def _session(centre: ProxiedCentre, connections: int = 20) -> aiohttp.ClientSession:
    asterisk = centre.direct.asterisk
    headers = {"Authorization": aiohttp.encode_basic_auth(asterisk.ari_user, asterisk.ari_password)}
    return aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=connections))


async def test_a_burst_of_events_is_read_without_a_disconnect_and_delays_no_call(proxied: ProxiedCentre):
    burst, url = 3000, f"{proxied.direct.asterisk.ari_url}/events/user/burst?application=callwright"

    async def storm() -> None:
        async with _session(proxied) as session:

            async def one() -> None:
                async with session.post(url) as said:
                    assert said.status == 204

            await asyncio.gather(*(one() for _ in range(burst)))

    (await stand(proxied, AGENTS)).close()
    stalls = await metric(proxied, "callwright_loop_stalls")
    lost = proxied.serve.log.read_text().count("the line to Asterisk was lost")
    failures, story = await survived(proxied, "burst", 300, storm)
    assert failures == []
    assert proxied.serve.log.read_text().count("the line to Asterisk was lost") == lost
    assert len(story.records()) >= 10
    assert await metric(proxied, "callwright_loop_stalls") == stalls


@pytest.mark.parametrize("share", [0.02, 0.1])
async def test_calls_whose_events_are_lost_are_closed_all_the_same(proxied: ProxiedCentre, share: float):
    campaign, books, lost = f"lossy-{share * 100:.0f}", Books(proxied), proxied.ari.lost

    def still_open(before: float) -> list[str]:
        """Calls that are over on the line, and not for the product."""
        over = {r.party: r for r in proxied.far.log.select(Side.CUSTOMER, Direction.IN) if r.ended_at}
        mine = [d for d in books.dials(campaign) if d.is_open and d.intent_at < before and d.number in over]
        return [d.call_id for d in mine if over[d.number].invite_at > d.intent_at - 0.05]

    async def lossy() -> None:
        proxied.ari.lose(share, b'"application"')
        await asyncio.sleep(6.0)
        proxied.ari.lose(0.0)
        now = proxied.far.clock.now()
        await until(lambda: not still_open(now), CLOSED_SECONDS, "calls whose end was not told to be closed")

    failures, _ = await survived(proxied, campaign, 400 + int(share * 1000), lossy, leads=24)
    books.close()
    assert failures == []
    assert proxied.ari.lost > lost


async def test_an_asterisk_whose_web_sessions_are_used_up_is_named_and_not_stormed(proxied: ProxiedCentre):
    limit = 500  # sessionlimit of the bundle
    host = proxied.asterisk_at
    before = proxied.ari.accepted

    async def full() -> None:
        idle = [await asyncio.open_connection(host, 8088) for _ in range(limit + 10)]
        try:
            proxied.ari.cut()

            async def is_named() -> bool:
                said = await part(proxied, "ari")
                return not said["ok"]

            await until(is_named, 2.0, "readiness to say no")
            await asyncio.sleep(3.0)
        finally:
            for _, writer in idle:
                found: socket.socket = writer.get_extra_info("socket")
                assert found is not None
                writer.close()

    failures, _ = await survived(proxied, "sessions", 700, full)
    assert failures == []
    assert proxied.ari.accepted - before < 60
