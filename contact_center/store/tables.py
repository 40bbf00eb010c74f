"""The models' tables, for statements that do without the ORM."""

from __future__ import annotations

from sqlalchemy import Table
from sqlmodel import SQLModel


def table_of(model: type[SQLModel]) -> Table:
    """The table of ``model``."""
    return SQLModel.metadata.tables[str(model.__tablename__)]
