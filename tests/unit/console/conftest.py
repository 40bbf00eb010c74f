"""Fixtures: a console on SQLite; ``both`` runs a test on PostgreSQL too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.postgres import Postgres
from tests.support.databases import fresh_sqlite
from tests.unit.console.support import Cli


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    cli = Cli(tmp_path, fresh_sqlite(tmp_path / "callwright.db"))
    yield cli
    cli.engine.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cli]:
    if request.param == "sqlite":
        url = fresh_sqlite(tmp_path / "callwright.db")
    else:
        server: Postgres = request.getfixturevalue("postgres")
        url = server.fresh()
    cli = Cli(tmp_path, url)
    yield cli
    cli.engine.dispose()
