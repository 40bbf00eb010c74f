"""HTTP as it really goes: against a receiver on loopback that the settings name."""

from __future__ import annotations

import asyncio

from aiohttp import web

from contact_center.telling.post import Post
from tests.support.receivers import HttpReceiver, Request


async def test_a_message_arrives_as_it_was_sent() -> None:
    async with HttpReceiver() as receiver, Post([receiver.host]) as post:
        reply = await post.send(receiver.url + "?a=1", {"webhook-id": "evt_1"}, b'{"x":1}')
    assert (reply.status, reply.is_ok) == (204, True)
    got = receiver.got[0]
    assert (got.path, got.query, got.body) == ("/hook", {"a": "1"}, b'{"x":1}')
    assert got.headers["webhook-id"] == "evt_1"
    assert got.headers["user-agent"] == "Callwright"


async def test_a_redirect_is_a_failure_and_is_not_followed() -> None:
    def answer(request: Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/inside"})

    async with HttpReceiver(answer) as receiver, Post([receiver.host]) as post:
        reply = await post.send(receiver.url, {}, b"{}")
    assert not reply.is_ok
    assert "redirects" in reply.why
    assert [got.path for got in receiver.got] == ["/hook"]


async def test_a_receiver_that_does_not_answer_in_time_is_given_up() -> None:
    gate = asyncio.Event()

    async def answer(request: Request) -> web.Response:
        await gate.wait()
        return web.Response()

    async with HttpReceiver(answer) as receiver, Post([receiver.host], total_seconds=0.2) as post:
        reply = await post.send(receiver.url, {}, b"{}")
        gate.set()
    assert reply.status == 0
    assert "no answer within 0.2 s" in reply.error


async def test_an_answer_without_end_is_not_read() -> None:
    taken = 0

    async def answer(request: Request) -> web.StreamResponse:
        nonlocal taken
        response = web.StreamResponse(status=200, headers={"Content-Encoding": "gzip"})
        assert request_of is not None
        await response.prepare(request_of)
        while True:
            await response.write(b"x" * 65_536)
            taken += 65_536

    request_of: web.BaseRequest | None = None

    class Endless(HttpReceiver):
        async def _handle(self, request: web.Request) -> web.StreamResponse:
            nonlocal request_of
            request_of = request
            return await super()._handle(request)

    async with Endless(answer) as receiver, Post([receiver.host], total_seconds=2.0) as post:
        reply = await post.send(receiver.url, {}, b"{}")
    assert reply.is_ok
    assert taken < 20_000_000


async def test_nobody_there_is_said_in_words_without_the_url() -> None:
    async with HttpReceiver() as receiver:
        pass
    async with Post([receiver.host]) as post:
        reply = await post.send(receiver.url + "?api_secret=hush", {}, b"{}")
    assert reply.status == 0
    assert "hush" not in reply.error
    assert reply.error


async def test_retry_after_is_understood_in_seconds_and_as_a_date() -> None:
    wishes = ["120", "Wed, 21 Oct 2099 07:28:00 GMT", "soon", ""]
    answers = iter(wishes)

    def answer(request: Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": next(answers)})

    async with HttpReceiver(answer) as receiver, Post([receiver.host]) as post:
        got = [(await post.send(receiver.url, {}, b"{}")).retry_after_seconds for _ in wishes]
    assert got[0] == 120
    assert got[1] is not None
    assert got[1] > 1e9
    assert got[2:] == [None, None]


async def test_a_local_receiver_that_the_settings_do_not_name_is_not_spoken_to() -> None:
    async with HttpReceiver() as receiver, Post() as post:
        reply = await post.send(receiver.url, {}, b"{}")
        other = await post.send(f"https://127.0.0.1:{receiver.port}/", {}, b"{}")
    assert not receiver.got
    assert "allow_hosts" in reply.error
    assert "allow_hosts" in other.error
