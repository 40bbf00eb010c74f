"""One ``serve`` per database: a lock that dies with its process.

Beside a SQLite file stands ``FILE.lock``, held by flock; in PostgreSQL a connection of its own holds an
advisory lock. Neither needs tidying up after a crash.
"""

from __future__ import annotations

import fcntl
import os
import time
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy.engine import make_url

from contact_center.errors import UsageError

PATIENCE_SECONDS = 0.2


class InstanceLock(ABC):
    """``with InstanceLock.for_database(url): ...``"""

    @staticmethod
    def for_database(url: str) -> InstanceLock:
        """The lock that belongs to a ``[database] url``."""
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return _FileLock(Path(f"{parsed.database}.lock"))
        from contact_center.lock_postgres import PostgresLock  # noqa: PLC0415 - a driver that SQLite users never load

        return PostgresLock(parsed.set(drivername="postgresql").render_as_string(hide_password=False))

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


def taken(holder: str) -> UsageError:
    """What the second serve is told."""
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
                raise taken(self._named())
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
