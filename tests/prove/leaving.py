"""Every agent leaves while thirty calls ring: nobody more is dialled, and who answers hears who called."""

from __future__ import annotations

import asyncio

from tests.lab.centre import Centre
from tests.lab.farend.hearing import OTHER
from tests.lab.farend.numbers import stays
from tests.lab.until import until
from tests.prove.proof import Figure, Proof, Round
from tests.prove.scene import TEAM, customers, left_over, stand
from tests.prove.silent import BOUND_SECONDS, LAW, SilentCentre, heard_after

AGENTS, TIMES, RING_SECONDS = 4, 8, 5.0
OBEYED_SECONDS = 1.0
SPARE = 40  # leads that would be dialled if anybody were
WAYS = ("pause", "log out", "phones die")
CODES = {"pause": "*46", "log out": "*45"}


async def leaving_round(centre: Centre, number: int, *, agents: int = AGENTS) -> Round:
    """They ring; the agents go, by the way of this round; the calls are answered."""
    books = await stand(centre, agents)
    way, campaign, most = WAYS[number % len(WAYS)], f"leaving-{number}", agents * TIMES
    numbers = [stays(3000 + number * (most + SPARE) + n, ring=RING_SECONDS) for n in range(most + SPARE)]
    keys = {"multiplier": str(TIMES), "max_attempts": "1", "ring_seconds": "15", "wrap_up_seconds": "0", **LAW}
    await centre.add_campaign(campaign, numbers, team=TEAM, **keys)
    await centre.cli("campaign", "start", campaign)
    await until(lambda: len(customers(centre, numbers)) == most, 10.0, "the calls to ring")
    left_at = await leave(centre, way)
    await until(lambda: all(call.ended_at for call in customers(centre, numbers)), 40.0, "everybody to be let go")
    await centre.cli("campaign", "stop", campaign)
    await come_back(centre, way)
    failures = await left_over(centre, books)
    shown = await centre.cli("campaign", "show", campaign)  # all is stored by now
    books.close()
    calls = customers(centre, numbers)
    answered = [call for call in calls if call.answered]
    told = [heard_after(call, OTHER) for call in answered]
    failures += [
        f"{call.party}: heard nothing of us within {BOUND_SECONDS:g} s ({after:.2f} s)"
        for call, after in zip(answered, told, strict=True) if after > BOUND_SECONDS
    ]  # fmt: skip
    late = [call.invite_at - left_at for call in calls if call.invite_at > left_at + OBEYED_SECONDS]
    if way != "phones die":  # nobody can know of that before a call fails
        failures += [f"dialled {after:.2f} s after the last agent had left" for after in late]
    if shown["dropped"] != len(answered):
        failures.append(f"{len(answered)} were answered and {shown['dropped']} counted as dropped")
    figures: dict[str, Figure] = {
        f"calls that rang as all agents left: {way}": most, "answered": len(answered),
        "heard the message in time": sum(1 for after in told if after <= BOUND_SECONDS),
        "seconds from the answer to the message": [after for after in told if after < float("inf")],
    }  # fmt: skip
    return Round(figures, failures)


async def leave(centre: Centre, way: str) -> float:
    """All of them, at once; when they had."""
    phones = list(centre.far.phones)
    if way in CODES:
        calls = [phone.dial(CODES[way]) for phone in phones]
        await asyncio.gather(*(call.until_answered(5.0) for call in calls))
    else:
        for phone in phones:
            phone.crash()
    return centre.far.clock.now()


async def come_back(centre: Centre, way: str) -> None:
    """As they were."""
    for phone in centre.far.phones:
        if way in CODES:
            await phone.dial(CODES[way]).until_over(15.0)
        else:
            phone.revive()
            await phone.register()
            await centre.cli("agent", "online", phone.name)


PROOFS: list[Proof] = [
    Proof(
        "agents_leave",
        "All agents pause, log out, or their phones die while 32 calls ring: nobody is dialled later than 1 s "
        "afterwards, everybody who answers hears the message within 2.0 s, and each is counted as abandoned.",
        6,
        leaving_round,
        SilentCentre,
    ),
]
