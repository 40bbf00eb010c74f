"""Replies and events that are lost leave nothing behind."""

from __future__ import annotations

import asyncio
import random
import re

import pytest

from tests.support.ari import live_client, until
from tests.support.fake_ari import FakeAri
from tests.support.virtual_clock import run_virtual
from tests.unit.ari.test_scope import LIFE_SECONDS, World, a_call, arrived, one_life, scripted


@pytest.mark.parametrize("lost", ["POST channels", "POST bridges", "DELETE channels/.*", "POST bridges/.*/addChannel"])
def test_a_reply_lost_at_any_command_leaves_nothing_behind(lost: str) -> None:
    def lose(fake: FakeAri) -> None:
        losses = iter([True])
        fake.lose_reply = lambda method, path: bool(re.fullmatch(lost, f"{method} {path}") and next(losses, False))

    ending = run_virtual(one_life([(LIFE_SECONDS * 3, "hang_up")], lose))
    assert ending


def test_events_lost_at_random_are_made_good_by_the_next_connect() -> None:
    async def life(seed: int) -> None:
        fake, rng = scripted(), random.Random(seed)
        async with live_client(fake) as ari:
            world = World(fake, ari)
            caller = await arrived(ari, fake, "caller")
            task = asyncio.create_task(a_call(world, caller))
            fake.lose_event = lambda event: event["type"] != "ChannelUserevent" and rng.random() < 0.3
            await asyncio.sleep(LIFE_SECONDS)
            fake.lose_event = lambda _: False
            fake.drop_sockets()
            await ari.until_live()
            fake.hang_up("caller")
            await asyncio.wait([task], timeout=60)
            assert task.done()
            await until(lambda: not fake.channels and not ari.channels, within=90)

    for seed in range(60):
        run_virtual(life(seed))
