"""What tests of calls share."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.calls.callback_world import made_store


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """A store of its own, with nothing in it but what `made_store` puts there."""
    return made_store(tmp_path)
