"""Statements of the hot path: written once in SQLAlchemy, compiled once per database, run on the driver's cursor.

What SQLAlchemy does around each statement (cache keys, execution contexts, events, result objects) costs several
times what SQLite itself needs for it. A `Prepared` keeps SQL, order of parameters and converters ready and uses
the connection of the caller's session, so it takes part in its transaction like any other statement.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

import orjson
from sqlalchemy import JSON, Dialect
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from contact_center.models import Instant
from contact_center.store.wire import Wire, wire_of

Parameters = Mapping[str, Any]
_Convert = Callable[[Any], Any]


def _instant_to_text(value: datetime | None) -> str | None:
    """As SQLAlchemy stores a datetime in SQLite, several times as fast."""
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError("an aware datetime is wanted")
    return value.astimezone(UTC).isoformat(" ", "microseconds")[:26]


def _instant_from_text(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value).replace(tzinfo=UTC)


def _json_to_text(value: Any) -> str:
    return orjson.dumps(value).decode()


def _converter_in(type_: TypeEngine[Any], dialect: Dialect) -> _Convert | None:
    if isinstance(type_, Instant) and dialect.name == "sqlite":
        return _instant_to_text
    if isinstance(type_, JSON) and dialect.name == "sqlite":
        return _json_to_text
    return type_.dialect_impl(dialect).bind_processor(dialect)


def _converter_out(type_: TypeEngine[Any], dialect: Dialect) -> _Convert | None:
    if isinstance(type_, Instant) and dialect.name == "sqlite":
        return _instant_from_text
    if isinstance(type_, JSON) and dialect.name == "sqlite":
        return orjson.loads
    return type_.dialect_impl(dialect).result_processor(dialect, None)


class _Form:
    """A statement in the words of one database."""

    def __init__(self, statement: Any, columns: Sequence[str] | None, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect, column_keys=columns)
        self.sql = str(compiled)
        binds = {name: bind for bind, name in compiled.bind_names.items()}
        converters = {name: _converter_in(bind.type, dialect) for name, bind in binds.items()}
        self.fixed = {
            name: bind.effective_value if (convert := converters[name]) is None else convert(bind.effective_value)
            for name, bind in binds.items()
            if not bind.required
        }
        names = list(compiled.positiontup or binds)
        self.names = names
        self.pick: Any = itemgetter(*names) if len(names) > 1 else lambda values: [values[name] for name in names]
        self.convert = [
            (index, convert)
            for index, name in enumerate(names)
            if (convert := converters[name]) is not None and name not in self.fixed
        ]
        self.is_positional = bool(compiled.positional)
        out = [
            (column.key, _converter_out(column.type, dialect)) for column in getattr(statement, "exported_columns", ())
        ]
        self.row: Any = namedtuple("Row", [key for key, _ in out]) if out else tuple
        self.out = [(index, convert) for index, (_, convert) in enumerate(out) if convert is not None]

    def bind(self, given: Parameters) -> Any:
        """The driver's parameters. Raises KeyError when one is missing."""
        values = list(self.pick({**self.fixed, **given} if self.fixed else given))
        for index, convert in self.convert:
            values[index] = convert(values[index])
        return values if self.is_positional else dict(zip(self.names, values, strict=True))

    def rows(self, found: Sequence[Sequence[Any]]) -> list[Any]:
        """What the driver gave as rows with named columns."""
        if not self.out:
            return [self.row._make(one) for one in found]
        rows = []
        for one in found:
            values = list(one)
            for index, convert in self.out:
                values[index] = convert(values[index])
            rows.append(self.row._make(values))
        return rows


class Prepared:
    """A Core statement, or a ``text`` with typed columns. ``columns``: those that an INSERT fills.

    Parameters of an expanding IN are not possible: their SQL differs from one execution to the next.
    """

    def __init__(self, statement: Any, columns: Sequence[str] | None = None) -> None:
        self.statement = statement
        self._columns = columns
        self._forms: dict[str, _Form] = {}

    def _form(self, wire: Wire) -> _Form:
        form = self._forms.get(wire.dialect.name)
        if form is None:
            form = self._forms[wire.dialect.name] = _Form(self.statement, self._columns, wire.dialect)
        return form

    def rows(self, session: Session, parameters: Parameters) -> list[Any]:
        """Run it; the rows it gives, as named tuples. Raises DBAPIError as SQLAlchemy does."""
        wire = wire_of(session)
        form = self._form(wire)
        values = form.bind(parameters)
        try:
            wire.cursor.execute(form.sql, values)
            found = wire.cursor.fetchall()
        except wire.errors as error:
            raise wire.explained(error, form.sql) from error
        return form.rows(found) if found else []

    def first(self, session: Session, parameters: Parameters) -> Any:
        """The first row it gives, or None."""
        found = self.rows(session, parameters)
        return found[0] if found else None

    def run(self, session: Session, parameters: Parameters) -> int:
        """Run it; how many rows it changed."""
        wire = wire_of(session)
        form = self._form(wire)
        values = form.bind(parameters)
        try:
            wire.cursor.execute(form.sql, values)
        except wire.errors as error:
            raise wire.explained(error, form.sql) from error
        return int(wire.cursor.rowcount)

    def run_many(self, session: Session, many: Sequence[Parameters]) -> None:
        """Run it once for each set of parameters, in their order."""
        wire = wire_of(session)
        form = self._form(wire)
        values = [form.bind(parameters) for parameters in many]
        try:
            wire.cursor.executemany(form.sql, values)
        except wire.errors as error:
            raise wire.explained(error, form.sql) from error
