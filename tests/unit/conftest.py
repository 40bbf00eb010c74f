"""What unit tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.postgres import Postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server, started for the first test that wants one."""
    with Postgres() as server:
        yield server
