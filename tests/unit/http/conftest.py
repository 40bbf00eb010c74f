"""The API in this process, on SQLite."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contact_center.store.schema import upgrade
from tests.support.api_world import ApiWorld, database


@pytest.fixture(scope="session")
def fresh_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("fresh") / "callwright.db"
    upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture
async def api(tmp_path: Path, fresh_database: Path) -> AsyncIterator[ApiWorld]:
    async with ApiWorld(database(tmp_path, fresh_database)) as made:
        yield made
