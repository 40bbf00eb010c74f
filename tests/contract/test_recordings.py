"""A channel that snoops and records: the fake and the real Asterisk do the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ari_app.errors import Refused
from tests.contract.conftest import Body
from tests.contract.worlds import World

Run = Callable[[Body], None]
NAME = "snooped-1"


async def state_of(world: World, where: str) -> Any:
    try:
        return await world.ari.request("GET", f"recordings/{where}/{NAME}")
    except Refused as refused:
        return refused.status


def test_a_snooping_channel_records_into_one_file_can_be_paused_and_goes_with_the_channel(run: Run) -> None:
    async def body(world: World) -> None:
        async with world.ari.dial("PJSIP/talk@trunk", channel_id="c1", ring_seconds=5) as channel:
            for number in (1, 2):
                snoop = await channel.snoop(f"s{number}", spy="both", app_args=("rec", "call-1"))
                assert (await snoop.entered).args == ("rec", "call-1")
                recording = await snoop.record(NAME, query={"ifExists": "append"})
                await recording.pause(on=True)
                assert (await state_of(world, "live"))["state"] == "paused"
                await recording.pause(on=False)
                assert (await state_of(world, "live"))["state"] == "recording"
                if number == 1:
                    await recording.stop()
                    await recording.finished
                    await snoop.hang_up()
                    await snoop.left()
            await channel.hang_up()
            await snoop.left()
            await recording.finished
        assert await state_of(world, "live") == 404
        assert (await state_of(world, "stored"))["name"] == NAME
        await world.ari.request("DELETE", f"recordings/stored/{NAME}")
        assert await state_of(world, "stored") == 404
        with pytest.raises(Refused):
            await world.ari.request("DELETE", f"recordings/stored/{NAME}")

    run(body)
