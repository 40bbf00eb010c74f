"""Asterisk dies, its socket is cut, the database goes away: dialling stops, calls go on, nothing is lost."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from tests.lab.centre import Centre
from tests.lab.farend.numbers import Behaviour, number_for, talks
from tests.lab.faults import HeldLock, Mode, ProxiedCentre, SmallDisk, thief
from tests.lab.faults.tcp import reply_to
from tests.lab.judge import Judge
from tests.lab.postgres import Postgres
from tests.lab.until import until
from tests.prove.books import Books, Dial
from tests.prove.proof import Proof, Round
from tests.prove.scene import SHORT, TEAM, Readiness, customers, left_over, mixed, stand, talking, watching
from tests.prove.story import Outage, Story

CLOSED_SECONDS = 10.0
STOPS_SECONDS = 1.0
DOUBT_SECONDS = 7.0  # a black hole is found by two heartbeats, 2 s each
RING_SECONDS = 15.0
SEEN_SECONDS = 0.3  # readiness is asked for now and then: it may have come so much before it was seen
WIRE_SECONDS = 0.3  # from an intent to its INVITE


async def begun(centre: Centre, campaign: str, numbers: list[str], **keys: str) -> None:
    """Start a campaign over these numbers and wait until people talk."""
    given = {"multiplier": "1", "max_attempts": "2", "ring_seconds": f"{RING_SECONDS:g}", **SHORT, **keys}
    await centre.add_campaign(campaign, numbers, team=TEAM, **given)
    await centre.cli("campaign", "start", campaign)
    await until(lambda: len(talking(centre)) >= 2, 30.0, "two talks")


def placed_between(dials: list[Dial], began: float, ended: float) -> list[str]:
    """Intents committed in a time in which nothing might be dialled."""
    late = [d for d in dials if began < d.intent_at < ended]
    return [f"{d.number}: an intent {d.intent_at - began:.2f} s too late" for d in late]


# -- Asterisk


async def switch_round(centre: Centre, number: int) -> Round:
    """One kill -9 of Asterisk in mid-campaign."""
    books = await stand(centre, 6)
    chance = random.Random(number + 50)
    campaign, numbers = f"switch-{number}", [*mixed(20, 3000 + number * 25), *[talks(9.0, 3000 + number)] * 1]
    await begun(centre, campaign, numbers)
    await asyncio.sleep(chance.uniform(0.0, 2.0))
    story = Story(centre, campaign, numbers, 2, calls_are_lost=True)
    async with watching(centre) as ready:
        lost_at = centre.far.clock.now()
        centre.switch.kill()
        await until(lambda: ready.first(False, lost_at), 5.0, "readiness to say no")
        centre.far.hang_up_all()
        await centre.switch.start()
        back_at = centre.far.clock.now()
        await centre.serve.until_ready()
        ready_at = centre.far.clock.now()
    for phone in centre.far.phones:
        await phone.register()
    before = [d.call_id for d in books.dials(campaign) if d.intent_at < lost_at]
    await until(lambda: _all_closed(books, campaign, before), CLOSED_SECONDS, "lost calls to be closed out")
    closed = max((d.ended_at for d in books.dials(campaign) if d.call_id in before), default=back_at)
    story.outages.append(Outage(lost_at, ready_at))
    await books.until_finished(campaign, 120.0)
    failures = [*story.faults(books), *await left_over(centre, books)]
    failures += placed_between(books.dials(campaign), lost_at + STOPS_SECONDS, back_at)
    failures += _miscounted(books, campaign, story)
    if closed - back_at > CLOSED_SECONDS:
        failures.append(f"closed out {closed - back_at:.1f} s after Asterisk was back")
    books.close()
    figures = {
        "kills of Asterisk": 1, "calls lost by it": len(_up_at(story, lost_at)),
        "seconds until not ready": [(ready.first(False, lost_at) or 0) - lost_at],
        "seconds from its return to ready": [ready_at - back_at],
        "seconds from its return until lost calls were closed": [max(0.0, closed - back_at)],
    }  # fmt: skip
    return Round(figures, failures)


def _all_closed(books: Books, campaign: str, calls: list[str]) -> bool:
    wanted = set(calls)
    return not any(d.is_open for d in books.dials(campaign) if d.call_id in wanted)


def _up_at(story: Story, at: float) -> list[str]:
    return [r.party for r in story.records() if r.invite_at <= at and (r.ended_at is None or r.ended_at >= at)]


def _miscounted(books: Books, campaign: str, story: Story) -> list[str]:
    """No number uses up more attempts than INVITEs of which something came, and none is counted twice."""
    dials = books.dials(campaign)
    return [
        f"{lead.number}: {lead.attempts} attempts used, {counted} counted"
        for lead in books.leads(campaign)
        if lead.number in set(story.numbers)
        and lead.attempts != (counted := sum(1 for d in dials if d.number == lead.number and d.counted))
    ]


# -- the socket


@asynccontextmanager
async def _cut(centre: ProxiedCentre) -> AsyncIterator[None]:
    centre.ari.cut()
    yield


@asynccontextmanager
async def _black_hole(centre: ProxiedCentre) -> AsyncIterator[None]:
    centre.ari.mode = Mode.DROP
    await asyncio.sleep(9.0)
    centre.ari.mode = Mode.PASS
    yield


@asynccontextmanager
async def _slow(centre: ProxiedCentre) -> AsyncIterator[None]:
    centre.ari.delay_seconds, centre.ari.mode = 0.3, Mode.DELAY
    await asyncio.sleep(4.0)
    centre.ari.mode = Mode.PASS
    yield


@asynccontextmanager
async def _stolen(centre: ProxiedCentre) -> AsyncIterator[None]:
    async with thief(centre.direct):
        await asyncio.sleep(3.0)
    yield


@asynccontextmanager
async def _reply_swallowed(centre: ProxiedCentre) -> AsyncIterator[None]:
    centre.ari.swallow(reply_to(b"channels"))
    await until(lambda: centre.ari.swallowed, 20.0, "the reply to a dial to be swallowed")
    centre.ari.swallowed = 0
    yield


@asynccontextmanager
async def _away(centre: ProxiedCentre) -> AsyncIterator[None]:
    centre.ari.mode = Mode.CUT
    await asyncio.sleep(4.0)
    centre.ari.mode = Mode.PASS
    yield


SOCKET_FAULTS: tuple[tuple[str, Callable[[ProxiedCentre], AbstractAsyncContextManager[None]], float], ...] = (
    ("cut", _cut, STOPS_SECONDS),
    ("reply to a dial swallowed", _reply_swallowed, 0.0),
    ("stolen", _stolen, STOPS_SECONDS),
    ("cut and refused for 4 s", _away, STOPS_SECONDS),
    ("black hole for 9 s", _black_hole, DOUBT_SECONDS),
    ("0.3 s late for 4 s", _slow, 0.0),
)


async def socket_round(centre: ProxiedCentre, number: int, *, leads: int = 30) -> Round:
    """One fault of the line between serve and Asterisk in mid-campaign; round n takes the n-th kind in turn."""
    name, fault, found_within = SOCKET_FAULTS[number % len(SOCKET_FAULTS)]
    books = await stand(centre, 6)
    chance = random.Random(number + 90)
    campaign, numbers = f"socket-{number}", mixed(leads, 4000 + number * 35)
    await begun(centre, campaign, numbers)
    await asyncio.sleep(chance.uniform(0.0, 2.0))
    story = Story(centre, campaign, numbers, 2)
    async with watching(centre, every=0.02) as ready:
        began = centre.far.clock.now()
        async with fault(centre):
            await centre.serve.until_ready(30.0)
        ended = centre.far.clock.now()
        await books.until_finished(campaign, 120.0)
    story.outages.append(Outage(began, ended))
    failures = [f"{name}: {x}" for x in [*story.faults(books), *await left_over(centre, books)]]
    failures += [f"{name}: {x}" for x in _doubted(books.dials(campaign), ready, began, found_within)]
    books.close()
    return Round({f"faults: {name}": 1, "dials on the line": len(story.records()), **_times(ready, began)}, failures)


def _doubted(dials: list[Dial], ready: Readiness, began: float, found_within: float) -> list[str]:
    if not found_within:
        return []
    doubt = ready.first(False, began)
    if doubt is None:  # over before readiness was asked again
        return [] if found_within == STOPS_SECONDS else ["never found"]
    if doubt - began > found_within:
        return [f"found only after {doubt - began:.1f} s"]
    back = ready.first(True, doubt) or doubt
    return placed_between(dials, doubt + STOPS_SECONDS, back - SEEN_SECONDS)


def _times(ready: Readiness, began: float) -> dict[str, list[float]]:
    doubt = ready.first(False, began)
    if doubt is None:
        return {"seconds until not ready": [], "seconds not ready": []}
    back = ready.first(True, doubt) or doubt
    return {"seconds until not ready": [doubt - began], "seconds not ready": [back - doubt]}


# -- the database


async def database_round(
    centre: Centre, number: int, *, name: str, outage: AbstractAsyncContextManager[object], seconds: float, leads: int
) -> Round:
    """The database is away for so long: no dial, every call goes on, and every fact is stored afterwards."""
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
    late = [r for r in story.records() if began + STOPS_SECONDS + WIRE_SECONDS < r.invite_at < ended]
    calls = await centre.cli("call", "list", "--campaign", campaign, "--limit", "10000")
    parties = {*numbers, *(phone.name for phone in centre.far.phones)}
    mine = [c for c in centre.far.log.calls if c.party in parties]
    failures = [*story.faults(books), *Judge(calls, mine).mismatches(), *await left_over(centre, books)]
    failures += [f"{r.party}: dialled {r.invite_at - began:.1f} s into the outage" for r in late]
    failures += _out_of_order(books.dials(campaign))
    books.close()
    figures = {
        "outages": 1, "seconds of outage": [ended - began], "calls up when it began": len(up),
        "dials on the line": len(story.records()), **_times(ready, began),
    }  # fmt: skip
    early = [at for at, said in ready.changes if said and began + STOPS_SECONDS < at < ended]
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
        centre, number, name="locked", outage=HeldLock(_file(centre)), seconds=seconds, leads=leads
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
        "asterisk_killed",
        "20 kills of Asterisk in mid-campaign: no intent is committed later than 1 s after it, lost calls are closed "
        "within 10 s of its return, each attempt counts once, the campaign goes on to its end.",
        20,
        switch_round,
        lambda: Centre("switch"),
        rounds_per_centre=5,
    ),
    Proof(
        "socket",
        "The line to Asterisk is cut, black-holed, slowed down, stolen, or loses the reply to a dial in mid-campaign: "
        "dialling stops within 1 s of doubt, nothing is dialled twice, no talk cut, the campaign goes on to its end.",
        24,
        socket_round,
        lambda: ProxiedCentre("socket"),
        rounds_per_centre=6,
    ),
    Proof(
        "sqlite_locked",
        "Another process holds the SQLite file for 30 s: dialling stops within 1 s, calls go on, every fact is stored "
        "afterwards in order, and every call agrees with the far end's record.",
        7,
        locked_round,
        lambda: Centre("locked"),
    ),
    Proof(
        "sqlite_disk_full",
        "The disk of the SQLite file is full for 30 s; the same.",
        7,
        full_round,
        FullDiskCentre,
    ),
    Proof(
        "postgres_away",
        "PostgreSQL is stopped, or hangs, for 30 s; the same.",
        6,
        postgres_round,
        PostgresCentre,
    ),
]
