from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.lab.faults import ProxiedCentre


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def proxied() -> AsyncIterator[ProxiedCentre]:
    """One contact centre per file, `serve` behind proxies."""
    async with ProxiedCentre("faults") as made:
        yield made
        assert not made.far.faults
