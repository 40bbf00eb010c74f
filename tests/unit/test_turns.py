"""Turns of tests that run side by side: one that is alone has everything for itself, and is not kept waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.lab.alone import Turn
from tests.unit.waiting import until


@pytest.fixture
def turns(tmp_path: Path) -> Iterator[list[Turn]]:
    made = [Turn(tmp_path) for _ in range(4)]
    with ExitStack() as stack:
        for turn in made:
            stack.callback(turn.over)
        yield made


async def test_many_go_side_by_side_and_one_that_is_alone_waits_for_them_and_they_for_him(turns: list[Turn]) -> None:
    first, second, alone, later = turns
    await first.come(alone=False)
    await second.come(alone=False)
    waits = asyncio.create_task(alone.come(alone=True))
    first.over()
    await until(lambda: alone.is_next)
    comes_later = asyncio.create_task(later.come(alone=False))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not waits.done()
    assert not comes_later.done(), "who comes later does not keep the one who is alone waiting"
    second.over()
    await waits
    assert not comes_later.done()
    alone.over()
    await comes_later
    await first.come(alone=False)


def test_a_turn_that_one_has_is_not_waited_for_again(turns: list[Turn]) -> None:
    turns[0].wait(alone=True)
    turns[0].wait(alone=True)
    turns[0].over()
    turns[1].wait(alone=False)
    turns[2].wait(alone=False)
