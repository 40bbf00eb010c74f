"""The line between `serve` and Asterisk fails: dialling stops, nothing is dialled twice, no talk is cut."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from tests.lab.faults import Mode, ProxiedCentre, thief
from tests.lab.faults.tcp import reply_to
from tests.lab.until import until
from tests.prove.books import Dial
from tests.prove.losses import STOPS_SECONDS, begun, placed_between
from tests.prove.proof import Proof, Round
from tests.prove.scene import Readiness, left_over, mixed, stand, times, watching
from tests.prove.story import Outage, Story

BEAT_SECONDS = 1.0  # a heartbeat goes out so often, and so long unanswered it is a doubt
STORED_SECONDS = 0.1  # an intent may have been chosen just before the doubt, and be stored so much later
SEEN_SECONDS = 0.3  # until the question for readiness comes by
DOUBT_SECONDS = 2 * BEAT_SECONDS + SEEN_SECONDS


async def _cut(centre: ProxiedCentre) -> None:
    centre.ari.cut()


async def _closed(centre: ProxiedCentre) -> None:
    centre.ari.close_websockets()


async def _black_hole(centre: ProxiedCentre) -> None:
    centre.ari.mode = Mode.DROP
    await asyncio.sleep(9.0)
    centre.ari.mode = Mode.PASS


async def _frozen(centre: ProxiedCentre) -> None:
    centre.switch.freeze()
    await asyncio.sleep(6.0)
    centre.switch.thaw()


async def _late(centre: ProxiedCentre, by_seconds: float) -> None:
    centre.ari.delay_seconds, centre.ari.mode = by_seconds, Mode.DELAY
    await asyncio.sleep(4.0)
    centre.ari.mode = Mode.PASS


async def _stolen(centre: ProxiedCentre) -> None:
    async with thief(centre.direct):
        await asyncio.sleep(3.0)


async def _reply_swallowed(centre: ProxiedCentre) -> None:
    centre.ari.swallow(reply_to(b"channels"))
    await until(lambda: centre.ari.swallowed, 20.0, "the reply to a dial to be swallowed")
    centre.ari.swallowed = 0


async def _away(centre: ProxiedCentre) -> None:
    centre.ari.mode = Mode.CUT
    await asyncio.sleep(4.0)
    centre.ari.mode = Mode.PASS


SOCKET_FAULTS: tuple[tuple[str, Callable[[ProxiedCentre], Awaitable[None]], float], ...] = (
    ("cut", _cut, STOPS_SECONDS),
    ("reply to a dial swallowed", _reply_swallowed, 0.0),
    ("stolen", _stolen, STOPS_SECONDS),
    ("cut and refused for 4 s", _away, STOPS_SECONDS),
    ("black hole for 9 s", _black_hole, DOUBT_SECONDS),
    ("0.3 s late for 4 s", lambda centre: _late(centre, 0.3), 0.0),
    ("closed in good order", _closed, STOPS_SECONDS),
    ("Asterisk frozen for 6 s", _frozen, DOUBT_SECONDS),
    ("1.5 s late for 4 s", lambda centre: _late(centre, 1.5), DOUBT_SECONDS),
)
"""Name, fault (it returns when the fault is over), and the seconds within which readiness must say no (0: need not)."""


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
        await fault(centre)
        await centre.serve.until_ready(30.0)
        ended = centre.far.clock.now()
        await books.until_finished(campaign, 120.0)
    story.outages.append(Outage(began, ended))
    dials = books.dials(campaign)
    failures = [*await left_over(centre, books), *story.faults(books), *_doubted(dials, ready, began, found_within)]
    books.close()
    last = [d.intent_at - began for d in dials if began < d.intent_at < _blind(ready, began)[1]]
    figures = {f"faults: {name}": 1, "dials on the line": len(story.records()), **times(ready, began)}
    late = {"seconds from a fault to the last intent before it was found": [max(last)]} if last else {}
    return Round({**figures, **late}, [f"{name}: {x}" for x in failures])


def _blind(ready: Readiness, began: float) -> tuple[float, float]:
    """Between these instants it was certainly known that the line is in doubt; an empty span where it never was."""
    spell = ready.spell(False, began)
    return (spell.seen_at, spell.sure_until) if spell else (began, began)


def _doubted(dials: list[Dial], ready: Readiness, began: float, found_within: float) -> list[str]:
    """Whether the doubt came in time, and nothing was dialled in it."""
    if not found_within:
        return []
    doubt, certain = _blind(ready, began)
    if certain <= began:  # over before readiness was asked again
        return [] if found_within == STOPS_SECONDS else ["never found"]
    if doubt - began > found_within:
        return [f"found only after {doubt - began:.1f} s"]
    return placed_between(dials, min(doubt, began + found_within) + STORED_SECONDS, certain)


PROOFS = [
    Proof(
        "socket",
        "The line to Asterisk is cut, closed, black-holed, slowed down, stolen, loses the reply to a dial, or Asterisk "
        "freezes, in mid-campaign: doubt comes at once, or within 1 s of the first heartbeat without an answer (one a "
        "second); from then on no intent is stored; nothing is dialled twice, no talk cut, the campaign goes on.",
        27,
        socket_round,
        lambda: ProxiedCentre("socket"),
        rounds_per_centre=9,
    ),
]
