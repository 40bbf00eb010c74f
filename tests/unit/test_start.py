"""What a new process loads before it has control of the calls."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

import ari_app.api
from ari_app.web import CONNECT_SECONDS, SETTLE_SECONDS, calls_first
from tests.lab.centre import ROOT
from tests.support.virtual_clock import on_virtual_clock

LATER = {"fastapi", "starlette", "aiomqtt", "numpy"}


def test_the_web_framework_is_not_loaded_before_calls_are_served():
    code = "import sys, ari_app.serve; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "ari_app.serve" in loaded
    assert loaded & LATER == set()


async def test_calls_go_on_while_the_api_is_put_together(monkeypatch: pytest.MonkeyPatch):
    """It takes half a second on a busy machine, and a call that is answered meanwhile must not wait for it."""
    loop, done, opened = asyncio.get_running_loop(), threading.Event(), []

    def make_app(pages: Any, *, desk: Any) -> str:
        loop.call_soon_threadsafe(done.set)  # the loop is free to do it
        return "made" if done.wait(5.0) else "the loop stood still"

    @asynccontextmanager
    async def nothing(*args: Any) -> AsyncIterator[Any]:
        yield SimpleNamespace(mqtt=None)

    for name, stand_in in (("make_app", make_app), ("api_desk", nothing), ("telling", nothing)):
        monkeypatch.setattr(ari_app.api, name, stand_in)
    app = SimpleNamespace(env=SimpleNamespace(settings=None, clock=None))
    given: Any = (app, None, None, None, None, SimpleNamespace(opened=opened.append))
    async with ari_app.api.api(*given):
        assert opened == ["made"]


class Line:
    """The line to an Asterisk: to be had after ``connected`` seconds, its calls settled after ``settled``."""

    def __init__(self, connected: float, settled: float) -> None:
        loop = asyncio.get_running_loop()
        self.generation, self.live, self.event = 0, False, asyncio.Event()
        loop.call_later(connected, self.connect)
        loop.call_later(settled, self.settle)

    def connect(self) -> None:
        self.generation = 1

    def settle(self) -> None:
        self.live = True
        self.event.set()

    async def until_live(self) -> None:
        await self.event.wait()


@pytest.mark.parametrize(
    ("connected", "settled", "waited"),
    [(0.1, 0.3, 0.3), (0.1, 6.0, 6.0), (5.0, 6.0, CONNECT_SECONDS), (0.1, 60.0, CONNECT_SECONDS + SETTLE_SECONDS)],
    ids=["few calls", "many calls", "no Asterisk", "calls that are not settled"],
)
@on_virtual_clock
async def test_the_api_is_loaded_after_the_calls_are_settled_where_there_are_any(
    connected: float, settled: float, waited: float
):
    line: Any = Line(connected, settled)
    began = asyncio.get_running_loop().time()
    await calls_first(line)
    assert asyncio.get_running_loop().time() - began == pytest.approx(waited)
