"""Long dialling at a steady rate: memory stays where it was, and afterwards nothing is left over."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Self

from ari_app.bridge import MOST_READY
from ari_app.serve import ASIDE_THREADS
from contact_center.terms import CampaignState
from tests.lab.centre import Centre
from tests.lab.farend.audio import AudioOptions
from tests.lab.farend.media import Sending
from tests.lab.farend.numbers import Behaviour, number_for, refuses, talks
from tests.lab.until import until
from tests.prove.books import Books
from tests.prove.campaign import metric
from tests.prove.proof import Figure, Proof, Round
from tests.prove.scene import TEAM, left_over, stand
from tests.prove.story import Story

SAMPLE_SECONDS = 10.0
SETTLED_MINUTES = 10.0  # memory counts from then on; from the middle, where a round is shorter than twice that
GROWTH = 0.05
QUIET_SECONDS = 60.0


BURST = AudioOptions(sending=Sending.BURST)  # full audio of forty talks at once is more than the far end's core


@dataclass(frozen=True, slots=True)
class Load:
    """How much is dialled for how long. 17 agents are busy at five calls a second."""

    name: str
    minutes: float
    calls_per_second: float
    agents: int


HOUR = Load("soak", 60.0, 5.0, 30)
FAST = Load("soak_fast", 30.0, 10.0, 60)


class SoakCentre(Centre):
    """Its trunk takes so many calls a second."""

    def __init__(self, load: Load) -> None:
        super().__init__("soak", settings={"trunk.main": {"max_cps": load.calls_per_second}})
        self._load = load

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        if self._load.calls_per_second > HOUR.calls_per_second:
            self.far.trunk.options = self.far.phones.options = BURST
        return self


@dataclass(frozen=True, slots=True)
class Held:
    """What `serve`, and Asterisk for it, hold at one instant."""

    tasks: int
    files: int
    sockets: int
    threads: int  # those of the pools too, of which one more may have been started when two jobs met
    channels: int
    bridges: int  # the pool's own are not counted: it keeps as many ready as were ever needed at once, up to its limit

    def more_than(self, before: Held) -> list[str]:
        """What there is more of than before."""
        before = replace(before, threads=before.threads + ASIDE_THREADS)
        pairs = [(f.name, getattr(before, f.name), getattr(self, f.name)) for f in fields(self)]
        return [f"{name}: {was} before the first call, {now} after the last" for name, was, now in pairs if now > was]


async def held(centre: Centre) -> Held:
    """Count it now."""
    tasks = int(await metric(centre, "callwright_asyncio_tasks"))
    process = Path(f"/proc/{centre.serve.pid}")
    links = _links(process / "fd")
    bridges = [line for line in (await centre.switch.cli("bridge show all")).splitlines()[1:] if line.strip()]
    pool = sum(1 for line in bridges if line.startswith("callwright-pool"))
    return Held(
        tasks=tasks,
        files=len(links),
        sockets=sum(1 for link in links if link.startswith("socket:")),
        threads=_count(process / "task"),
        channels=len(await centre.switch.channels()),
        bridges=len(bridges) - pool + max(0, pool - MOST_READY),
    )


def _count(folder: Path) -> int:
    return sum(1 for _ in folder.iterdir())


def _links(folder: Path) -> list[str]:
    found = []
    for file in folder.iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            found.append(os.readlink(file))
    return found


def memory(pid: int) -> float:
    """Resident memory in MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def crowd(count: int) -> list[str]:
    """Seven in ten talk for 2 or 3 s, the others are busy, not there, unknown, or let it ring; no number twice."""
    kinds = (
        lambda n: talks(2.0, n, ring=0.5), lambda n: talks(3.0, n, ring=0.5), lambda n: talks(2.0, n, ring=1.0),
        lambda n: refuses(486, n, ring=0.5), lambda n: talks(3.0, n, ring=1.0), lambda n: talks(2.0, n, ring=0.2),
        lambda n: refuses(480, n, ring=0.5), lambda n: talks(3.0, n, ring=0.2), lambda n: talks(2.0, n, ring=2.0),
        lambda n: refuses(404, n, ring=0.2) if n % 2 else number_for(Behaviour.NEVER_ANSWERS, n),
    )  # fmt: skip
    return [kinds[n % len(kinds)](n // len(kinds)) for n in range(count)]


async def soak_round(centre: SoakCentre, number: int, *, load: Load = HOUR) -> Round:
    """Dial for so long at so many calls a second, then be quiet, and count what is there."""
    books = await stand(centre, load.agents)
    campaign, numbers = f"soak-{number}", crowd(int(load.minutes * 60 * load.calls_per_second))
    keys = {"multiplier": "1", "max_attempts": "1", "ring_seconds": "15", "wrap_up_seconds": "0"}
    await centre.add_campaign(campaign, numbers, team=TEAM, **keys)
    await centre.obeyed()
    before = await held(centre)
    await centre.cli("campaign", "start", campaign)
    samples = await _samples(centre, books, campaign, load.minutes)
    failures = await left_over(centre, books)
    after = await _quiet(centre, before)
    story = Story(centre, campaign, numbers, 1)
    failures += [*after.more_than(before), *story.faults(books), *grown(samples, load.minutes)]
    records = story.records()
    invites = sorted(r.invite_at for r in records)
    rate = len(invites) / max(invites[-1] - invites[0], 1.0)
    if rate < load.calls_per_second * 0.95:
        failures.append(f"only {rate:.2f} calls/s were dialled")
    books.close()
    later = [mb for at, mb in samples if at >= _settled(load.minutes)]
    figures: dict[str, Figure] = {
        "minutes": load.minutes, "dials on the line": len(records), "talks": len(story.talks()),
        "calls per second": rate, "MB of serve before the first call": samples[0][1], "MB when settled": later[0],
        "most MB afterwards": max(later), "MB at the end": later[-1],
        "held before": _told(before), "held afterwards": _told(after),
    }  # fmt: skip
    return Round(figures, failures)


def _settled(minutes: float) -> float:
    """Seconds after which memory counts."""
    return 60 * min(SETTLED_MINUTES, minutes / 2)


async def _samples(centre: Centre, books: Books, campaign: str, minutes: float) -> list[tuple[float, float]]:
    """(seconds, MB) every ten seconds until the campaign is finished."""
    loop = asyncio.get_running_loop()
    began, deadline = loop.time(), minutes * 60 * 1.2 + 120
    samples = [(0.0, memory(centre.serve.pid))]
    while books.campaign_state(campaign) != CampaignState.FINISHED:
        await asyncio.sleep(SAMPLE_SECONDS)
        samples.append((loop.time() - began, memory(centre.serve.pid)))
        if loop.time() - began > deadline:
            raise TimeoutError(f"{campaign} did not finish within {deadline:.0f} s")
    return samples


def grown(samples: list[tuple[float, float]], minutes: float) -> list[str]:
    """What memory was in the minute after it settled, against what it is later."""
    settled = _settled(minutes)
    later = [mb for at, mb in samples if at >= settled]
    base = mean([mb for at, mb in samples if settled <= at < settled + 60] or later)
    if max(later) > base * (1 + GROWTH):
        return [f"memory grew from {base:.1f} MB at minute {settled / 60:g} to {max(later):.1f} MB"]
    return []


async def _quiet(centre: Centre, before: Held) -> Held:
    """What is held when nothing happens any more; as much as before, or what there is after a minute."""
    now = await held(centre)

    async def as_before() -> bool:
        nonlocal now
        now = await held(centre)
        return not now.more_than(before)

    try:
        await until(as_before, QUIET_SECONDS, "nothing to be left over")
    except TimeoutError:
        return now
    return now


def _told(what: Held) -> str:
    return ", ".join(f"{getattr(what, f.name)} {f.name}" for f in fields(what))


def proofs(minutes: float | None = None) -> list[Proof]:
    """An hour at five calls a second and half an hour at ten; or both of so many minutes."""
    return [_proof(load, minutes or load.minutes) for load in (HOUR, FAST)]


def _proof(load: Load, minutes: float) -> Proof:
    load, whole = replace(load, minutes=minutes), minutes == load.minutes
    return Proof(
        load.name,
        f"{minutes:g} minutes of dialling at {load.calls_per_second:g} calls a second: memory of serve stays within "
        f"5 % of what it was in minute {_settled(minutes) / 60 + 1:g}, every call ends as on the line, and afterwards "
        "there is no channel, bridge, task, thread, file or socket more than before the first call.",
        1,
        partial(soak_round, load=load),
        partial(SoakCentre, load),
        variant="" if whole else f"{minutes:g} minutes",
    )
