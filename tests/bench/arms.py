"""The arms: native Asterisk's Originate into Queue(), and the product with dialled and with connected agents."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import StrEnum
from itertools import count

from sqlalchemy import select
from sqlmodel import col

from contact_center.models import Attempt, Campaign
from contact_center.store.admin import By
from contact_center.store.admin_campaigns import move_campaign
from contact_center.store.engine import reading, writing
from contact_center.terms import CampaignState
from tests.bench.ami import AmiDialer
from tests.bench.figures import Heard, Run, judge
from tests.bench.place import AMI_USER, CONTEXT, Mark, Place, utc_now
from tests.lab.farend.numbers import talks
from tests.lab.until import until

TALK_SECONDS = 1.0
RING_SECONDS = 0.2
SHARE_BUSY = 1.6  # agents per call and second: of 1.6 s each talks 1.0 s, so that no customer waits for one
SETTLE_SECONDS = 2.0  # words of greeting are over and the machine is quiet before anything is counted
GAUGE_SECONDS = 1.2  # serve shows its counts so late
TAIL_SECONDS = 12.0  # from the last command to the end of the last call at the latest
NUMBERS = 10_000


class Arm(StrEnum):
    """What is measured against what."""

    NATIVE = "native"
    ON_DEMAND = "on_demand"
    PERSISTENT = "persistent"


class Bench:
    """Runs one arm at one rate in a place."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._serial, self._campaigns = count(), count(1)

    async def run(self, arm: Arm, rate: float, calls: int) -> Run:
        """`calls` calls at `rate` a second, each answered after 0.2 s and ended by the customer after 1 s."""
        place, agents = self._place, round(rate * SHARE_BUSY) + 4
        await place.want_agents(agents)
        numbers = [talks(TALK_SECONDS, next(self._serial) % NUMBERS, ring=RING_SECONDS) for _ in range(calls)]
        place.records.clear()
        async with self._ready(arm, rate, agents, numbers):
            await asyncio.sleep(SETTLE_SECONDS)
            before = await place.mark()
            if arm is Arm.NATIVE:
                ordered_at = await self._dial_native(rate, numbers)
            else:
                ordered_at = await self._dial_campaign(rate, numbers)
            after = await place.mark()
        place.records.look()
        return _run(arm, rate, numbers, judge(numbers, place.records.calls, ordered_at), before, after)

    def _ready(self, arm: Arm, rate: float, agents: int, numbers: Sequence[str]) -> AbstractAsyncContextManager[None]:
        if arm is Arm.NATIVE:
            return self._native()
        return self._product(rate, agents, numbers, lines=arm is Arm.PERSISTENT)

    # -- native ---------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _native(self) -> AsyncIterator[None]:
        asterisk = self._place.settings.asterisk
        login = AMI_USER, self._place.ami_secret
        async with AmiDialer(asterisk.ami_host, asterisk.ami_port, *login) as self._ami:
            yield

    async def _dial_native(self, rate: float, numbers: Sequence[str]) -> Mapping[str, float]:
        loop, ordered_at = asyncio.get_running_loop(), {}
        began = loop.time()
        for n, number in enumerate(numbers):
            await asyncio.sleep(max(0.0, began + n / rate - loop.time()))
            ordered_at[number] = time.time()
            trunk = f"PJSIP/callwright-trunk-main/sip:{number}@{self._place.trunk_at}:5060"
            self._ami.originate(trunk, CONTEXT, ring_seconds=25.0)
        await self._ended(len(numbers), TAIL_SECONDS)
        return ordered_at

    # -- the product ----------------------------------------------------------------------------------

    @asynccontextmanager
    async def _product(self, rate: float, agents: int, numbers: Sequence[str], *, lines: bool) -> AsyncIterator[None]:
        place = self._place
        name = f"bench-{next(self._campaigns)}"
        place.choose_agents(agents, online=not lines)
        await place.cli("campaign", "add", name, "--mode", "power")
        await place.cli("campaign", "set", name, "hours=00:00-24:00", "team=bench", "wrap_up_seconds=0")
        file = place.base / f"{name}.csv"
        file.write_text("phone\n" + "\n".join(numbers) + "\n")
        await place.cli("lead", "import", name, str(file))
        await place.serve_at(rate)
        self._name = name
        open_lines = await self._open_lines(place.exts[:agents]) if lines else []
        try:
            await place.idle(agents, 30.0)
            yield
        finally:
            await asyncio.gather(*(place.world.ask("act", call=call, act="hangup") for call in open_lines))
            await asyncio.gather(*(place.world.ask("wait", call=call, what="over") for call in open_lines))
            await place.serve.stop()

    async def _open_lines(self, exts: Sequence[str]) -> list[str]:
        """Every agent dials *48; the ids of their calls."""
        world, calls = self._place.world, []
        for ext in exts:
            calls.append(await world.ask("dial", phone=ext, number="*48"))
            await world.ask("wait", call=calls[-1], what="answered")
        return calls

    async def _dial_campaign(self, rate: float, numbers: Sequence[str]) -> Mapping[str, float]:
        place, name = self._place, self._name
        with writing(place.engine) as session:
            move_campaign(session, By("bench", utc_now()), name, "start", served=True)
        await self._ended(len(numbers), len(numbers) / rate + TAIL_SECONDS)

        def finished() -> bool:
            with reading(place.engine) as session:
                state = session.scalars(select(Campaign.state).where(col(Campaign.name) == name)).one()
            return state == CampaignState.FINISHED

        try:
            await until(finished, TAIL_SECONDS, "the end of the campaign")
        except TimeoutError:  # more than it carries: what was not dialled in time are failures of this run
            with writing(place.engine) as session:
                move_campaign(session, By("bench", utc_now()), name, "stop", served=True)
        await asyncio.sleep(GAUGE_SECONDS)
        campaign = select(Campaign.id).where(col(Campaign.name) == name).scalar_subquery()
        rows = place.attempts(select(Attempt.number, Attempt.intent_at).where(col(Attempt.campaign_id) == campaign))
        return {number: at.timestamp() for number, at in rows}

    async def _ended(self, wanted: int, deadline: float) -> None:
        """Wait until so many customers' calls are over, `deadline` seconds at most: what is missing is a failure."""
        records = self._place.records

        def all_over() -> bool:
            records.look()
            return records.customers >= wanted

        try:
            await until(all_over, deadline, "the end of the calls")
        except TimeoutError:
            return


def _run(arm: Arm, rate: float, numbers: Sequence[str], heard: Heard, before: Mark, after: Mark) -> Run:
    calls, seconds = len(numbers), after.at - before.at
    return Run(
        arm=arm.value,
        rate=rate,
        calls=calls,
        two_way_ms=heard.two_way_ms,
        invite_ms=heard.invite_ms,
        failures=heard.failures,
        placed_per_second=heard.placed_per_second,
        asterisk_ms=(after.asterisk_cpu - before.asterisk_cpu) * 1000.0 / calls,
        app_ms=(after.app_cpu - before.app_cpu) * 1000.0 / calls,
        events=(after.events - before.events) / calls,
        bytes=(after.bytes - before.bytes) / calls,
        others_cores=max(0.0, (after.others_cpu - before.others_cpu) / seconds),
    )
