"""One ``serve`` per database: a lock that dies with its process.

Beside a SQLite file stands ``FILE.lock``, held by flock; in PostgreSQL a connection of its own holds an
advisory lock. Neither needs tidying up after a crash.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from sqlalchemy.engine import make_url

from contact_center.errors import Unreachable, UsageError

ADVISORY_KEY = 0x43414C4C5752  # "CALLWR"
CONNECT_SECONDS = 5
PATIENCE_SECONDS = 0.2


class InstanceLock(ABC):
    """``with InstanceLock.for_database(url): ...``"""

    @staticmethod
    def for_database(url: str) -> InstanceLock:
        """The lock that belongs to a ``[database] url``."""
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return _FileLock(Path(f"{parsed.database}.lock"))
        return _PostgresLock(parsed.set(drivername="postgresql").render_as_string(hide_password=False))

    @abstractmethod
    def take(self) -> None:
        """Take it; raises UsageError naming the holder, or Unreachable when the database is away."""

    @abstractmethod
    def release(self) -> None:
        """Give it back; also allowed when it was never taken."""

    @abstractmethod
    def holder(self) -> str | None:
        """Who holds it now, without taking it; None when it is free."""

    @abstractmethod
    def still_held(self) -> bool:
        """Whether it is certainly ours. May block for a network round trip: call it in a thread."""

    def __enter__(self) -> Self:
        self.take()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def is_held(url: str) -> bool:
    """Whether a ``serve`` holds this database now. Raises Unreachable when PostgreSQL cannot be asked."""
    return InstanceLock.for_database(url).holder() is not None


def _taken(holder: str) -> UsageError:
    return UsageError(f"A callwright serve already runs on this database ({holder}); stop it first.")


def _flock(fd: int, kind: int) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class _FileLock(InstanceLock):
    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    def take(self) -> None:
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise UsageError(f"{self.path}: the lock file cannot be written ({error.strerror}).") from None
        # Whoever asks `holder` shares the lock for a moment; only a serve keeps it longer than our patience.
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not _flock(fd, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                os.close(fd)
                raise _taken(self._named())
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self._fd = fd

    def holder(self) -> str | None:
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            return None if _flock(fd, fcntl.LOCK_SH) else self._named()
        finally:
            os.close(fd)

    def _named(self) -> str:
        pid = self.path.read_text(encoding="ascii", errors="replace")[:32].strip()
        return f"pid {pid or 'unknown'}, {self.path}"

    def release(self) -> None:
        # The file stays: removing it would let a third process lock a new file beside one that is still held.
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def still_held(self) -> bool:
        if self._fd is None:
            return False
        try:
            ours, there = os.fstat(self._fd), self.path.stat()
        except OSError:
            return False
        return (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino)


class _PostgresLock(InstanceLock):
    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._connection: psycopg.Connection[tuple[object, ...]] | None = None

    def take(self) -> None:
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
        raise _taken(holder)

    def holder(self) -> str | None:
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
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def still_held(self) -> bool:
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
