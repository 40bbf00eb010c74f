"""The writer on a PostgreSQL that is stopped, frozen and cut off."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from contact_center.clock import SystemClock
from contact_center.errors import Unreachable
from contact_center.models import TrunkNote
from contact_center.store.engine import open_engine, writing
from contact_center.store.schema import upgrade
from contact_center.store.writer import Writer
from tests.lab.postgres import Postgres
from tests.lab.until import until
from tests.unit.store.cutting_proxy import CuttingProxy
from tests.unit.store.trunk_notes import commit_note, note, notes
from tests.unit.store.world import rows


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[Postgres]:
    """A server that these tests may stop and freeze."""
    with Postgres() as server:
        yield server


@pytest.fixture
def own_engine(own_postgres: Postgres) -> Iterator[Engine]:
    url = own_postgres.url()
    upgrade(url)
    engine = open_engine(url)
    yield engine
    engine.dispose()


async def test_postgres_gone_under_load_stops_commits_at_once_and_loses_no_fact(
    own_postgres: Postgres, own_engine: Engine
) -> None:
    async with Writer(own_engine, SystemClock()) as writer:
        writer.post(note(0))
        assert await writer.drain()
        await asyncio.to_thread(own_postgres.stop)
        for n in range(1, 100):
            writer.post(note(n))
        await until(lambda: not writer.healthy, 1.0, "the writer to be unhealthy")
        with pytest.raises(Unreachable):
            await writer.commit(lambda session: commit_note(session, "refused"))
        await asyncio.to_thread(own_postgres.start)
        assert await writer.drain(10)
        await writer.commit(lambda session: commit_note(session, "taken"))
    assert notes(own_engine) == [f"note {n}" for n in range(100)]
    assert {one["name"] for one in rows(own_engine, TrunkNote)} == {"main", "taken"}


async def test_a_restart_of_postgres_between_two_commits_is_not_noticed(
    own_postgres: Postgres, own_engine: Engine
) -> None:
    async with Writer(own_engine, SystemClock()) as writer:
        await writer.commit(lambda session: commit_note(session, "a"))
        await asyncio.to_thread(own_postgres.stop, "fast")
        await asyncio.to_thread(own_postgres.start)
        await until(lambda: writer.healthy, 3.0, "the writer to be healthy")
        await writer.commit(lambda session: commit_note(session, "b"))
    with writing(own_engine) as session:
        commit_note(session, "c")
    assert [one["name"] for one in rows(own_engine, TrunkNote)] == ["a", "b", "c"]


async def test_a_frozen_postgres_is_noticed_within_a_second_and_survived(
    own_postgres: Postgres, own_engine: Engine, tmp_path: Path
) -> None:
    journal = tmp_path / "facts.jsonl"
    async with Writer(own_engine, SystemClock(), journal) as writer:
        writer.post(note(0))
        assert await writer.drain()
        own_postgres.pause()
        try:
            writer.post(note(1))
            commit = asyncio.create_task(writer.commit(lambda session: commit_note(session, "x"), within=0.5))
            await until(lambda: not writer.healthy, 1.0, "the writer to be unhealthy")
            await until(lambda: b'"note 1"' in journal.read_bytes(), 2.0, "the journal to have the fact")
            with pytest.raises(Unreachable):
                await commit
        finally:
            own_postgres.go_on()
        assert await writer.drain(10)
        await until(lambda: writer.healthy, 5.0, "the writer to be healthy")
    assert notes(own_engine) == ["note 0", "note 1"]
    assert [one["name"] for one in rows(own_engine, TrunkNote)] == ["main"]


@pytest.mark.parametrize("cut", ["before", "after"])
async def test_a_connection_lost_in_commit_has_a_certain_outcome(postgres: Postgres, cut: str) -> None:
    url = postgres.url()
    upgrade(url)
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        proxy = CuttingProxy(Path(folder), postgres.home)
        engine = open_engine(url.replace(str(postgres.home), folder))
        try:
            async with Writer(engine, SystemClock()) as writer:
                await writer.read(lambda session: None)
                proxy.cut = "after" if cut == "after" else "before"
                if cut == "after":
                    assert await writer.commit(lambda session: commit_note(session, "a")) == "a"
                else:
                    with pytest.raises(Unreachable):
                        await writer.commit(lambda session: commit_note(session, "a"))
                assert proxy.cuts == 1
                await until(lambda: writer.healthy, 5.0, "the writer to be healthy")
                proxy.cut = "after" if cut == "after" else "before"
                writer.post(note(1))
                assert await writer.drain(10)
                assert proxy.cuts == 2
        finally:
            engine.dispose()
            proxy.close()
    direct = open_engine(url)
    assert [one["name"] for one in rows(direct, TrunkNote)] == (["a", "main"] if cut == "after" else ["main"])
    assert notes(direct) == ["note 1"]
    direct.dispose()
