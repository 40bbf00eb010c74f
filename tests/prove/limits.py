"""Limits that are never passed, counted on the wire: a campaign's calls, a trunk's lines and pace, the hour's end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tests.lab.centre import Centre
from tests.lab.farend.numbers import ABROAD, refuses, talks
from tests.lab.farend.record import CallRecord, max_in_flight
from tests.prove.books import Books
from tests.prove.proof import Figure, Proof, Round
from tests.prove.scene import NEVER, TEAM, customers, left_over, stand

LINES, KEPT, CALLS_PER_SECOND = 14, 2, 8
FEW, FEW_TIMES = 5, 1.2  # agents and multiplier of the campaign that is bound by its own calls: 6
MANY, MANY_TIMES = 6, 4.0  # of the one that is bound by the lines
LOOK_SECONDS = 0.1
LEADS = 120

CLOSING_CALLS_PER_SECOND = 25.0
BEFORE_SECONDS, TELLING_SECONDS, AFTER_SECONDS = 12.0, 3.0, 3.0
LONDON = ZoneInfo("Europe/London")


class CapsCentre(Centre):
    """A trunk of few lines."""

    def __init__(self) -> None:
        trunk = {"max_channels": LINES, "reserve_inbound": KEPT, "max_cps": float(CALLS_PER_SECOND)}
        super().__init__("caps", settings={"trunk.main": trunk})


async def caps_round(centre: Centre, number: int, *, leads: int = LEADS) -> Round:
    """Two campaigns at once; every 100 ms the far end's calls are counted, and afterwards all steps of its record."""
    if not centre.serve.is_running:
        await centre.serve.start()
        await centre.add_agents(FEW, team="few", online=True)
        await centre.add_agents(MANY, first=1101, team="many", online=True)
    books, first = Books(centre), 2 * leads * number
    few, many = _crowd(leads, first), _crowd(leads, first + leads)
    names = {"few": f"few-{number}", "many": f"many-{number}"}
    for team, numbers, times in (("few", few, FEW_TIMES), ("many", many, MANY_TIMES)):
        keys = {"multiplier": f"{times:g}", "max_attempts": "1", "ring_seconds": "15", "wrap_up_seconds": "0"}
        await centre.add_campaign(names[team], numbers, team=team, **keys)
    for name in names.values():
        await centre.cli("campaign", "start", name)
    looks: list[tuple[int, int]] = []
    watch = asyncio.create_task(_watch(centre, set(few), set(many), looks))
    try:
        for name in names.values():
            await books.until_finished(name, 150.0)
    finally:
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch
    failures = await left_over(centre, books)
    books.close()
    own, all_calls = customers(centre, few), customers(centre, few + many)
    most = {"few": max(f for f, _ in looks), "all": max(f + m for f, m in looks)}
    failures += _passed(most["few"], max_in_flight(own), int(FEW * FEW_TIMES), "calls of the campaign")
    failures += _passed(most["all"], max_in_flight(all_calls), LINES - KEPT, "lines of the trunk")
    fastest = most_within(all_calls, 1.0)
    if fastest > CALLS_PER_SECOND:
        failures.append(f"{fastest} calls within a second, {CALLS_PER_SECOND} are allowed")
    figures: dict[str, Figure] = {
        "looks, one each 100 ms": len(looks), "dials": len(all_calls),
        "looks that saw a limit reached": sum(f == int(FEW * FEW_TIMES) or f + m == LINES - KEPT for f, m in looks),
        f"most calls of the campaign at once ({FEW * FEW_TIMES:g} allowed)": [float(max_in_flight(own))],
        f"most lines at once ({LINES - KEPT} allowed)": [float(max_in_flight(all_calls))],
        f"most calls within a second ({CALLS_PER_SECOND} allowed)": [float(fastest)],
    }  # fmt: skip
    return Round(figures, failures)


def _crowd(count: int, first: int) -> list[str]:
    kinds = (
        lambda n: talks(2.0, n, ring=0.5),
        lambda n: refuses(486, n, ring=1.0),
        lambda n: talks(1.0, n, ring=1.0),
        lambda n: refuses(480, n, ring=0.5),
    )
    return [kinds[n % len(kinds)](first + n) for n in range(count)]


async def _watch(centre: Centre, few: set[str], many: set[str], looks: list[tuple[int, int]]) -> None:
    """How many calls each has on the line, every 100 ms."""
    while True:
        live = [call.record.party for call in centre.far.trunk.agent.live_calls()]
        looks.append((sum(1 for n in live if n in few), sum(1 for n in live if n in many)))
        await asyncio.sleep(LOOK_SECONDS)


def _passed(seen: int, recorded: int, allowed: int, what: str) -> list[str]:
    most = max(seen, recorded)
    return [f"{most} {what} at once, {allowed} are allowed"] if most > allowed else []


def most_within(calls: Sequence[CallRecord], seconds: float) -> int:
    """The most calls that began within any span of so many seconds."""
    begun, most, oldest = sorted(call.invite_at for call in calls), 0, 0
    for newest, at in enumerate(begun):
        while begun[oldest] <= at - seconds:
            oldest += 1
        most = max(most, newest - oldest + 1)
    return most


class ClosingCentre(Centre):
    """Its trunk takes twenty-five calls a second."""

    def __init__(self) -> None:
        super().__init__("closing", settings={"trunk.main": {"max_cps": CLOSING_CALLS_PER_SECOND}})


async def closing_round(centre: Centre, number: int) -> Round:
    """A campaign in full swing when its hours end; leads abroad whose hours ended before are never called."""
    books = await stand(centre, 6)
    leads = int(BEFORE_SECONDS * CLOSING_CALLS_PER_SECOND * 2)
    home = [refuses(486, number * leads + n, ring=0.2) for n in range(leads)]
    abroad = [f"{ABROAD[0]}15{n:02d}" for n in range(50)]  # Denmark, an hour ahead: closed for an hour
    closes_at = _next_minute(datetime.now(UTC) + timedelta(seconds=BEFORE_SECONDS + 3.0))
    local = closes_at.astimezone(LONDON).strftime("%H:%M")
    keys = {"multiplier": "10", "max_attempts": "1", "ring_seconds": "15", **NEVER}
    keys["hours"] = f"00:00-{'24:00' if local == '00:00' else local}"
    campaign = f"closing-{number}"
    await centre.add_campaign(campaign, home + abroad, team=TEAM, **keys)
    await asyncio.sleep(max(closes_at.timestamp() - BEFORE_SECONDS - centre.far.clock.now(), 0.0))
    await centre.cli("campaign", "start", campaign)
    await asyncio.sleep(closes_at.timestamp() + AFTER_SECONDS - centre.far.clock.now())
    calls = customers(centre, home + abroad)
    await centre.cli("campaign", "stop", campaign)
    failures = await left_over(centre, books)
    books.close()
    end = closes_at.timestamp()
    before = [end - call.invite_at for call in calls]
    failures += [
        f"{c.party}: called {c.invite_at - end:.3f} s after the end of the hours" for c in calls if c.invite_at >= end
    ]
    failures += [f"{c.party}: called although it is later there" for c in calls if c.party in set(abroad)]
    if not [gap for gap in before if 0 < gap <= TELLING_SECONDS]:
        failures.append("nobody was called just before the end: it was not shown")
    figures: dict[str, Figure] = {
        "ends of the hours": 1, "dials": len(calls), "dials at or after it": sum(1 for gap in before if gap <= 0),
        "dials in the last three seconds before it": sum(1 for gap in before if 0 < gap <= TELLING_SECONDS),
        "seconds from the last INVITE to it": [min(before, default=0.0)],
    }  # fmt: skip
    return Round(figures, failures)


def _next_minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0) + timedelta(minutes=1)


PROOFS: list[Proof] = [
    Proof(
        "caps",
        f"Two campaigns on a trunk of {LINES} lines ({KEPT} kept for callers) and {CALLS_PER_SECOND} calls a second, "
        f"one of them of {FEW} agents times {FEW_TIMES:g}: counted every 100 ms and at each step of the far end's "
        "record, no limit is ever passed.",
        3,
        caps_round,
        CapsCentre,
    ),
    Proof(
        "closing",
        "The calling hours end while a campaign dials 25 numbers a second: no INVITE leaves at or after that second, "
        "and none to where it is an hour later.",
        4,
        closing_round,
        ClosingCentre,
    ),
]
