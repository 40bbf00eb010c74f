from __future__ import annotations

from tests.unit.console.conftest import cli

__all__ = ["cli"]
