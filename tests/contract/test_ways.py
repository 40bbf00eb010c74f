"""Ways to and from a real Asterisk that the fake does not have: plain HTTP, uvloop, a frozen and a silent peer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvloop

from ari_app.client import AriClient
from ari_app.prompts import play
from tests.contract.small_etc import ARI_PASSWORD, ARI_USER, write_etc
from tests.contract.worlds import APP, nothing_left, real_world
from tests.lab.addresses import AddressBlock
from tests.lab.switch import Switch
from tests.lab.until import until

pytestmark = pytest.mark.asterisk
LIVE_SECONDS = 15.0


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[asyncio.Runner, Switch]]:
    """A real Asterisk of this file's own, since it is frozen here."""
    etc: Path = tmp_path_factory.mktemp("etc")
    with AddressBlock() as addresses, asyncio.Runner() as runner:
        write_etc(etc, host := addresses.take(), APP)
        switch = Switch("ari-ways", host, etc)
        runner.run(switch.start())
        try:
            yield runner, switch
        finally:
            runner.run(switch.stop())
            switch.remove()


def client(switch: Switch, command_sockets: int = 2) -> AriClient:
    url = f"http://{switch.address}:8088/ari"
    return AriClient(url=url, user=ARI_USER, password=ARI_PASSWORD, app=APP, command_sockets=command_sockets)


async def a_call(switch: Switch, command_sockets: int) -> None:
    async with asyncio.timeout(LIVE_SECONDS), client(switch, command_sockets) as ari:
        await ari.until_live()
        dialling = ari.dial(
            "PJSIP/talk@trunk",
            channel_id="way/1 ü",
            ring_seconds=5,
            app_args=["a b", "c&d=%41"],
            variables={"X_NAME": "10% & =+ ü"},
            caller_id='"Zoë & Co" <+441632960001>',
        )
        async with dialling as one, ari.dial("PJSIP/talk@trunk", channel_id="2", ring_seconds=5) as other:
            assert one.entered.value.args == ("a b", "c&d=%41")
            assert await one.get_var("X_NAME") == "10% & =+ ü"
            await one.set_var("X_OTHER", "a,b;c&d + 100%")
            assert await one.get_var("X_OTHER") == "a,b;c&d + 100%"
            async with ari.bridge("talk/1") as bridge:
                await bridge.add(one, other)
                recording = await bridge.record("rec/way 1")
                assert await play(bridge, "sound:beep")
                await recording.stop()
                assert (await recording.finished).name == "rec/way 1"
        await nothing_left(ari)


@pytest.mark.parametrize("command_sockets", [0, 2])
def test_names_and_values_of_any_letters_survive_both_ways(
    lab: tuple[asyncio.Runner, Switch], command_sockets: int
) -> None:
    runner, switch = lab
    runner.run(a_call(switch, command_sockets))


def test_a_call_runs_on_uvloop(lab: tuple[asyncio.Runner, Switch]) -> None:
    _, switch = lab
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(a_call(switch, 2))


def test_a_frozen_asterisk_is_in_doubt_within_seconds_and_its_calls_are_kept_when_it_goes_on(
    lab: tuple[asyncio.Runner, Switch],
) -> None:
    runner, switch = lab

    async def body() -> None:
        async with client(switch) as ari:
            await ari.until_live()
            async with ari.dial("PJSIP/answer@trunk", channel_id="c1", ring_seconds=5) as channel:
                switch.freeze()
                began = time.monotonic()
                await until(lambda: not ari.live, 4.5, "in doubt")
                await until(lambda: ari.generation == 1 and "doubt" not in ari.status, 4.0, "given up")
                assert time.monotonic() - began < 8.0
                switch.thaw()
                async with asyncio.timeout(LIVE_SECONDS):
                    await ari.until_live()
                assert not channel.gone.happened
            await nothing_left(ari)

    runner.run(body())


def test_a_connection_made_right_after_a_broken_one_of_the_same_name_is_not_deaf(
    lab: tuple[asyncio.Runner, Switch],
) -> None:
    runner, switch = lab

    async def body() -> None:
        async with real_world(switch) as world:
            for _ in range(6):
                await world.drop()
                await until(lambda: not world.ari.live, 1.0, "not live")
                async with asyncio.timeout(LIVE_SECONDS):
                    await world.ari.until_live()

    runner.run(body())
