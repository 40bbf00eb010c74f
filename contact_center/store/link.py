"""One connection held by one thread, its transactions, and proof that it is still alive."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from contact_center.errors import Unreachable
from contact_center.store.engine import TRANSACTION, open_engine
from contact_center.store.errors import OutcomeUnknown, place
from contact_center.store.wire import TICK, Wire

LOCK_SECONDS = 1.0
"""How long a transaction of the writer waits for its turn before the database counts as locked."""

STATEMENT_SECONDS = 2.0
"""How long PostgreSQL may work at one statement of the writer."""

MIN_FREE_BYTES = 64 * 1024
"""With less space than this left the disk counts as full."""


class LinkLost(Unreachable):
    """The database file or the space on its disk is gone."""


class Transaction:
    """The transaction at work; its session's statements are part of it, prepared ones or others."""

    def __init__(self, connection: Connection) -> None:
        self.session = Session(connection, expire_on_commit=False)
        self.wire = Wire(connection)
        self.wire.lend(self.session)

    def commit(self) -> None:
        """End it, to last; what was read stays with whoever has it."""
        if self.session.in_transaction():  # more was done than to run prepared statements
            self.session.commit()
            self.session.close()
        self.wire.commit()

    def take_back(self) -> None:
        """End it, as if it had not been."""
        self.session.close()
        self.wire.rollback()


class Link:
    """The connection. All but `stalled_seconds`, `cut` and `was_cut` belong to the owning thread."""

    def __init__(self, engine: Engine) -> None:
        self.url = engine.url
        self.is_sqlite = engine.dialect.name == "sqlite"
        # An engine of its own: reports and imports that use up a shared pool cannot hold calls up.
        self._engine = open_engine(
            engine.url,
            pool_size=1,
            lock_seconds=LOCK_SECONDS,
            statement_seconds=STATEMENT_SECONDS,
            pre_ping=False,
        )
        self._connection: Connection | None = None
        self._transaction: Transaction | None = None
        self._inode = 0
        self.was_cut = False
        self._busy_since: float | None = None
        event.listen(self._engine, "before_cursor_execute", self._on_statement)

    def _on_statement(self, *_: Any) -> None:
        if self._busy_since is not None:
            self._busy_since = time.monotonic()

    @property
    def stalled_seconds(self) -> float:
        """How long the statement now at work has been at it; 0 when there is none. Any thread may ask."""
        since = self._busy_since
        return 0.0 if since is None else time.monotonic() - since

    def cut(self) -> None:
        """End a hopeless wait for PostgreSQL from another thread: its socket is shut down."""
        connection = self._connection
        if connection is None or self.is_sqlite:
            return
        self.was_cut = True
        with suppress(OSError, SQLAlchemyError, AttributeError, ValueError):
            driver: Any = connection.connection.dbapi_connection
            with socket.socket(fileno=os.dup(driver.fileno())) as wire:
                wire.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def transaction(self, *, writes: bool) -> Iterator[tuple[Session, Transaction]]:
        """A transaction; whoever wants it kept commits it. Rolled back otherwise."""
        self._busy_since = time.monotonic()
        try:
            transaction = self._connect()
            transaction.wire.begin(writes=writes)
            yield transaction.session, transaction
            if transaction.wire.is_begun:
                transaction.take_back()
        except BaseException:
            self._give_up()
            raise
        finally:
            self._busy_since = None

    def _connect(self) -> Transaction:
        if self._transaction is None:
            connection = self._connection = self._engine.connect()
            connection.info[TICK] = self._on_statement
            self._transaction = Transaction(connection)
            if self.is_sqlite:
                self._inode = self._file_inode()
        return self._transaction

    def _give_up(self) -> None:
        """Take back what failed; a connection that cannot is dropped."""
        connection, transaction = self._connection, self._transaction
        if transaction is not None and transaction.wire.is_begun and connection is not None:
            with suppress(SQLAlchemyError):
                if not connection.invalidated:
                    transaction.take_back()
        if connection is not None and (connection.invalidated or transaction is None or transaction.wire.is_begun):
            self.drop()

    def drop(self) -> None:
        """Forget the connection; the next transaction makes a new one."""
        connection, self._connection, self._transaction = self._connection, None, None
        if connection is not None:
            with suppress(SQLAlchemyError):
                connection.invalidate()
                connection.close()

    def look_at_disk(self) -> None:
        """Find what SQLite itself notices late. Raises LinkLost when the file or the space is gone."""
        if not self.is_sqlite or self._connection is None:
            return
        file = str(self.url.database)
        if self._file_inode() != self._inode:
            self.drop()
            raise LinkLost(f"{file}: the database file was replaced while in use; it is opened anew.")
        disk = os.statvfs(file)
        if disk.f_bfree * disk.f_frsize < MIN_FREE_BYTES:
            raise LinkLost(f"{file}: the disk is full; make space.")

    def _file_inode(self) -> int:
        file = str(self.url.database)
        try:
            return os.stat(file).st_ino
        except OSError as error:
            self.drop()
            raise LinkLost(f"{file}: the database file is gone ({error.strerror}); put it back.") from None

    def transaction_id(self) -> str:
        """PostgreSQL's number of the transaction, by which its outcome can be asked for; empty on SQLite."""
        return "" if self._connection is None or self.is_sqlite else str(self._connection.info[TRANSACTION])

    def is_committed(self, transaction_id: str, within: float) -> bool:
        """Whether that transaction holds, asked on a new connection after its COMMIT was not answered.

        SQLite answers always: a COMMIT that failed is none. Raises OutcomeUnknown when PostgreSQL cannot be
        asked ``within`` so many seconds.
        """
        if self.is_sqlite:
            return False
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            self.drop()
            try:
                with self.transaction(writes=False) as (session, _):
                    status = (
                        session.connection()
                        .exec_driver_sql("SELECT pg_xact_status(%s::text::xid8)", (transaction_id,))
                        .scalar()
                    )
                if status != "in progress":
                    return status == "committed"
            except DBAPIError:
                pass  # still away: asked again until the deadline, which then says so
            time.sleep(0.1)
        raise OutcomeUnknown(
            f"{place(self.url)}: the connection was lost while a change was being stored; whether it is "
            "stored will be seen when the database is back."
        )

    def close(self) -> None:
        """End the connection."""
        self.drop()
        self._engine.dispose()
