"""Callers into queues: the product's and, in the same Asterisk with the same far end, Asterisk's own Queue()."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import combinations, count
from random import Random
from typing import Any

from sqlalchemy import update
from sqlmodel import col

from contact_center.models import Agent
from contact_center.store.engine import writing
from tests.bench.callers_heard import CallersHeard, judge_callers
from tests.bench.place import NATIVE_DID, Mark, Place
from tests.lab.until import until

SETTLE_SECONDS = 2.0
GAUGE_SECONDS = 1.2  # serve shows its counts so late
ONLINE_SECONDS = 30.0
TAIL_SECONDS = 30.0
DID = "44207946{:04d}"
NUMBERS = 10_000_000


class CallersArm(StrEnum):
    """Whose queue it is: the product's, or Asterisk's, whose callers are answered before it, or by the agent only."""

    APP_QUEUE = "app_queue"
    UNANSWERED = "app_queue_unanswered"
    QUEUE = "queue"


@dataclass(frozen=True, slots=True)
class Scene:
    """`calls` callers at `rate` a second (0: all at once), for `agents` who talk `talk_seconds` and then hang up.

    `queues`: the callers are spread over so many; each agent serves two of them. `chance`: they come as people do, at
    random, instead of evenly. `most_seconds`: how long it may last beyond the last caller's INVITE. `arms`: what is
    compared.
    """

    name: str
    rate: float
    calls: int
    agents: int
    talk_seconds: float
    queues: int = 1
    chance: bool = False
    most_seconds: float = TAIL_SECONDS
    arms: tuple[CallersArm, ...] = (CallersArm.QUEUE,)

    def plan(self, dids: list[str], numbers: list[str]) -> list[tuple[float, str, str]]:
        """When who calls which number."""
        dice, at, calls = Random(25), 0.0, []
        for n, number in enumerate(numbers):
            calls.append((round(at, 6), dids[n % len(dids)], number))
            if self.rate:
                at += dice.expovariate(self.rate) if self.chance else 1.0 / self.rate
        return calls


FREE = Scene("free", rate=10.0, calls=300, agents=20, talk_seconds=1.0, arms=tuple(CallersArm))
BOTH = (CallersArm.APP_QUEUE, CallersArm.QUEUE)
WAITING = Scene("waiting", rate=10.0, calls=300, agents=8, talk_seconds=1.0, most_seconds=90.0, arms=BOTH)
LOAD = Scene("load", rate=25.0, calls=15_000, agents=60, talk_seconds=2.0, queues=3, chance=True)
CROWD = Scene("crowd", rate=0.0, calls=200, agents=5, talk_seconds=0.5, most_seconds=60.0)


@dataclass(frozen=True, slots=True)
class CallersRun:
    """One scene with one arm: what the callers met with, and the CPU of a call in ms."""

    arm: CallersArm
    scene: Scene
    heard: CallersHeard
    app_ms: float
    asterisk_ms: float
    events: float
    others_cores: float
    far_cores: float

    def figures(self) -> dict[str, Any]:
        """For JSON."""
        shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
        heard = {
            f"{name}_{word}": self.heard.figure(name, share)
            for name in ("sound_ms", "offer_ms", "freed_ms", "invite_ms", "talk_ms")
            for word, share in shares.items()
        }
        counts = {"lost": len(self.heard.lost), "doubles": len(self.heard.doubles), "untaken": self.heard.untaken}
        cpu = {"app_ms_per_call": round(self.app_ms, 2), "asterisk_ms_per_call": round(self.asterisk_ms, 2)}
        return {"arm": self.arm.value, **asdict(self.scene), **counts, **heard, **cpu, "events_per_call": self.events}


class Callers:
    """Runs scenes in a place; `first`: so many callers came there before."""

    def __init__(self, place: Place, *, first: int = 0) -> None:
        self._place = place
        self._serial, self._dids = count(first), count(5000 + first)

    async def run(self, arm: CallersArm, scene: Scene) -> CallersRun:
        """One scene with one arm."""
        place = self._place
        await place.want_agents(scene.agents)
        serial = [next(self._serial) % NUMBERS for _ in range(scene.calls)]
        numbers = [f"+447{n + 400_000_000:09d}" for n in serial]
        ready = self._product(scene) if arm is CallersArm.QUEUE else self._native(scene, arm)
        async with self._phones(scene), ready as dids:
            await asyncio.sleep(SETTLE_SECONDS)
            place.records.clear()
            before = await place.mark()
            await self._call(scene, scene.plan(dids, numbers))
            await asyncio.sleep(GAUGE_SECONDS)
            after = await place.mark()
        place.records.look()
        return _run(arm, scene, judge_callers(numbers, place.records.calls), before, after)

    async def _call(self, scene: Scene, plan: list[tuple[float, str, str]]) -> None:
        """All of them call, and all calls are over; what is missing after the time is a failure."""
        place = self._place
        await place.world.ask("call_in_all", deadline=plan[-1][0] + TAIL_SECONDS, calls=plan)

        def all_over() -> bool:
            place.records.look()
            return place.records.customers >= len(plan)

        try:
            await until(all_over, scene.most_seconds, "the end of the calls")
        except TimeoutError:
            return

    @asynccontextmanager
    async def _phones(self, scene: Scene) -> AsyncIterator[None]:
        """The agents answer at once, talk, and hang up."""
        world, exts = self._place.world, self._place.exts[: scene.agents]
        for ext in exts:
            await world.ask("phone_script", name=ext, script={"talk_seconds": scene.talk_seconds})
        try:
            yield
        finally:
            for ext in exts:
                await world.ask("phone_script", name=ext, script="answer")

    @asynccontextmanager
    async def _native(self, scene: Scene, arm: CallersArm) -> AsyncIterator[list[str]]:
        await self._place.want_native_queue(scene.agents)
        yield [f"{NATIVE_DID}{scene.agents:02d}{'1' if arm is CallersArm.APP_QUEUE else '0'}"]

    @asynccontextmanager
    async def _product(self, scene: Scene) -> AsyncIterator[list[str]]:
        place, dids, names = self._place, [], []
        for _ in range(scene.queues):
            n = next(self._dids)
            names.append(f"bench-{n}")
            dids.append(DID.format(n))
            await place.cli("queue", "add", names[-1], "--did", dids[-1])
        place.choose_agents(scene.agents, online=True)
        pairs = list(combinations(names, 2)) or [(names[0],)]
        with writing(place.engine) as session:
            for n, ext in enumerate(place.exts[: scene.agents]):
                session.execute(update(Agent).where(col(Agent.ext) == ext).values(queues=list(pairs[n % len(pairs)])))
        await place.serve_at(scene.rate or 50.0)
        try:
            await place.idle(scene.agents, ONLINE_SECONDS)
            yield dids
        finally:
            await place.serve.stop()


def _run(arm: CallersArm, scene: Scene, heard: CallersHeard, before: Mark, after: Mark) -> CallersRun:
    seconds = after.at - before.at
    return CallersRun(
        arm=arm,
        scene=scene,
        heard=heard,
        app_ms=(after.app_cpu - before.app_cpu) * 1000.0 / scene.calls,
        asterisk_ms=(after.asterisk_cpu - before.asterisk_cpu) * 1000.0 / scene.calls,
        events=round((after.events - before.events) / scene.calls, 2),
        others_cores=max(0.0, (after.others_cpu - before.others_cpu) / seconds),
        far_cores=(after.far_cpu - before.far_cpu) / seconds,
    )
