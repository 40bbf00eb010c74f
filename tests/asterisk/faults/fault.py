"""A small campaign during which something happens, judged by the far end's record."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.lab.centre import Centre
from tests.prove.losses import begun
from tests.prove.scene import left_over, mixed, stand
from tests.prove.story import Outage, Story

AGENTS = 4


async def survived(
    centre: Centre, campaign: str, first: int, fault: Callable[[], Awaitable[object]], *, leads: int = 10
) -> tuple[list[str], Story]:
    """What is wrong after a campaign in which `fault` happened (nothing, one hopes), and what was on the line.

    `fault` returns when it is over; `serve` must be ready then, or become so.
    """
    books = await stand(centre, AGENTS)
    numbers = mixed(leads, first)
    await begun(centre, campaign, numbers)
    story = Story(centre, campaign, numbers, 2)
    began = centre.far.clock.now()
    await fault()
    await centre.serve.until_ready(20.0)
    story.outages.append(Outage(began, centre.far.clock.now()))
    await books.until_finished(campaign, 60.0)
    failures = [*await left_over(centre, books), *story.faults(books)]
    books.close()
    return failures, story


async def part(centre: Centre, name: str) -> dict[str, object]:
    """What /health/ready says of one part: {"ok", "required", "why"}."""
    parts: dict[str, dict[str, object]] = (await centre.http_json("/health/ready"))["parts"]
    return parts[name]
