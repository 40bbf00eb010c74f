from __future__ import annotations

from tests.unit.console.conftest import cli, fresh_database

__all__ = ["cli", "fresh_database"]
