"""A database of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from contact_center.store.engine import open_engine
from tests.support.databases import fresh_sqlite


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(fresh_sqlite(tmp_path / "callwright.db"))
    yield engine
    engine.dispose()
