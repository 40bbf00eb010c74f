"""`serve` dies: at random instants, at each step of a call, and in good order."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from contact_center.crash_points import EXIT_CODE, POINTS, VARIABLE
from tests.lab.centre import Centre
from tests.lab.farend.numbers import Behaviour, number_for, refuses, talks
from tests.lab.faults import Instants
from tests.lab.until import until
from tests.prove.books import Books
from tests.prove.proof import Proof, Round
from tests.prove.scene import NEVER, SHORT, TEAM, customers, left_over, mixed, stand, talking
from tests.prove.story import Outage, Story

AT_START = {"snapshot_taken", "calls_adopted"}
SETTLED_SECONDS = 60.0
CONTROL_SECONDS = 5.0
EXIT_SECONDS = 10.0
SETTLING_SECONDS = 5.0  # until a customer has left and an agent is free again


@contextmanager
def crashing_at(point: str) -> Iterator[None]:
    """Processes started in the block end themselves at this point."""
    os.environ[VARIABLE] = point
    try:
        yield
    finally:
        del os.environ[VARIABLE]


async def until_crashed(centre: Centre, deadline: float) -> None:
    """Wait for the process to end itself."""
    async with asyncio.timeout(deadline):
        code = await centre.serve.ended()
    if code != EXIT_CODE:
        raise RuntimeError(f"serve ended with {code}: {centre.serve.tail()}")


# -- at each step of a call


def _cast(number: int) -> list[str]:
    """Six customers who between them come by every point; three ring long enough to meet the next process."""
    first = number * 10
    return [
        talks(1.5, first, ring=0.5),
        talks(2.0, first, ring=3.0),
        refuses(486, first, ring=3.0),
        talks(4.0, first, ring=1.0),
        talks(1.0, first + 1, ring=5.0),
        refuses(404, first, ring=0.2),
    ]


async def point_round(centre: Centre, number: int) -> Round:
    """Crash once at one point, the first, second or third time it is come by; then go on."""
    point, times = POINTS[number % len(POINTS)], 1 + number // len(POINTS) % 3
    if point in AT_START:
        times = 1
    books = await stand(centre, 4)
    campaign, numbers = f"points-{number}", _cast(number)
    keys = {"multiplier": "1", "max_attempts": "5", "ring_seconds": "15", "wrap_up_seconds": "1"}
    await centre.add_campaign(campaign, numbers, team=TEAM, **keys, **NEVER)
    story = Story(centre, campaign, numbers, 1)
    if point in AT_START:
        await centre.cli("campaign", "start", campaign)
        await until(lambda: bool(talking(centre)), 20.0, "a talk")
        centre.serve.kill()
    else:
        await centre.serve.stop()
        await centre.cli("campaign", "start", campaign)
    killed_at = centre.far.clock.now()
    await centre.serve.ended()
    with crashing_at(f"{point}:{times}"):
        await centre.serve.start(ready=False)
    await until_crashed(centre, 40.0)
    if point in AT_START:
        story.outages.append(Outage(killed_at, centre.far.clock.now()))
    return await _recovered(centre, books, story, point)


async def _recovered(centre: Centre, books: Books, story: Story, point: str) -> Round:
    died_at = centre.far.clock.now()
    began = centre.far.clock.now()
    await centre.serve.start()
    back_at = centre.far.clock.now()
    story.outages.append(Outage(died_at, back_at))
    failures = []
    try:
        await books.until_quiet(story.campaign, SETTLED_SECONDS)
    except TimeoutError as error:
        failures.append(f"{point}: {error}")
    settled_at = centre.far.clock.now()
    failures += [f"{point}: {line}" for line in await left_over(centre, books)]
    failures += [f"{point}: {line}" for line in story.faults(books)]
    await centre.cli("campaign", "stop", story.campaign)
    books.close()
    figures = {
        "crashes": 1,
        "calls on the line": len(story.records()),
        "talks": len(story.talks()),
        "answered while no process listened": story.unheard(),
        "seconds to control": [back_at - began],
        "seconds until every call was settled": [settled_at - died_at],
    }
    return Round(figures, failures)


# -- at random instants


async def kill_round(centre: Centre, number: int, leads: int, kills: int, agents: int, *, politely: bool) -> Round:
    """A whole campaign during which `serve` is killed, or told to end, again and again."""
    books = await stand(centre, agents)
    campaign, numbers = f"{'term' if politely else 'kill'}-{number}", mixed(leads, number * leads % 9000)
    await centre.add_campaign(
        campaign, numbers, team=TEAM, multiplier="1", max_attempts="2", ring_seconds="15", **SHORT
    )
    await centre.cli("campaign", "start", campaign)
    await until(lambda: len(customers(centre, numbers)) > min(10, leads // 4), 20.0, "the campaign to begin")
    story = Story(centre, campaign, numbers, 2)
    control, exits, talked, failures = [], [], 0, []
    async for _ in Instants(kills, least=0.0, most=3.0, seed=number + 1):
        if books.campaign_state(campaign) != "running":
            break
        pairs, died_at = talking(centre), centre.far.clock.now()
        if politely:
            code = await centre.serve.stop()
            exits.append(centre.far.clock.now() - died_at)
            failures += [f"exit {code}"] if code else []
        else:
            centre.serve.kill()
            await centre.serve.ended()
        began = centre.far.clock.now()
        await centre.serve.start()
        story.outages.append(Outage(died_at, centre.far.clock.now()))
        control.append(centre.far.clock.now() - began)
        talked += len(pairs)
    await books.until_finished(campaign, 60.0 + leads)
    failures += [*await left_over(centre, books), *story.faults(books)]
    failures += [f"exit took {s:.1f} s" for s in exits if s > EXIT_SECONDS]
    slow = sum(1 for seconds in control if seconds > CONTROL_SECONDS)
    if slow > len(control) * 0.05:
        failures.append(f"control back later than {CONTROL_SECONDS:g} s {slow} times in {len(control)}")
    books.close()
    figures = {
        "leads": leads, "ends of serve": len(control), "dials on the line": len(story.records()),
        "talks": len(story.talks()), "talks that were up when it ended": talked,
        "answered while no process listened": story.unheard(), "seconds to control": control,
    }  # fmt: skip
    return Round(figures | ({"seconds to exit": exits} if politely else {}), failures)


async def uncertain_round(centre: Centre, number: int) -> Round:
    """Killed while its dial is on the way to a trunk that never answers: closed once, never sent again."""
    books = await stand(centre, 2)
    quiet = [number_for(Behaviour.SILENT_TRUNK, 100 + number * 2 + n) for n in range(2)]
    campaign = f"uncertain-{number}"
    await centre.add_campaign(campaign, quiet, team=TEAM, max_attempts="5", ring_seconds="15", **NEVER)
    await centre.serve.stop()
    await centre.cli("campaign", "start", campaign)
    with crashing_at("originate_sent"):
        await centre.serve.start(ready=False)
    await until_crashed(centre, 40.0)
    return await _recovered(centre, books, Story(centre, campaign, quiet, 1), "originate_sent")


async def frozen_round(centre: Centre, number: int, *, seconds: float = 0.0, leads: int = 30) -> Round:
    """`serve` is stopped in mid-campaign and goes on later: its event loop stands still, Asterisk does not."""
    seconds = seconds or (3.0, 16.0)[number % 2]
    books = await stand(centre, 6)
    campaign, numbers = f"frozen-{number}", mixed(leads, 8500 + number * 35)
    keys = {"multiplier": "1", "max_attempts": "2", "ring_seconds": "15"}
    await centre.add_campaign(campaign, numbers, team=TEAM, **keys, **SHORT)
    await centre.cli("campaign", "start", campaign)
    await until(lambda: len(talking(centre)) >= 2, 20.0, "two talks")
    story, pairs, began = Story(centre, campaign, numbers, 2), talking(centre), centre.far.clock.now()
    os.kill(centre.serve.pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        os.kill(centre.serve.pid, signal.SIGCONT)
    woken_at = centre.far.clock.now()
    await centre.serve.until_ready()
    back_at = centre.far.clock.now()
    story.outages.append(Outage(began, back_at))
    await books.until_finished(campaign, 120.0)
    failures = [*await left_over(centre, books), *story.faults(books)]
    dialled = [d.intent_at - woken_at for d in books.dials(campaign) if d.intent_at > woken_at]
    books.close()
    if not dialled or min(dialled) > CONTROL_SECONDS + SETTLING_SECONDS:
        failures.append(f"went on dialling after {min(dialled, default=-1.0):.1f} s")
    figures = {
        f"stops of {seconds:g} s": 1, "dials on the line": len(story.records()), "talks that were up": len(pairs),
        "answered while it stood still": story.unheard(), "seconds to the next dial": dialled and [min(dialled)],
    }  # fmt: skip
    return Round(figures, failures)


async def _kill_9(centre: Centre, number: int) -> Round:
    done = await kill_round(centre, number, leads=1000, kills=100, agents=9, politely=False)
    missing = [] if done.figures["ends of serve"] == 100 else ["the campaign was over before the last kill"]
    return Round(done.figures, [*done.failures, *missing])


async def _sigterm(centre: Centre, number: int) -> Round:
    return await kill_round(centre, number, leads=150, kills=20, agents=8, politely=True)


PROOFS = [
    Proof(
        "crash_points",
        f"At each of {len(POINTS)} steps of a call the process ends itself, ten times: within {SETTLED_SECONDS:g} s "
        "every call is settled as it was on the line, no number is dialled twice, no talk cut, nothing left over.",
        10 * len(POINTS),
        point_round,
        lambda: Centre("points"),
    ),
    Proof(
        "kill_9",
        "100 kill -9 of serve at random instants of a campaign of 1 000 leads: no number got more than its attempts or "
        f"two live calls, no lead is forgotten, no talk was cut, control is back within {CONTROL_SECONDS:g} s at p95.",
        1,
        _kill_9,
        lambda: Centre("kill"),
    ),
    Proof(
        "serve_frozen",
        "serve stands still for 3 or 16 s in mid-campaign: no talk is cut, no number dialled twice or forgotten, and "
        "dialling goes on by itself.",
        10,
        frozen_round,
        lambda: Centre("frozen"),
    ),
    Proof(
        "sigterm",
        f"20 rolling restarts in mid-campaign: each exit within {EXIT_SECONDS:g} s, calls are handed over, none is "
        "cut, dialled twice or forgotten.",
        1,
        _sigterm,
        lambda: Centre("sigterm"),
    ),
]
