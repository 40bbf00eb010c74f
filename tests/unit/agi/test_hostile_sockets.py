"""Sockets that are no Asterisk: none may disturb a call, none may stay."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from agi_scripts.server import AgiServer
from contact_center.errors import UsageError
from tests.unit.agi.paper_asterisk import PaperAsterisk, header, obedient
from tests.unit.agi.paper_desk import PaperDesk
from tests.unit.waiting import until

pytestmark = pytest.mark.clock

BIND = "127.64.0.3:0"


@asynccontextmanager
async def opened(bind: str, count: int = 1) -> AsyncIterator[list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]:
    host, _, port = bind.rpartition(":")
    sockets = [await asyncio.open_connection(host, int(port)) for _ in range(count)]
    try:
        yield sockets
    finally:
        for _, writer in sockets:
            writer.transport.abort()


async def ended(reader: asyncio.StreamReader, within: float) -> bool:
    """Whether the server ends the connection in time, without having sent a byte."""
    try:
        async with asyncio.timeout(within):
            return await reader.read() == b""
    except ConnectionError:
        return True
    except TimeoutError:
        return False


async def test_a_socket_that_sends_nothing_or_half_a_header_is_closed_at_the_deadline() -> None:
    async with AgiServer(BIND, PaperDesk(), header_seconds=0.2) as agi, opened(agi.bind, 2) as sockets:
        sockets[1][1].write(b"agi_network: yes\nagi_net")
        began = time.monotonic()
        assert await ended(sockets[0][0], 2.0)
        assert await ended(sockets[1][0], 2.0)
        assert time.monotonic() - began < 1.0
        assert agi.counts["bad_header"] == 2
        assert agi.open_connections == 0


async def test_one_byte_now_and_then_does_not_prolong_the_deadline() -> None:
    async with (
        AgiServer(BIND, PaperDesk(), header_seconds=0.3) as agi,
        opened(agi.bind) as [(reader, writer)],
    ):

        async def drip() -> None:
            with suppress(ConnectionError):
                for byte in header("agent_online", "1001"):
                    writer.write(bytes([byte]))
                    await writer.drain()
                    await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        assert await ended(reader, 2.0)
        dripping.cancel()
        with suppress(asyncio.CancelledError):
            await dripping


async def test_a_hundred_megabytes_are_cut_off_at_64_kib() -> None:
    async with AgiServer(BIND, PaperDesk()) as agi, opened(agi.bind) as [(_, writer)]:
        block, sent = b"agi_x: " + b"y" * 65000 + b"\n", 0
        async with asyncio.timeout(4.0):
            with suppress(ConnectionError):
                while sent < 100_000_000:
                    writer.write(block)
                    await writer.drain()
                    sent += len(block)
        assert sent < 20_000_000
        assert agi.counts["bad_header"] == 1


@pytest.mark.parametrize(
    "garbage",
    [
        b"\n\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n\n\n",
        b"\x16\x03\x01\x02\x00" + b"\x00" * 600 + b"\n\n",
        b"agi_network_script\n\n",
        header("../../etc/passwd"),
        header("agent_online/../agent_pause", "1001"),
        header("x" * 60000),
        header(""),
    ],
)
async def test_what_names_no_script_ends_with_the_dialplan_going_on(garbage: bytes) -> None:
    desk = PaperDesk()
    async with AgiServer(BIND, desk) as agi:
        commands = await PaperAsterisk().call(agi.bind, garbage)
        assert commands == ["SET VARIABLE CALLWRIGHT_RESULT error"]
        assert agi.counts["unknown_script"] == 1
    assert desk.changes == []


async def test_no_more_than_fifty_connections_are_open_and_the_next_is_closed_at_once() -> None:
    async with AgiServer(BIND, PaperDesk()) as agi, opened(agi.bind, 50), opened(agi.bind, 10) as late:
        for reader, _ in late:
            assert await ended(reader, 1.0)
        assert agi.open_connections == 50


async def test_idle_sockets_cannot_keep_an_agent_out_for_longer_than_a_second() -> None:
    desk = PaperDesk()
    async with AgiServer(BIND, desk) as agi, opened(agi.bind, 50):
        async with asyncio.timeout(3.0):
            while not desk.changes:
                await PaperAsterisk().call(agi.bind, header("agent_online", "1001"))
        assert agi.open_connections <= 50
        assert agi.counts["evicted"] == 1


async def test_a_peer_that_resets_mid_script_frees_its_place() -> None:
    desk = PaperDesk()
    async with AgiServer(BIND, desk) as agi:
        await PaperAsterisk().call(agi.bind, header("agent_online", "1001"), lambda command: None)
        await until(lambda: agi.open_connections == 0)
        assert agi.counts["hung_up"] == 1
    assert desk.changes == [("online", "1001", "phone")]


async def test_a_port_in_use_is_one_sentence() -> None:
    async with AgiServer(BIND, PaperDesk()) as agi:
        with pytest.raises(UsageError, match=r"^\[fastagi\] bind: .* cannot be had \(Address already in use\)"):
            async with AgiServer(agi.bind, PaperDesk()):
                pass


async def test_a_thousand_port_scans_do_not_disturb_twenty_calls() -> None:
    """E1: the longest gap between two ticks of the loop, which also runs the scanners, stays under 100 ms."""
    desk = PaperDesk()
    gaps: list[float] = []
    calls = 0

    async def tick() -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0.005)
            gaps.append(time.perf_counter() - last)
            last = time.perf_counter()

    async def scan(bind: str, kind: int) -> None:
        host, _, port = bind.rpartition(":")
        for n in range(100):
            with suppress(ConnectionError):
                _, writer = await asyncio.open_connection(host, int(port))
                writer.write([b"", b"agi_network: y", b"\x00" * 200, b"\n\n"][(n + kind) % 4])
                writer.close()
                await writer.wait_closed()

    async def session(bind: str) -> None:
        nonlocal calls
        for _ in range(5):
            commands = await PaperAsterisk().call(bind, header("agent_status", "1001"), obedient)
            assert commands[-1] == "HANGUP", commands
            calls += 1

    async with AgiServer(BIND, desk, max_connections=50) as agi:
        ticking = asyncio.create_task(tick())
        async with asyncio.TaskGroup() as group:
            for kind in range(10):
                group.create_task(scan(agi.bind, kind))
            for _ in range(20):
                group.create_task(session(agi.bind))
        ticking.cancel()
        assert agi.counts["accepted"] == 1000 + 100
    assert calls == 100
    assert max(gaps) < 0.1, max(gaps)
