"""Tokens, refusals and limits: who gets in, how much, and what the log says of it."""

from __future__ import annotations

import asyncio
import io
import logging
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog

from contact_center import logs
from contact_center.errors import NotFound, UsageError
from contact_center.http.api.desk import MOST_WAITING, READERS
from contact_center.http.api.limits import MOST_ADDRESSES, RateLimit, RefusalLimit
from contact_center.http.server import HttpServer
from contact_center.http.watched import HEADER_SECONDS
from contact_center.store.admin import By
from contact_center.store.admin_tokens import add_token, list_tokens, remove_token, split_token
from contact_center.store.engine import reading, writing
from tests.support.api_world import ApiWorld
from tests.support.databases import fresh_sqlite
from tests.unit.console.support import Cli
from tests.unit.waiting import until

pytestmark = pytest.mark.clock

BIND = "127.64.5.2:0"


@pytest.fixture
async def http(api: ApiWorld) -> AsyncIterator[HttpServer]:
    async with HttpServer(BIND, api.app) as server:
        yield server


# -- tokens -----------------------------------------------------------------------------------------------


async def test_without_a_token_or_with_a_wrong_one_nothing_is_told(api: ApiWorld) -> None:
    good = api.tokens["supervisor"]
    for header in ({}, {"authorization": "Basic YTpi"}, {"authorization": "Bearer"}, {"authorization": "Bearer  "}):
        reply = await api.request("GET", "/v1/agents", token="", headers=header)
        assert reply.status == 401
        assert reply.headers["www-authenticate"].startswith("Bearer")
        assert reply.error.startswith("A token is wanted, as Authorization: Bearer cw_...")
    for wrong in ("x", good[:-1], good + "x", good[:-1] + ("A" if good[-1] != "A" else "B"), good.upper()):
        reply = await api.get("/v1/agents", token=wrong)
        assert (reply.status, reply.error) == (401, "This token is not known, or was removed.")
    assert (await api.get("/v1/agents", token=good)).status == 200


async def test_unknown_addresses_under_v1_tell_a_stranger_nothing_either(api: ApiWorld) -> None:
    assert (await api.get("/v1/nothing", token="")).status == 401
    assert (await api.get("/v1", token="")).status == 401


async def test_a_token_that_is_added_or_removed_is_obeyed_within_a_second(api: ApiWorld) -> None:
    assert (await api.get("/v1/agents")).status == 200
    by = By("test", api.desk.clock.now())
    with writing(api.engine) as session:
        token = add_token(session, by, "fresh", "read").token

    async def passes() -> bool:
        return (await api.get("/v1/agents", token=token)).status == 200

    async def is_refused() -> bool:
        return not await passes()

    await until(passes, within=1.2)
    with writing(api.engine) as session:
        remove_token(session, by, "fresh")
    await until(is_refused, within=1.2)


async def test_wrong_tokens_are_held_up_by_address_and_right_ones_pass_all_the_same(api: ApiWorld) -> None:
    statuses = [(await api.get("/v1/agents", token="cw_wrong")).status for _ in range(25)]
    assert statuses == [401] * 20 + [429] * 5
    held = await api.get("/v1/agents", token="cw_wrong")
    assert held.error == "Too many wrong tokens came from this address; wait a minute."
    assert 1 <= int(held.headers["retry-after"]) <= 62
    assert (await api.get("/v1/agents")).status == 200


def test_an_address_may_try_again_when_its_minute_is_over_and_few_addresses_are_remembered() -> None:
    now = [0.0]
    limit = RefusalLimit(2, 60.0, lambda: now[0])
    assert [limit.refuse("a") for _ in range(3)] == [0.0, 0.0, 60.0]
    assert limit.refuse("b") == 0.0
    now[0] = 60.0
    assert limit.refuse("a") == 0.0
    for n in range(3 * MOST_ADDRESSES):
        limit.refuse(f"host {n}")
    assert len(limit._by_address) == MOST_ADDRESSES


def test_only_a_digest_of_a_token_is_stored(api_database: str) -> None:
    cli = Cli(Path(api_database).parent, f"sqlite:///{api_database}")
    token = cli.json("token", "add", "crm", "--role", "lead_push")["token"]
    assert split_token(token) is not None
    cli.engine.dispose()
    secret = token.rsplit("_", 1)[1][:20]
    for file in Path(api_database).parent.glob("callwright.db*"):
        assert secret.encode() not in file.read_bytes()


@pytest.fixture
def api_database(tmp_path: Path) -> str:
    return fresh_sqlite(tmp_path / "callwright.db").removeprefix("sqlite:///")


def test_the_command_adds_lists_and_removes_tokens_and_shows_one_once(api_database: str) -> None:
    cli = Cli(Path(api_database).parent, f"sqlite:///{api_database}")
    cli.ok("agent", "add", "1001", "--name", "Ann")
    shown = cli.run("token", "add", "ann", "--role", "agent", "--agent", "1001")
    assert split_token(shown.stdout.strip()) is not None
    assert "not shown again" in shown.stderr
    assert cli.json("token", "list")[0] | {"created_at": ""} == {
        "name": "ann", "role": "agent", "agent": "1001", "created_at": "",
    }  # fmt: skip
    assert shown.stdout.strip() not in cli.ok("token", "list")
    assert "already a token ann" in cli.refused(2, "token", "add", "ann", "--role", "read")
    assert "one of supervisor, agent, lead_push, read is wanted" in cli.refused(2, "token", "add", "x", "--role", "god")
    assert "name him, as --agent 1001" in cli.refused(2, "token", "add", "x", "--role", "agent")
    assert "leave --agent out" in cli.refused(2, "token", "add", "x", "--role", "read", "--agent", "1001")
    cli.refused(3, "token", "add", "x", "--role", "agent", "--agent", "999")
    cli.ok("token", "remove", "ann")
    cli.refused(3, "token", "remove", "ann")
    cli.engine.dispose()


async def test_what_is_wrong_with_a_new_token_is_said_before_anything_is_changed(api: ApiWorld) -> None:
    by = By("test", api.desk.clock.now())
    for name, role, agent, error in (
        ("a b", "read", "", UsageError), ("x", "agent", "9999", NotFound), ("read", "read", "", UsageError),
    ):  # fmt: skip
        with pytest.raises(error), writing(api.engine) as session:
            add_token(session, by, name, role, agent)
    with reading(api.engine) as session:
        assert [row.name for row in list_tokens(session)] == ["ann", "lead_push", "read", "supervisor"]


async def test_no_token_is_ever_in_the_log(api: ApiWorld) -> None:
    root, stream = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    try:
        logs.configure("DEBUG", stream=stream)
        wrong = api.tokens["read"][:-3] + "xyz"
        await api.get("/v1/agents", token=wrong)
        await api.get("/v1/agents")
        await api.post("/v1/dnc", raw=b"{", headers={"x": api.tokens["read"]})
    finally:
        root.handlers[:], root.level = handlers, level
        structlog.reset_defaults()
    text = stream.getvalue()
    assert "a wrong token" in text
    assert wrong[-20:] not in text
    assert not any(token.rsplit("_", 1)[1] in text for token in api.tokens.values())


# -- how much ---------------------------------------------------------------------------------------------


def test_a_burst_of_a_seconds_worth_passes_and_then_only_the_rate() -> None:
    now = [0.0]
    limit = RateLimit(10, lambda: now[0])
    assert sum(limit.take() for _ in range(50)) == 10
    now[0] = 0.5
    assert sum(limit.take() for _ in range(50)) == 5


async def test_more_requests_than_are_taken_are_told_to_come_again(tmp_path: Path) -> None:
    async with ApiWorld(fresh_sqlite(tmp_path / "callwright.db"), requests_per_second=5) as api:
        replies = await asyncio.gather(*(api.get("/v1/agents") for _ in range(20)))
        statuses = [reply.status for reply in replies]
        assert statuses.count(200) in (5, 6)
        assert set(statuses) == {200, 429}
        assert (await api.get("/health/live")).status == 200


async def test_reads_do_not_pile_up_without_end(api: ApiWorld) -> None:
    go_on = threading.Event()

    def slow(_: object) -> bool:
        return go_on.wait(10)

    waiting = [asyncio.create_task(api.desk.read(slow)) for _ in range(READERS + MOST_WAITING)]
    await until(lambda: api.desk._reading == len(waiting))
    refused = await api.get("/v1/leads")
    assert refused.status == 429
    assert refused.headers["retry-after"] == "1"
    go_on.set()
    assert all(await asyncio.gather(*waiting))
    assert (await api.get("/v1/leads")).status == 200


async def test_while_the_database_is_locked_a_change_is_503_nothing_is_done_and_reads_go_on(api: ApiWorld) -> None:
    key = {"Idempotency-Key": "abc"}
    with writing(api.engine):
        refused = await api.push("+447421000007", headers=key)
        assert refused.status == 503
        assert refused.headers["retry-after"] == "1"
        assert refused.error
        assert (await api.get("/v1/agents")).status == 200

    assert (await api.push("+447421000007", headers=key)).status == 201
    assert len((await api.get("/v1/leads")).json) == 1


async def test_a_lock_of_a_moment_is_waited_for(api: ApiWorld) -> None:
    with writing(api.engine):
        pushing = asyncio.create_task(api.push("+447421000007"))
        await until(lambda: not api.writer.healthy)
    assert (await pushing).status == 201


async def test_changes_do_not_pile_up_without_end_either(api: ApiWorld) -> None:
    with writing(api.engine):
        pushes = [asyncio.create_task(api.push(f"+4474210{n:05}")) for n in range(150)]
        await until(lambda: sum(push.done() for push in pushes) >= 50)
        refused = [push.result() for push in pushes if push.done()]
        assert {reply.status for reply in refused} == {429}
    replies = await asyncio.gather(*pushes)
    assert sum(reply.status == 201 for reply in replies) == 100


async def test_a_dear_document_is_made_once_for_many_and_anew_after_a_change(api: ApiWorld) -> None:
    made: list[int] = []

    async def make() -> bytes:
        made.append(1)
        await asyncio.sleep(0)
        return b"%d" % len(made)

    assert await asyncio.gather(*(api.desk.shared.get("x", make) for _ in range(20))) == [b"1"] * 20
    assert await api.desk.shared.get("x", make) == b"1"
    api.desk.shared.forget()
    assert await api.desk.shared.get("x", make) == b"2"

    async def fails() -> bytes:
        raise UsageError("no")

    for _ in range(2):
        with pytest.raises(UsageError):
            await api.desk.shared.get("y", fails)
    assert await api.desk.shared.get("y", make) == b"3"
    await api.get("/v1/campaigns/spring")
    await api.request("PATCH", "/v1/campaigns/spring", {"multiplier": 2})
    assert (await api.get("/v1/campaigns/spring")).json["multiplier"] == 2
    assert (await api.get("/v1/campaigns/none")).status == 404


async def test_requests_are_counted_by_role_and_status(api: ApiWorld) -> None:
    await api.get("/v1/agents", role="read")
    await api.get("/v1/agents", role="lead_push")
    await api.get("/v1/agents", token="x")
    text = (await api.get("/metrics")).body.decode()
    assert 'callwright_api_requests_total{role="read",status="200"} 1.0' in text
    assert 'callwright_api_requests_total{role="lead_push",status="403"} 1.0' in text
    assert 'callwright_api_requests_total{role="nobody",status="401"} 1.0' in text
    assert "callwright_api_streams 0.0" in text


# -- connections ------------------------------------------------------------------------------------------


async def opened(http: HttpServer, sent: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(*http.bind.split(":"))
    writer.write(sent)
    await writer.drain()
    return reader, writer


async def test_a_header_that_does_not_come_whole_is_cut_off_however_it_drips(http: HttpServer) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    silent, silent_writer = await opened(http, b"")
    dripping, writer = await opened(http, b"GET /health/live HTTP/1.1\r\n")

    async def drip() -> None:
        for n in range(1000):
            writer.write(b"x-%d: y\r\n" % n)
            await asyncio.sleep(0.2)

    dripper = asyncio.create_task(drip())
    async with asyncio.timeout(HEADER_SECONDS + 1.0):
        assert await silent.read() == b""
        assert await dripping.read() == b""
    assert loop.time() - began >= HEADER_SECONDS - 0.1
    dripper.cancel()
    await asyncio.wait({dripper})
    silent_writer.close()
    writer.close()


async def test_a_header_without_end_is_refused(http: HttpServer) -> None:
    reader, writer = await opened(http, b"GET / HTTP/1.1\r\nx: " + b"y" * 100_000 + b"\r\n\r\n")
    async with asyncio.timeout(2):
        assert (await reader.readline()).startswith(b"HTTP/1.1 4")
    writer.close()


async def test_a_connection_that_is_kept_serves_request_after_request(http: HttpServer, api: ApiWorld) -> None:
    request = f"GET /v1/agents/1001 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.tokens['read']}\r\n\r\n".encode()
    reader, writer = await opened(http, b"")
    for _ in range(50):
        writer.write(request)
        async with asyncio.timeout(2):
            header = await reader.readuntil(b"\r\n\r\n")
            assert header.startswith(b"HTTP/1.1 200")
            length = next(line for line in header.decode().splitlines() if line.startswith("content-length"))
            await reader.readexactly(int(length.split(": ")[1]))
    writer.close()
