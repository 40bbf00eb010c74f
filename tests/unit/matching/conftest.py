"""The same databases as for those who are told."""

from tests.unit.telling.conftest import engine

__all__ = ["engine"]
