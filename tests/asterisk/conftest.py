from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.lab.alone import TURN
from tests.lab.centre import Centre


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def _turn(request: pytest.FixtureRequest) -> None:
    if (turn := request.config.stash.get(TURN, None)) is not None:
        await turn.come(alone=any(request.node.iter_markers("alone")))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def centre() -> AsyncIterator[Centre]:
    """One contact centre per file, `serve` running."""
    async with Centre("test") as made:
        await made.serve.start()
        yield made
        assert not made.far.faults
