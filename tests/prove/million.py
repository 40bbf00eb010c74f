"""A million leads all over a continent, in many states of the work: how long it takes to choose the next one."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import Any

from sqlalchemy import Engine, insert, select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.carriers import Hand
from contact_center.law.places import LeadFacts, place_key
from contact_center.models import Attempt, Campaign, Lead
from contact_center.store.claims import Claim, claim
from contact_center.store.engine import open_engine, reading, writing
from contact_center.store.schema import upgrade
from contact_center.terms import CallKind
from tests.lab.postgres import Postgres
from tests.prove.proof import Figure, Proof, Round, percentile
from tests.unit.store.world import settled

LEADS, HISTORY, LISTED = 1_000_000, 200_000, 20_000
CLAIMS, WARM_UP = 2000, 200
BOUND_SECONDS = 0.005
GROWTH = 0.05
NOW = datetime(2026, 7, 15, 19, 0, tzinfo=UTC)  # a Wednesday; everywhere from New York to Honolulu it is day
PROFILE = "us_tsr"  # with Florida's and Oklahoma's three calls a day to one person
PRIORITIES = tuple(range(100))  # a score
BATCH = 50_000


@cache
def places() -> list[tuple[int, str]]:
    """Area codes of the fifty states, with the key of the place."""
    keys = [(code, place_key(LeadFacts(f"+1{code}5550123"), site_zone="UTC")) for code in range(201, 990)]
    return [(code, key) for code, key in keys if key.partition("|")[2].startswith("US-")]


@dataclass(frozen=True, slots=True)
class World:
    """The tables are full; ``zones``: the places of the leads."""

    engine: Engine
    campaign: int
    zones: list[str]


def lead_row(n: int, campaign: int) -> dict[str, Any]:
    """Lead ``n``: six in ten new, most others due again sooner or later, some served before, some done."""
    _, key = places()[n % len(places())]
    fate = random.Random(n)
    kind = fate.random()
    state = "new" if kind < 0.6 else "due" if kind < 0.9 else "done"
    minutes = fate.uniform(-30.0, 600.0)
    return {
        "id": n + 1, "campaign_id": campaign, "number": number_of(n), "zones": key, "state": state,
        "disposition": "" if state == "new" else "missed", "attempts": 0 if state == "new" else 1 + n % 3,
        "dials": 0 if state == "new" else 1 + n % 3,
        "next_attempt_at": NOW + timedelta(minutes=minutes) if state == "due" else None,
        "last_agent": f"{1001 + n % 40}" if 0.88 < kind < 0.9 else "", "priority": fate.choice(PRIORITIES),
        "fields": {"name": f"Person {n}", "city": "Springfield", "source": ("web", "fair", "list")[n % 3]},
        "created_at": NOW - timedelta(days=3), "reason": "",
    }  # fmt: skip


def number_of(n: int) -> str:
    """Its number."""
    return f"+1{places()[n % len(places())][0]}{2_000_000 + n // len(places()):07d}"


def history_rows(n: int, campaign: int, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A call of the last day to one of the leads, with its attempt."""
    lead = random.Random(-n).randrange(LEADS)
    at = NOW - timedelta(seconds=60 + n * 86400 / HISTORY)
    shared = {"call_id": f"old-{n}", "lead_id": lead + 1, "campaign_id": campaign}
    attempt = {
        **shared, "id": n + 1, "channel_id": f"cw-old-{n}", "n": 1000 + n, "number": number_of(lead),
        "live_number": None, "trunk": "main", "state": "done", "counted": True, "outcome": "missed", "agent": "",
        "agent_channel_id": "", "bridge_id": "", "intent_at": at, "ended_at": at + timedelta(seconds=25),
    }  # fmt: skip
    call = {
        "id": f"old-{n}", "kind": "power", "direction": "outbound", "queue": "", "campaign": name, "lead_id": lead + 1,
        "did": "", "caller_number": number_of(lead), "started_at": at, "ended_at": at + timedelta(seconds=25),
        "wait_seconds": 25.0, "ring_seconds": 24.0, "talk_seconds": 0.0, "call_state": "NO_ANSWER_A",
        "disposition": "missed", "agents": [], "timeline": [], "record": {"id": f"old-{n}"},
    }  # fmt: skip
    return call, attempt


def fill(engine: Engine, leads: int, history: int) -> World:
    """Everything that is there before the first claim."""
    name = "nationwide"
    with writing(engine) as session:
        campaign = Campaign(name=name, mode="power", state="running", created_at=NOW, options={})
        session.add(campaign)
        session.flush()
        number = campaign.id or 0
        for first in range(0, leads, BATCH):
            rows = [lead_row(n, number) for n in range(first, min(first + BATCH, leads))]
            put(session, "lead", rows)
        for first in range(0, history, BATCH):
            pairs = [history_rows(n, number, name) for n in range(first, min(first + BATCH, history))]
            put(session, "call", [call for call, _ in pairs])
            put(session, "attempt", [attempt for _, attempt in pairs])
        fate = random.Random(3)
        listed = sorted(fate.sample(range(leads), min(LISTED, leads // 50)))
        put(session, "dnc", [
            {"number": number_of(n), "campaign_id": 0, "reason": "asked", "at": NOW} for n in listed
        ])  # fmt: skip
    settle_in(engine)
    return World(engine, number, sorted({key for _, key in places()}))


def put(session: Session, table: str, rows: Sequence[dict[str, Any]]) -> None:
    """Rows in bulk: COPY on PostgreSQL."""
    kinds: dict[str, Any] = Lead.metadata.tables
    connection = session.connection()
    if connection.dialect.name == "sqlite" or not rows:
        if rows:
            connection.execute(insert(kinds[table]), list(rows))
        return
    columns = list(rows[0])
    processors = [kinds[table].c[name].type.dialect_impl(connection.dialect) for name in columns]
    converts = [each.bind_processor(connection.dialect) for each in processors]
    driver: Any = connection.connection.dbapi_connection
    names = ", ".join(f'"{name}"' for name in columns)
    with driver.cursor() as cursor, cursor.copy(f'COPY "{table}" ({names}) FROM STDIN') as copy:
        for row in rows:
            copy.write_row([
                row[name] if convert is None else convert(row[name])
                for name, convert in zip(columns, converts, strict=True)
            ])  # fmt: skip


def settle_in(engine: Engine) -> None:
    """What the database's own housekeeping would have done meanwhile."""
    if engine.dialect.name != "postgresql":
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in ("lead", "attempt", "call"):
            connection.exec_driver_sql(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM \"{table}\"))"
                if table != "call" else "SELECT 1"
            )  # fmt: skip
        connection.exec_driver_sql("VACUUM ANALYZE")


@contextmanager
def databases(name: str) -> Iterator[str]:
    """The address of an empty database of this kind."""
    if name == "postgresql":
        with Postgres() as server:
            yield server.url()
    else:
        with tempfile.TemporaryDirectory(prefix="callwright-million-") as folder:
            yield f"sqlite:///{Path(folder) / 'callwright.db'}"


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds of each choice, of each whole transaction, and memory before and after in MB."""

    chosen: list[float]
    stored: list[float]
    before: float
    after: float


def choose(world: World, claims: int, warm_up: int) -> Measured:
    """Take one lead after the other, as the dialer does, each call missed half a minute later."""
    chosen: list[float] = []
    stored: list[float] = []
    waiting: list[Claim] = []
    before = 0.0
    for turn in range(warm_up + claims):
        if turn == warm_up:
            gc.collect()
            before = megabytes()
        now = NOW + timedelta(seconds=turn / 2)
        began = perf_counter()
        with writing(world.engine) as session:
            asked = perf_counter()
            taken = claim(
                session, campaign_id=world.campaign, want=1, now=now, open_zones=world.zones, trunks=Hand(["main"]),
                max_attempts=5, kind=CallKind.POWER, profile=PROFILE,
            )  # fmt: skip
            answered = perf_counter()
        if turn >= warm_up:
            chosen.append(answered - asked)
            stored.append(perf_counter() - began)
        waiting += taken
        if len(waiting) > 60:
            _end(world.engine, waiting.pop(0))
    gc.collect()
    return Measured(chosen, stored, before, megabytes())


def _end(engine: Engine, taken: Claim) -> None:
    with writing(engine) as session:
        settled(taken).apply(session)


def megabytes() -> float:
    """Resident memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


KINDS = ("sqlite", "postgresql")


async def million_round(_: None, number: int) -> Round:
    """One database."""
    return await asyncio.to_thread(measured, KINDS[number % len(KINDS)], LEADS, HISTORY, CLAIMS, WARM_UP)


def measured(kind: str, leads: int, history: int, claims: int, warm_up: int) -> Round:
    """Fill it, choose, and judge."""
    with databases(kind) as url:
        upgrade(url)
        engine = open_engine(url)
        try:
            world = fill(engine, leads, history)
            found = choose(world, claims, warm_up)
            failures = faults(engine, world, found, claims + warm_up)
        finally:
            engine.dispose()
    ms = [1000 * seconds for seconds in found.chosen]
    figures: dict[str, Figure] = {
        f"leads in {kind}": leads, f"places in {kind}": len(world.zones),
        f"ms to choose the next, {kind}": ms, f"p99 in ms, {kind}": [percentile(ms, 0.99)],
        f"ms of the whole transaction, {kind}": [1000 * seconds for seconds in found.stored],
        f"MB before and after {claims} claims, {kind}": [found.before, found.after],
    }  # fmt: skip
    return Round(figures, [f"{kind}: {line}" for line in failures])


def faults(engine: Engine, world: World, found: Measured, turns: int) -> list[str]:
    """Too slow, too large, too few, or somebody who must not be called."""
    failures: list[str] = []
    slowest = percentile(found.chosen, 0.99)
    if slowest > BOUND_SECONDS:
        failures.append(f"choosing takes {1000 * slowest:.1f} ms at p99")
    if found.after > found.before * (1 + GROWTH):
        failures.append(f"memory grew from {found.before:.1f} to {found.after:.1f} MB")
    with reading(engine) as session:
        dialled = session.scalars(select(col(Attempt.number)).where(col(Attempt.id) > HISTORY)).all()
        listed = session.scalars(select(table_of_dnc().c.number)).all()
    if len(dialled) != turns or len(set(dialled)) != len(dialled):
        failures.append(f"{len(dialled)} calls to {len(set(dialled))} people came of {turns} claims")
    if wrong := set(dialled) & set(listed):
        failures.append(f"{len(wrong)} of them are on the do-not-call list")
    return failures


def table_of_dnc() -> Any:
    """The do-not-call list."""
    return Lead.metadata.tables["dnc"]


PROOFS: list[Proof] = [
    Proof(
        "million_leads",
        "A million leads in every state of the USA, on SQLite and PostgreSQL, with priorities, retries, a do-not-call "
        "list and caps per person: choosing the next takes less than 5 ms at p99, and memory does not grow.",
        2,
        million_round,
    ),
]
