"""The carrier misbehaves: 503 to everything, no answer at all, slow ringing, loss, answers at the time-out."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.lab.centre import Centre
from tests.lab.farend.numbers import Behaviour, answers_at, number_for, script_for, talks
from tests.lab.farend.record import CallRecord
from tests.lab.farend.script import Script
from tests.lab.faults import UdpProxy
from tests.lab.until import until
from tests.prove.books import Books
from tests.prove.proof import Proof, Round
from tests.prove.scene import SHORT, TEAM, customers, left_over, mixed, stand
from tests.prove.story import Story

PROBE_SECONDS = 30.0
DOWN_AFTER = 5
RING_SECONDS = 15.0
SLOW_SECONDS, SLOW_DIALS = 3.0, 7
"""A trunk that is back gets no more dials in its first seconds: one a second at first, then the share of 50/s (what the
lab's trunk takes) that has passed of half a minute, which comes to 7.8."""


async def _campaign(centre: Centre, name: str, numbers: list[str], **keys: str) -> None:
    given = {"multiplier": "1", "max_attempts": "1", "ring_seconds": f"{RING_SECONDS:g}", **SHORT, **keys}
    await centre.add_campaign(name, numbers, team=TEAM, **given)
    await centre.cli("campaign", "start", name)


def _burnt(books: Books, campaign: str, numbers: list[str], records: list[CallRecord]) -> list[str]:
    """Leads that used up attempts although their phones never rang."""
    rang = {r.party for r in records if r.ringing_at or r.progress_at or r.answered_at}
    return [
        f"{lead.number}: {lead.attempts} attempts used up, its phone never rang"
        for lead in books.leads(campaign)
        if lead.number in set(numbers) and lead.attempts and lead.number not in rang and lead.state != "dialing"
    ]


async def storm_round(centre: Centre, number: int) -> Round:
    """503 to every call until the trunk has been probed once; then it is well."""
    books = await stand(centre, 6)
    campaign, numbers = f"storm-{number}", [talks(1.0, 7000 + number * 40 + n, ring=0.5) for n in range(30)]
    centre.far.trunk.behave = lambda _: Script("503 storm", ring_seconds=0.0, code=503)
    try:
        await _campaign(centre, campaign, numbers)
        await until(lambda: len(customers(centre, numbers)) >= DOWN_AFTER, 20.0, "the storm")
        began = min(r.invite_at for r in customers(centre, numbers))
        await asyncio.sleep(12.0)
        in_storm = list(customers(centre, numbers))
        burnt = _burnt(books, campaign, numbers, in_storm)
        rush = [r for r in in_storm if r.invite_at > began + 5.0]
    finally:
        centre.far.trunk.behave = script_for
    ended = centre.far.clock.now()
    await until(lambda: any(r.answered for r in customers(centre, numbers)), PROBE_SECONDS + 5.0, "the probe")
    recovered = centre.far.clock.now() - ended
    await books.until_finished(campaign, 90.0)
    failures = [f"{r.party}: dialled {r.invite_at - began:.1f} s into the storm" for r in rush]
    first = _first(centre, numbers)
    failures += [f"{first} dials in the first {SLOW_SECONDS:g} s after it"] if first > SLOW_DIALS else []
    failures += [*burnt, *_not_reached(books, campaign), *await left_over(centre, books)]
    books.close()
    figures: dict[str, Any] = {
        "storms of 503": 1, "dials in 12 s of storm": len(in_storm), "dials after its first 5 s": len(rush),
        "dials in the first 3 s after it": first,
        "seconds from its end to the first answer": [recovered],
    }  # fmt: skip
    return Round(figures, failures)


def _first(centre: Centre, numbers: list[str]) -> int:
    """Dials in the first seconds after the first phone has rung: the carrier is tried gently."""
    calls = customers(centre, numbers)
    well = min(r.ringing_at for r in calls if r.ringing_at)
    return sum(1 for r in calls if well < r.invite_at < well + SLOW_SECONDS)


def _not_reached(books: Books, campaign: str) -> list[str]:
    return [
        f"{lead.number}: {lead.disposition} after {lead.attempts} attempts instead of connected"
        for lead in books.leads(campaign)
        if lead.disposition != "connected"
    ]


async def silent_round(centre: Centre, number: int) -> Round:
    """The trunk answers nothing, not even 100; later it is well again."""
    books = await stand(centre, 6)
    campaign, numbers = f"silent-{number}", [talks(1.0, 7400 + number * 20 + n, ring=0.5) for n in range(16)]
    centre.far.trunk.down()
    try:
        await _campaign(centre, campaign, numbers)
        await until(lambda: _swallowed(books, campaign) >= DOWN_AFTER, 60.0, "the trunk to be taken for dead")
        open_at = centre.far.clock.now()
        await asyncio.sleep(8.0)
        late = [d for d in books.dials(campaign) if d.intent_at > open_at + 1.0]
        burnt = _burnt(books, campaign, numbers, [])
    finally:
        centre.far.trunk.up()
    await books.until_finished(campaign, 2 * PROBE_SECONDS + 60.0)
    failures = [*burnt, *_not_reached(books, campaign), *await left_over(centre, books)]
    if len(late) > 1:
        failures.append(f"{len(late)} dials in 8 s on a dead trunk")
    books.close()
    return Round({"silent trunks": 1, "dials while it was down": len(late)}, failures)


def _swallowed(books: Books, campaign: str) -> int:
    return sum(1 for d in books.dials(campaign) if d.outcome == "not_attempted")


async def slow_round(centre: Centre, number: int) -> Round:
    """8 s without a sign of life, then ringing for 10 s: more than the ring time in all, but answered all the same."""
    books = await stand(centre, 6)
    first = 7700 + number * 10
    numbers = [number_for(Behaviour.SLOW_NETWORK, first + n, ring=10.0, two=80) for n in range(6)]
    numbers.append(number_for(Behaviour.EARLY_THEN_ANSWERS, first, two=30))
    for serial in range(6):
        centre.far.trunk.script(
            numbers[serial], Script("slow", post_dial_seconds=8.0, ring_seconds=10.0, talk_seconds=1.0)
        )
    centre.far.trunk.script(numbers[6], Script("early", early_media=True, ring_seconds=3.0, talk_seconds=1.0))
    campaign = f"slow-{number}"
    await _campaign(centre, campaign, numbers, multiplier="1.2")
    await books.until_finished(campaign, 90.0)
    failures = [*_not_reached(books, campaign), *Story(centre, campaign, numbers, 1).faults(books)]
    failures += await left_over(centre, books)
    books.close()
    return Round({"slow calls": len(numbers)}, failures)


async def timeout_round(centre: Centre, number: int) -> Round:
    """Answers within 30 ms of the end of the ring time: connected or missed, one of them, on both sides."""
    books = await stand(centre, 8)
    campaign, first = f"timeout-{number}", number * 30
    numbers = [answers_at(RING_SECONDS, first + n) for n in range(24)]
    for n, one in enumerate(numbers):
        at = RING_SECONDS - 0.03 + 0.06 * n / len(numbers)
        centre.far.trunk.script(one, Script("at the time-out", ring_seconds=at, talk_seconds=1.0))
    await _campaign(centre, campaign, numbers, multiplier="3")
    await books.until_finished(campaign, 120.0)
    records = customers(centre, numbers)
    outcome = {d.number: d.outcome for d in books.dials(campaign)}
    silent = [r.party for r in records if r.answered and outcome[r.party] == "missed"]
    failures = [f"{r.party}: dialled twice" for r in records if len(centre.far.log.attempts(r.party)) > 1]
    failures += [f"{n}: {o}" for n, o in outcome.items() if o not in ("missed", "connected", "no_free_operators")]
    failures += await left_over(centre, books)
    books.close()
    figures = {
        "answers at the time-out": len(records),
        "connected": sum(1 for o in outcome.values() if o == "connected"),
        "answered as they were given up, noted as missed": len(silent),
    }
    return Round(figures, failures)


class LossyCentre(Centre):
    """Its trunk is reached over a network that loses, doubles and delays datagrams."""

    sip: UdpProxy

    def _toml(self) -> str:
        self.sip_at = self.block.take()
        return super()._toml().replace(f'host = "{self.trunk_at}"', f'host = "{self.sip_at}"')

    async def __aenter__(self) -> LossyCentre:
        await super().__aenter__()
        self.sip = await self._stack.enter_async_context(UdpProxy((self.sip_at, 5060), (self.trunk_at, 5060)))
        return self


async def lossy_round(centre: LossyCentre, number: int) -> Round:
    """One in ten datagrams to and from the trunk is lost, one in ten comes twice, all are 80 ms late."""
    books = await stand(centre, 6)
    campaign, numbers = f"lossy-{number}", mixed(40, 8000 + number * 50)
    centre.sip.loss, centre.sip.twice, centre.sip.delay_seconds = 0.1, 0.1, 0.08
    await _campaign(centre, campaign, numbers, max_attempts="3")
    await books.until_finished(campaign, 150.0)
    centre.sip.loss = centre.sip.twice = centre.sip.delay_seconds = 0.0
    story = Story(centre, campaign, numbers, 3)
    failures = [*await left_over(centre, books), *story.faults(books)]
    books.close()
    return Round({"dials on the line": len(story.records()), "datagrams lost": centre.sip.lost}, failures)


PROOFS = [
    Proof(
        "trunk_503",
        "The trunk answers 503 to everything: within 5 s dialling falls to one probe per 30 s, no lead loses an "
        "attempt, and when the trunk is well again every lead is reached.",
        3,
        storm_round,
        lambda: Centre("storm"),
        rounds_per_centre=1,  # the trunk of the round before may still start slowly: two failures take it down then
    ),
    Proof(
        "trunk_silent",
        "The trunk answers nothing at all: no attempt is counted, dialling falls to probes, and later every lead is "
        "reached.",
        2,
        silent_round,
        lambda: Centre("silent"),
    ),
    Proof(
        "trunk_slow",
        "The network is silent for 8 s, then rings for 10 s (ring time 15 s, counted from the ringing): each is "
        "reached.",
        2,
        slow_round,
        lambda: Centre("slow"),
    ),
    Proof(
        "answer_at_timeout",
        "Customers answer within 30 ms of the end of the ring time: each is connected or missed, never dialled twice; "
        "those who answered as they were being given up are counted here.",
        4,
        timeout_round,
        lambda: Centre("timeout"),
    ),
    Proof(
        "trunk_lossy",
        "A network to the trunk that loses and doubles one datagram in ten: every call agrees with the far end's "
        "record, none is dialled twice.",
        2,
        lossy_round,
        LossyCentre,
    ),
]
