"""A database of its own for each test, copied: making one takes longer than most tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from contact_center.store.engine import open_engine
from contact_center.store.schema import upgrade


@pytest.fixture(scope="session")
def fresh_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("fresh") / "callwright.db"
    upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture
def engine(tmp_path: Path, fresh_database: Path) -> Iterator[Engine]:
    file = tmp_path / "callwright.db"
    shutil.copyfile(fresh_database, file)
    engine = open_engine(f"sqlite:///{file}")
    yield engine
    engine.dispose()
