"""One Asterisk made by the bundle for the tests that only use it; those that break things start their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from contact_center.settings import Settings
from tests.asterisk_conf.place import Place, switch_of
from tests.lab.addresses import AddressBlock
from tests.lab.farend import FarEnd
from tests.lab.switch import Switch


@pytest.fixture(scope="session")
def place() -> Iterator[Place]:
    with AddressBlock() as block:
        yield Place.of(block)


@pytest.fixture
def free_place() -> Iterator[Place]:
    """Addresses nobody else uses."""
    with AddressBlock() as block:
        yield Place.of(block)


@pytest.fixture(scope="session")
def settings(place: Place) -> Settings:
    """The fallback number is a customer who answers at once; the clock of a waiting caller runs 10 s."""
    keys = {"fallback_number": "+447420000999", "dead_man_seconds": 10}
    return place.settings(asterisk={**place.settings().asterisk.model_dump(), **keys})


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def switch(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Switch]:
    async with switch_of(settings, tmp_path_factory.mktemp("etc")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def world(place: Place, tmp_path: Path) -> AsyncIterator[FarEnd]:
    async with place.far_end(tmp_path / "calls.jsonl") as running:
        yield running
        assert running.faults == []
