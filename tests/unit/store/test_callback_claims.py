"""Four processes share one database of due callbacks, and are killed at random: nobody is called twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from contact_center.store.call_facts import CallArrived
from contact_center.store.callback_facts import CallbackOrdered
from contact_center.store.engine import open_engine, reading, writing
from contact_center.store.schema import upgrade

pytestmark = pytest.mark.clock

COUNT = int(os.environ.get("CALLWRIGHT_CALLBACKS", "150"))
KILLS = int(os.environ.get("CALLWRIGHT_CALLBACK_KILLS", "6"))
DEADLINE_SECONDS = 1200.0
ROOT = Path(__file__).parents[3]


def start(url: str, name: str, file: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "tests.support.callback_process", url, name, str(file)], cwd=ROOT)


def ordered(url: str, count: int) -> None:
    """So many callbacks that are all due."""
    at = datetime.now(UTC) - timedelta(minutes=5)
    engine = open_engine(url)
    with writing(engine) as session:
        for n in range(count):
            number = f"+4474{n:08d}"
            CallArrived(f"call-{n}", f"ch-{n}", at, "442079460018", number, "q").apply(session)
            expires = at + timedelta(hours=5)
            CallbackOrdered(f"cb-{n}", f"call-{n}", "q", number, "", 50, at, at, expires).apply(session)
    engine.dispose()


def test_four_processes_and_kills_make_each_attempt_at_most_once(tmp_path: Path) -> None:
    url, file = f"sqlite:///{tmp_path / 'claims.db'}", tmp_path / "far_end"
    upgrade(url)
    ordered(url, COUNT)
    names, dice = [f"p{n}" for n in range(4)], random.Random(7)
    running = {name: start(url, name, file) for name in names}
    deadline, killed = time.monotonic() + DEADLINE_SECONDS, 0
    try:
        while any(process.poll() is None for process in running.values()):
            assert time.monotonic() < deadline, "not all callbacks came to their end"
            name = dice.choice(names)
            try:
                running[name].wait(dice.uniform(0.3, 0.9))
            except subprocess.TimeoutExpired:
                if killed < KILLS:
                    running[name].send_signal(signal.SIGKILL)
                    running[name].wait(10)
                    running[name] = start(url, name, file)
                    killed += 1
    finally:
        for process in running.values():
            process.kill()
            process.wait(10)
    assert killed > 0
    calls = Counter(tuple(line.split()[:2]) for line in file.read_text().splitlines())
    per_customer = Counter(callback for callback, _ in calls)
    assert max(calls.values()) == 1, "an attempt was made twice"
    assert max(per_customer.values()) <= 3, "a customer was called more than three times"
    with reading(open_engine(url)) as session:
        rows = session.execute(text("SELECT state, attempt, dials FROM callback")).all()
        open_dials = session.execute(text("SELECT count(*) FROM callback_attempt WHERE ended_at IS NULL")).scalar()
    assert Counter(tuple(row) for row in rows) == {("failed", 3, 3): COUNT}
    assert open_dials == 0
    assert 3 * COUNT - killed <= sum(calls.values()) <= 3 * COUNT  # a dial that a kill prevented is not made up for
