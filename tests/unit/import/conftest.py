"""Fixtures: a console on SQLite with a campaign to import into."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.databases import fresh_sqlite
from tests.unit.console.support import Cli


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    cli = Cli(tmp_path, fresh_sqlite(tmp_path / "callwright.db"))
    cli.ok("campaign", "add", "spring", "--mode", "power", "hours=00:00-24:00")
    yield cli
    cli.engine.dispose()
