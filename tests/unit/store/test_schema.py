from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect
from sqlmodel import SQLModel

from contact_center import migrations
from contact_center.errors import Unreachable, UsageError
from contact_center.store.engine import for_writing, open_engine, writing
from contact_center.store.schema import require_current, schema_state, upgrade


@pytest.fixture
def own_engine(url: str) -> Iterator[Engine]:
    upgrade(url)
    engine = open_engine(url)
    yield engine
    engine.dispose()


def test_a_fresh_database_gets_all_tables_and_may_then_be_used(url: str) -> None:
    assert schema_state(url).current is None
    with pytest.raises(Unreachable, match="callwright db upgrade"):
        require_current(url)
    assert upgrade(url).is_current
    require_current(url)


def test_models_and_migrations_say_the_same(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_the_revisions_by_file_name_are_those_that_alembic_knows(tmp_path: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    head = ScriptDirectory.from_config(config).get_current_head()
    assert schema_state(f"sqlite:///{tmp_path / 'none.db'}").head == head


def test_partial_indexes_have_the_conditions_of_the_models(engine: Engine) -> None:
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'index'")
        else:
            rows = connection.exec_driver_sql("SELECT indexname, indexdef FROM pg_indexes")
        definitions = {name: text or "" for name, text in rows}
    for name in ("ix_lead_served", "ix_lead_new", "ix_lead_retry", "ix_control_open"):
        assert " WHERE " in definitions[name], definitions[name]


def test_the_schema_can_be_taken_back_and_made_again(own_engine: Engine) -> None:
    with for_writing(own_engine).begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert schema_state(own_engine.url).current is None
    with own_engine.connect() as connection:
        assert set(inspect(connection).get_table_names()) == {"alembic_version"}
    assert upgrade(own_engine.url).is_current


def test_upgrades_at_the_same_time_both_succeed(url: str) -> None:
    program = "import sys; from contact_center.store.schema import upgrade; print(upgrade(sys.argv[1]).is_current)"
    runs = [subprocess.Popen([sys.executable, "-c", program, url], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [run.communicate(timeout=60)[0].strip() for run in runs] == ["True"] * 3
    require_current(url)


def test_a_fresh_sqlite_file_is_not_for_everybody(tmp_path: Path) -> None:
    file = tmp_path / "fresh.db"
    before = os.umask(0)
    try:
        upgrade(f"sqlite:///{file}")
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_an_older_schema_asks_for_the_upgrade(own_engine: Engine) -> None:
    _set_version(own_engine, None)
    with pytest.raises(Unreachable, match="callwright db upgrade"):
        require_current(own_engine.url)


def test_a_newer_schema_asks_for_the_newer_program_and_is_left_alone(own_engine: Engine) -> None:
    _set_version(own_engine, "9999")
    with pytest.raises(UsageError, match="newer Callwright"):
        require_current(own_engine.url)
    with pytest.raises(UsageError, match="newer Callwright"):
        upgrade(own_engine.url)


def _set_version(engine: Engine, version: str | None) -> None:
    with writing(engine) as session:
        session.connection().exec_driver_sql("DELETE FROM alembic_version")
        if version is not None:
            session.connection().exec_driver_sql(f"INSERT INTO alembic_version VALUES ('{version}')")


@pytest.mark.parametrize("content", [b"name,number\n" * 50, os.urandom(4096), b"SQLite format 3\0short"])
def test_a_file_that_is_no_database_is_refused_and_not_changed(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "strange.db"
    file.write_bytes(content)
    for action in (require_current, schema_state, upgrade):
        with pytest.raises(UsageError) as caught:
            action(f"sqlite:///{file}")
        assert str(file) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert file.read_bytes() == content


def test_a_file_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "short.db"
    upgrade(f"sqlite:///{file}")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    os.truncate(file, file.stat().st_size // 2)
    with pytest.raises(UsageError, match="cut short"):
        require_current(f"sqlite:///{file}")


def test_a_mistyped_path_does_not_start_a_new_database(tmp_path: Path) -> None:
    missing = tmp_path / "missing.db"
    with pytest.raises(Unreachable, match="no Callwright database yet"):
        require_current(f"sqlite:///{missing}")
    engine = open_engine(f"sqlite:///{missing}")
    with pytest.raises(Unreachable, match="cannot be opened"), writing(engine):
        raise AssertionError("a transaction on a database that is not there")
    assert not missing.exists()


def test_a_database_that_may_only_be_read_is_refused() -> None:
    program = (
        "import os, sys\n"
        "from sqlalchemy.dialects.sqlite import pysqlite\n"  # nobody may not look into every checkout
        "from contact_center.store.schema import known_revisions, require_current\n"
        "known_revisions()\n"
        "from contact_center.errors import UsageError\n"
        "if os.geteuid() == 0: os.setgid(65534); os.setuid(65534)\n"
        "try: require_current(sys.argv[1])\n"
        "except UsageError as error: print(error)\n"
    )
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        file = Path(folder) / "callwright.db"
        upgrade(f"sqlite:///{file}")
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")
        file.chmod(0o444)
        Path(folder).chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-c", program, f"sqlite:///{file}"],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert "cannot be written to" in done.stdout, done.stderr


def test_a_postgres_that_is_away_is_one_sentence_without_the_password() -> None:
    url = "postgresql+psycopg://callwright:hunter2@127.0.0.1:9/callwright"
    for action in (require_current, schema_state, upgrade):
        with pytest.raises(Unreachable) as caught:
            action(url)
        assert "hunter2" not in str(caught.value)
        assert "\n" not in str(caught.value)


def test_sqlite_runs_with_the_settings_that_make_it_safe_and_fast(sqlite_engine: Engine) -> None:
    with sqlite_engine.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "busy_timeout": 5000}


def test_eight_threads_that_read_and_then_write_are_never_told_that_it_is_locked(own_engine: Engine) -> None:
    with writing(own_engine) as session:
        session.connection().exec_driver_sql("CREATE TABLE tally (n INTEGER)")
        session.connection().exec_driver_sql("INSERT INTO tally VALUES (0)")

    def count(times: int) -> None:
        own = open_engine(own_engine.url)
        for _ in range(times):
            with writing(own) as session:
                n = session.connection().exec_driver_sql("SELECT n FROM tally").scalar_one()
                session.connection().exec_driver_sql(f"UPDATE tally SET n = {n + 1}")
        own.dispose()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(count, [50] * 8))
    with own_engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT n FROM tally").scalar_one() == 400
