"""Opening the database, and the two kinds of transaction there are: one that writes and one that reads.

A writing transaction takes the one write lock of the database at its start: SQLite by BEGIN IMMEDIATE,
PostgreSQL by an advisory lock. So two of them never deadlock, numbers counted inside have no gaps, and
rows that several programs add appear in the order of their ids.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import orjson
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from contact_center.store.errors import explain, is_trouble

WRITE_LOCK = 7_203_114
"""The key of PostgreSQL's advisory lock that stands for SQLite's single writer."""

WRITES = "callwright_writes"
"""The execution option that makes a transaction of a connection a writing one."""

TRANSACTION = "callwright_transaction"
"""Key in a connection's ``info``: PostgreSQL's number of the writing transaction at work, or of the last one."""

BEGUN = "callwright_begun"
"""Key in a connection's ``info`` while a transaction is at work that its owner began on the driver itself."""


def _dump(value: Any) -> str:
    return orjson.dumps(value).decode()


def open_engine(
    url: str | URL,
    *,
    pool_size: int = 5,
    lock_seconds: float = 5.0,
    statement_seconds: float = 60.0,
    pre_ping: bool = True,
) -> Engine:
    """An engine for ``url``. It connects when first used and never creates a database.

    ``lock_seconds``: how long a writing transaction waits for its turn. ``statement_seconds``: how long
    PostgreSQL may work at one statement. ``pre_ping``: prove a pooled connection alive before its use.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(
            parsed, pool_size=pool_size, max_overflow=5, json_serializer=_dump, json_deserializer=orjson.loads
        )
        _prepare_sqlite(engine, lock_seconds)
    else:
        engine = create_engine(
            parsed,
            pool_size=pool_size,
            max_overflow=5,
            pool_timeout=lock_seconds,
            pool_pre_ping=pre_ping,
            json_serializer=_dump,
            json_deserializer=orjson.loads,
            connect_args={"connect_timeout": 3, "application_name": "callwright"},
        )
        _prepare_postgres(engine, lock_seconds, statement_seconds)
    return engine


def _prepare_sqlite(engine: Engine, lock_seconds: float) -> None:
    @event.listens_for(engine, "do_connect")
    def existing_only(dialect: Any, record: Any, args: list[Any], parameters: dict[str, Any]) -> None:
        # mode=rw: a mistyped path is an error, not a new and empty database.
        if args and not str(args[0]).startswith("file:"):
            args[0] = f"file:{quote(str(args[0]))}?mode=rw"
        parameters["uri"] = True
        parameters["timeout"] = lock_seconds

    @event.listens_for(engine, "connect")
    def set_up(connection: sqlite3.Connection, record: Any) -> None:
        # We say BEGIN ourselves; the module's own habit would begin transactions late and deferred.
        connection.isolation_level = None
        for pragma in ("synchronous=NORMAL", "foreign_keys=ON", "temp_store=MEMORY"):
            connection.execute(f"PRAGMA {pragma}").close()

    _begin_by_hand(engine)


def _prepare_postgres(engine: Engine, lock_seconds: float, statement_seconds: float) -> None:
    @event.listens_for(engine, "connect")
    def set_up(connection: Any, record: Any) -> None:
        connection.autocommit = True
        connection.execute(f"SET lock_timeout = {int(lock_seconds * 1000)}")
        connection.execute(f"SET statement_timeout = {int(statement_seconds * 1000)}")
        # A program that was stopped inside a transaction must not hold everybody else up for ever.
        connection.execute("SET idle_in_transaction_session_timeout = 30000")
        connection.autocommit = False

    _begin_by_hand(engine)


def begin_sql(dialect: str, *, writes: bool) -> str:
    """What begins a transaction; for PostgreSQL, whose driver says BEGIN by itself, what makes it ours."""
    if dialect == "sqlite":
        return "BEGIN IMMEDIATE" if writes else "BEGIN"
    if writes:
        return f"SELECT pg_advisory_xact_lock({WRITE_LOCK}), pg_current_xact_id()::text"
    return "SET TRANSACTION READ ONLY"


def note_begin(info: dict[Any, Any], row: Any) -> None:
    """Keep PostgreSQL's number of a writing transaction that has begun; ``row``: what `begin_sql` gave, if anything."""
    if row is not None:
        info[TRANSACTION] = str(row[1])


def _begin_by_hand(engine: Engine) -> None:
    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if BEGUN in connection.info:
            return
        writes = bool(connection.get_execution_options().get(WRITES, False))
        result = connection.exec_driver_sql(begin_sql(connection.dialect.name, writes=writes))
        note_begin(connection.info, result.one() if result.returns_rows else None)


def for_writing(engine: Engine) -> Engine:
    """The same engine and pool, whose transactions write."""
    return engine.execution_options(**{WRITES: True})


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """A writing transaction: committed at the end of the block, rolled back when it raises.

    Raises Unreachable or UsageError, in one sentence, when the database cannot be used.
    """
    with _explained(engine), Session(for_writing(engine), expire_on_commit=False) as session, session.begin():
        session.connection()
        yield session


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """A reading transaction: one snapshot, holds up nobody. Raises as `writing` does."""
    with _explained(engine), Session(engine, expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def _explained(engine: Engine) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        known = explain(error, engine.url)
        if is_trouble(error) or known.exit_code == 2:
            raise known from error
        raise
