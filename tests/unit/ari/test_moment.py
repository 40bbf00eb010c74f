from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from ari_app.moment import Moment

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


async def test_a_moment_happens_once_and_all_who_wait_get_its_value():
    moment: Moment[str] = Moment()
    waiting = [asyncio.create_task(wait(moment)) for _ in range(2)]
    await asyncio.sleep(0)
    assert not moment.happened
    with pytest.raises(asyncio.InvalidStateError):
        _ = moment.value
    assert moment.happen("now", NOON)
    assert not moment.happen("again", NOON)
    assert (await asyncio.gather(*waiting), moment.value, moment.at) == (["now", "now"], "now", NOON)


async def test_who_comes_late_gets_it_and_is_called_at_once():
    moment: Moment[str] = Moment()
    moment.happen("before", NOON)
    heard: list[str] = []
    moment.add_done_callback(lambda done: heard.append(done.result()))
    assert await moment == "before"
    await asyncio.sleep(0)
    assert heard == ["before"]


async def test_one_who_stops_waiting_leaves_the_others_waiting():
    moment: Moment[str] = Moment()
    one, other = (asyncio.create_task(wait(moment)) for _ in range(2))
    await asyncio.sleep(0)
    one.cancel()
    await asyncio.wait([one])
    heard: list[str] = []
    moment.add_done_callback(never := lambda _: heard.append("never"))
    moment.remove_done_callback(never)
    moment.happen("now", NOON)
    assert await other == "now"
    assert heard == []


async def wait(moment: Moment[str]) -> str:
    return await moment
