"""The pool of ready bridges: ready beforehand, used again when clean, never lost, never double."""

from __future__ import annotations

import asyncio

import pytest

from ari_app.bridge import BridgePool, sweep_pool
from ari_app.errors import Refused, Uncertain
from tests.support.ari import live_client, until
from tests.support.fake_ari import ANSWERS, FakeAri
from tests.support.virtual_clock import on_virtual_clock, run_virtual


@on_virtual_clock
async def test_a_bridge_that_only_connected_calls_is_used_again() -> None:
    fake = FakeAri()
    async with live_client(fake) as ari, BridgePool(ari, size=2) as pool:
        await until(lambda: pool.ready == 2)
        made = len(fake.bridges)
        for call in range(10):
            async with pool.take() as bridge:
                fake.inbound(["inbound"], channel_id=f"c{call}")
                caller = (await anext(ari.arrivals())).channel
                await bridge.add(caller)
                fake.hang_up(caller.id)
                await caller.left()
            await asyncio.sleep(0.1)
        assert pool.ready == len(fake.bridges) <= made + 1


@on_virtual_clock
async def test_calls_that_come_and_go_need_no_new_bridges() -> None:
    fake = FakeAri()
    fake.far("PJSIP/1", ANSWERS)
    async with live_client(fake) as ari, BridgePool(ari, size=4) as pool:
        await until(lambda: pool.ready == 4)

        async def call(number: int) -> None:
            async with ari.dial("PJSIP/1", channel_id=f"c{number}", ring_seconds=5) as channel, pool.take() as bridge:
                await bridge.add(channel)
                await asyncio.sleep(1.0)

        for wave in range(5):
            async with asyncio.TaskGroup() as group:
                for number in range(20):
                    group.create_task(call(wave * 20 + number))
            await asyncio.sleep(3.0)
        made = [path for _, method, path in fake.requests if (method, path) == ("POST", "bridges")]
        assert len(made) <= 20 + 4
        assert pool.ready == len(fake.bridges) == len(made)


@on_virtual_clock
async def test_a_bridge_with_somebody_inside_or_a_sound_in_it_is_not_used_again() -> None:
    fake = FakeAri()
    async with live_client(fake) as ari, BridgePool(ari, size=1) as pool:
        await until(lambda: pool.ready == 1)
        fake.inbound(["inbound"], channel_id="c1")
        caller = (await anext(ari.arrivals())).channel
        async with pool.take() as first:
            await first.add(caller)
        await until(lambda: first.id not in fake.bridges)
        async with pool.take() as second:
            await second.play("sound:hello")
        await until(lambda: second.id not in fake.bridges)
        assert not caller.gone.happened


@on_virtual_clock
async def test_an_empty_pool_makes_a_bridge_on_the_spot() -> None:
    fake = FakeAri()
    async with live_client(fake) as ari, BridgePool(ari, size=0) as pool, pool.take() as bridge:
        assert bridge.id in fake.bridges


@on_virtual_clock
async def test_bridges_of_an_asterisk_that_restarted_are_not_handed_out() -> None:
    fake = FakeAri()
    async with live_client(fake) as ari, BridgePool(ari, size=2) as pool:
        await until(lambda: pool.ready == 2)
        fake.crash()
        fake.boot()
        await asyncio.sleep(1)
        await ari.until_live()
        async with pool.take() as bridge:
            assert bridge.id in fake.bridges


@on_virtual_clock
async def test_the_pool_leaves_nothing_behind() -> None:
    fake = FakeAri()
    async with live_client(fake) as ari:
        async with BridgePool(ari, size=3) as pool:
            await until(lambda: pool.ready == 3)
        await until(lambda: not fake.bridges)


@on_virtual_clock
async def test_empty_bridges_of_a_process_that_died_are_swept_away() -> None:
    fake = FakeAri()
    async with live_client(fake) as ari:
        dead = ari.bridge("old-1", name="callwright-pool")
        await dead.create()
        other = ari.bridge("talk-1", name="call")
        await other.create()
        assert await sweep_pool(ari) == 1
        assert set(fake.bridges) == {"talk-1"}


@on_virtual_clock
async def test_sweeping_leaves_the_bridges_of_the_pool_itself_alone() -> None:
    fake = FakeAri()
    async with live_client(fake) as ari, BridgePool(ari, size=2) as pool:
        await until(lambda: pool.ready == 2)
        await ari.bridge("old-1", name="callwright-pool").create()
        async with pool.take() as taken:
            assert await pool.sweep() == 1
            assert taken.id in fake.bridges
        assert "old-1" not in fake.bridges
        async with pool.take() as another:
            assert another.id in fake.bridges


@on_virtual_clock
async def test_a_bridge_that_has_gone_is_not_handed_out_again() -> None:
    fake = FakeAri()
    async with live_client(fake) as ari, BridgePool(ari, size=1) as pool:
        await until(lambda: pool.ready == 1)
        fake.inbound(["inbound"], channel_id="c1")
        caller = (await anext(ari.arrivals())).channel
        async with pool.take() as gone:
            await ari.bridge(gone.id).destroy()
            with pytest.raises(Refused):
                await gone.add(caller)
        await asyncio.sleep(5)
        async with pool.take() as another:
            assert another.id != gone.id
            assert another.id in fake.bridges


@pytest.mark.parametrize("way", ["no reply", "cancelled"])
def test_a_bridge_is_not_handed_out_while_somebody_may_be_in_it_of_whom_nobody_knows(way: str) -> None:
    async def life() -> None:
        fake = FakeAri()
        async with live_client(fake) as ari, BridgePool(ari, size=1) as pool:
            await until(lambda: pool.ready == 1)
            fake.inbound(["inbound"], channel_id="c1")
            caller = (await anext(ari.arrivals())).channel
            fake.lose_reply = lambda _, path: path.endswith("/addChannel")
            async with pool.take() as doubtful:
                join = asyncio.create_task(doubtful.add(caller))
                if way == "cancelled":
                    await asyncio.sleep(0.001)
                    join.cancel()
                [end] = await asyncio.gather(join, return_exceptions=True)
                assert isinstance(end, Uncertain if way == "no reply" else asyncio.CancelledError)
                assert not doubtful.holds(caller)
                assert doubtful.members == {caller}
            await until(lambda: pool.ready == 1)
            async with pool.take() as another:
                assert another.id != doubtful.id
                assert fake.bridges[another.id].members == []

    run_virtual(life())
