"""Each contract test runs in both worlds: ``run(body)`` with ``body(world)``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.small_etc import write_etc
from tests.contract.worlds import APP, World, fake_world, real_world
from tests.lab.addresses import AddressBlock
from tests.lab.switch import Switch
from tests.support.virtual_clock import run_virtual

Body = Callable[[World], Coroutine[Any, Any, None]]
BODY_SECONDS = 60.0


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[asyncio.Runner, Switch]]:
    """A real Asterisk, and the loop it was started on."""
    etc: Path = tmp_path_factory.mktemp("etc")
    with AddressBlock() as addresses, asyncio.Runner() as runner:
        host = addresses.take()
        write_etc(etc, host, APP)
        switch = Switch("ari-contract", host, etc)
        runner.run(switch.start())
        try:
            yield runner, switch
        finally:
            runner.run(switch.stop())
            switch.remove()


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.asterisk)])
def run(request: pytest.FixtureRequest) -> Callable[[Body], None]:
    """Runs a test's body in one world."""
    if request.param == "fake":
        return lambda body: run_virtual(_in_fake(body))
    runner, switch = request.getfixturevalue("lab")
    return lambda body: runner.run(_in_real(switch, body))


async def _in_fake(body: Body) -> None:
    async with fake_world() as world:
        await body(world)


async def _in_real(switch: Switch, body: Body) -> None:
    async with asyncio.timeout(BODY_SECONDS), real_world(switch) as world:
        await body(world)
