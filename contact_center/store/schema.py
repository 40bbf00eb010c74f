"""The schema's version: what the database has, what this program needs, and the way from one to the other."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, Connection, inspect, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from contact_center.errors import Unreachable, UsageError
from contact_center.store.engine import for_writing, open_engine
from contact_center.store.errors import explain, place

UPGRADE_SECONDS = 60.0
"""How long an upgrade waits for another one, or for any writer, to end."""

_MIGRATIONS = Path(__file__).parent.parent / "migrations"


@dataclass(frozen=True, slots=True)
class SchemaState:
    """``current``: the revision the database has, None for none; ``head``: the one this program needs."""

    current: str | None
    head: str

    @property
    def is_current(self) -> bool:
        """Whether the program may run on this database."""
        return self.current == self.head


def _run_migrations(connection: Connection) -> None:
    """Alembic is imported here only: every command checks the schema, and few ever change it."""
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _parse(url: str | URL) -> URL:
    try:
        return make_url(url)
    except ArgumentError:
        raise UsageError("[database] url is not a database URL; sqlite:///callwright.db is one.") from None


def upgrade(url: str | URL) -> SchemaState:
    """Bring the database to the head revision; a missing SQLite file is created, readable to its group.

    Two upgrades at once are safe: the second waits and finds nothing left to do.
    Raises UsageError or Unreachable with one sentence.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        _create_file(parsed)
        _check_file(parsed)
    engine = open_engine(parsed, pool_size=1, lock_seconds=UPGRADE_SECONDS, statement_seconds=3600.0, pre_ping=False)
    try:
        if parsed.get_backend_name() == "sqlite":
            _use_wal(parsed)
        with for_writing(engine).begin() as connection:
            state = _state(connection)
            _refuse_newer(state, parsed)
            if not state.is_current:
                _run_migrations(connection)
            return _state(connection)
    except DBAPIError as error:
        raise explain(error, parsed) from error
    except sqlite3.Error as error:
        raise explain(DBAPIError("", None, error), parsed) from error
    finally:
        engine.dispose()


def schema_state(url: str | URL) -> SchemaState:
    """What the database has and what this program needs. Raises UsageError or Unreachable."""
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        if not Path(str(parsed.database)).exists():
            return SchemaState(None, _head())
        _check_file(parsed)
    engine = open_engine(parsed, pool_size=1, pre_ping=False)
    try:
        with engine.begin() as connection:
            return _state(connection)
    except DBAPIError as error:
        raise explain(error, parsed) from error
    finally:
        engine.dispose()


def require_current(url: str | URL) -> None:
    """Refuse to go on with a database this program must not touch.

    Raises Unreachable when the database is away or not there yet, UsageError when its schema is not this program's,
    the file is not a sound database, or it cannot be written to.
    """
    parsed = _parse(url)
    state, where = schema_state(parsed), place(parsed)
    if state.current is None:
        raise Unreachable(f"{where}: there is no Callwright database yet; run `callwright db upgrade`.")
    _refuse_newer(state, parsed)
    if not state.is_current:
        raise UsageError(
            f"{where}: the database has schema {state.current}, this program needs {state.head}; "
            "run `callwright db upgrade`."
        )
    _prove_writable(parsed)


def _prove_writable(url: URL) -> None:
    engine = open_engine(url, pool_size=1, pre_ping=False)
    try:
        with for_writing(engine).connect() as connection:
            connection.begin()
            connection.exec_driver_sql("DELETE FROM control WHERE id < 0")
            connection.rollback()
    except DBAPIError as error:
        raise explain(error, url) from error
    finally:
        engine.dispose()


def _head() -> str:
    return known_revisions()[-1]


@cache
def known_revisions() -> list[str]:
    """All revisions, oldest first: the files are named by them, and a test holds this to Alembic's own view."""
    return sorted(file.name.partition("_")[0] for file in (_MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def _state(connection: Connection) -> SchemaState:
    if not inspect(connection).has_table("alembic_version"):
        return SchemaState(None, _head())
    return SchemaState(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar(), _head())


def _refuse_newer(state: SchemaState, url: URL) -> None:
    if state.current is not None and state.current not in known_revisions():
        raise UsageError(
            f"{place(url)}: the database was made by a newer Callwright (schema {state.current}); install that version."
        )


def _create_file(url: URL) -> None:
    file = Path(str(url.database))
    try:
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o640))
    except FileExistsError:
        return
    except OSError as error:
        raise Unreachable(
            f"{file}: the database cannot be created here ({error.strerror}); mend [database] url."
        ) from None


def _check_file(url: URL) -> None:
    """Find what SQLite would only find out later: a folder, a strange file, one that was cut short.

    The file is looked at through SQLite and never opened beside it: closing a descriptor of our own would
    drop the locks that this process's connections hold on the file (POSIX), and their writes could be lost.
    """
    file = Path(str(url.database))
    if not file.is_file():
        raise UsageError(f"{file}: this is not a file; mend [database] url.")
    if file.stat().st_size == 0:
        return
    try:
        with closing(sqlite3.connect(f"file:{quote(str(file))}?mode=rw", uri=True, timeout=1.0)) as connection:
            page_size, pages = (
                connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_size", "page_count")
            )
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorname in ("SQLITE_BUSY", "SQLITE_LOCKED"):
            return  # somebody works with it, so it is a database
        raise UsageError(f"{file}: it cannot be read ({error}); mend its permissions.") from None
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorname == "SQLITE_NOTADB":
            raise UsageError(f"{file}: this is not an SQLite database; mend [database] url.") from None
        raise UsageError(f"{file}: the file was cut short or is damaged; restore it from a backup.") from None
    # While a write-ahead log waits to be merged the file may rightly be shorter than its pages.
    if not _unmerged(file) and file.stat().st_size < pages * page_size:
        raise UsageError(f"{file}: the file was cut short; restore it from a backup.")


def _unmerged(file: Path) -> int:
    try:
        return Path(f"{file}-wal").stat().st_size
    except FileNotFoundError:
        return 0


def _use_wal(url: URL) -> None:
    """Switch to the write-ahead log, a property of the file. It needs the file for itself for a moment."""
    deadline = time.monotonic() + UPGRADE_SECONDS
    with closing(sqlite3.connect(str(url.database), isolation_level=None)) as connection:
        while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            try:
                connection.execute("PRAGMA journal_mode=WAL")
            except sqlite3.OperationalError as error:
                # The busy time-out does not hold for this pragma: two upgrades may meet here.
                if error.sqlite_errorname != "SQLITE_BUSY":
                    raise
                if time.monotonic() > deadline:
                    raise Unreachable(
                        f"{place(url)}: another program holds the database locked; end it and try again."
                    ) from error
                time.sleep(0.02)
