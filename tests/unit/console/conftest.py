"""Fixtures: a console on SQLite; ``both`` runs a test on PostgreSQL too."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from contact_center.store.schema import upgrade
from tests.lab.postgres import Postgres
from tests.unit.console.support import Cli


@pytest.fixture(scope="session")
def fresh_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database of the current schema, to be copied: making one takes longer than most tests."""
    file = tmp_path_factory.mktemp("fresh") / "callwright.db"
    upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture
def cli(tmp_path: Path, fresh_database: Path) -> Iterator[Cli]:
    file = tmp_path / "callwright.db"
    shutil.copyfile(fresh_database, file)
    cli = Cli(tmp_path, f"sqlite:///{file}")
    yield cli
    cli.engine.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cli]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'callwright.db'}"
    else:
        server: Postgres = request.getfixturevalue("postgres")
        url = server.url()
    upgrade(url)
    cli = Cli(tmp_path, url)
    yield cli
    cli.engine.dispose()
