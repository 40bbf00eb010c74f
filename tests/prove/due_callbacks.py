"""Due callbacks, taken by several processes or by one that is killed: each dial is made once, and three at most."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, select, text
from sqlmodel import col

from contact_center.models_callbacks import Callback
from contact_center.store.call_facts import CallArrived, CallFinished
from contact_center.store.callback_facts import CallbackOrdered
from contact_center.store.engine import open_engine, reading, writing
from contact_center.store.schema import upgrade
from tests.lab.centre import ROOT, Centre
from tests.lab.farend.numbers import refuses, talks
from tests.lab.farend.record import CallRecord, max_at_once_per_number
from tests.lab.postgres import Postgres
from tests.lab.process import die_with_parent
from tests.lab.until import until
from tests.prove.books import Books
from tests.prove.proof import Figure, Proof, Round
from tests.prove.scene import customers, left_over

CALLBACKS, PROCESSES, KILLS, MOST = 10_000, 4, 40, 3
STORE_SECONDS = 3000.0
WIRE_CALLBACKS, WIRE_AGENTS, WIRE_KILLS = 240, 24, 8
WIRE_SECONDS = 900.0
DID, QUEUE = "442079460018", "due"


def order(engine: Engine, numbers: list[str], queue: str = QUEUE) -> None:
    """Callers who asked to be called back five minutes ago, and whose turn it is."""
    at = datetime.now(UTC) - timedelta(minutes=5)
    expires_at = at + timedelta(hours=5)
    record = {"kind": "callback", "queue": queue, "call_state": "CALLBACK_ORDERED", "disposition": "callback"}
    for first in range(0, len(numbers), 500):
        with writing(engine) as session:
            for number in numbers[first : first + 500]:
                name = number.removeprefix("+")
                CallArrived(f"call-{name}", f"ch-{name}", at, DID, number, queue).apply(session)
                CallbackOrdered(f"cb-{name}", f"call-{name}", queue, number, DID, 50, at, at, expires_at).apply(session)
                CallFinished(f"call-{name}", at, "callback", 0.0, {**record, "caller_number": number}).apply(session)


# -- four processes that share a database


async def _start(url: str, name: str, file: Path) -> asyncio.subprocess.Process:
    words = [sys.executable, "-m", "tests.support.callback_process", url, name, str(file)]
    parent = os.getpid()
    return await asyncio.create_subprocess_exec(*words, cwd=ROOT, preexec_fn=lambda: die_with_parent(parent))


async def store_round(_: None, number: int, *, count: int = CALLBACKS, kills: int = KILLS) -> Round:
    """Even rounds on SQLite, odd ones on PostgreSQL; the processes write each dial into a file after its intent."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="callwright-claims-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        url = f"sqlite:///{folder / 'claims.db'}"
        if number % 2:
            postgres = Postgres()
            stack.callback(postgres.remove)
            postgres.start()
            url = postgres.url()
        upgrade(url)
        engine = open_engine(url)
        stack.callback(engine.dispose)
        order(engine, [f"+4474{n:08d}" for n in range(count)])
        began = asyncio.get_running_loop().time()
        killed = await _work(url, folder / "far_end", random.Random(number), kills)
        seconds = asyncio.get_running_loop().time() - began
        failures, made = _judged(engine, folder / "far_end", count, killed)
    what = "PostgreSQL" if number % 2 else "SQLite"
    return Round(
        {f"callbacks on {what}": count, "kills": killed, "dials": made, f"seconds on {what}": seconds}, failures
    )


async def _work(url: str, file: Path, dice: random.Random, kills: int) -> int:
    """Until all processes have ended by themselves; how often one was killed."""
    names, killed = [f"p{n}" for n in range(PROCESSES)], 0
    running = {name: await _start(url, name, file) for name in names}
    try:
        async with asyncio.timeout(STORE_SECONDS):
            while any(process.returncode is None for process in running.values()):
                name = dice.choice(names)
                try:
                    async with asyncio.timeout(dice.uniform(0.5, 1.5)):
                        await running[name].wait()
                        await asyncio.sleep(0.1)
                except TimeoutError:
                    if killed < kills and running[name].returncode is None:
                        running[name].kill()
                        await running[name].wait()
                        running[name] = await _start(url, name, file)
                        killed += 1
    finally:
        for process in running.values():
            if process.returncode is None:
                process.kill()
                await process.wait()
    return killed


def _judged(engine: Engine, file: Path, count: int, killed: int) -> tuple[list[str], int]:
    """What is wrong with the dials that were made, and how many they were."""
    dials = Counter(tuple(line.split()[:2]) for line in file.read_text().splitlines())
    each = Counter(callback for callback, _ in dials)
    made, failures = sum(dials.values()), []
    if max(dials.values()) > 1:
        failures.append(f"{sum(n > 1 for n in dials.values())} dials were made twice")
    if max(each.values()) > MOST:
        failures.append(f"{sum(n > MOST for n in each.values())} customers were called more than {MOST} times")
    with reading(engine) as session:
        rows = Counter(tuple(row) for row in session.execute(text("SELECT state, attempt, dials FROM callback")))
        left = session.scalar(text("SELECT count(*) FROM callback_attempt WHERE ended_at IS NULL"))
    if rows != {("failed", MOST, MOST): count}:
        failures.append(f"the callbacks came to {dict(rows)}")
    if left:
        failures.append(f"{left} dials have no end")
    if not MOST * count - killed <= made <= MOST * count:
        failures.append(f"{made} dials were made, {MOST * count} were due and {killed} may be missing")
    return failures, made


# -- one serve on the wire


async def wire_round(
    centre: Centre, number: int, *, count: int = WIRE_CALLBACKS, kills: int = WIRE_KILLS, agents: int = WIRE_AGENTS
) -> Round:
    """A third answer and talk, a third are busy, a third do not want to; the program is killed meanwhile."""
    await _staffed(centre, agents)
    kinds = (
        lambda n: talks(1.0, n, ring=0.5),
        lambda n: refuses(486, n, ring=0.2),
        lambda n: refuses(480, n, ring=0.5),
    )
    numbers = [kinds[n % len(kinds)](7000 + number * count + n) for n in range(count)]
    engine, books = open_engine(centre.settings.database.url), Books(centre)
    await centre.serve.stop()
    order(engine, numbers)
    await centre.serve.start()
    outages = await _killed(centre, engine, kills)
    failures = []
    try:
        await until(lambda: not _open(engine), WIRE_SECONDS, "every callback to come to its end")
    except TimeoutError as error:
        failures.append(f"{error}: {_open(engine)} are open")
    failures += await left_over(centre, books)
    made = customers(centre, numbers)
    unheard = [record for record in made if _unheard(record, outages)]
    failures += _on_the_wire(engine, numbers, made, unheard, len(outages))
    engine.dispose()
    books.close()
    figures: dict[str, Figure] = {
        "callbacks on the wire": count, "kills of serve": len(outages), "dials on the wire": len(made),
        "answered while no process listened": len(unheard),
    }  # fmt: skip
    return Round(figures, failures)


async def _staffed(centre: Centre, agents: int) -> None:
    if centre.serve.is_running:
        return
    await centre.serve.start()
    keys = {"callback": "on", "callback_delays": "1s,1s", "wrap_up_seconds": "0"}
    await centre.cli("queue", "add", QUEUE, "--did", DID, *(f"{key}={value}" for key, value in keys.items()))
    await centre.add_agents(agents, queues=[QUEUE] * agents, online=True)


async def _killed(centre: Centre, engine: Engine, kills: int) -> list[tuple[float, float]]:
    """At random instants, and started again at once, while there is something to do; from when to when it was away."""
    dice, outages = random.Random(kills), []
    for _ in range(kills):
        await asyncio.sleep(dice.uniform(2.0, 8.0))
        if not _open(engine):
            break
        began = time.time()
        centre.serve.kill()
        await centre.serve.ended()
        await centre.serve.start()
        outages.append((began, time.time()))
    return outages


def _unheard(record: CallRecord, outages: list[tuple[float, float]]) -> bool:
    """Whether he answered in an outage and was let go in it: Asterisk found no application for him."""
    at = record.answered_at
    return at is not None and record.ended_by == "switch" and any(began <= at <= ended for began, ended in outages)


def _open(engine: Engine) -> int:
    with reading(engine) as session:
        return len(list(session.scalars(select(col(Callback.id)).where(col(Callback.ended_at).is_(None)))))


def _on_the_wire(
    engine: Engine, numbers: list[str], made: list[CallRecord], unheard: list[CallRecord], killed: int
) -> list[str]:
    """What is wrong, by the far end's record."""
    each, failures = Counter(record.party for record in made), []
    answered = Counter(record.party for record in made if record.answered_at is not None and record not in unheard)
    in_vain = {record.party for record in unheard}
    over = [number for number in numbers if each[number] > MOST]
    failures += [f"{number} was called {each[number]} times" for number in over]
    failures += [f"{number} answered {count} times" for number, count in answered.items() if count > 1]
    at_once = max_at_once_per_number(made)
    failures += [f"{number} had {count} calls at once" for number, count in at_once.items() if count > 1]
    with reading(engine) as session:
        rows = session.execute(select(col(Callback.number), col(Callback.state), col(Callback.dials))).all()
    kept = {row.number: row for row in rows}
    missing = sum(kept[number].dials - each[number] for number in numbers)
    if not 0 <= missing <= killed * WIRE_AGENTS:
        failures.append(f"{missing} dials were written down and not made, with {killed} kills")
    for number in numbers:
        if answered[number] and kept[number].state != "done":
            failures.append(f"{number} answered, and his callback is {kept[number].state}")
        if not answered[number] and number not in in_vain and tuple(kept[number])[1:] != ("failed", MOST):
            failures.append(f"{number} did not answer, and his callback is {tuple(kept[number])}")
    return failures


PROOFS = [
    Proof(
        "callback_claims",
        f"10 000 due callbacks and {PROCESSES} processes that claim them from one database, killed {KILLS} times with "
        f"-9 meanwhile: each dial is made once, nobody is called more than {MOST} times, every callback comes to its "
        "end. First on SQLite, then on PostgreSQL.",
        2,
        store_round,
    ),
    Proof(
        "callback_wire",
        f"{WIRE_CALLBACKS} due callbacks on the real Asterisk, serve killed {WIRE_KILLS} times meanwhile: by the far "
        f"end's record nobody gets more than {MOST} calls, two at once, or another one after he has answered; who "
        "answered while no process was there, and was let go by Asterisk at once, may be called again.",
        1,
        wire_round,
        lambda: Centre("due-callbacks"),
    ),
]
