"""When looks are taken, on the real clock: the first wake at once, the rest together."""

from __future__ import annotations

import asyncio
import time

import pytest

from contact_center.clock import SystemClock
from dialer.looks import GAP_SECONDS, REST_SECONDS, Looks

pytestmark = [pytest.mark.clock, pytest.mark.alone]


async def test_a_wake_after_a_quiet_moment_is_looked_at_at_once():
    looks = Looks(SystemClock())
    waiting = asyncio.create_task(looks.next())
    await asyncio.sleep(2 * GAP_SECONDS)
    looks.wake([7])
    began = time.monotonic()
    assert await waiting == {7}
    assert time.monotonic() - began < GAP_SECONDS


async def test_wakes_that_follow_within_milliseconds_are_one_look():
    looks, taken = Looks(SystemClock()), []

    async def look() -> None:
        while True:
            taken.append(await looks.next())

    task = asyncio.create_task(look())
    began = time.monotonic()
    for n in range(200):
        looks.wake([n % 5])
        await asyncio.sleep(0)
    spent = time.monotonic() - began
    await asyncio.sleep(3 * GAP_SECONDS)
    task.cancel()
    assert set().union(*taken) == {0, 1, 2, 3, 4}
    assert len(taken) <= spent / GAP_SECONDS + 2


async def test_a_campaign_is_looked_at_at_its_time_and_an_idle_one_never():
    looks = Looks(SystemClock())
    looks.at(1, 0.05)
    looks.at(2, 0.02)
    looks.at(3, 0.01)
    looks.at(3, None)
    looks.at(2, 0.08)
    began = time.monotonic()
    assert await looks.next() == {1}
    assert 0.045 <= time.monotonic() - began < 0.075
    assert await looks.next() == {2}
    assert time.monotonic() - began >= 0.075
    with_timeout = asyncio.wait_for(looks.next(), 0.1)
    try:
        await with_timeout
    except TimeoutError:
        return
    raise AssertionError("an idle campaign was looked at")


async def test_a_campaign_that_waits_for_its_next_line_is_not_looked_at_before_whatever_happens_to_it():
    looks, began = Looks(SystemClock()), time.monotonic()
    looks.for_line(1, 0.06)
    looks.wake([1])
    assert await looks.next() == {1}
    assert time.monotonic() - began >= 0.06
    looks.at(1, None)
    looks.wake([1])
    assert await looks.next() == {1}
    assert time.monotonic() - began < 0.1


async def test_a_supervisors_wish_and_a_long_wait_are_looked_into_at_once():
    looks, began = Looks(SystemClock()), time.monotonic()
    looks.for_line(1, 30.0)
    looks.wake([1], at_once=True)
    assert await looks.next() == {1}
    assert time.monotonic() - began < 0.05
    looks.at(1, None)
    looks.for_line(1, None)
    looks.wake([1])
    assert await looks.next() == {1}
    assert time.monotonic() - began < 0.1
    looks.for_line(1, 30.0)
    await asyncio.sleep(REST_SECONDS)
    looks.wake([1])
    assert await looks.next() == {1}


async def test_a_timer_strikes_once():
    looks, taken = Looks(SystemClock()), []
    looks.at(1, 0.0104)
    looks._take_due = _counted(looks._take_due, taken)
    assert await looks.next() == {1}
    assert len(taken) == 2


def _counted(function, calls: list):
    def count(*given):
        calls.append(given)
        return function(*given)

    return count
