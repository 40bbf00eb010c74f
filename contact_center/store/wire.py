"""The driver's connection under a session: its cursor, its transactions, and its errors as SQLAlchemy raises them.

The writer's thread begins and ends its transactions here, so that one made of prepared statements alone costs
nothing of SQLAlchemy's own transactions and sessions. Whoever wants more of a session finds it in that transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, SessionTransaction

from contact_center.store.engine import BEGUN, begin_sql, note_begin

TICK = "callwright_tick"
"""Key in a connection's ``info``: a function called before each statement, by which a watcher sees progress."""

_WIRE = "callwright_wire"


class Wire:
    """``transaction``: of the session whose it is; None where it is lent to a session for all of its transactions."""

    def __init__(self, connection: Connection, transaction: SessionTransaction | None = None) -> None:
        self.connection, self.transaction = connection, transaction
        self.dialect = connection.dialect
        self.is_sqlite = self.dialect.name == "sqlite"
        self.errors: Any = self.dialect.loaded_dbapi.Error
        self.info = connection.info
        self.tick: Callable[[], None] | None = self.info.get(TICK)
        driver: Any = connection.connection.dbapi_connection
        self.driver, self.cursor = driver, driver.cursor()

    def lend(self, session: Session) -> None:
        """Let a session's prepared statements run here; its owner begins and ends the transactions."""
        session.info[_WIRE] = self

    @property
    def is_begun(self) -> bool:
        """Whether a transaction that began here has not ended."""
        return BEGUN in self.info

    def begin(self, *, writes: bool) -> None:
        """Begin a transaction, whichever statements it is made of. Raises DBAPIError."""
        sql = begin_sql(self.dialect.name, writes=writes)
        self.info[BEGUN] = True  # also where this fails: PostgreSQL wants what failed to be rolled back
        try:
            self.cursor.execute(sql)
            note_begin(self.info, self.cursor.fetchone() if writes and not self.is_sqlite else None)
        except self.errors as error:
            raise self.explained(error, sql) from error

    def commit(self) -> None:
        """End it, to last. Raises DBAPIError; the connection is of no more use then."""
        try:
            self.driver.commit()
        except self.errors as error:
            raise self.explained(error, "COMMIT") from error
        del self.info[BEGUN]

    def rollback(self) -> None:
        """End it, as if it had not been. Raises DBAPIError; the connection is of no more use then."""
        try:
            self.driver.rollback()
        except self.errors as error:
            raise self.explained(error, "ROLLBACK") from error
        del self.info[BEGUN]

    def explained(self, error: Any, sql: str) -> BaseException:
        """The error as SQLAlchemy would raise it; a connection that is lost is given up."""
        is_lost = self.dialect.is_disconnect(error, self.driver, self.cursor)
        if is_lost:
            self.connection.invalidate(error)
        # The parameters stay out of it: they hold numbers of people.
        told: BaseException = DBAPIError.instance(
            sql,
            None,
            error,
            self.errors,
            hide_parameters=True,
            connection_invalidated=is_lost,
            dialect=self.dialect,
        )
        return told


def wire_of(session: Session) -> Wire:
    """The wire of a session's transaction, which is begun if need be."""
    wire: Wire | None = session.info.get(_WIRE)
    if wire is None or (wire.transaction is not None and wire.transaction is not session.get_transaction()):
        connection = session.connection()
        wire = session.info[_WIRE] = Wire(connection, session.get_transaction())
    if wire.tick is not None:
        wire.tick()
    return wire
