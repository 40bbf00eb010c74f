"""Hours of dialling on the virtual clock: the real dialer, calls and store, with Asterisk and people in memory.

`python -m tests.support.long_dialling HOURS` prints what it found as one JSON document; in a process of its own,
because its memory is measured.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import random
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

from sqlalchemy import Engine, func, insert, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from ari_app.app import App
from ari_app.bridge import MOST_READY, BridgePool
from ari_app.census import Census
from ari_app.client import AriClient
from ari_app.reconcile import Reconciler
from ari_app.services import Services
from contact_center.models import Agent, Attempt, Call, Campaign, Lead
from contact_center.options import CampaignOptions
from contact_center.roster import Roster
from contact_center.settings import Settings
from contact_center.store.engine import open_engine, reading, writing
from contact_center.store.schema import upgrade
from contact_center.store.tables import table_of
from contact_center.store.writer import Writer
from contact_center.terms import CampaignState
from dialer.engine import Dialer
from tests.lab.until import until
from tests.support.fake_ari import FakeAri, FarEnd
from tests.support.fake_world import FakeChannel
from tests.support.virtual_clock import EPOCH, VirtualClockLoop, run_virtual

T = TypeVar("T")
OURS = ("ari_app.", "dialer.", "contact_center.")
MOST_BACKLOG = 300  # facts; beyond, time stands still until they are stored
FORGET_SECONDS = 10.0  # how often the switch forgets what it did, so that only the product can leak
SAMPLE_SECONDS = 60.0
QUIET_SECONDS = 120.0
SETTLED_SECONDS = 600.0
TEAMS = {"power": 10, "predictive": 20}
LEADS_PER_HOUR = {"power": 4000, "predictive": 8000}
TALK_SECONDS = (8.0, 32.0)
WRAP_UP_SECONDS = 5.0
PHONE = FarEnd(rings_after=0.05, answers_after=0.2)


class LoopClock:
    """``contact_center.clock.Clock`` on a virtual loop, for other threads too."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def now(self) -> datetime:
        """Aware UTC instant."""
        return EPOCH + timedelta(seconds=self._loop.time())

    def monotonic(self) -> float:
        """Virtual seconds."""
        return self._loop.time()


class PatientWriter(Writer):
    """Time stands still while the database answers."""

    async def _ask(self, fn: Callable[[Session], T], *, writes: bool, within: float, ahead: bool) -> T:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualClockLoop)
        loop.hold()
        try:
            return await super()._ask(fn, writes=writes, within=within, ahead=ahead)
        finally:
            loop.release()

    async def caught_up(self, most: int) -> None:
        """Wait in real time until no more than so many facts wait to be stored."""
        if self.backlog > most:
            await asyncio.to_thread(self._wait, most)

    def _wait(self, most: int) -> None:
        pause = threading.Event()
        while self.backlog > most:
            pause.wait(0.005)


@dataclass
class Found:
    """What came of it."""

    hours: float
    real_seconds: float = 0.0
    megabytes: list[tuple[float, float]] = field(default_factory=list)
    before: dict[str, int] = field(default_factory=dict)
    after: dict[str, int] = field(default_factory=dict)
    more_objects: dict[str, int] = field(default_factory=dict)
    outcomes: dict[str, int] = field(default_factory=dict)
    dialled: int = 0
    open_attempts: int = 0
    leads_on_the_line: int = 0
    twice_at_once: int = 0


@dataclass
class Centre:
    """The parts."""

    fake: FakeAri
    app: App
    dialer: Dialer
    writer: PatientWriter
    engine: Engine
    fate: random.Random
    twice: int = 0

    def customer(self, channel: FakeChannel) -> FarEnd:
        """Three in ten answer, a third lets it ring, the others are busy or away."""
        number = channel.endpoint.partition("sip:")[2].partition("@")[0]
        self.twice += sum(1 for c in self.fake.channels.values() if c is not channel and f"sip:{number}@" in c.endpoint)
        rings, kind = self.fate.uniform(2.0, 8.0), self.fate.random()
        if kind < 0.3:
            return FarEnd(answers_after=rings, hangs_up_after=self.fate.uniform(*TALK_SECONDS))
        if kind < 0.65:
            return FarEnd()
        refused = (17, 486, "BUSY") if kind < 0.85 else (19, 480, "NOANSWER")
        return FarEnd(rejects_after=rings / 4, rejects_with=refused)

    async def change(self, state: CampaignState) -> None:
        """Start or stop every campaign."""

        def store(session: Session) -> list[str]:
            session.execute(update(Campaign).values(state=state.value))
            return list(session.scalars(select(col(Campaign.name))))

        for name in await self.writer.commit(store):
            await self.dialer.reload(name)

    async def quiet(self) -> None:
        """The last call is over, and nothing has happened for a while."""
        await until(lambda: not self.app.calls, QUIET_SECONDS, "every call to be over")
        await _let_pass(self, QUIET_SECONDS, None)
        await self.writer.caught_up(0)

    def held(self) -> dict[str, int]:
        """What there is of each kind now."""
        in_pool = max(0, len(self.fake.bridges) - MOST_READY)
        return {
            "tasks": len(asyncio.all_tasks()), "threads": threading.active_count(),
            "files": len(os.listdir("/proc/self/fd")), "channels": len(self.fake.channels),
            "bridges": in_pool + sum(1 for bridge in self.fake.bridges.values() if bridge.members),
            "calls": len(self.app.calls), "backlog": self.writer.backlog,
        }  # fmt: skip


def objects() -> Counter[str]:
    """How many objects of the product's own classes there are."""
    gc.collect()
    kinds = (type(one) for one in gc.get_objects())
    return Counter(f"{k.__module__}.{k.__qualname__}" for k in kinds if str(k.__module__).startswith(OURS))


def megabytes() -> float:
    """Resident memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def furnish(engine: Engine, at: datetime, hours: float) -> None:
    """Two campaigns with leads for so long."""
    with writing(engine) as session:
        for mode in TEAMS:
            keys = {"hours": "00:00-24:00", "max_attempts": 3, "ring_seconds": 15, "wrap_up_seconds": WRAP_UP_SECONDS}
            options = CampaignOptions.model_validate(keys)
            campaign = Campaign(
                name=mode, mode=mode, multiplier=1.5, team=mode, state="stopped", created_at=at,
                options=options.model_dump(mode="json"),
            )  # fmt: skip
            session.add(campaign)
            session.flush()
            first = 0 if mode == "power" else 5_000_000
            count = int(LEADS_PER_HOUR[mode] * hours) + 500
            row: dict[str, Any] = {
                "campaign_id": campaign.id, "zones": "Europe/London", "state": "new", "disposition": "", "attempts": 0,
                "dials": 0, "last_agent": "", "priority": 0, "fields": {}, "created_at": at, "reason": "",
            }  # fmt: skip
            rows = [{**row, "number": f"+4474{first + n:08d}"} for n in range(count)]
            session.connection().execute(insert(table_of(Lead)), rows)


@asynccontextmanager
async def centre(folder: Path, hours: float) -> AsyncIterator[Centre]:
    """Everything runs, the agents are on line, the campaigns stand still."""
    url = f"sqlite:///{folder / 'callwright.db'}"
    await asyncio.to_thread(upgrade, url)
    engine, clock = open_engine(url), LoopClock(asyncio.get_running_loop())
    await asyncio.to_thread(furnish, engine, clock.now(), hours)
    settings = Settings.model_validate(
        {"trunk": {"main": {"host": "192.0.2.1", "max_channels": 200, "max_cps": 20.0}}, "database": {"url": url}}
    )
    fake = FakeAri()
    async with PatientWriter(engine, clock) as writer:
        roster = Roster(clock, writer.post)
        rows = [
            Agent(ext=f"{1001 + 100 * t + n}", name="Agent", endpoint=f"PJSIP/{1001 + 100 * t + n}", team=team,
                  status="online", since_at=clock.now())
            for t, (team, count) in enumerate(TEAMS.items()) for n in range(count)
        ]  # fmt: skip
        roster.load(rows, clock.now())
        ari = AriClient(transport=fake.transport(), now=clock.now)
        env = Services(ari, BridgePool(ari), roster, settings, clock)
        app = App(env)
        dialer = Dialer(writer=writer, roster=roster, placer=app, settings=settings, clock=clock)
        env.progress, env.trunks, env.dispose = dialer.ledger, dialer.trunks, _not_keyed
        ari.on_connect = Reconciler(
            app=app, writer=writer, rebuild=dialer.rebuild, adopted=dialer.ledger.adopted, prepare=_nothing
        )
        made = Centre(fake, app, dialer, writer, engine, random.Random(7))
        fake.far("PJSIP/*", PHONE)
        fake.far("PJSIP/*@192.0.2.1*", made.customer)
        await dialer.load()
        async with app, ari, env.bridges, asyncio.TaskGroup() as group:
            await ari.until_live()
            parts = (roster.run(), dialer.run(), app.serve_arrivals(), app.lines.run(), Census(ari).run())
            tasks = [group.create_task(part) for part in parts]
            yield made
            for task in tasks:
                task.cancel()
    engine.dispose()


async def _nothing() -> None:
    """No accounts are to be made."""


async def _not_keyed(call_id: str, code: str, by: str) -> None:
    """Nobody keys anything."""


async def dial_for(hours: float) -> Found:
    """Dial for so many virtual hours, then be quiet, and count what is there."""
    found, began = Found(hours), monotonic()
    with tempfile.TemporaryDirectory(prefix="callwright-hours-") as folder:
        async with centre(Path(folder), hours) as made:
            await _warm_up(made)
            found.before, objects_before = made.held(), objects()
            await made.change(CampaignState.RUNNING)
            await _let_pass(made, hours * 3600.0, found)
            await made.change(CampaignState.STOPPED)
            await made.quiet()
            found.after, found.more_objects = made.held(), dict(objects() - objects_before)
            found.twice_at_once = made.twice
            _count(made.engine, found)
    found.real_seconds = monotonic() - began
    return found


async def _warm_up(made: Centre) -> None:
    """A minute of dialling, so that what is made once is made before it is counted."""
    await made.change(CampaignState.RUNNING)
    await _let_pass(made, 60.0, None)
    await made.change(CampaignState.STOPPED)
    await made.quiet()


async def _let_pass(made: Centre, seconds: float, found: Found | None) -> None:
    """So many virtual seconds; memory is noted once a minute."""
    loop, step = asyncio.get_running_loop(), 0
    began = loop.time()
    while (passed := loop.time() - began) < seconds:
        if found is not None and passed >= step * SAMPLE_SECONDS:
            found.megabytes.append((passed, megabytes()))
            step += 1
        await asyncio.sleep(max(min(1.0, seconds - passed), 0.001))  # less may not move a clock of large numbers
        await made.writer.caught_up(MOST_BACKLOG)
        if int(passed) % int(FORGET_SECONDS) == 0:
            made.fake.past.clear()
            made.fake.requests.clear()


def _count(engine: Engine, found: Found) -> None:
    with reading(engine) as session:
        rows = session.execute(select(col(Attempt.outcome), func.count()).group_by(col(Attempt.outcome)))
        found.outcomes = {str(outcome): count for outcome, count in rows}
        found.dialled = sum(found.outcomes.values())
        found.open_attempts = session.scalar(
            select(func.count()).where(col(Attempt.live_number).is_not(None))
        ) or 0  # fmt: skip
        found.open_attempts += session.scalar(select(func.count()).where(col(Call.ended_at).is_(None))) or 0
        on_line = col(Lead.state).in_(("dialing", "talking"))
        found.leads_on_the_line = session.scalar(select(func.count()).where(on_line)) or 0


def main() -> None:
    """The command."""
    print(json.dumps(asdict(run_virtual(dial_for(float(sys.argv[1]))))))


if __name__ == "__main__":
    main()
