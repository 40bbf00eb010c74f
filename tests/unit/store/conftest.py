"""Every test that asks for ``url`` or ``engine`` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import SQLModel

from contact_center.store.engine import for_writing, open_engine
from tests.lab.postgres import Postgres
from tests.support.databases import fresh_sqlite


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that does not exist yet, or is empty."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'callwright.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.url()


@pytest.fixture(scope="session")
def postgres_url(postgres: Postgres) -> str:
    """One database with all tables; a new one for each test would cost most of the tests' time."""
    return postgres.fresh()


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database with all tables and no rows."""
    if request.param == "sqlite":
        url = fresh_sqlite(tmp_path / "callwright.db")
    else:
        url = request.getfixturevalue("postgres_url")
    engine = open_engine(url)
    if request.param == "postgres":
        with for_writing(engine).begin() as connection:
            names = ", ".join(f'"{table}"' for table in SQLModel.metadata.tables)
            connection.exec_driver_sql(f"TRUNCATE {names} RESTART IDENTITY CASCADE")
    yield engine
    engine.dispose()


@pytest.fixture
def sqlite_engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(fresh_sqlite(tmp_path / "callwright.db"))
    yield engine
    engine.dispose()
