"""What was posted a moment before a kill -9 is stored by the next process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from contact_center.clock import SystemClock
from contact_center.store.inbox import Inbox
from contact_center.store.journal import Entry
from contact_center.store.last_facts import SHARED_MEMORY, SIZE_BYTES, LastFacts, left_behind
from contact_center.store.state_facts import TrunkNoted
from contact_center.store.writer import Writer
from tests.unit.store.test_writer import note, notes

KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from contact_center.clock import SystemClock
from contact_center.store.engine import open_engine
from contact_center.store.writer import Writer
from tests.unit.store.test_writer import note

async def main(file, journal):
    async with Writer(open_engine(f"sqlite:///{file}"), SystemClock(), Path(journal)) as writer:
        for n in range(10):
            writer.post(note(n))
        assert await writer.drain()
        for n in range(10, 30):
            writer.post(note(n))
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main(sys.argv[1], sys.argv[2]))
"""


async def _killed(engine: Engine, journal: Path) -> None:
    code = [sys.executable, "-c", KILLED, str(engine.url.database), str(journal)]
    done = await asyncio.to_thread(subprocess.run, code, timeout=60, check=False)
    assert done.returncode == -9


async def test_facts_of_the_instant_of_a_kill_are_stored_once_by_the_next_process(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    journal = tmp_path / "facts.jsonl"
    await _killed(sqlite_engine, journal)
    assert notes(sqlite_engine) == [f"note {n}" for n in range(10)]
    async with Writer(sqlite_engine, SystemClock(), journal):
        assert notes(sqlite_engine) == [f"note {n}" for n in range(30)]
        assert left_behind(journal) == []
    assert not (tmp_path / "facts.jsonl.last").is_symlink()


async def test_facts_of_a_removed_database_are_not_taken_for_those_of_a_new_one(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    await _killed(sqlite_engine, folder / "facts.jsonl")
    memory = (folder / "facts.jsonl.last").readlink()
    for file in folder.iterdir():
        file.unlink()
    try:
        async with Writer(sqlite_engine, SystemClock(), folder / "facts.jsonl"):
            assert notes(sqlite_engine) == [f"note {n}" for n in range(10)]
    finally:
        memory.unlink()


async def test_facts_that_are_stored_do_not_stay_readable_in_memory(sqlite_engine: Engine, tmp_path: Path) -> None:
    journal = tmp_path / "facts.jsonl"
    async with Writer(sqlite_engine, SystemClock(), journal) as writer:
        memory = (tmp_path / "facts.jsonl.last").readlink()
        assert memory.parent == SHARED_MEMORY
        writer.post(note(1))
        assert b"note 1" in memory.read_bytes()
        assert memory.stat().st_mode & 0o777 == 0o600
        assert await writer.drain()
        assert memory.read_bytes() == bytes(SIZE_BYTES)
    assert not memory.exists()


def test_what_has_no_room_or_cannot_be_said_is_left_out(tmp_path: Path) -> None:
    journal = tmp_path / "facts.jsonl"
    last = LastFacts(journal)
    try:
        first = _entry(1, "short")
        last.write(first)
        last.write(Entry("w-1", 2, TrunkNoted("main", "up", object(), datetime.now(UTC))))  # type: ignore[arg-type]
        last.write(_entry(3, "x" * SIZE_BYTES))
        last.write(_entry(4, "short again"))
        assert [entry.seq for entry in left_behind(journal)] == [1, 4]
        assert left_behind(journal)[0] == first
    finally:
        last.close()


def _entry(seq: int, reason: str) -> Entry:
    return Entry("w-1", seq, TrunkNoted("main", "up", reason, datetime(2026, 3, 2, 12, tzinfo=UTC)))


def test_who_is_killed_while_he_forgets_what_is_stored_leaves_every_other_fact_once_and_in_order(
    tmp_path: Path,
) -> None:
    journal = tmp_path / "facts.jsonl"
    last = LastFacts(journal)
    entries = [_entry(n, "as long as the others") for n in range(1, 6)]

    def waiting() -> Iterator[Entry]:
        yield entries[3]
        raise KeyboardInterrupt

    try:
        for entry in entries:
            last.write(entry)
        with pytest.raises(KeyboardInterrupt):
            last.keep(waiting())
        assert left_behind(journal) == entries[1:]
    finally:
        last.close()


def test_under_a_load_that_never_ends_the_newest_facts_still_stand_in_memory(tmp_path: Path) -> None:
    journal = tmp_path / "facts.jsonl"
    memory = LastFacts(journal)
    try:
        inbox = Inbox("w-1", memory)
        size = len(Entry("w-1", 1, note(1)).line())
        for n in range(3 * SIZE_BYTES // size):
            inbox.post(note(n))
            inbox.done(inbox.batch(200)[:-1])  # one more has come before the others were stored
        assert [entry.fact for entry in left_behind(journal)][-1:] == [note(n)]
    finally:
        memory.close()


NO_JOURNAL = """
import asyncio, resource, sys
from pathlib import Path
from contact_center.clock import SystemClock
from contact_center.store.engine import open_engine
from contact_center.store.writer import Writer
from tests.lab.until import until
from tests.unit.store.test_writer import note
from tests.unit.store.trunk_notes import locked

async def main(file, journal):
    engine = open_engine(f"sqlite:///{file}")
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    with locked(engine):
        async with Writer(engine, SystemClock(), Path(journal), stop_seconds=0.1) as writer:
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, unlimited))
            for n in range(3):
                writer.post(note(n))

asyncio.run(main(sys.argv[1], sys.argv[2]))
"""


async def test_who_ends_while_neither_database_nor_journal_takes_a_fact_leaves_it_to_the_next_process(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    journal = tmp_path / "facts.jsonl"
    code = [sys.executable, "-c", NO_JOURNAL, str(sqlite_engine.url.database), str(journal)]
    done = await asyncio.to_thread(subprocess.run, code, timeout=60, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "journal_failed" in done.stdout
    async with Writer(sqlite_engine, SystemClock(), journal):
        assert notes(sqlite_engine) == ["note 0", "note 1", "note 2"]
