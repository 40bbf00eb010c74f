"""One serve per database, across processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from contact_center.errors import Unreachable, UsageError
from contact_center.lock import InstanceLock, is_held

HOLD = """
import sys
from contact_center.lock import InstanceLock
with InstanceLock.for_database(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(url: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_a_second_serve_is_told_the_pid_of_the_first(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/c.db"
    first = holder(url)
    try:
        assert is_held(url)
        with pytest.raises(UsageError, match=rf"^A callwright serve already runs .*pid {first.pid}.* stop it first\.$"):
            InstanceLock.for_database(url).take()
    finally:
        end(first)
    assert not is_held(url)


def test_a_crash_leaves_no_lock_behind(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/c.db"
    end(holder(url))
    assert (tmp_path / "c.db.lock").exists()
    with InstanceLock.for_database(url) as lock:
        assert lock.still_held()
        assert (tmp_path / "c.db.lock").read_text() == f"{os.getpid()}\n"
    assert not lock.still_held()


def test_asking_takes_nothing_and_makes_no_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/c.db"
    assert not is_held(url)
    assert list(tmp_path.iterdir()) == []


def test_a_lock_file_taken_away_is_no_longer_held(tmp_path: Path) -> None:
    with InstanceLock.for_database(f"sqlite:///{tmp_path}/c.db") as lock:
        (tmp_path / "c.db.lock").unlink()
        assert not lock.still_held()


def test_two_databases_do_not_meet(tmp_path: Path) -> None:
    with InstanceLock.for_database(f"sqlite:///{tmp_path}/a.db"):
        assert not is_held(f"sqlite:///{tmp_path}/b.db")


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the lock file cannot be written"):
        InstanceLock.for_database(f"sqlite:///{tmp_path}/none/c.db").take()


def test_a_postgresql_that_is_away_is_unreachable() -> None:
    url = "postgresql+psycopg://u:hush@127.64.5.9:1/none"
    with pytest.raises(Unreachable, match="cannot be reached") as failure:
        InstanceLock.for_database(url).take()
    assert "hush" not in str(failure.value)
    with pytest.raises(Unreachable):
        is_held(url)
