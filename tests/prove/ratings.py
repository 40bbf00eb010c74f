"""The menus after a call: what callers hear of them, and what is stored, over calls that end in every way."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any

from tests.asterisk.callers import MUSIC, Callers
from tests.asterisk.floor import Floor
from tests.lab.centre import Centre
from tests.lab.farend.call import Call
from tests.lab.farend.phones import Phone
from tests.lab.farend.record import two_way_at
from tests.prove.proof import Proof, Round

LANES, CALLS = 4, 5
ENDINGS = ("caller", "agent", "forced", "supervisor", "agent in the menu")
KEYS = (("2", ("Lost", None)), ("12999#", ("Sale", "29.99")), ("7", None), ("", None))
QUIET_SECONDS = 12.0  # longer than the menu waits for a key


@dataclass(slots=True)
class _Seen:
    failures: list[str] = field(default_factory=list)
    asked_after: list[float] = field(default_factory=list)
    rated: int = 0


async def ratings_round(centre: Centre, number: int) -> Round:
    """Some agents at once, each with one caller after the other."""
    if not centre.serve.is_running:
        await centre.serve.start()
    floor, seen = Floor(centre), _Seen()
    callers, group = Callers(floor), f"group{number}"
    await floor.cli("rating", "group", "add", group)
    await floor.cli("rating", "option", "add", group, "1", "Sale", "--asks-value")
    await floor.cli("rating", "option", "add", group, "2", "Lost")
    async with asyncio.TaskGroup() as lanes:
        for lane in range(LANES):
            lanes.create_task(_lane(callers, group, number, lane, seen))
    figures = {"calls": LANES * CALLS, "ratings": seen.rated, "seconds until the agent was asked": seen.asked_after}
    return Round(figures, seen.failures)


async def _lane(callers: Callers, group: str, number: int, lane: int, seen: _Seen) -> None:
    dice, key = random.Random(100 * number + lane), f"{number:02d}{lane}"
    queue, did, ext = f"rated{key}", f"44207946{key}9", f"4{key}"
    await callers.queue(queue, did, rating_group=group, rating_ivr="on", force_hangup="on")
    phone = await callers.agent(ext, queue)
    for n in range(CALLS):
        caller, ending = f"+4474{key}000{n:02d}", ENDINGS[(n + lane) % len(ENDINGS)]
        try:
            await _one(callers, phone, did, caller, ending, dice, seen)
        except (TimeoutError, ConnectionError, AssertionError) as error:
            seen.failures.append(f"{caller} ({ending}): {error}")
            phone.hangup()
        await callers.floor.until_state(ext, "idle", 30.0)


async def _one(
    callers: Callers, phone: Phone, did: str, number: str, ending: str, dice: random.Random, seen: _Seen
) -> None:
    caller = callers.call(did, number)
    agent = await phone.incoming(10.0)
    await caller.until_hears(phone.name, 5.0)
    await agent.until_hears(number, 5.0)
    await callers.talk(dice.uniform(0.8, 2.0))
    keys, wanted = dice.choice(KEYS)
    await _end(callers, caller, agent, number, ending)
    ended_at = callers.far.clock.now()
    if ending == "agent":
        wanted = None
    else:
        await agent.until_hears(MUSIC, 5.0)
        seen.asked_after.append(callers.far.clock.now() - ended_at)
        if ending == "agent in the menu":
            wanted = None
            agent.hangup()
        else:
            agent.press(keys) if keys else None
    await caller.until_over(5.0)
    await agent.until_over(3 * QUIET_SECONDS)
    await callers.floor.until_state(phone.name, "idle", 5.0)
    record = await callers.record(number)
    found = record["rating"] and (record["rating"]["option"], record["rating"]["value"])
    seen.rated += bool(found)
    if found != wanted:
        seen.failures.append(f"{number} ({ending}): rated {found}, keyed {keys!r}")
    seen.failures += [f"{number} ({ending}): heard {x}" for x in _prompts(caller, agent)]


async def _end(callers: Callers, caller: Call, agent: Call, number: str, ending: str) -> None:
    match ending:
        case "agent":
            agent.hangup()
        case "forced":
            agent.press("*2")
        case "supervisor":
            calls = await callers.floor.cli("call", "list", "--number", number)
            await callers.floor.cli("call", "hangup", calls[0]["id"])
        case _:
            caller.hangup()


def _prompts(caller: Call, agent: Call) -> list[Any]:
    """What a caller heard that is nobody's voice, once he and his agent had been joined."""
    joined = two_way_at(caller.heard(), agent.heard())
    return [x for x in caller.heard().heard if joined is not None and MUSIC in x.heard and x.start_at > joined + 0.3]


PROOFS: list[Proof] = [
    Proof(
        name="ratings",
        claim="200 calls that end in every way: no caller hears any of the menu, and what was keyed is stored",
        rounds=10,
        run=ratings_round,
        centre=lambda: Centre("ratings"),
    ),
]
