"""What the product believes of ARI: true of the real Asterisk, and of the fake that stands in for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from ari_app.bridge import BridgePool
from ari_app.channel import Channel, Gone, GoneKind
from ari_app.errors import HungUp, NoAnswer, Refused
from ari_app.prompts import CollectSeconds, collect, play, up_to_hash
from ari_app.scope import until_hangup
from tests.contract.conftest import Body
from tests.contract.worlds import World
from tests.lab.until import until

Run = Callable[[Body], None]
GONE_SECONDS = 3.0


async def ended(world: World, endpoint: str, ring_seconds: float = 2) -> tuple[Channel, Gone]:
    """Dial something that does not answer; the channel and its end."""
    with pytest.raises(NoAnswer) as caught:
        async with world.ari.dial(f"PJSIP/{endpoint}", channel_id=f"c-{endpoint}", ring_seconds=ring_seconds):
            raise AssertionError(f"{endpoint} answered")
    return caught.value.channel, caught.value.gone


async def out_of_stasis(world: World, channel_id: str) -> None:
    """A channel that is sent on has gone on when its own thread has obeyed; Asterisk tells of it before."""
    while (await world.ari.snapshot()).channels[channel_id].in_stasis:  # noqa: ASYNC110 - only a look tells
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("far", "cause", "tech_cause", "rang"),
    [
        ("busy@trunk", 17, 486, False),
        ("progressbusy@trunk", 17, 486, True),
        ("congested@trunk", 34, 503, False),
        ("nosuch@trunk", 1, 404, False),
        ("ring@trunk", 19, 480, True),
        ("x@dead", 19, 480, False),
    ],
)
def test_an_unanswered_dial_ends_with_its_cause(run: Run, far: str, cause: int, tech_cause: int, rang: bool) -> None:
    async def body(world: World) -> None:
        channel, gone = await ended(world, far)
        assert (gone.kind, gone.cause, gone.tech_cause) == (GoneKind.DESTROYED, cause, tech_cause)
        assert channel.ringing.happened is rang
        assert not gone.asked

    run(body)


@pytest.mark.parametrize("endpoint", ["PJSIP/unregistered", "PJSIP/nothere", "Bogus/1"])
def test_an_endpoint_that_cannot_be_dialled_is_refused_and_leaves_no_channel(run: Run, endpoint: str) -> None:
    async def body(world: World) -> None:
        channel = world.ari.channel("c1")
        with pytest.raises(Refused) as caught:
            await channel.originate(endpoint, ring_seconds=5)
        assert caught.value.status == 500
        assert channel.gone.value.kind is GoneKind.REFUSED

    run(body)


def test_an_answered_dial_enters_the_application_with_its_arguments(run: Run) -> None:
    async def body(world: World) -> None:
        variables = {"X_NAME": "Zoë & 1"}
        dialling = world.ari.dial(
            "PJSIP/ringanswer@trunk",
            channel_id="c1",
            ring_seconds=5,
            app_args=["lead", "7"],
            variables=variables,
        )
        async with dialling as channel:
            assert channel.entered.value.args == ("lead", "7")
            assert channel.ringing.happened
            assert channel.answered.happened
            assert await channel.get_var("X_NAME") == "Zoë & 1"
            assert await channel.get_var("X_UNSET") == ""
            snapshot = await world.ari.snapshot()
            assert snapshot.channels["c1"].app_args == ("lead", "7")
            assert snapshot.channels["c1"].state == "Up"
            assert "c1" in snapshot.app_channel_ids
        gone = await channel.left()
        assert (gone.kind, gone.cause, gone.asked) == (GoneKind.DESTROYED, 16, True)

    run(body)


def test_a_phone_dialled_in_the_application_of_agents_tells_less_and_enough(run: Run) -> None:
    async def body(world: World) -> None:
        ari = world.ari
        assert ari.agents_app != ari.app
        before = ari.counters.events.copy()
        async with ari.dial("PJSIP/ringanswer@trunk", channel_id="c1", ring_seconds=5, app=ari.agents_app) as channel:
            assert channel.ringing.happened
            assert channel.answered.happened
            assert "c1" in (await ari.snapshot()).app_channel_ids
        gone = await channel.left()
        assert (gone.kind, gone.cause, gone.asked) == (GoneKind.DESTROYED, 16, True)
        told = ari.counters.events - before
        del told["ChannelUserevent"]
        assert told == {"ChannelStateChange": 2, "StasisStart": 1, "ChannelDestroyed": 1}

    run(body)


def test_a_dial_we_give_up_while_it_rings_ends_at_once(run: Run) -> None:
    async def body(world: World) -> None:
        channel = world.ari.channel("c1")
        await channel.originate("PJSIP/ring@trunk", ring_seconds=30)
        await channel.ringing
        await channel.hang_up()
        async with asyncio.timeout(GONE_SECONDS):
            gone = await channel.left()
        assert (gone.kind, gone.cause, gone.asked) == (GoneKind.DESTROYED, 16, True)

    run(body)


def test_the_reason_of_our_hang_up_is_the_cause(run: Run) -> None:
    async def body(world: World) -> None:
        channel = world.ari.channel("c1")
        await channel.originate("PJSIP/ring@trunk", ring_seconds=30)
        await channel.ringing
        await channel.hang_up(reason_code=17)
        await channel.hang_up()
        assert (await channel.left()).cause == 17

    run(body)


def test_the_same_id_is_refused_while_the_channel_lives_and_counts_as_placed(run: Run) -> None:
    async def body(world: World) -> None:
        async with world.ari.dial("PJSIP/answer@trunk", channel_id="c1", ring_seconds=5) as channel:
            wanted = {"endpoint": "PJSIP/answer@trunk", "channelId": "c1", "app": world.ari.app}
            with pytest.raises(Refused) as caught:
                await world.ari.request("POST", "channels", body=wanted)
            assert caught.value.status == 409
            await channel.originate("PJSIP/answer@trunk", ring_seconds=5)
            assert len((await world.ari.snapshot()).app_channel_ids) == 1

    run(body)


def test_a_party_that_hangs_up_ends_the_scope_at_its_await(run: Run) -> None:
    async def body(world: World) -> None:
        async with world.ari.dial("PJSIP/short@trunk", channel_id="c1", ring_seconds=5) as channel:
            with pytest.raises(HungUp):
                async with asyncio.timeout(GONE_SECONDS), until_hangup(channel):
                    await asyncio.Event().wait()
            assert channel.gone.value.kind is GoneKind.DESTROYED
            assert not channel.gone.value.asked
            with pytest.raises(HungUp):
                await channel.answer()
            await channel.hang_up()

    run(body)


def test_commands_on_channels_and_bridges_that_never_were_say_404(run: Run) -> None:
    async def body(world: World) -> None:
        for method, path in (
            ("POST", "channels/nope/answer"),
            ("GET", "channels/nope"),
            ("DELETE", "channels/nope"),
            ("DELETE", "bridges/nope"),
            ("DELETE", "playbacks/nope"),
            ("GET", "playbacks/nope"),
            ("POST", "recordings/live/nope/stop"),
            ("GET", "endpoints/PJSIP/nope"),
        ):
            with pytest.raises(Refused) as caught:
                await world.ari.request(method, path)
            assert caught.value.status == 404, path
        query = {"eventSource": "channel:nope"}
        with pytest.raises(Refused) as caught:
            await world.ari.request("POST", f"applications/{world.ari.app}/subscription", query=query)
        assert caught.value.status == 422
        assert await world.ari.endpoint_state("PJSIP", "trunk") == "online"
        assert await world.ari.endpoint_state("PJSIP", "nope") is None

    run(body)


def test_a_caller_from_the_dialplan_arrives_and_its_end_has_a_cause(run: Run) -> None:
    async def body(world: World) -> None:
        channel_id = await world.inbound()
        arrival = await anext(world.ari.arrivals())
        assert arrival.channel.id == channel_id
        assert arrival.args == ("inbound", "did")
        assert arrival.info.in_stasis
        await arrival.channel.subscribe()
        await arrival.channel.hang_up()
        gone = await arrival.channel.left()
        assert gone.kind is GoneKind.DESTROYED
        assert gone.cause is not None

    run(body)


def test_two_channels_meet_in_a_bridge_and_one_that_leaves_leaves_the_other(run: Run) -> None:
    async def body(world: World) -> None:
        async with (
            world.ari.dial("PJSIP/answer@trunk", channel_id="a", ring_seconds=5) as one,
            world.ari.dial("PJSIP/answer@trunk", channel_id="b", ring_seconds=5) as other,
            world.ari.bridge("b1", name="talk") as bridge,
        ):
            await bridge.create()  # one that is there already is no error
            await bridge.add(one, other)
            info = (await world.ari.snapshot()).bridges["b1"]
            assert (set(info.channels), info.name) == ({"a", "b"}, "talk")
            await other.hang_up()
            await other.left()
            await bridge.remove(other)
            assert not one.gone.happened
            with pytest.raises(HungUp) as caught:
                await bridge.add(one, other)
            assert caught.value.channel is other
            async with world.ari.bridge("b2") as second:
                await second.add(one)
                bridges = (await world.ari.snapshot()).bridges
                assert (bridges["b1"].channels, bridges["b2"].channels) == ((), ("a",))
                for _ in range(2):  # he is out already the second time
                    await one.leave_bridge()
                assert (await world.ari.snapshot()).bridges["b2"].channels == ()
                assert not one.gone.happened

    run(body)


def test_sounds_say_when_they_begin_end_and_fail(run: Run) -> None:
    async def body(world: World) -> None:
        if hasattr(world, "fake"):
            world.fake.missing_sounds.add("sound:not-there")
        async with world.ari.dial("PJSIP/answer@trunk", channel_id="c1", ring_seconds=5) as channel:
            assert await play(channel, "sound:beep", "sound:beep")
            assert not await play(channel, "sound:not-there")
            assert not await play(channel, "bogus:beep")
            playback = await channel.play("sound:vm-intro")
            await playback.begun
            await playback.stop()
            assert await playback.done() == "done"
            await playback.stop()
            async with world.ari.bridge("b1") as bridge:
                await channel.play("sound:vm-intro")
                await bridge.add(channel)  # does not wait for the end of the sound
                assert await play(bridge, "sound:beep")
        assert not world.ari.playbacks

    run(body)


def test_a_command_held_back_by_a_sound_holds_no_other_back(run: Run) -> None:
    async def body(world: World) -> None:
        if hasattr(world, "fake"):
            world.fake.sound_seconds["sound:vm-intro"] = 5.0
        async with world.ari.dial("PJSIP/answer@trunk", channel_id="c1", ring_seconds=5) as channel:
            playback = await channel.play("sound:vm-intro")
            held = [asyncio.create_task(channel.set_var("X", str(n))) for n in range(6)]
            loop = asyncio.get_running_loop()
            for _ in range(20):
                began = loop.time()
                await world.ari.request("GET", "asterisk/ping")
                assert loop.time() - began < 0.4
            assert not any(task.done() for task in held)
            await playback.stop()
            await asyncio.gather(*held)

    run(body)


def test_keys_are_collected(run: Run) -> None:
    async def body(world: World) -> None:
        async with world.ari.dial("PJSIP/keys@trunk", channel_id="c1", ring_seconds=5) as channel:
            found = await collect(channel, "sound:vm-intro", match=up_to_hash(4), seconds=CollectSeconds(first_digit=5))
            assert found.digits == "12#"
            assert found.complete

    run(body)


def test_a_recording_says_when_it_is_over(run: Run) -> None:
    async def body(world: World) -> None:
        async with (
            world.ari.dial("PJSIP/talk@trunk", channel_id="c1", ring_seconds=5) as one,
            world.ari.dial("PJSIP/talk@trunk", channel_id="c2", ring_seconds=5) as other,
            world.ari.bridge("b1") as bridge,
        ):
            await bridge.add(one, other)
            recording = await bridge.record("rec/b-1")
            await asyncio.sleep(1.2)
            await recording.stop()
            event = await recording.finished
            assert (event.type, event.name) == ("RecordingFinished", "rec/b-1")
            assert event.duration_seconds is not None
            assert 1 <= event.duration_seconds <= 2

    run(body)


def test_a_channel_created_is_dialled_afterwards(run: Run) -> None:
    async def body(world: World) -> None:
        channel = world.ari.channel("c1")
        await channel.create("PJSIP/ringanswer@trunk", app_args=["agent", "1001"])
        assert channel.entered.value.args == ("agent", "1001")
        assert not channel.answered.happened
        await channel.dial(ring_seconds=5)
        await channel.answered
        await channel.hang_up()
        assert (await channel.left()).asked

    run(body)


def test_a_channel_in_the_dialplan_refuses_commands_but_lives(run: Run) -> None:
    async def body(world: World) -> None:
        if hasattr(world, "fake"):
            world.fake.dialplan[("entry", "back")] = lambda c: world.fake.enter(c, c.app, ["back", "again"])
        async with world.ari.dial("PJSIP/answer@trunk", channel_id="c1", ring_seconds=5) as channel:
            await channel.continue_in_dialplan("entry", "back")
            assert (await channel.entered).args == ("back", "again")
            await channel.continue_in_dialplan("entry", "wait")
            async with asyncio.timeout(GONE_SECONDS):
                await out_of_stasis(world, "c1")
            with pytest.raises(Refused) as caught:
                await channel.play("sound:beep")
            assert caught.value.status == 409
            assert not channel.gone.happened

    run(body)


def test_a_pooled_bridge_serves_one_call_after_the_other(run: Run) -> None:
    async def body(world: World) -> None:
        async with BridgePool(world.ari, size=1) as pool:
            await until(lambda: pool.ready == 1, 5.0, "the pool is full")
            used = set()
            for number in range(3):
                async with (
                    pool.take() as bridge,
                    world.ari.dial("PJSIP/answer@trunk", channel_id=f"c{number}", ring_seconds=5) as channel,
                ):
                    await bridge.add(channel)
                    used.add(bridge.id)
                    await channel.hang_up()
                    await channel.left()
                await until(lambda: pool.ready >= 1, 5.0, "the pool is full again")
            assert len(used) <= 2

    run(body)


def test_a_stolen_application_name_ends_live_and_comes_back_after_a_second(run: Run) -> None:
    async def body(world: World) -> None:
        await world.steal()
        await until(lambda: not world.ari.live, 1.0, "not live")
        assert world.ari.replaced == 1
        await world.ari.until_live()
        assert world.ari.generation == 2

    run(body)


def test_a_broken_socket_is_opened_again_and_the_calls_live_on(run: Run) -> None:
    async def body(world: World) -> None:
        async with world.ari.dial("PJSIP/answer@trunk", channel_id="c1", ring_seconds=5) as channel:
            boot = world.ari.boot_id
            await world.drop()
            await until(lambda: not world.ari.live, 1.0, "not live")
            await world.ari.until_live()
            assert world.ari.boot_id == boot
            assert not channel.gone.happened
            assert await play(channel, "sound:beep")

    run(body)


def test_a_crash_of_asterisk_loses_its_calls_and_is_another_boot(run: Run) -> None:
    async def body(world: World) -> None:
        async with world.ari.dial("PJSIP/answer@trunk", channel_id="c1", ring_seconds=5) as channel:
            boot = world.ari.boot_id
            await world.crash()
            assert (await channel.left()).kind is GoneKind.LOST
            await world.ari.until_live()
            assert world.ari.boot_id != boot

    run(body)


def test_events_of_a_call_stay_few(run: Run) -> None:
    async def body(world: World) -> None:
        before = sum(world.ari.counters.events.values()) - world.ari.counters.events["ChannelUserevent"]
        async with world.ari.dial("PJSIP/ringanswer@trunk", channel_id="c1", ring_seconds=5):
            assert world.ari.live
        await until(lambda: not world.ari.channels, GONE_SECONDS, "the channel has gone")
        after = sum(world.ari.counters.events.values()) - world.ari.counters.events["ChannelUserevent"]
        assert after - before <= 6
        assert not world.ari.counters.dropped

    run(body)
