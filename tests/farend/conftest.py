"""One Asterisk with a small dialplan for all tests of the lab, and a fresh far end for each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.farend.place import Place
from tests.lab.addresses import AddressBlock
from tests.lab.farend import FarEnd
from tests.lab.switch import Switch

CONF = Path(__file__).parent / "conf"


@pytest.fixture(scope="session")
def place() -> Iterator[Place]:
    with AddressBlock() as block:
        yield Place(block.take(), block.take(), block.take())


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def switch(place: Place, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Switch]:
    etc = tmp_path_factory.mktemp("etc")
    for file in CONF.glob("*.conf"):
        text = file.read_text().replace("$SWITCH", place.switch).replace("$TRUNK", place.trunk)
        (etc / file.name).write_text(text)
    async with Switch("farend", place.switch, etc) as running:
        yield running


@pytest_asyncio.fixture
async def world(place: Place, tmp_path: Path) -> AsyncIterator[FarEnd]:
    async with FarEnd(
        switch=(place.switch, 5060),
        trunk=(place.trunk, 5060),
        phones=(place.phones, 5060),
        record=tmp_path / "calls.jsonl",
    ) as running:
        yield running
        assert running.faults == []
