"""The instance lock in PostgreSQL."""

from __future__ import annotations

import os
import socket

import psycopg

from contact_center.errors import Unreachable
from contact_center.lock import InstanceLock, taken

ADVISORY_KEY = 0x43414C4C5752  # "CALLWR"
CONNECT_SECONDS = 5


class PostgresLock(InstanceLock):
    """An advisory lock on a connection of its own."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._connection: psycopg.Connection[tuple[object, ...]] | None = None

    def take(self) -> None:
        """Take it; see InstanceLock."""
        connection = self._connect()
        try:
            row = connection.execute("SELECT pg_try_advisory_lock(%s)", (ADVISORY_KEY,)).fetchone()
            if row == (True,):
                self._connection = connection
                return
            holder = _holder(connection) or "pid unknown"
        except psycopg.Error as error:
            raise Unreachable(f"The database did not give the lock: {_first_line(error)}.") from None
        finally:
            if self._connection is None:
                connection.close()
        raise taken(holder)

    def holder(self) -> str | None:
        """Who holds it; see InstanceLock."""
        with self._connect() as connection:
            return _holder(connection)

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        try:
            return psycopg.connect(
                self._conninfo, autocommit=True, connect_timeout=CONNECT_SECONDS,
                application_name=f"callwright serve {socket.gethostname()[:30]} pid {os.getpid()}",
                keepalives_idle=5, keepalives_interval=2, keepalives_count=3,
            )  # fmt: skip
        except psycopg.OperationalError as error:
            raise Unreachable(f"The database cannot be reached: {_first_line(error)}.") from None

    def release(self) -> None:
        """Give it back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def still_held(self) -> bool:
        """Whether it is certainly ours."""
        if self._connection is None:
            return False
        try:
            self._connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True


def _first_line(error: psycopg.Error) -> str:
    return (str(error).splitlines() or ["no reason given"])[0]


def _holder(connection: psycopg.Connection[tuple[object, ...]]) -> str | None:
    row = connection.execute(
        "SELECT a.application_name, a.pid FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
        " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
        " AND ((l.classid::bigint << 32) | l.objid::bigint) = %s"
        " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        (ADVISORY_KEY,),
    ).fetchone()
    if row is None:
        return None
    return str(row[0]) if row[0] else f"PostgreSQL backend {row[1]}"
