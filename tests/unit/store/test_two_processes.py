"""A program that looks at its own database file must not lose what it writes there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from sqlalchemy import text

from contact_center.store.engine import open_engine, reading, writing
from contact_center.store.schema import require_current, upgrade

ADD = "INSERT INTO trunk_note (name, state, reason, since_at) VALUES ('{}', 'up', '', '2026-03-01 12:00:00')"


def another_process(file: Path, statement: str) -> set[str]:
    """Another program runs one statement and ends; the first column of what it got."""
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); rows = c.execute(sys.argv[2]).fetchall();"
        "c.commit(); c.close(); print(*[r[0] for r in rows])"
    )
    command = [sys.executable, "-c", code, str(file), statement]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_checking_the_schema_beside_an_open_connection_loses_no_write(tmp_path):
    file = tmp_path / "one.db"
    url = f"sqlite:///{file}"
    upgrade(url)
    first = open_engine(url)
    with writing(first) as session:
        session.execute(text(ADD.format("before")))
    require_current(url)
    second = open_engine(url)
    with reading(second) as session:
        session.execute(text("SELECT 1 FROM trunk_note")).all()
    another_process(file, ADD.format("other"))
    with writing(second) as session:
        session.execute(text(ADD.format("after")))
    with reading(second) as session:
        assert set(session.execute(text("SELECT name FROM trunk_note")).scalars()) == {"before", "after", "other"}
    assert another_process(file, "SELECT name FROM trunk_note") == {"before", "after", "other"}
    first.dispose()
    second.dispose()
