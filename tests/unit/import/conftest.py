"""Fixtures: a console on SQLite with a campaign to import into."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from contact_center.store.schema import upgrade
from tests.unit.console.support import Cli


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    url = f"sqlite:///{tmp_path / 'callwright.db'}"
    upgrade(url)
    cli = Cli(tmp_path, url)
    cli.ok("campaign", "add", "spring", "--mode", "power", "hours=00:00-24:00")
    yield cli
    cli.engine.dispose()
