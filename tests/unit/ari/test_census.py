"""Events that never came are made good, and those that are only late are waited for."""

from __future__ import annotations

import asyncio

from ari_app.census import LOOK_SECONDS, Census
from ari_app.channel import GoneKind
from tests.support.ari import live_client
from tests.support.fake_ari import FakeAri
from tests.support.virtual_clock import on_virtual_clock


@on_virtual_clock
async def test_a_channel_whose_end_was_never_told_is_gone_at_the_second_look() -> None:
    fake = FakeAri()
    async with live_client(fake) as ari:
        fake.inbound(["inbound"], channel_id="caller")
        arrival = await anext(ari.arrivals())
        census = asyncio.create_task(Census(ari).run())
        fake.lose_event = lambda event: event["type"] in ("ChannelDestroyed", "StasisEnd")
        await asyncio.sleep(1.0)
        fake.hang_up("caller")
        await asyncio.sleep(LOOK_SECONDS)
        assert not arrival.channel.gone.happened
        await asyncio.sleep(LOOK_SECONDS)
        assert arrival.channel.gone.value.kind is GoneKind.LOST
        census.cancel()


@on_virtual_clock
async def test_channels_that_are_as_we_believe_are_left_alone() -> None:
    fake = FakeAri()
    async with live_client(fake) as ari:
        fake.inbound(["inbound"], channel_id="caller")
        arrival = await anext(ari.arrivals())
        assert [await Census(ari).look() for _ in range(3)] == [0, 0, 0]
        assert not arrival.channel.gone.happened
