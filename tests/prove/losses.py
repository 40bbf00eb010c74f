"""Asterisk dies: dialling stops, its calls are closed out, and the campaign goes on when it is back."""

from __future__ import annotations

import asyncio
import random

from tests.lab.centre import Centre
from tests.lab.farend.numbers import talks
from tests.lab.until import until
from tests.prove.books import Books, Dial
from tests.prove.proof import Proof, Round
from tests.prove.scene import SHORT, TEAM, left_over, mixed, stand, talking, watching
from tests.prove.story import Outage, Story

CLOSED_SECONDS = 10.0
STOPS_SECONDS = 1.0
RING_SECONDS = 15.0


async def begun(centre: Centre, campaign: str, numbers: list[str], **keys: str) -> None:
    """Start a campaign over these numbers and wait until people talk."""
    given = {"multiplier": "1", "max_attempts": "2", "ring_seconds": f"{RING_SECONDS:g}", **SHORT, **keys}
    await centre.add_campaign(campaign, numbers, team=TEAM, **given)
    await centre.cli("campaign", "start", campaign)
    await until(lambda: len(talking(centre)) >= 2, 30.0, "two talks")


def placed_between(dials: list[Dial], began: float, ended: float) -> list[str]:
    """Intents committed in a time in which nothing might be dialled."""
    late = [d for d in dials if began < d.intent_at < ended]
    return [f"{d.number}: an intent {d.intent_at - began:.2f} s too late" for d in late]


# -- Asterisk


async def switch_round(centre: Centre, number: int) -> Round:
    """One kill -9 of Asterisk in mid-campaign."""
    books = await stand(centre, 6)
    chance = random.Random(number + 50)
    campaign, numbers = f"switch-{number}", [*mixed(20, 3000 + number * 25), *[talks(9.0, 3000 + number)] * 1]
    await begun(centre, campaign, numbers)
    await asyncio.sleep(chance.uniform(0.0, 2.0))
    story = Story(centre, campaign, numbers, 2, calls_are_lost=True)
    async with watching(centre) as ready:
        lost_at = centre.far.clock.now()
        centre.switch.kill()
        await until(lambda: ready.first(False, lost_at), 5.0, "readiness to say no")
        centre.far.hang_up_all()
        await centre.switch.start()
        back_at = centre.far.clock.now()
        await centre.serve.until_ready()
        ready_at = centre.far.clock.now()
    for phone in centre.far.phones:
        await phone.register()
    before = [d.call_id for d in books.dials(campaign) if d.intent_at < lost_at]
    await until(lambda: _all_closed(books, campaign, before), CLOSED_SECONDS, "lost calls to be closed out")
    closed = max((d.ended_at for d in books.dials(campaign) if d.call_id in before), default=back_at)
    story.outages.append(Outage(lost_at, ready_at))
    await books.until_finished(campaign, 120.0)
    failures = [*await left_over(centre, books), *story.faults(books)]
    failures += placed_between(books.dials(campaign), lost_at + STOPS_SECONDS, back_at)
    failures += _miscounted(books, campaign, story)
    if closed - back_at > CLOSED_SECONDS:
        failures.append(f"closed out {closed - back_at:.1f} s after Asterisk was back")
    books.close()
    figures = {
        "kills of Asterisk": 1, "calls lost by it": len(_up_at(story, lost_at)),
        "seconds until not ready": [(ready.first(False, lost_at) or 0) - lost_at],
        "seconds from its return to ready": [ready_at - back_at],
        "seconds from its return until lost calls were closed": [max(0.0, closed - back_at)],
    }  # fmt: skip
    return Round(figures, failures)


def _all_closed(books: Books, campaign: str, calls: list[str]) -> bool:
    wanted = set(calls)
    return not any(d.is_open for d in books.dials(campaign) if d.call_id in wanted)


def _up_at(story: Story, at: float) -> list[str]:
    return [r.party for r in story.records() if r.invite_at <= at and (r.ended_at is None or r.ended_at >= at)]


def _miscounted(books: Books, campaign: str, story: Story) -> list[str]:
    """No number uses up more attempts than INVITEs of which something came, and none is counted twice."""
    dials = books.dials(campaign)
    return [
        f"{lead.number}: {lead.attempts} attempts used, {counted} counted"
        for lead in books.leads(campaign)
        if lead.number in set(story.numbers)
        and lead.attempts != (counted := sum(1 for d in dials if d.number == lead.number and d.counted))
    ]


PROOFS = [
    Proof(
        "asterisk_killed",
        "20 kills of Asterisk in mid-campaign: no intent is committed later than 1 s after it, lost calls are closed "
        "within 10 s of its return, each attempt counts once, the campaign goes on to its end.",
        20,
        switch_round,
        lambda: Centre("switch"),
        rounds_per_centre=5,
    ),
]
