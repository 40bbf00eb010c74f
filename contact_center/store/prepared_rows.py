"""An INSERT of any number of rows whose values are all known, on the hot path.

PostgreSQL gets them as one JSON text in one statement: each round trip costs it and us more than what a row is about,
and one parameter is quicker to convert than twenty for each row. SQLite has no round trips, and gets them one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import orjson
from sqlalchemy import Table, bindparam, column, insert, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from contact_center.store.prepared import Prepared
from contact_center.store.wire import wire_of


class PreparedRows:
    """``columns``: those of ``table`` that every row fills. ``returning``: one of its columns that the database fills.

    Values are such as JSON has, and aware datetimes. ``key``: a column by whose value a row is found again.
    """

    def __init__(self, table: Table, columns: Sequence[str], *, returning: str = "", key: str = "") -> None:
        self._table, self._columns, self._returning, self._key = table, columns, returning, key

    @cached_property
    def _one(self) -> Prepared:
        statement = insert(self._table)
        if not self._returning:
            return Prepared(statement.inline(), columns=self._columns)
        return Prepared(statement.returning(self._table.c[self._returning]), columns=self._columns)

    @cached_property
    def _all(self) -> Prepared:
        quote = postgresql.dialect().identifier_preparer.quote  # type: ignore[no-untyped-call]
        name, names = quote(self._table.name), ", ".join(quote(one) for one in self._columns)
        sql = (
            f"INSERT INTO {name} ({names}) SELECT {names} "
            f"FROM json_populate_recordset(CAST(NULL AS {name}), CAST(:p_rows AS json))"
        )
        if not self._returning:
            return Prepared(text(sql).bindparams(bindparam("p_rows")))
        given = [quote(one) for one in (self._key, self._returning)]
        statement = text(f"{sql} RETURNING {', '.join(given)}").bindparams(bindparam("p_rows"))
        return Prepared(statement.columns(column(self._key), column(self._returning)))

    def run(self, session: Session, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Insert them in their order; what the database filled in for each. Raises DBAPIError as SQLAlchemy does."""
        if wire_of(session).is_sqlite:
            if self._returning:
                return [self._one.rows(session, row)[0][0] for row in rows]
            self._one.run_many(session, rows)
            return []
        text_of_all = {"p_rows": orjson.dumps(rows).decode()}
        if not self._returning:
            self._all.run(session, text_of_all)
            return []
        found = dict(self._all.rows(session, text_of_all))
        return [found[row[self._key]] for row in rows]
