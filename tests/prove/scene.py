"""What proofs share: agents on line, a campaign of mixed customers, watching readiness."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.lab.centre import Centre
from tests.lab.farend.numbers import refuses, talks
from tests.lab.farend.record import CallRecord, Direction, Side
from tests.lab.until import until
from tests.prove.books import Books

TEAM = "proof"
SHORT = {"retry_busy": "1s", "retry_unavailable": "1s", "retry_technical": "1s", "retry_missed": "1s"}
NEVER = {"retry_busy": "1h", "retry_unavailable": "1h", "retry_technical": "1h", "retry_missed": "1h"}


async def stand(centre: Centre, agents: int) -> Books:
    """`serve` runs, and so many agents are on line; their phones answer by themselves."""
    if not centre.serve.is_running:
        await centre.serve.start()
    if not len(centre.far.phones):
        await centre.add_agents(agents, team=TEAM, online=True)
    books = Books(centre)
    await until(lambda: set(books.agents().values()) <= {"idle"}, 30.0, "every agent to be idle")
    return books


def mixed(count: int, first: int) -> list[str]:
    """Customers who talk (three in five), are busy, or are not available."""
    kinds = (
        lambda n: talks(2.0, n, ring=0.5),
        lambda n: talks(3.0, n, ring=1.0),
        lambda n: refuses(486, n, ring=0.5),
        lambda n: talks(1.0, n, ring=2.0),
        lambda n: refuses(480, n, ring=0.5),
    )
    return [kinds[n % len(kinds)](first + n) for n in range(count)]


async def import_leads(centre: Centre, campaign: str, numbers: list[str]) -> None:
    """Add leads to a campaign that is there."""
    file = centre.base / f"{campaign}-more.csv"
    file.write_text("phone\n" + "\n".join(numbers) + "\n")
    await centre.cli("lead", "import", campaign, str(file), "--dedupe", "none")


def customers(centre: Centre, numbers: list[str]) -> list[CallRecord]:
    """The calls to these numbers."""
    wanted = set(numbers)
    return [c for c in centre.far.log.select(Side.CUSTOMER, Direction.IN) if c.party in wanted]


def talking(centre: Centre) -> list[CallRecord]:
    """Customers who hear an agent now."""
    names = {phone.name for phone in centre.far.phones}
    return [call.record for call in centre.far.trunk.agent.live_calls() if call.hears() & names]


async def left_over(centre: Centre, books: Books) -> list[str]:
    """What is still there although nothing should be: channels, agents who are not idle.

    To be asked before the far end's record is judged: what a party hears is written down when it ends.
    """
    found = []
    try:
        await until(lambda: set(books.agents().values()) <= {"idle"}, 30.0, "every agent to be idle")
    except TimeoutError:
        found.append(f"agents {books.agents()}")

    async def is_empty() -> bool:
        return not await centre.switch.channels()

    try:
        await until(is_empty, 10.0, "every channel to be gone")
    except TimeoutError:
        found.append(f"channels {await centre.switch.channels()}")
    found += [f"far end: {fault}" for fault in centre.far.faults]
    return found


@dataclass(slots=True)
class Spell:
    """A time in which /health/ready said the same: first told at `seen_at`, last asked for at `sure_until`."""

    ready: bool
    seen_at: float
    sure_until: float


class Readiness:
    """When /health/ready said yes and when it did not.

    An answer is true of some instant between the question and its arrival: what is certain is what lies between the
    first answer of a spell and the last question that was still answered so.
    """

    def __init__(self) -> None:
        self.spells: list[Spell] = []

    def note(self, asked_at: float, told_at: float, ready: bool) -> None:
        """One question and its answer."""
        if self.spells and self.spells[-1].ready is ready:
            self.spells[-1].sure_until = asked_at
        else:
            self.spells.append(Spell(ready, told_at, asked_at))

    def spell(self, ready: bool, after: float) -> Spell | None:
        """The first spell of this kind that was seen to begin after `after`."""
        return next((s for s in self.spells if s.seen_at >= after and s.ready is ready), None)

    def first(self, ready: bool, after: float) -> float | None:
        """The first instant after `after` at which it said so."""
        found = self.spell(ready, after)
        return found.seen_at if found else None


@asynccontextmanager
async def watching(centre: Centre, every: float = 0.05) -> AsyncIterator[Readiness]:
    """Ask for readiness all the time while the block lasts."""
    seen, now = Readiness(), centre.far.clock.now

    async def watch() -> None:
        while True:
            asked_at = now()
            ready = await centre.http_status("/health/ready") == 200
            seen.note(asked_at, now(), ready)
            await asyncio.sleep(every)

    task = asyncio.create_task(watch())
    try:
        yield seen
    finally:
        task.cancel()
        await asyncio.wait([task])


def times(ready: Readiness, began: float) -> dict[str, list[float]]:
    """How long readiness took to say no after `began`, and for how long it did, for the figures of a proof."""
    doubt = ready.first(False, began)
    if doubt is None:
        return {"seconds until not ready": [], "seconds not ready": []}
    back = ready.first(True, doubt) or doubt
    return {"seconds until not ready": [doubt - began], "seconds not ready": [back - doubt]}
