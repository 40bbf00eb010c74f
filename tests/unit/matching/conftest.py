"""The same databases as for those who are told."""

from tests.unit.telling.conftest import engine, fresh_database

__all__ = ["engine", "fresh_database"]
