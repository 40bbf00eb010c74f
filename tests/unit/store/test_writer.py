from __future__ import annotations

import asyncio
import os
import resource
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert
from sqlalchemy.orm import Session

from contact_center.clock import SystemClock
from contact_center.errors import NotFound, Unreachable
from contact_center.models import Agent, Attempt, Lead, Outbox, Quarantine, TrunkNote
from contact_center.store.engine import writing
from contact_center.store.fact import Fact
from contact_center.store.facts import AgentStateChanged, AttemptRinging
from contact_center.store.tables import table_of
from contact_center.store.writer import Writer
from tests.lab.until import until
from tests.unit.store.trunk_notes import commit_note, locked, note, notes
from tests.unit.store.world import NOON, add_agent, add_campaign, add_lead, events, row, rows, take


@dataclass(frozen=True, slots=True)
class Poisoned(Fact):
    """A fact that no database takes."""

    why: str

    def apply(self, session: Session) -> None:
        if self.why == "bug":
            raise KeyError("a defect")
        session.connection().execute(insert(table_of(TrunkNote)), {"name": "broken"})


async def test_what_is_committed_is_stored_when_it_returns(engine: Engine) -> None:
    async with Writer(engine, SystemClock()) as writer:
        assert await writer.commit(lambda session: commit_note(session, "a")) == "a"
        assert row(engine, TrunkNote)["name"] == "a"


async def test_posts_and_commits_are_stored_in_the_order_of_their_calls(engine: Engine) -> None:
    async with Writer(engine, SystemClock()) as writer:
        for n in range(0, 40, 2):
            writer.post(note(n))
            seen = await writer.commit(_stored)
            assert seen[-1] == f"note {n}"
            writer.post(note(n + 1))
        assert await writer.drain()
    assert notes(engine) == [f"note {n}" for n in range(40)]


def _stored(session: Session) -> list[str]:
    events = session.connection().execute(table_of(Outbox).select().order_by(table_of(Outbox).c.id))
    return [event.payload["reason"] for event in events]


async def test_what_a_commit_raises_is_raised_here_and_nothing_of_it_is_stored(engine: Engine) -> None:
    def change(session: Session) -> None:
        commit_note(session, "a")
        raise NotFound("agent", "1001")

    async with Writer(engine, SystemClock()) as writer:
        with pytest.raises(NotFound):
            await writer.commit(change)
        assert writer.healthy
    assert rows(engine, TrunkNote) == []


async def test_a_fact_that_cannot_be_stored_is_put_aside_and_the_others_get_through(engine: Engine) -> None:
    async with Writer(engine, SystemClock()) as writer:
        for n in range(5):
            writer.post(note(n))
            writer.post(Poisoned("bug" if n % 2 else "null"))
        assert await writer.drain()
        assert writer.quarantined == 5
        assert writer.healthy
    assert notes(engine) == [f"note {n}" for n in range(5)]
    quarantined = rows(engine, Quarantine)
    assert [one["fact"]["why"] for one in quarantined] == ["null", "bug", "null", "bug", "null"]
    assert "defect" in quarantined[1]["error"]
    assert "NULL" in quarantined[0]["error"] or "null" in quarantined[0]["error"]


async def test_a_locked_database_is_unhealthy_within_a_second_and_loses_nothing(engine: Engine, tmp_path: Path) -> None:
    journal = tmp_path / "facts.jsonl"
    changes: list[bool] = []
    async with Writer(engine, SystemClock(), journal) as writer:
        writer.on_health(changes.append)
        await writer.read(lambda session: None)
        with locked(engine):
            writer.post(note(0))
            await until(lambda: not writer.healthy, 1.0, "the writer to be unhealthy")
            with pytest.raises(Unreachable):
                await writer.commit(lambda session: commit_note(session, "refused"))
            for n in range(1, 50):
                writer.post(note(n))
            assert writer.backlog == 50
            await until(lambda: b'"note 49"' in journal.read_bytes(), 3.0, "the journal to have all")
            assert "locked" in writer.trouble or "answer" in writer.trouble
        assert await writer.drain()
        await until(lambda: changes == [False, True], 1.0, "both changes of health")
        assert await writer.commit(lambda session: commit_note(session, "taken")) == "taken"
        assert b"note" not in journal.read_bytes()
    assert notes(engine) == [f"note {n}" for n in range(50)]
    assert {one["name"] for one in rows(engine, TrunkNote)} == {"main", "taken"}
    assert not journal.exists()


async def test_a_commit_that_took_too_long_is_never_stored_later(engine: Engine) -> None:
    async with Writer(engine, SystemClock()) as writer:
        await writer.read(lambda session: None)
        with locked(engine), pytest.raises(Unreachable):
            await writer.commit(lambda session: commit_note(session, "late"), within=0.2)
        await writer.commit(lambda session: commit_note(session, "next"))
    assert [one["name"] for one in rows(engine, TrunkNote)] == ["next"]


async def test_a_commit_whose_caller_is_cancelled_before_its_turn_is_not_stored(
    sqlite_engine: Engine,
) -> None:
    async with Writer(sqlite_engine, SystemClock()) as writer:
        await writer.read(lambda session: None)
        with locked(sqlite_engine):
            task = asyncio.create_task(writer.commit(lambda session: commit_note(session, "cancelled")))
            await asyncio.sleep(0)  # the request is on its way now
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await writer.commit(lambda session: commit_note(session, "next"))
    assert [one["name"] for one in rows(sqlite_engine, TrunkNote)] == ["next"]


CRASH = """
import asyncio, os, sqlite3, sys
from pathlib import Path
from contact_center.clock import SystemClock
from contact_center.store.engine import open_engine
from contact_center.store.writer import Writer
from tests.unit.store.test_writer import note
from tests.lab.until import until

async def main(file, journal):
    engine = open_engine(f"sqlite:///{file}")
    async with Writer(engine, SystemClock(), Path(journal)) as writer:
        for n in range(10):
            writer.post(note(n))
        assert await writer.drain()
        lock = sqlite3.connect(file, isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        for n in range(10, 30):
            writer.post(note(n))
        await until(lambda: b'"note 29"' in Path(journal).read_bytes(), 5.0, "the journal")
        os._exit(9)

asyncio.run(main(sys.argv[1], sys.argv[2]))
"""


async def test_a_crash_while_the_database_is_away_loses_nothing(sqlite_engine: Engine, tmp_path: Path) -> None:
    journal = tmp_path / "facts.jsonl"
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", CRASH, str(sqlite_engine.url.database), str(journal)],
        timeout=60,
        check=False,
    )
    assert done.returncode == 9
    assert notes(sqlite_engine) == [f"note {n}" for n in range(10)]
    kept = journal.read_bytes()
    for _ in range(2):  # the second time stands for a crash between storing and clearing
        async with Writer(sqlite_engine, SystemClock(), journal) as writer:
            assert writer.backlog == 0
            assert notes(sqlite_engine) == [f"note {n}" for n in range(30)]
        assert not journal.exists()
        journal.write_bytes(kept)


async def test_a_journal_with_a_torn_end_and_nonsense_is_replayed_as_far_as_it_makes_sense(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    journal = tmp_path / "facts.jsonl"
    with locked(sqlite_engine):
        async with Writer(sqlite_engine, SystemClock(), journal, stop_seconds=0.1) as writer:
            writer.post(note(1))
            writer.post(note(2))
            await until(lambda: b'"note 2"' in journal.read_bytes(), 5.0, "the journal")
            kept = journal.read_bytes().split(b"\0")[0]
    journal.write_bytes(b'{"fact": "Nonsense"}\n' + kept + b'{"source": "w-1", "se')
    async with Writer(sqlite_engine, SystemClock(), journal):
        assert notes(sqlite_engine) == ["note 1", "note 2"]
    assert (tmp_path / "facts.jsonl.rejected").read_bytes() == b'{"fact": "Nonsense"}\n'


async def test_a_start_with_a_journal_that_cannot_be_stored_fails_and_keeps_it(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    journal = tmp_path / "facts.jsonl"
    journal.write_bytes(
        b'{"source":"w-1","seq":1,"fact":"TrunkNoted","name":"main","state":"up","reason":"note 1",'
        b'"since_at":"2026-03-02T12:00:00+00:00"}\n'
    )
    with locked(sqlite_engine):
        writer = Writer(sqlite_engine, SystemClock(), journal, start_seconds=0.5)
        with pytest.raises(Unreachable):
            await writer.__aenter__()
    assert b"note 1" in journal.read_bytes()
    async with Writer(sqlite_engine, SystemClock(), journal):
        assert notes(sqlite_engine) == ["note 1"]


FULL_DISK = """
import asyncio, os, resource, sys
from pathlib import Path
from contact_center.clock import SystemClock
from contact_center.store.engine import open_engine
from contact_center.store.writer import Writer
from tests.unit.store.test_writer import note, notes
from tests.lab.until import until

async def main(file, journal):
    engine = open_engine(f"sqlite:///{file}")
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    async with Writer(engine, SystemClock(), Path(journal)) as writer:
        writer.post(note(0))
        assert await writer.drain()
        resource.setrlimit(resource.RLIMIT_FSIZE, (os.path.getsize(file + "-wal") + 100, unlimited))
        for n in range(1, 200):
            writer.post(note(n))
        await until(lambda: not writer.healthy, 1.0, "the writer to be unhealthy")
        print(writer.trouble)
        resource.setrlimit(resource.RLIMIT_FSIZE, (unlimited, unlimited))
        assert await writer.drain(10)
        await until(lambda: writer.healthy, 1.0, "the writer to be healthy")
    assert notes(engine) == [f"note {n}" for n in range(200)]
    print("all stored")

asyncio.run(main(sys.argv[1], sys.argv[2]))
"""


def test_a_disk_that_takes_no_more_is_waited_out(sqlite_engine: Engine, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(sqlite_engine.url.database), str(tmp_path / "facts.jsonl")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.splitlines()[-1:] == ["all stored"], done.stderr
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    with closing(sqlite3.connect(str(sqlite_engine.url.database))) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_a_database_file_that_is_taken_away_is_noticed(sqlite_engine: Engine) -> None:
    file = str(sqlite_engine.url.database)
    async with Writer(sqlite_engine, SystemClock()) as writer:
        await writer.commit(lambda session: commit_note(session, "a"))
        aside = f"{file}.aside"
        os.rename(file, aside)
        await until(lambda: not writer.healthy, 1.5, "the writer to be unhealthy")
        os.rename(aside, file)
        await until(lambda: writer.healthy, 5.0, "the writer to be healthy")
        await writer.commit(lambda session: commit_note(session, "b"))


async def test_an_idle_writer_costs_next_to_nothing_and_finds_trouble_by_itself(
    sqlite_engine: Engine,
) -> None:
    async with Writer(sqlite_engine, SystemClock()) as writer:
        await writer.read(lambda session: None)
        with locked(sqlite_engine):
            await until(lambda: not writer.healthy, 1.6, "the idle writer to be unhealthy")
        await until(lambda: writer.healthy, 3.0, "the writer to be healthy")


async def test_posting_after_the_end_neither_raises_nor_blocks(sqlite_engine: Engine) -> None:
    async with Writer(sqlite_engine, SystemClock()) as writer:
        pass
    writer.post(note(1))
    with pytest.raises(Unreachable):
        await writer.commit(lambda session: commit_note(session, "a"))


async def test_a_call_is_lived_through_the_writer(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        add_lead(session, campaign, "+4401")
        add_agent(session, "1001")
    async with Writer(engine, SystemClock()) as writer:
        (taken,) = await writer.commit(lambda session: take(session, campaign))
        writer.post(AttemptRinging(taken.channel_id, NOON))
        writer.post(AgentStateChanged("1001", "talking", NOON, None, None, taken.call_id, 0))
    assert row(engine, Attempt)["state"] == "ringing"
    assert row(engine, Lead)["state"] == "dialing"
    assert row(engine, Agent)["call_id"] == taken.call_id
    assert [event[0] for event in events(engine)] == ["attempt.intent", "attempt.ringing", "agent.state"]
