"""Proof of life: to systemd, and to ourselves.

``LoopMonitor`` watches the event loop from a thread and logs where it stands when it stalls. ``Watchdog``
feeds systemd's watchdog while the loop keeps its pace and ``healthy()`` says so; else systemd restarts us.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

import structlog

STALL_SECONDS = 0.25
TICK_SECONDS = 0.1
MOST_LAG_SECONDS = 2.0
"""A loop that lags more than this is not fed for: it cannot keep the promises made to calls."""

log = structlog.get_logger(__name__)


class Notifier:
    """systemd's notification socket; without one every call does nothing."""

    def __init__(self, address: str = "", watchdog_seconds: float | None = None) -> None:
        self.address = address
        self.watchdog_seconds = watchdog_seconds

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Notifier:
        """From NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID (sd_notify(3), sd_watchdog_enabled(3))."""
        environment = os.environ if environment is None else environment
        usec, pid = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
        ours = not pid or pid == str(os.getpid())
        seconds = int(usec) / 1e6 if usec.isdigit() and int(usec) > 0 and ours else None
        return cls(environment.get("NOTIFY_SOCKET", ""), seconds)

    def send(self, *lines: str) -> bool:
        """Send lines such as ``READY=1``; False when there is no socket or it does not take them."""
        if not self.address:
            return False
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)
                sender.sendto("\n".join(line.replace("\n", " ") for line in lines).encode(), address)
        except OSError as error:
            log.warning("systemd was not told", action="sd_notify", why=str(error))
            return False
        return True


class LoopMonitor:
    """Enter it inside the running loop: ``with LoopMonitor() as monitor``.

    ``lag_seconds`` is how late the loop is now, ``worst_seconds`` the longest stall so far, ``stalls`` their
    number. ``on_lag`` is told in the loop, at each tick, how late that tick came.
    """

    def __init__(self, stall_seconds: float = STALL_SECONDS, *, on_lag: Callable[[float], None] | None = None) -> None:
        self.stalls = 0
        self.worst_seconds = 0.0
        self._stall_seconds = stall_seconds
        self._on_lag = on_lag or (lambda lag: None)
        self._due_at = 0.0
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._due_at = time.monotonic()
        self._handle = self._loop.call_soon(self._tick)
        self._thread = threading.Thread(target=self._watch, name="loop-monitor", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._handle.cancel()
        self._stop.set()
        self._thread.join()

    @property
    def lag_seconds(self) -> float:
        """How late the loop's next tick is; 0 when it is in time."""
        return max(0.0, time.monotonic() - self._due_at)

    def _tick(self) -> None:
        lag = self.lag_seconds
        self.worst_seconds = max(self.worst_seconds, lag)
        self._due_at = time.monotonic() + TICK_SECONDS
        self._handle = self._loop.call_later(TICK_SECONDS, self._tick)
        self._on_lag(lag)

    def _watch(self) -> None:
        """In the thread: one line when a stall begins, with the place it is at, and one when it is over."""
        stalled_since: float | None = None
        while not self._stop.wait(TICK_SECONDS):
            lag = self.lag_seconds
            if stalled_since is None and lag >= self._stall_seconds:
                stalled_since = time.monotonic() - lag
                self.stalls += 1
                frame = sys._current_frames().get(self._loop_thread)
                stack = "".join(traceback.format_stack(frame)) if frame is not None else ""
                log.error("the event loop stalls", action="loop_stall", seconds=round(lag, 3), stack=stack)
            elif stalled_since is not None and lag < self._stall_seconds:
                stalled = round(time.monotonic() - stalled_since, 3)
                log.warning("the event loop goes on", action="loop_stall", seconds=stalled)
                stalled_since = None


class Watchdog:
    """``async with Watchdog(healthy, monitor) as dog``: fed twice per period; STOPPING=1 on leaving."""

    def __init__(self, healthy: Callable[[], bool], monitor: LoopMonitor, *, notifier: Notifier | None = None) -> None:
        self._healthy, self._monitor = healthy, monitor
        self._notifier = notifier or Notifier.from_environment()
        self._tasks = asyncio.TaskGroup()
        self._feeder: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        if self._notifier.watchdog_seconds is not None:
            self._feeder = self._tasks.create_task(self._feed(self._notifier.watchdog_seconds / 2), name="watchdog")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._notifier.send("STOPPING=1")
        if self._feeder is not None:
            self._feeder.cancel()
        await self._tasks.__aexit__(None, None, None)  # the body's own exception goes on as it is

    def ready(self, status: str = "serving") -> None:
        """Tell systemd that the service is up."""
        self._notifier.send("READY=1", f"STATUS={status}")

    def status(self, status: str) -> None:
        """One line for ``systemctl status``."""
        self._notifier.send(f"STATUS={status}")

    async def _feed(self, every_seconds: float) -> None:
        was_fed = True
        while True:
            fed = self._monitor.lag_seconds < MOST_LAG_SECONDS and self._is_healthy()
            if fed:
                self._notifier.send("WATCHDOG=1")
            if fed != was_fed:
                log.warning("watchdog", action="watchdog", fed=fed)
            was_fed = fed
            await asyncio.sleep(every_seconds)

    def _is_healthy(self) -> bool:
        try:
            return self._healthy()
        except Exception:
            log.exception("the health question failed", action="watchdog")
            return False
