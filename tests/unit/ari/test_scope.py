"""until_hangup and finish, alone and in whole call lives swept over every instant."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from ari_app.channel import Channel
from ari_app.client import AriClient
from ari_app.errors import AriError, HungUp, NoAnswer
from ari_app.prompts import play
from ari_app.scope import at_once, finish, until_hangup
from tests.support.ari import live_client, until
from tests.support.fake_ari import FakeAri, FarEnd
from tests.support.virtual_clock import on_virtual_clock, run_virtual

pytestmark = pytest.mark.clock


async def arrived(ari: AriClient, fake: FakeAri, name: str) -> Channel:
    """A caller that has just entered."""
    fake.inbound(["inbound"], channel_id=name)
    return (await anext(ari.arrivals())).channel


@on_virtual_clock
async def test_a_hang_up_raises_hung_up_at_the_current_await() -> None:
    fake = FakeAri()
    async with live_client(fake) as ari:
        caller = await arrived(ari, fake, "caller")
        asyncio.get_running_loop().call_later(1.0, fake.hang_up, "caller")
        began = fake.time()
        with pytest.raises(HungUp) as caught:
            async with until_hangup(caller):
                await asyncio.sleep(10)
        assert caught.value.channel is caller
        assert fake.time() - began == pytest.approx(1.0, abs=0.01)
        assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]


@on_virtual_clock
async def test_a_scope_around_a_channel_that_has_gone_does_not_begin() -> None:
    fake = FakeAri()
    async with live_client(fake) as ari:
        caller = await arrived(ari, fake, "caller")
        fake.hang_up("caller")
        await caller.left()
        began = False
        with pytest.raises(HungUp):
            async with until_hangup(caller):
                began = True
        assert not began


@on_virtual_clock
async def test_what_runs_at_once_lasts_as_long_as_the_longest_and_each_failure_is_told() -> None:
    loop = asyncio.get_running_loop()

    async def fails(after: float) -> None:
        await asyncio.sleep(after)
        raise ValueError(f"{after:g}")

    began = loop.time()
    ends = await at_once(fails(1.0), asyncio.sleep(3.0), fails(2.0))
    assert [str(end) for end in ends] == ["1", "None", "2"]
    assert loop.time() - began == pytest.approx(3.0, abs=0.01)
    assert await at_once(asyncio.sleep(1.0)) == [None]


@on_virtual_clock
async def test_a_cancel_strikes_all_that_runs_at_once_and_goes_on_when_all_have_ended() -> None:
    ended: list[str] = []

    async def lasts(name: str) -> None:
        try:
            await asyncio.sleep(10.0)
        except asyncio.CancelledError:
            await asyncio.sleep(0.5)
            ended.append(name)
            raise

    for own_seconds in (10.0, 0.1):
        ended.clear()
        task = asyncio.create_task(at_once(asyncio.sleep(own_seconds), lasts("one"), lasts("two")))  # type: ignore[arg-type]
        await asyncio.sleep(1.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended == ["one", "two"]


@on_virtual_clock
async def test_a_hang_up_after_the_scope_cancels_nothing() -> None:
    fake = FakeAri()
    async with live_client(fake) as ari:
        caller = await arrived(ari, fake, "caller")
        async with until_hangup(caller):
            await asyncio.sleep(0.1)
        fake.hang_up("caller")
        await asyncio.sleep(1.0)
        assert caller.gone.happened


@on_virtual_clock
async def test_a_hang_up_and_a_time_out_at_one_instant_are_decided_by_the_outer_scope() -> None:
    fake = FakeAri()
    async with live_client(fake) as ari:
        for outer_is_timeout in (True, False):
            caller = await arrived(ari, fake, f"caller-{outer_is_timeout}")
            at = asyncio.get_running_loop().time() + 0.9  # no heartbeat at that instant

            def strike(channel: Channel = caller, at: float = at) -> None:
                asyncio.get_running_loop().call_at(at, channel.lost)

            strike()
            if outer_is_timeout:
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout_at(at), until_hangup(caller):
                        await asyncio.sleep(5)
            else:
                with pytest.raises(HungUp):
                    async with until_hangup(caller), asyncio.timeout_at(at):
                        await asyncio.sleep(5)
            assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]


@on_virtual_clock
async def test_a_shutdown_is_never_turned_into_a_hang_up() -> None:
    fake = FakeAri()
    async with live_client(fake) as ari:
        caller = await arrived(ari, fake, "caller")
        seen: list[str] = []

        async def call() -> None:
            try:
                async with until_hangup(caller):
                    await asyncio.sleep(5)
            except HungUp:
                seen.append("hung up")
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise

        task = asyncio.create_task(call())
        await asyncio.sleep(0.5)
        caller.lost()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert seen == ["cancelled"]


@on_virtual_clock
async def test_the_outer_of_two_channels_that_go_at_once_is_the_one_named() -> None:
    fake = FakeAri()
    async with live_client(fake) as ari:
        one, other = await arrived(ari, fake, "one"), await arrived(ari, fake, "other")

        def both() -> None:
            other.lost()
            one.lost()

        asyncio.get_running_loop().call_later(0.5, both)
        with pytest.raises(HungUp) as caught:
            async with until_hangup(one), until_hangup(other):
                await asyncio.sleep(5)
        assert caught.value.channel is one


@on_virtual_clock
async def test_a_body_that_fails_at_the_hang_up_keeps_its_own_error_and_the_cancel_count() -> None:
    fake = FakeAri()
    async with live_client(fake) as ari:
        caller = await arrived(ari, fake, "caller")
        asyncio.get_running_loop().call_later(0.5, fake.hang_up, "caller")

        async def body() -> None:
            async with until_hangup(caller), asyncio.TaskGroup() as group:
                group.create_task(_fails_when_cancelled())

        with pytest.raises(ExceptionGroup):
            await body()
        assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]
        with pytest.raises(TimeoutError):  # an intact count: a later time-out still works
            async with asyncio.timeout(0.1):
                await asyncio.sleep(1)


async def _fails_when_cancelled() -> None:
    try:
        await asyncio.sleep(5)
    finally:
        raise ValueError("clean-up of a child failed")


@on_virtual_clock
async def test_a_body_that_swallows_the_cancel_still_ends_in_hung_up() -> None:
    fake = FakeAri()
    async with live_client(fake) as ari:
        caller = await arrived(ari, fake, "caller")
        asyncio.get_running_loop().call_later(0.5, fake.hang_up, "caller")

        async def body() -> None:
            async with until_hangup(caller):
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(5)
                await asyncio.sleep(0.1)

        with pytest.raises(HungUp):
            await body()


@on_virtual_clock
async def test_finish_runs_to_its_end_through_a_cancel_and_lets_the_cancel_go_on() -> None:
    done: list[str] = []

    async def cleanup() -> None:
        await asyncio.sleep(1.0)
        done.append("cleaned")

    async def call() -> None:
        try:
            await asyncio.sleep(5)
        finally:
            await finish(cleanup())
            done.append("never")

    task = asyncio.create_task(call())
    await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == ["cleaned"]


@on_virtual_clock
async def test_finish_gives_up_after_its_time_and_hides_no_error() -> None:
    async def never() -> None:
        await asyncio.Event().wait()

    loop = asyncio.get_running_loop()
    began = loop.time()

    async def body() -> None:
        try:
            raise KeyError("the call's own")
        finally:
            await finish(never(), within=1.5)

    with pytest.raises(KeyError, match="the call's own"):
        await body()
    assert loop.time() - began == pytest.approx(1.5)


# -- a whole call, swept -------------------------------------------------------------------------------------


@dataclass
class World:
    """What a call may leave behind."""

    fake: FakeAri
    ari: AriClient
    saved: list[str] = field(default_factory=list)
    busy: set[str] = field(default_factory=set)


async def a_call(world: World, caller: Channel) -> None:
    """Greeting, an agent who does not answer, one who does, talk; like the product's calls."""
    ending = "?"
    try:
        async with until_hangup(caller):
            await caller.ring()
            await caller.answer()
            await play(caller, "sound:greeting")
            for agent in ("PJSIP/1001", "PJSIP/1002"):
                try:
                    await offer(world, caller, agent)
                    ending = "agent left"
                    return
                except NoAnswer:
                    continue
            ending = "nobody"
    except HungUp:
        ending = "caller left"
    except asyncio.CancelledError:
        ending = "shutdown"
        raise
    except AriError as error:
        ending = f"failed: {type(error).__name__}"
    finally:
        world.saved.append(ending)
        await finish(caller.hang_up())


async def offer(world: World, caller: Channel, agent: str) -> None:
    world.busy.add(agent)
    try:
        dialling = world.ari.dial(agent, channel_id=f"{caller.id}.{agent[-4:]}", ring_seconds=1)
        async with dialling as leg, world.ari.bridge(f"b-{caller.id}") as bridge:
            await bridge.add(caller, leg)
            await leg.left()
    finally:
        world.busy.discard(agent)


LIFE_SECONDS = 2.3


def scripted() -> FakeAri:
    fake = FakeAri()
    fake.far("PJSIP/1001", FarEnd(answers_after=None))
    fake.far("PJSIP/1002", FarEnd(answers_after=0.1, hangs_up_after=0.6))
    fake.sound_seconds["sound:greeting"] = 0.4
    return fake


async def one_life(strikes: list[tuple[float, str]], faults: Callable[[FakeAri], None] | None = None) -> str:
    """One call with `strikes` (seconds, "hang_up", "shutdown", "agent"); asserts that nothing is left."""
    fake = scripted()
    async with live_client(fake) as ari:
        world = World(fake, ari)
        if faults is not None:
            faults(fake)
        caller = await arrived(ari, fake, "caller")
        task = asyncio.create_task(a_call(world, caller))
        doers: dict[str, Callable[[], object]] = {
            "hang_up": lambda: fake.hang_up("caller"),
            "shutdown": task.cancel,
            "agent": lambda: fake.hang_up("caller.1002"),
        }
        for seconds, what in strikes:
            asyncio.get_running_loop().call_later(seconds, doers[what])
        await asyncio.wait([task], timeout=30)
        assert task.done(), strikes
        await until(lambda: not fake.channels and not fake.bridges and not ari.channels, within=10)
        assert len(world.saved) == 1, (strikes, world.saved)
        assert not world.busy, strikes
        return world.saved[0]


def test_an_undisturbed_life_ends_with_the_agent_leaving() -> None:
    assert run_virtual(one_life([])) == "agent left"


@pytest.mark.parametrize("what", ["hang_up", "shutdown", "agent"])
def test_a_strike_at_any_instant_leaves_no_leg_no_bridge_and_one_record(what: str) -> None:
    instants = range(int(LIFE_SECONDS / 0.005))
    endings = {run_virtual(one_life([(instant * 0.005, what)])) for instant in instants}
    expected = {
        "hang_up": {"caller left", "agent left"},
        "shutdown": {"shutdown", "agent left"},
        "agent": {"agent left", "nobody"},
    }
    assert endings == expected[what]


def test_pairs_of_strikes_leave_no_leg_no_bridge_and_one_record() -> None:
    rng = random.Random(20261122)
    for _ in range(400):
        first = rng.uniform(0, LIFE_SECONDS)
        pair = [(first, rng.choice(["hang_up", "shutdown", "agent"]))]
        second = first if rng.random() < 0.3 else first + rng.uniform(0, 0.02)
        pair.append((second, rng.choice(["hang_up", "shutdown", "agent"])))
        run_virtual(one_life(pair))
