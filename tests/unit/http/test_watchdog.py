"""Proof of life towards systemd and towards ourselves."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from contact_center import logs
from contact_center.watchdog import LoopMonitor, Notifier, Watchdog
from tests.unit.waiting import until

pytestmark = pytest.mark.clock


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.setblocking(False)
        yield str(tmp_path / "notify"), listener


def heard(listener: socket.socket) -> list[str]:
    messages = []
    while True:
        try:
            messages.append(listener.recv(4096).decode())
        except BlockingIOError:
            return messages


async def test_systemd_is_told_ready_status_watchdog_and_stopping(systemd: tuple[str, socket.socket]) -> None:
    address, listener = systemd
    seen: list[str] = []
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "100000"})
    with LoopMonitor() as monitor:
        async with Watchdog(lambda: True, monitor, notifier=notifier) as dog:
            dog.ready("2 campaigns run")
            dog.status("draining\nX=1")

            def fed_twice() -> bool:
                seen.extend(heard(listener))
                return seen.count("WATCHDOG=1") >= 2

            await until(fed_twice)
    seen.extend(heard(listener))
    assert "READY=1\nSTATUS=2 campaigns run" in seen
    assert "STATUS=draining X=1" in seen
    assert seen[-1] == "STOPPING=1"


@pytest.mark.parametrize("failing", [False, True])
async def test_an_unhealthy_serve_is_not_fed_for(systemd: tuple[str, socket.socket], failing: bool) -> None:
    address, listener = systemd
    asked: list[int] = []

    def healthy() -> bool:
        asked.append(1)
        if failing:
            raise RuntimeError("no idea")
        return False

    with LoopMonitor() as monitor:
        async with Watchdog(healthy, monitor, notifier=Notifier(address, 0.02)):
            await until(lambda: len(asked) > 3)
    assert heard(listener) == ["STOPPING=1"]


def test_without_systemd_and_for_another_process_nothing_is_sent(systemd: tuple[str, socket.socket]) -> None:
    assert Notifier.from_environment({}).send("READY=1") is False
    other = Notifier.from_environment({"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": str(os.getpid() + 1)})
    assert other.watchdog_seconds is None
    assert Notifier("/nowhere/at/all").send("READY=1") is False


async def test_a_stall_of_a_quarter_second_is_logged_with_the_place_it_stalls_at() -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    out = io.StringIO()
    logs.configure(stream=out)
    lags: list[float] = []

    def a_blocking_call_in_the_loop() -> None:
        busy_until = time.monotonic() + 0.5
        while time.monotonic() < busy_until:
            pass

    try:
        with LoopMonitor(on_lag=lags.append) as monitor:
            await until(lambda: len(lags) >= 2)
            assert monitor.stalls == 0
            a_blocking_call_in_the_loop()
            await until(lambda: "goes on" in out.getvalue())
            assert monitor.stalls == 1
            assert monitor.worst_seconds > 0.3
            assert max(lags) == monitor.worst_seconds
    finally:
        root.handlers[:], root.level = handlers, level
        structlog.reset_defaults()
    line = json.loads(out.getvalue().splitlines()[0])
    assert line["action"] == "loop_stall"
    assert "a_blocking_call_in_the_loop" in line["stack"]


async def test_a_loop_that_keeps_its_pace_is_not_accused() -> None:
    ticks: list[float] = []
    with LoopMonitor(on_lag=ticks.append) as monitor:
        await until(lambda: len(ticks) > 10)
        assert monitor.stalls == 0
        assert monitor.lag_seconds < 0.25
    count = len(ticks)
    await asyncio.sleep(0.12)
    assert len(ticks) == count
