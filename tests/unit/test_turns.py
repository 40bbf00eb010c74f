"""Turns of tests that run side by side: one that is alone has everything for itself, and is not kept waiting."""

from __future__ import annotations

import asyncio
import fcntl
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


def is_shut(lock: int, how: int) -> bool:
    try:
        fcntl.flock(lock, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(lock, fcntl.LOCK_UN)
    return False


async def test_many_go_side_by_side_and_one_that_is_alone_waits_for_them_and_they_for_him(turns: list[Turn]) -> None:
    first, second, alone, later = turns
    await first.come(alone=False)
    await second.come(alone=False)
    assert not is_shut(later._gate, fcntl.LOCK_SH)
    waits = asyncio.create_task(alone.come(alone=True))
    await until(lambda: alone.is_next)
    assert is_shut(later._gate, fcntl.LOCK_SH), "who comes later does not keep the one who is alone waiting"
    first.over()
    assert is_shut(later._floor, fcntl.LOCK_EX), "the second is still there"
    assert not waits.done()
    second.over()
    await waits
    comes_later = asyncio.create_task(later.come(alone=False))
    assert is_shut(first._floor, fcntl.LOCK_SH)
    alone.over()
    await comes_later
    await first.come(alone=False)


def test_a_turn_that_one_has_is_not_waited_for_again(turns: list[Turn]) -> None:
    turns[0].wait(alone=True)
    turns[0].wait(alone=True)
    turns[0].over()
    turns[1].wait(alone=False)
    turns[2].wait(alone=False)
