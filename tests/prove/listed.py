"""Races between a number's listing and its dial: nobody is called later than a quarter of a second after the commit.

Numbers are put on the do-not-call list by another process, by the HTTP API and by the command line, at random
instants around their dials; the far end's record says when each was called and when its phone was silent again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import aiohttp
from sqlalchemy import Engine, select
from sqlmodel import col

from contact_center.models import Campaign
from contact_center.store.admin import By
from contact_center.store.admin_dnc import EVERYBODY, add_dnc
from contact_center.store.engine import open_engine, reading, writing
from tests.lab.centre import Centre
from tests.lab.farend.numbers import refuses
from tests.lab.farend.record import CallRecord
from tests.lab.until import until
from tests.prove.proof import Figure, Proof, Round
from tests.prove.scene import NEVER, TEAM, customers, left_over, stand

RACES = 200
CALLS_PER_SECOND = 15.0
RING_SECONDS = 2.0  # of a customer who is not listed; then he is busy
LISTED_SECONDS = 0.25  # after the commit of an entry no INVITE leaves later
CANCEL_SECONDS = 1.0  # and a phone that rings is silent
AHEAD, BEHIND = 5, 3  # leads before and behind the one that was dialled last, among which the next to be listed is
LEADS_PER_RACE = 2.5


class ListedCentre(Centre):
    """Its trunk takes fifteen calls a second."""

    def __init__(self) -> None:
        super().__init__("listed", settings={"trunk.main": {"max_cps": CALLS_PER_SECOND}})


@dataclass(frozen=True, slots=True)
class Listing:
    """A number that was listed; `known_at`: when who did it knew of the commit."""

    number: str
    how: str
    asked_at: float
    known_at: float


class Racers:
    """Three who list numbers side by side: `await race(count)`, then `listings`."""

    def __init__(self, centre: Centre, campaign: str, order: list[str], token: str, seed: int) -> None:
        self._centre, self._campaign, self._order, self._token = centre, campaign, order, token
        self._place = {number: n for n, number in enumerate(order)}
        self._fate = random.Random(seed)
        self._taken: set[str] = set()
        self._engine: Engine = open_engine(centre.settings.database.url)
        with reading(self._engine) as session:
            self._campaign_id = (
                session.scalars(select(col(Campaign.id)).where(col(Campaign.name) == campaign)).one() or 0
            )
        self.listings: list[Listing] = []

    async def race(self, count: int) -> None:
        """List so many, most by another process."""
        left = iter(range(count))
        try:
            async with aiohttp.ClientSession() as web, asyncio.TaskGroup() as group:
                group.create_task(self._one("process", left, self._by_process, 1 / CALLS_PER_SECOND))
                group.create_task(self._one("api", left, lambda number: self._by_api(web, number), 0.2))
                group.create_task(self._one("command", left, self._by_command, 0.5))
        finally:
            self._engine.dispose()

    async def _one(self, how: str, left: Iterator[int], put: Callable[[str], Awaitable[float]], pause: float) -> None:
        now = self._centre.far.clock.now
        for _ in left:
            await asyncio.sleep(self._fate.uniform(0.0, 2 * pause))
            number = self._next()
            asked_at = now()
            known_at = await put(number)
            self.listings.append(Listing(number, how, asked_at, known_at))

    def _next(self) -> str:
        """A lead near the one that was dialled last, and not listed yet."""
        last = next((c.party for c in reversed(self._centre.far.log.calls) if c.party in self._place), self._order[0])
        first = max(self._place[last] + self._fate.randint(-BEHIND, AHEAD), 0)
        number = next(n for n in self._order[first:] if n not in self._taken)
        self._taken.add(number)
        return number

    async def _by_process(self, number: str) -> float:
        campaign = self._campaign_id if self._fate.random() < 0.25 else EVERYBODY

        def put() -> float:
            with writing(self._engine) as session:
                add_dnc(session, By("proof", datetime.now(UTC)), [number], campaign)
            return self._centre.far.clock.now()

        return await asyncio.to_thread(put)

    async def _by_api(self, web: aiohttp.ClientSession, number: str) -> float:
        url, headers = f"http://{self._centre.settings.http.bind}/v1/dnc", {"Authorization": f"Bearer {self._token}"}
        async with web.post(url, json={"number": number}, headers=headers) as answer:
            known_at = self._centre.far.clock.now()
            if answer.status >= 300:
                raise RuntimeError(f"POST /v1/dnc: {answer.status} {await answer.text()}")
        return known_at

    async def _by_command(self, number: str) -> float:
        await self._centre.cli("dnc", "add", number)
        return self._centre.far.clock.now()


async def listed_round(centre: Centre, number: int, *, races: int = RACES) -> Round:
    """So many races in one campaign."""
    books = await stand(centre, 6)
    leads = int(races * LEADS_PER_RACE) + 40
    campaign, numbers = f"listed-{number}", [refuses(486, number * leads + n, ring=RING_SECONDS) for n in range(leads)]
    keys = {"multiplier": "10", "max_attempts": "1", "ring_seconds": "15", **NEVER}
    await centre.add_campaign(campaign, numbers, team=TEAM, **keys)
    token = await centre.cli("token", "add", campaign, "--role", "lead_push")
    order = list(reversed(numbers))  # new leads are dialled newest first
    racers = Racers(centre, campaign, order, token["token"], seed=number)
    await centre.cli("campaign", "start", campaign)
    await until(lambda: customers(centre, numbers), 10.0, "the first dial")
    await racers.race(races)
    await centre.cli("campaign", "stop", campaign)
    await until(lambda: not [c for c in customers(centre, numbers) if c.ended_at is None], 20.0, "silence")
    failures = await left_over(centre, books)
    books.close()
    figures, found = judged(racers.listings, {c.party: c for c in customers(centre, numbers)})
    return Round(figures, [*found, *failures])


def judged(listings: list[Listing], calls: dict[str, CallRecord]) -> tuple[dict[str, Figure], list[str]]:
    """What the far end saw of each number that was listed."""
    failures: list[str] = []
    after: list[float] = []
    silent: list[float] = []
    counts = {"listed before their dial": 0, "over when listed": 0, "rang when listed, or soon after": 0}
    for listing in listings:
        call = calls.get(listing.number)
        if call is None:
            counts["listed before their dial"] += 1
            continue
        since = call.invite_at - listing.known_at
        if since > 0:
            after.append(since)
        if since > LISTED_SECONDS:
            failures.append(f"{listing.number}: called {since:.3f} s after its listing by {listing.how} was known")
        ended_at = call.ended_at or float("inf")
        if ended_at <= listing.known_at:
            counts["over when listed"] += 1
            continue
        counts["rang when listed, or soon after"] += 1
        silent.append(ended_at - listing.known_at)
        if silent[-1] > CANCEL_SECONDS:
            failures.append(f"{listing.number}: rang for {silent[-1]:.2f} s after its listing by {listing.how}")
    ways = {f"by {how}": sum(1 for x in listings if x.how == how) for how in ("process", "api", "command")}
    figures: dict[str, Figure] = {
        "races": len(listings), **ways, **counts, "INVITEs after the commit": len(after),
        "seconds from the commit to such an INVITE": after,
        "seconds from the commit until the phone was silent": silent,
    }  # fmt: skip
    return figures, failures


PROOFS: list[Proof] = [
    Proof(
        "do_not_call",
        "1 000 numbers are put on the do-not-call list around the instants of their dials: no INVITE leaves later than "
        "250 ms after the commit, and a phone that rings is silent within 1 s.",
        5,
        listed_round,
        ListedCentre,
    ),
]
