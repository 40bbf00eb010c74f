"""The API in this process, on SQLite."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.api_world import ApiWorld
from tests.support.databases import fresh_sqlite


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[ApiWorld]:
    async with ApiWorld(fresh_sqlite(tmp_path / "callwright.db")) as made:
        yield made
