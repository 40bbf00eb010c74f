"""Caps of a trunk with every kind of call, over a crash, and `max_cps` on the wire while the database stands still."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import partial

from tests.asterisk.callers import MUSIC, Callers
from tests.asterisk.carriers import PATIENCE, RATE, TwoCarriers, carried, reasons, refused, trunk
from tests.asterisk.floor import Floor
from tests.lab.centre import Centre, CommandFailed
from tests.lab.farend.numbers import refuses, stays, talks
from tests.lab.farend.record import CallRecord, Direction, Side
from tests.lab.until import until
from tests.prove.proof import Proof, Round

CALLS = 4
BUSY = [refuses(486, 650 + n) for n in range(8)]
LEADS = [talks(1.0, 600 + n) for n in range(4)]
OWN, CONSULTED, SENT_ON, ORDERED = (stays(620 + n) for n in range(4))
MINUTES_OFF = 0.08


class CappedCentre(TwoCarriers):
    """A trunk of four calls a day, and another without caps."""

    def __init__(self) -> None:
        caps = {"trunk.main": {"calls_per_day": CALLS, "codecs": ["alaw"]}, "agents": {"trunk": "main"}}
        super().__init__("spending", settings=caps)


async def spending_round(centre: Centre, number: int) -> Round:
    """One after the other: the cap is used up by four kinds of calls, then nobody calls, until it is raised."""
    await centre.serve.start()
    callers, failures = Callers(Floor(centre)), list[str]()
    await _used_up(callers)
    failures += _sent(callers, CALLS, "by four kinds of calls")
    failures += await _nobody_calls(callers)
    failures += _sent(callers, CALLS, "once the cap was reached")
    failures += await _crash_and_raise(callers)
    carrier_got = len(carried(callers))
    failures += await _standing_database(callers)
    await callers.nothing_left()
    failures += [f"far end: {fault}" for fault in centre.far.faults]
    return Round({"calls of the capped carrier": carrier_got, "cap": CALLS, "raised to": CALLS + 2}, failures)


def _sent(callers: Callers, wanted: int, when: str) -> list[str]:
    sent = len(carried(callers))
    return [] if sent == wanted else [f"{sent} calls instead of {wanted} {when}"]


async def _used_up(callers: Callers) -> None:
    """An own call, a consult in it, a caller who is sent on, a campaign's call; a callback is ordered before."""
    floor = callers.floor
    phone = await callers.agent("6001", "none")
    await callers.agent("6002", "back", online=False)
    await callers.queue("away", "442079460601", max_wait="1", overflow=f"number:{SENT_ON}", trunk="main")
    await callers.queue("back", "442079460602", callback="on", trunk="main")
    ordering = callers.call("442079460602", ORDERED)
    await ordering.until_hears(MUSIC, PATIENCE)
    ordering.press("1")
    await callers.talk(1.5)
    ordering.press("1")
    await ordering.until_over(PATIENCE)

    own = phone.dial(OWN)
    await own.until_answered(PATIENCE)
    own.press(f"*70{CONSULTED.removeprefix('+44')}#")
    await floor.called(CONSULTED, PATIENCE)
    caller = callers.call("442079460601", "442079460000")
    await floor.called(SENT_ON, PATIENCE)
    await floor.agent("6003", team="few")
    await floor.campaign("few", LEADS[0], trunk="main")
    await floor.called(LEADS[0], PATIENCE)
    for call in (own, caller):
        call.hangup()
    callers.far.hang_up_all()

    async def is_capped() -> bool:
        return (await reasons(callers, "few")).get("trunk_capped", "").endswith("raises it.")

    await until(is_capped, PATIENCE, "the cap to be told")
    await callers.nothing_left()


async def _nobody_calls(callers: Callers) -> list[str]:
    """Neither an agent by phone or by command, nor a campaign, nor a callback, nor a caller who is to be sent on."""
    floor, failures = callers.floor, list[str]()
    await refused(callers, "6001", stays(631))
    try:
        await floor.cli("call", "place", "6001", stays(631))
        failures.append("`call place` was not refused")
    except CommandFailed as error:
        failures += [] if f"its calls_per_day of {CALLS} is reached" in str(error) else [str(error)]
    await floor.cli("lead", "add", "few", LEADS[1])
    await floor.cli("agent", "online", "6002")
    late = callers.call("442079460601", "442079460001")
    await callers.talk(2.0)
    late.hangup()
    failures += ["an agent was rung for a callback"] if callers.far.phones["6002"].calls else []
    state = (await trunk(callers))["state"]
    failures += [] if state == "capped" else [f"`trunk show` says {state}"]
    ready = (await floor.centre.http_json("/health/ready"))["parts"]["trunk main"]["ok"]
    return failures + (["/health/ready does not say it"] if ready else [])


async def _crash_and_raise(callers: Callers) -> list[str]:
    """The next process keeps the cap, the other carrier goes on, and a raised cap is obeyed at once."""
    floor, failures = callers.floor, list[str]()
    floor.centre.serve.kill()
    await floor.centre.serve.ended()
    await floor.centre.serve.start()
    await floor.cli("campaign", "set", "few", "trunk=main,spare")
    spared = await floor.called(LEADS[1], PATIENCE)
    await spared.until_over(PATIENCE)
    failures += [] if spared.record.codec == "PCMU" else [f"the other carrier's codec was {spared.record.codec}"]
    await floor.cli("campaign", "set", "few", "trunk=main")
    await floor.cli("lead", "add", "few", LEADS[2])
    await callers.talk(0.5)
    failures += _sent(callers, CALLS, "after a crash")
    await floor.cli("trunk", "set", "main", f"calls_per_day={CALLS + 2}")
    await floor.called(LEADS[2], 3.0)
    await floor.called(ORDERED, PATIENCE)
    failures += _sent(callers, CALLS + 2, "with the raised cap")
    callers.far.hang_up_all()
    await callers.nothing_left()
    talked = sum(call.ended_at - call.answered_at for call in carried(callers) if call.answered_at) / 60
    used = (await trunk(callers))["used"]
    if used["calls_per_day"] != CALLS + 2 or abs(used["minutes_per_day"] - talked) > MINUTES_OFF:
        failures.append(f"`trunk show` says {used}, the carrier {talked:.2f} minutes")
    return failures


async def _standing_database(callers: Callers) -> list[str]:
    """Calls whose intents waited for the database do not go out together with the next ones."""
    floor = callers.floor
    await floor.agent("6010", team="wire")
    with closing(sqlite3.connect(floor.centre.base / "callwright.db", isolation_level=None)) as database:
        await floor.campaign("wire", *BUSY, trunk="spare", multiplier="10")
        for count in (2, 4):
            await until(partial(_sent_are, callers, count), PATIENCE, "calls to be sent")
            await callers.talk(0.85)  # the next calls are taken a second after these
            database.execute("BEGIN IMMEDIATE")
            await callers.talk(0.65)
            database.execute("COMMIT")
        await until(partial(_sent_are, callers, len(BUSY)), PATIENCE, "every lead to be called")
    at = sorted(call.invite_at for call in _busy(callers))
    most = max(len([other for other in at if one <= other < one + 1.0]) for one in at)
    return [] if most == RATE else [f"{most} calls within a second instead of {RATE}"]


def _sent_are(callers: Callers, least: int) -> bool:
    return len(_busy(callers)) >= least


def _busy(callers: Callers) -> list[CallRecord]:
    numbers = set(BUSY)
    return [call for call in callers.far.log.select(Side.CUSTOMER, Direction.IN) if call.party in numbers]


PROOFS: list[Proof] = [
    Proof(
        "spending",
        f"A carrier with calls_per_day = {CALLS} gets an own call, a consult, a caller who is sent on and a campaign's "
        "call, then nothing from anybody, over a crash too, while the other carrier goes on; with the raised cap the "
        "next calls go at once. max_cps holds on the wire while the database stands still.",
        2,
        spending_round,
        CappedCentre,
        rounds_per_centre=1,
    ),
]
