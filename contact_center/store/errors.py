"""What a database error means: is the database in trouble, or is it what we asked of it."""

from __future__ import annotations

import sqlite3

from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, OperationalError

from contact_center.errors import CallwrightError, Unreachable, UsageError

_SQLITE_TROUBLE = (
    "SQLITE_BUSY",
    "SQLITE_LOCKED",
    "SQLITE_FULL",
    "SQLITE_IOERR",
    "SQLITE_READONLY",
    "SQLITE_CANTOPEN",
    "SQLITE_CORRUPT",
    "SQLITE_NOTADB",
    "SQLITE_NOMEM",
    "SQLITE_PROTOCOL",
    "SQLITE_INTERRUPT",
    "SQLITE_PERM",
)
_SQLITE_SENTENCES: tuple[tuple[tuple[str, ...], type[CallwrightError], str], ...] = (
    (
        ("SQLITE_NOTADB", "SQLITE_CORRUPT"),
        UsageError,
        "this is not a sound SQLite database; restore it from a backup",
    ),
    (
        ("SQLITE_READONLY", "SQLITE_PERM"),
        UsageError,
        "the database cannot be written to; mend the permissions of the file and its folder",
    ),
    (
        ("SQLITE_CANTOPEN",),
        Unreachable,
        "the database cannot be opened; `callwright db upgrade` makes a new one",
    ),
    (
        ("SQLITE_BUSY", "SQLITE_LOCKED"),
        Unreachable,
        "another program holds the database locked; end it and try again",
    ),
    (("SQLITE_FULL",), Unreachable, "the disk is full; make space and try again"),
)
# SQLSTATE: connection, only reads (a standby), idle time-out, rollback (deadlock), resources (disk full),
# lock not available, operator intervention, system error, internal error, no such database, refused login.
_POSTGRES_TROUBLE = ("08", "25006", "25P03", "40", "53", "55", "57", "58", "XX", "3D", "28")


class OutcomeUnknown(Unreachable):
    """The connection was lost in COMMIT and the database could not be asked in time whether it holds."""


def is_trouble(error: BaseException) -> bool:
    """Whether the database itself is in trouble, so that the same request may succeed later."""
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        name = getattr(cause, "sqlite_errorname", "") or ""
        return name.startswith(_SQLITE_TROUBLE)
    code = getattr(cause, "sqlstate", None)
    if code is None:
        return isinstance(error, OperationalError)
    return str(code).startswith(_POSTGRES_TROUBLE)


def is_conflict(error: BaseException) -> bool:
    """Whether PostgreSQL gave this transaction up for another one: a deadlock or a serialization failure."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    return getattr(cause, "sqlstate", None) in ("40P01", "40001")


def place(url: URL) -> str:
    """The database as people know it: the file, or the URL without its password."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return url.render_as_string(hide_password=True)


def explain(error: DBAPIError, url: URL) -> CallwrightError:
    """One sentence for people: what is wrong with the database, and what to do."""
    where, cause = place(url), error.orig
    if isinstance(cause, sqlite3.Error):
        return _explain_sqlite(cause, where)
    code = str(getattr(cause, "sqlstate", None) or "")
    first = str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
    if code in ("42P01", "42703"):
        return UsageError(f"{where}: tables or columns are missing; run `callwright db upgrade`.")
    if code == "55P03":
        return Unreachable(f"{where}: another program holds the database locked; end it and try again.")
    return Unreachable(f"{where}: the database cannot be used ({first}); start it or mend [database] url.")


def _explain_sqlite(cause: sqlite3.Error, where: str) -> CallwrightError:
    name = getattr(cause, "sqlite_errorname", "") or ""
    if name == "SQLITE_ERROR" and "no such" in str(cause):
        return UsageError(f"{where}: tables or columns are missing; run `callwright db upgrade`.")
    for starts, kind, words in _SQLITE_SENTENCES:
        if name.startswith(starts):
            return kind(f"{where}: {words}.")
    return Unreachable(f"{where}: the database cannot be used ({cause}); look at the disk and the file.")
