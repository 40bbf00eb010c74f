"""The database goes away: dialling stops, calls go on, and every fact is stored afterwards, in order."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from pathlib import Path

from tests.lab.centre import Centre
from tests.lab.farend.numbers import Behaviour, number_for, talks
from tests.lab.faults import HeldLock, SmallDisk
from tests.lab.judge import Judge
from tests.lab.postgres import Postgres
from tests.prove.books import Dial
from tests.prove.losses import RING_SECONDS, STOPS_SECONDS, begun
from tests.prove.proof import Proof, Round
from tests.prove.scene import customers, left_over, mixed, stand, times, watching
from tests.prove.story import Story

WIRE_SECONDS = 0.3  # from an intent to its INVITE


async def database_round(
    centre: Centre,
    number: int,
    *,
    name: str,
    outage: AbstractAsyncContextManager[object],
    seconds: float,
    leads: int,
    stops_within: float = STOPS_SECONDS,
) -> Round:
    """The database is away for so long: no dial, every call goes on, and every fact is stored afterwards.

    A call is placed only after its intent was committed. So where no commit is possible, nothing is dialled from that
    instant on, whenever the trouble is noticed: `stops_within` is 0 then.
    """
    books = await stand(centre, 6)
    campaign, first = f"{name}-{number}", 6000 + number * 60
    slow = [talks(t, first + n, ring=1.0) for n, t in enumerate((4.0, 5.0, 6.0, 7.0))]
    rings = [number_for(Behaviour.NEVER_ANSWERS, first)] if seconds > RING_SECONDS else []
    numbers = [*mixed(leads, first), *slow, *rings]
    await begun(centre, campaign, numbers)
    async with watching(centre, every=0.02) as ready:
        async with outage:
            began = centre.far.clock.now()
            up = [r.party for r in customers(centre, numbers) if r.ended_at is None]
            await asyncio.sleep(seconds)
            ended = centre.far.clock.now()
        await books.until_finished(campaign, 120.0)
    story = Story(centre, campaign, numbers, 2)
    dialled = [r for r in story.records() if began < r.invite_at < ended]
    late = [r for r in dialled if r.invite_at > began + stops_within + WIRE_SECONDS]
    calls = await centre.cli("call", "list", "--campaign", campaign, "--limit", "10000")
    parties = {*numbers, *(phone.name for phone in centre.far.phones)}
    mine = [c for c in centre.far.log.calls if c.party in parties]
    failures = [*await left_over(centre, books), *story.faults(books), *Judge(calls, mine).mismatches()]
    failures += [f"{r.party}: dialled {r.invite_at - began:.1f} s into the outage" for r in late]
    failures += _out_of_order(books.dials(campaign))
    books.close()
    figures = {
        "outages": 1, "seconds of outage": [ended - began], "calls up when it began": len(up),
        "dials on the line": len(story.records()), "dials in an outage": len(dialled),
        "seconds from its begin to the last of them": [max(r.invite_at - began for r in dialled)] if dialled else [],
        **times(ready, began),
    }  # fmt: skip
    early = [s.seen_at for s in ready.spells if s.ready and began + STOPS_SECONDS < s.seen_at < ended]
    failures += [f"said to be ready {at - began:.1f} s into the outage" for at in early]
    return Round(figures, failures)


def _out_of_order(dials: list[Dial]) -> list[str]:
    found = []
    for dial in dials:
        steps = [dial.intent_at, dial.ringing_at, dial.answered_at, dial.connected_at, dial.ended_at]
        known = [step for step in steps if step]
        if known != sorted(known):
            found.append(f"{dial.number} {dial.call_id}: its steps are out of order {known}")
    return found


def _file(centre: Centre) -> Path:
    return Path(centre.settings.database.url.removeprefix("sqlite:///"))


async def locked_round(centre: Centre, number: int, *, seconds: float = 30.0, leads: int = 40) -> Round:
    """Another process holds the SQLite file."""
    return await database_round(
        centre, number, name="locked", outage=HeldLock(_file(centre)), seconds=seconds, leads=leads, stops_within=0.0
    )


class FullDiskCentre(Centre):
    """Its database lies on a disk that can be filled."""

    def __init__(self) -> None:
        self.disk = SmallDisk(24)
        super().__init__("full", database=f"sqlite:///{self.disk.path / 'callwright.db'}")

    async def __aenter__(self) -> FullDiskCentre:
        self._stack.enter_context(self.disk)
        await super().__aenter__()
        return self


@asynccontextmanager
async def _filled(disk: SmallDisk) -> AsyncIterator[None]:
    """Full to the last byte. A write-ahead log that has grown before is written again from its start without a byte
    more of the disk, so commits go on as long as it lasts; it is given back first, for the outage to begin here."""
    with closing(sqlite3.connect(disk.path / "callwright.db", timeout=5.0)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    disk.fill()
    try:
        yield
    finally:
        disk.free()


async def full_round(centre: FullDiskCentre, number: int, *, seconds: float = 30.0, leads: int = 40) -> Round:
    """Not a byte is left on the disk of the SQLite file."""
    return await database_round(centre, number, name="full", outage=_filled(centre.disk), seconds=seconds, leads=leads)


class PostgresCentre(Centre):
    """Its database is a PostgreSQL of its own."""

    def __init__(self) -> None:
        self.postgres = Postgres()
        self.postgres.start()
        super().__init__("postgres", database=self.postgres.url())

    async def __aenter__(self) -> PostgresCentre:
        self._stack.callback(self.postgres.remove)
        await super().__aenter__()
        return self


@asynccontextmanager
async def _stopped(postgres: Postgres) -> AsyncIterator[None]:
    await asyncio.to_thread(postgres.stop, "immediate")
    try:
        yield
    finally:
        await asyncio.to_thread(postgres.start)


@asynccontextmanager
async def _frozen(postgres: Postgres) -> AsyncIterator[None]:
    postgres.pause()
    try:
        yield
    finally:
        postgres.go_on()


async def postgres_round(centre: PostgresCentre, number: int, *, seconds: float = 30.0, leads: int = 40) -> Round:
    """PostgreSQL crashes and comes back; every other round it hangs instead."""
    outage = _frozen(centre.postgres) if number % 2 else _stopped(centre.postgres)
    return await database_round(centre, number, name="postgres", outage=outage, seconds=seconds, leads=leads)


PROOFS = [
    Proof(
        "sqlite_locked",
        "Another process holds the SQLite file for 30 s: nothing is dialled while it does (an intent must be "
        "committed first), calls go on, every fact is stored "
        "afterwards in order, and every call agrees with the far end's record.",
        7,
        locked_round,
        lambda: Centre("locked"),
    ),
    Proof(
        "sqlite_disk_full",
        "The disk of the SQLite file is full for 30 s: dialling stops within 1 s; the rest is the same.",
        7,
        full_round,
        FullDiskCentre,
    ),
    Proof(
        "postgres_away",
        "PostgreSQL is stopped, or hangs, for 30 s: dialling stops within 1 s; the rest is the same.",
        6,
        postgres_round,
        PostgresCentre,
    ),
]
