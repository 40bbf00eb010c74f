"""The menus after a call: what customers hear of them, and what is stored, over calls that end in every way."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any

from tests.asterisk.callers import MUSIC, Callers
from tests.asterisk.floor import Floor
from tests.lab.centre import Centre, CommandFailed
from tests.lab.farend.record import two_way_at
from tests.lab.until import until
from tests.prove.proof import Figure, Proof, Round
from tests.prove.rated_calls import (
    PLANS,
    UNASKED,
    VOICE,
    Lane,
    Plan,
    Talk,
    by_the_agent,
    by_the_customer,
    speak_as_a_party,
)

LANES, CALLS = 4, 5
GROUP = "proof"
KEYS = (("2#", ("Lost", None)), ("12999#", ("Sale", "29.99")), ("7", None), ("", None))
CATEGORY = 3
LONGEST_MENU_SECONDS = 60.0
_CATEGORY_LANES = 2  # the agents of these are asked for a category, too
_A_MOMENT = 0.3  # what was under way when they were joined


@dataclass(slots=True)
class _Seen:
    failures: list[str] = field(default_factory=list)
    asked_after: list[float] = field(default_factory=list)
    rated: int = 0
    keyed: int = 0
    heard_seconds: float = 0.0


async def ratings_round(centre: Centre, number: int) -> Round:
    """Some agents at once, each with one call after the other."""
    callers, seen = Callers(Floor(centre)), _Seen()
    if not centre.serve.is_running:
        speak_as_a_party(callers, centre.base / "sounds")
        await centre.serve.start()
        await _set_up(callers)
    async with asyncio.TaskGroup() as lanes:
        for lane in range(LANES):
            lanes.create_task(_lane(callers, number, lane, seen))
    figures: dict[str, Figure] = {
        "calls": LANES * CALLS,
        "ratings": seen.rated,
        "categories keyed": seen.keyed,
        "seconds of customers' ears": round(seen.heard_seconds),
        "seconds until the agent was asked": seen.asked_after,
    }
    return Round(figures, seen.failures)


async def _set_up(callers: Callers) -> None:
    cli = callers.floor.cli
    await cli("rating", "group", "add", GROUP)
    await cli("rating", "option", "add", GROUP, "1", "Sale", "--asks-value")
    await cli("rating", "option", "add", GROUP, "2", "Lost")
    await cli("category", "add", str(CATEGORY), "Asked for the address", "--value", "100")
    await cli("queue", "add", "Outbound", f"rating_group={GROUP}", "rating_ivr=on", "force_hangup=on")


async def _lane(callers: Callers, number: int, n: int, seen: _Seen) -> None:
    dice = random.Random(100 * number + n)
    lane = Lane(callers, f"{number:02d}{n}", GROUP, "code" if n < _CATEGORY_LANES else "off")
    await lane.open()
    for call in range(CALLS):
        serial = (number * LANES + n) * CALLS + call
        plan = PLANS[serial % len(PLANS)]
        try:
            await _one(lane, plan, serial, dice, seen)
        except (TimeoutError, ConnectionError, AssertionError, CommandFailed) as error:
            seen.failures.append(f"call {serial} ({plan}): {error}")
            for phone in (lane.phone, lane.other):
                phone.hangup()
        await lane.idle()


async def _one(lane: Lane, plan: Plan, serial: int, dice: random.Random, seen: _Seen) -> None:
    callers, clock = lane.callers, lane.callers.far.clock
    talk = await plan.begin(lane, serial)
    await plan.then(lane, talk)
    if talk.customer is not None:
        await callers.talk(dice.uniform(0.5, 1.5))
    keys, wanted = dice.choice(KEYS)
    ended_at = clock.now()
    await plan.end(lane, talk)
    keyed = None
    if plan.end in UNASKED:
        wanted = None
    else:
        await talk.agent.until_hears(VOICE, 5.0)
        seen.asked_after.append(clock.now() - ended_at)
        if plan.leaves:
            wanted = None
            talk.agent.hangup()
        elif keys:
            by_menu = wanted is not None and plan.end is by_the_customer and _asks_category(lane, plan)
            keyed = CATEGORY if by_menu else None
            talk.agent.press(keys + (f"{CATEGORY}#" if by_menu else ""))
    for call in (talk.customer, *talk.others, talk.agent):
        if call is not None:
            await call.until_over(LONGEST_MENU_SECONDS)
    await lane.idle()
    await _judge_record(callers, talk, wanted, keyed, f"call {serial} ({plan}, {keys!r} keyed)", seen)
    _judge_ears(talk, plan, f"call {serial} ({plan})", seen)


def _asks_category(lane: Lane, plan: Plan) -> bool:
    """A queue's callers only, and those whom it called back."""
    return lane.category_menu != "off" and plan.begin.__name__ in ("of_the_queue", "of_a_callback")


async def _judge_record(
    callers: Callers, talk: Talk, wanted: tuple[str, str | None] | None, keyed: int | None, what: str, seen: _Seen
) -> None:
    found: dict[str, Any] = {}

    async def as_wanted() -> bool:
        record = await callers.record(talk.number)
        rating = record["rating"]
        found["rating"] = rating and (rating["option"], rating["value"])
        found["keyed"] = record["keyed"] and record["keyed"]["category"]
        return bool(found == {"rating": wanted, "keyed": keyed})

    try:
        await until(as_wanted, 3.0, "the rating")
    except TimeoutError:
        seen.failures.append(f"{what}: stored {found}, wanted {wanted} and {keyed}")
    seen.rated += bool(found["rating"])
    seen.keyed += bool(found["keyed"])


def _judge_ears(talk: Talk, plan: Plan, what: str, seen: _Seen) -> None:
    """The customer hears nothing of the menu, nor do agents who are not to be asked; who is asked does."""
    left_alone = plan.end is by_the_agent  # where both hang up at once, he may have heard the first word
    unasked = [*talk.others, *([talk.agent] if left_alone else [])]
    seen.failures += [f"{what}: {call.record.party} was asked" for call in unasked if call.heard().heard_of(VOICE)]
    if talk.customer is None:
        return
    customer = talk.customer.heard()
    seen.heard_seconds += customer.talk_seconds
    seen.failures += [f"{what}: the customer heard {x}" for x in customer.heard_of(VOICE)]
    joined = two_way_at(customer, talk.agent.heard())
    if joined is None:
        seen.failures.append(f"{what}: they never heard each other")
    elif not talk.held:
        strange = [x for x in customer.heard_of(MUSIC) if x.start_at > joined + _A_MOMENT]
        seen.failures += [f"{what}: the customer heard {x}" for x in strange]


PROOFS: list[Proof] = [
    Proof(
        name="ratings",
        claim="200 calls (callers, campaigns, own calls, callbacks, consults, transfers) that end in every way: no "
        "customer hears any of the menu, nobody else than the last agent is asked, and what was keyed is stored",
        rounds=10,
        run=ratings_round,
        centre=lambda: Centre("ratings"),
    ),
]
