"""Health and metrics over real HTTP."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest
from fastapi import APIRouter

from contact_center.errors import UsageError
from contact_center.http.app import make_app
from contact_center.http.health import Health, Part
from contact_center.http.metrics import Meters
from contact_center.http.pages import Pages
from contact_center.http.server import HttpServer
from tests.support.api_world import call

BIND = "127.64.5.1:0"


@pytest.fixture
async def web() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        yield session


async def test_ready_only_when_ari_and_database_are_proven_alive(web: aiohttp.ClientSession) -> None:
    ari, ami = [Part(False, "in doubt: no heartbeat")], [Part(False, "connecting")]

    async def database() -> Part:
        return Part(True, "answered in 1 ms")

    health = Health()
    health.add("ari", lambda: ari[0])
    health.add("database", database)
    health.add("ami", lambda: ami[0], required=False)
    async with HttpServer(BIND, Pages(health, Meters().registry)) as http:
        async with web.get(f"http://{http.bind}/health/ready") as answer:
            body = await answer.json()
            assert answer.status == 503
        assert body["ready"] is False
        assert body["parts"]["ari"] == {"ok": False, "required": True, "why": "in doubt: no heartbeat"}
        assert body["parts"]["database"]["ok"] is True
        ari[0] = Part(True, "live")
        async with web.get(f"http://{http.bind}/health/ready") as answer:
            assert answer.status == 200
        async with web.get(f"http://{http.bind}/health/live") as answer:
            assert (answer.status, await answer.json()) == (200, {"live": True})


async def test_a_probe_that_hangs_or_raises_is_not_ready_and_hangs_only_once(
    web: aiohttp.ClientSession,
) -> None:
    started = 0
    never = asyncio.Event()

    async def hangs() -> Part:
        nonlocal started
        started += 1
        await never.wait()
        return Part(True)

    def raises() -> Part:
        raise RuntimeError("postgresql://u:secret@db")

    health = Health(probe_seconds=0.05)
    health.add("database", hangs)
    health.add("ari", raises)
    async with HttpServer(BIND, Pages(health, Meters().registry)) as http:
        for _ in range(3):
            async with web.get(f"http://{http.bind}/health/ready") as answer:
                assert answer.status == 503
                parts = (await answer.json())["parts"]
    assert parts["database"]["why"] == "no answer within 0.05 s"
    assert parts["ari"]["why"] == "the probe failed: RuntimeError"
    assert started == 1
    await health.close()


async def test_metrics_are_prometheus_text_with_the_products_names(web: aiohttp.ClientSession) -> None:
    meters = Meters()
    meters.calls.labels("inbound", "NORMAL_CLEARING_A").inc()
    meters.attempts.labels("spring", "busy").inc(2)
    meters.abandonment.labels("spring", "30d").set(0.02)
    meters.set_agents({"idle": 3, "talking": 1})
    meters.set_agents({"idle": 2})
    meters.ari_requests.labels("POST").observe(0.002)
    app = Pages(Health(), meters.registry)
    async with HttpServer(BIND, app) as http, web.get(f"http://{http.bind}/metrics") as answer:
        assert answer.headers["content-type"].startswith("text/plain")
        text = await answer.text()
    assert 'callwright_calls_total{call_state="NORMAL_CLEARING_A",kind="inbound"} 1.0' in text
    assert 'callwright_attempts_total{campaign="spring",outcome="busy"} 2.0' in text
    assert 'callwright_abandonment_ratio{campaign="spring",window="30d"} 0.02' in text
    assert 'callwright_agents{state="idle"} 2.0' in text
    assert 'state="talking"' not in text
    assert 'callwright_ari_request_seconds_count{method="POST"} 1.0' in text


async def test_two_sets_of_meters_do_not_meet() -> None:
    first, second = Meters(), Meters()
    first.agi_runs.labels("agent_online", "ok").inc()
    assert (
        second.registry.get_sample_value("callwright_agi_runs_total", {"script": "agent_online", "result": "ok"})
        is None
    )


async def test_a_later_api_is_a_router_and_no_page_comes_from_another_host(
    web: aiohttp.ClientSession,
) -> None:
    router = APIRouter(prefix="/api/v1")

    @router.get("/agents")
    async def agents() -> list[str]:
        return ["1001"]

    async with HttpServer(BIND, make_app(Pages(Health(), Meters().registry), [router])) as http:
        async with web.get(f"http://{http.bind}/api/v1/agents") as answer:
            assert await answer.json() == ["1001"]
        for page in ("/docs", "/redoc", "/nothing"):
            async with web.get(f"http://{http.bind}{page}") as answer:
                assert answer.status == 404


async def test_who_asks_for_the_api_before_it_is_loaded_waits_for_it(web: aiohttp.ClientSession) -> None:
    router, pages = APIRouter(), Pages(Health(), Meters().registry)

    @router.post("/leads")
    async def leads(given: dict[str, str]) -> dict[str, str]:
        return given

    async with HttpServer(BIND, pages) as http:
        asked = asyncio.create_task(posted(web, f"http://{http.bind}/leads", {"number": "+442079460101"}))
        async with web.get(f"http://{http.bind}/health/ready") as answer:  # meanwhile the pages are there
            assert answer.status == 200
        assert not asked.done()
        pages.opened(make_app(pages, [router]))
        assert await asked == (200, {"number": "+442079460101"})
        assert (await posted(web, f"http://{http.bind}/health/ready", {}))[0] == 405


async def posted(web: aiohttp.ClientSession, url: str, document: dict[str, str]) -> tuple[int, dict[str, str]]:
    async with web.post(url, json=document) as answer:
        return answer.status, await answer.json()


async def test_the_pages_stand_in_the_description_of_the_api() -> None:
    pages = Pages(Health(), Meters().registry)
    app = make_app(pages)
    paths = app.openapi()["paths"]
    assert set(paths) == set(pages.by_path)
    assert "Prometheus" in paths["/metrics"]["get"]["description"]
    for path in pages.by_path:
        bare, whole = await call(pages, "GET", path, "", {}, b""), await call(app, "GET", path, "", {}, b"")
        assert bare == whole


async def test_a_port_in_use_is_one_sentence_and_wrong_hosts_too() -> None:
    app = Pages(Health(), Meters().registry)
    async with HttpServer(BIND, app) as http:
        with pytest.raises(UsageError, match=r"^\[http\] bind: .* cannot be had \(Address already in use\)"):
            async with HttpServer(http.bind, app):
                pass
    with pytest.raises(UsageError, match=r"cannot be had"):
        async with HttpServer("192.0.2.77:8080", app):
            pass


async def test_our_signal_handlers_stay_ours() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    async with HttpServer(BIND, Pages(Health(), Meters().registry)) as http:
        reader, writer = await asyncio.open_connection(*http.bind.split(":"))
        writer.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
        writer.close()
        assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


async def test_an_open_connection_does_not_hold_up_the_end_and_the_port_is_free_then() -> None:
    loop = asyncio.get_running_loop()
    async with HttpServer(BIND, Pages(Health(), Meters().registry)) as http:
        _, writer = await asyncio.open_connection(*http.bind.split(":"))
        writer.write(b"GET /health/live HTTP/1.1\r\nHost")
        await writer.drain()
        began = loop.time()
    assert loop.time() - began < 4.0
    writer.transport.abort()
    host, port = http.bind.split(":")
    with socket.create_server((host, int(port))):
        pass
