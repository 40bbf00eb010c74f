"""What a new process loads before it has control of the calls."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from ari_app.api import put_together
from ari_app.client import AriClient
from ari_app.web import CONNECT_SECONDS, SETTLE_SECONDS, calls_first
from contact_center.http.health import Health
from contact_center.http.metrics import Meters
from contact_center.http.pages import Pages
from tests.lab.centre import ROOT
from tests.support.api_world import ApiWorld
from tests.support.databases import fresh_sqlite
from tests.support.fake_ari import FakeAri
from tests.support.virtual_clock import on_virtual_clock, virtual_now

LATER = {"fastapi", "starlette", "aiomqtt", "numpy"}


def test_the_web_framework_is_not_loaded_before_calls_are_served():
    code = "import sys, ari_app.serve; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "ari_app.serve" in loaded
    assert loaded & LATER == set()


async def test_calls_go_on_while_the_api_is_put_together(tmp_path: Path):
    """On a busy machine it takes half a second, and a call that is answered meanwhile must not wait for it."""
    async with ApiWorld(fresh_sqlite(tmp_path / "callwright.db")) as api:
        pages = Pages(Health(), Meters().registry)
        made = asyncio.create_task(put_together(pages, api.desk))
        turns = 0
        while not made.done():
            await asyncio.sleep(0)
            turns += 1
        await made
        assert turns > 10, "the loop stood still"


@pytest.mark.parametrize(
    ("is_there", "settling", "waited"),
    [
        (True, 0.3, 0.3),
        (True, 6.0, 6.0),
        (False, 0.0, CONNECT_SECONDS),
        (True, 40.0, CONNECT_SECONDS + SETTLE_SECONDS),
    ],
    ids=["few calls", "many calls", "no Asterisk", "calls that are not settled"],
)
@on_virtual_clock
async def test_the_api_is_loaded_after_the_calls_are_settled_where_there_are_any(
    is_there: bool, settling: float, waited: float
):
    async def settle() -> None:
        await asyncio.sleep(settling)

    fake = FakeAri()
    fake.up = is_there
    async with AriClient(transport=fake.transport(), now=virtual_now, on_connect=settle) as ari:
        began = asyncio.get_running_loop().time()
        await calls_first(ari)
        assert asyncio.get_running_loop().time() - began == pytest.approx(waited, abs=0.1)
