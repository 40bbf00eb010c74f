"""Whether `live` tells the truth: loss, doubt, theft, refusal, restart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from ari_app.channel import GoneKind
from ari_app.client import AriClient
from ari_app.events import WANTED
from ari_app.transport import EventSocket
from tests.support.ari import live_client, until
from tests.support.fake_ari import ANSWERS, FakeAri, FarEnd
from tests.support.virtual_clock import on_virtual_clock, virtual_now


@on_virtual_clock
async def test_live_comes_after_the_filter_the_reconciler_and_a_heartbeat_that_came_back() -> None:
    fake, seen = FakeAri(), []

    async def reconcile() -> None:
        seen.append((ari.live, set(fake.apps["callwright"].allowed)))

    async with AriClient(transport=fake.transport(), now=virtual_now, on_connect=reconcile) as ari:
        assert not ari.live
        await ari.until_live()
        assert seen == [(False, set(WANTED))]
        assert ari.generation == 1
        assert ari.status == "live"
        assert any(path.startswith("events/user/") for _, _, path in fake.requests)


@on_virtual_clock
async def test_a_lost_socket_ends_live_at_once_and_is_opened_again_soon() -> None:
    fake, changes = FakeAri(), []
    async with live_client(fake) as ari:
        ari.on_live.append(lambda live: changes.append((fake.time(), live)))
        await asyncio.sleep(10)
        broke = fake.time()
        fake.drop_sockets()
        await until(lambda: not ari.live, within=0.1)
        await ari.until_live()
        (lost, _), (back, _) = changes
        assert lost - broke < 0.01
        assert back - broke < 0.5
        assert ari.generation == 2


@on_virtual_clock
async def test_a_frozen_asterisk_is_in_doubt_within_two_heartbeats_and_given_up_after_three() -> None:
    fake = FakeAri()
    async with live_client(fake) as ari:
        await asyncio.sleep(5)
        fake.freeze()
        began = fake.time()
        await until(lambda: not ari.live, within=4.1)
        assert ari.status.startswith("in doubt")
        await until(lambda: not ari.status.startswith("in doubt"), within=began + 6.1 - fake.time())
        fake.thaw()
        await ari.until_live()


@on_virtual_clock
async def test_a_late_heartbeat_ends_the_doubt_without_a_new_socket() -> None:
    fake = FakeAri()
    async with live_client(fake) as ari:
        await asyncio.sleep(5)
        fake.freeze()
        await until(lambda: not ari.live)
        await asyncio.sleep(0.5)
        fake.thaw()
        await ari.until_live()
        assert ari.generation == 1


@on_virtual_clock
async def test_a_socket_that_stays_open_but_brings_nothing_is_noticed() -> None:
    fake = FakeAri()
    async with live_client(fake) as ari:
        fake.lose_event = lambda _: True
        await until(lambda: not ari.live, within=4.1)
        fake.lose_event = lambda _: False
        await ari.until_live()


@on_virtual_clock
async def test_an_application_that_vanishes_under_an_open_socket_is_opened_again() -> None:
    fake = FakeAri()
    forgotten = 0

    async def forget() -> None:
        nonlocal forgotten
        forgotten += 1
        if forgotten == 1:
            fake.forget_app()
            await ari.request("PUT", "applications/callwright/eventFilter", body={})

    async with AriClient(transport=fake.transport(), now=virtual_now, on_connect=forget) as ari:
        await ari.until_live()
        assert ari.generation == 2
        fake.forget_app()
        await until(lambda: not ari.live, within=3)
        await ari.until_live()
        assert ari.generation == 3


@on_virtual_clock
async def test_the_application_of_agents_that_vanishes_is_noticed_too() -> None:
    fake = FakeAri()
    async with live_client(fake) as ari:
        assert ari.agents_app == "callwright-agents"
        fake.forget_app("callwright-agents")
        await until(lambda: not ari.live, within=3)
        await ari.until_live()
        assert ari.generation == 2


@on_virtual_clock
async def test_a_stolen_application_name_is_loss_of_control_and_is_not_fought_over() -> None:
    fake = FakeAri()
    async with live_client(fake) as ari:
        await asyncio.sleep(200)
        for _ in range(5):
            fake.steal()
            await until(lambda: not ari.live, within=0.1)
            assert "taken the application name" in ari.status
            await ari.until_live()
        assert ari.replaced == 5
        connects = [ari.generation, fake.time()]
        assert connects[0] == 6
        assert connects[1] > 200 + 1 + 2.5 + 5 + 10 + 20 - 1


@on_virtual_clock
async def test_the_first_theft_is_answered_by_one_try_after_a_second() -> None:
    fake = FakeAri()
    async with live_client(fake) as ari:
        await asyncio.sleep(5)
        fake.steal()
        began = fake.time()
        await asyncio.sleep(0.9)
        assert ari.generation == 1
        await ari.until_live()
        assert fake.time() - began == pytest.approx(1.0, abs=0.1)


@on_virtual_clock
async def test_a_wrong_password_says_so_and_is_tried_once_a_second_at_most() -> None:
    fake = FakeAri()
    fake.refuses_with = 401
    tries = 0
    transport = fake.transport()
    open_events = transport.open_events

    async def counted(deliver: object) -> object:
        nonlocal tries
        tries += 1
        return await open_events(deliver)  # type: ignore[arg-type]

    transport.open_events = counted  # type: ignore[method-assign,assignment]
    async with AriClient(transport=transport, now=virtual_now) as ari:
        await asyncio.sleep(60)
        assert not ari.live
        assert ari.status.startswith("Asterisk refuses: 401")
        assert 5 <= tries <= 60
        fake.refuses_with = None
        await ari.until_live()


@on_virtual_clock
async def test_an_absent_asterisk_is_logged_once_a_minute_and_waited_for() -> None:
    fake = FakeAri()
    fake.up = False
    async with AriClient(transport=fake.transport(), now=virtual_now) as ari:
        with capture_logs() as logs:
            await asyncio.sleep(600)
        assert 9 <= len([entry for entry in logs if entry["event"] == "no connection to Asterisk"]) <= 11
        fake.boot()
        began = fake.time()
        await ari.until_live()
        assert fake.time() - began < 6


@on_virtual_clock
async def test_a_connect_that_fails_in_a_way_nobody_foresaw_is_tried_again() -> None:
    fake = FakeAri()
    transport = fake.transport()
    connect, failures = transport.open_events, iter([RuntimeError("a fault of the event loop"), KeyError("x")])

    async def sometimes(deliver: Callable[[bytes], None]) -> EventSocket:
        if (failure := next(failures, None)) is not None:
            raise failure
        return await connect(deliver)

    transport.open_events = sometimes
    async with AriClient(transport=transport, now=virtual_now) as ari:
        await until(lambda: ari.live, within=2.0)


@on_virtual_clock
async def test_a_reconciler_that_fails_keeps_live_false_and_is_tried_again() -> None:
    fake, tries = FakeAri(), 0

    async def reconcile() -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise RuntimeError("the database is away")

    async with AriClient(transport=fake.transport(), now=virtual_now, on_connect=reconcile) as ari:
        await until(lambda: tries == 2)
        assert not ari.live
        assert "reconciling failed" in ari.status
        await ari.until_live()
        assert tries == 3
        assert ari.generation == 1


@on_virtual_clock
async def test_after_a_restart_of_asterisk_old_channels_are_lost_and_the_boot_is_another() -> None:
    fake = FakeAri()
    fake.far("PJSIP/1", ANSWERS)
    async with live_client(fake) as ari, ari.dial("PJSIP/1", channel_id="c1", ring_seconds=5) as channel:
        boot = ari.boot_id
        fake.crash()
        await asyncio.sleep(3)
        assert not channel.gone.happened
        fake.boot()
        assert (await channel.left()).kind is GoneKind.LOST
        await ari.until_live()
        assert ari.boot_id != boot


@on_virtual_clock
async def test_after_a_reconnect_only_what_ended_meanwhile_is_lost() -> None:
    fake = FakeAri()
    async with live_client(fake) as ari:
        fake.inbound(["inbound"], channel_id="stays")
        fake.inbound(["inbound"], channel_id="goes")
        arrivals = ari.arrivals()
        stays, goes = (await anext(arrivals)).channel, (await anext(arrivals)).channel
        boot = ari.boot_id
        fake.lose_event = lambda _: True
        fake.drop_sockets()
        fake.hang_up("goes")
        fake.lose_event = lambda _: False
        assert (await goes.left()).kind is GoneKind.LOST
        await ari.until_live()
        assert not stays.gone.happened
        assert ari.boot_id == boot


@on_virtual_clock
async def test_a_dial_answered_while_we_were_deaf_is_answered_after_the_reconnect() -> None:
    fake = FakeAri()
    fake.far("PJSIP/1", ANSWERS)
    async with live_client(fake) as ari:
        channel = ari.channel("c1")
        await channel.originate("PJSIP/1", ring_seconds=20)
        fake.lose_event = lambda event: event["type"] == "StasisStart" or event["type"] == "Dial"
        await asyncio.sleep(1)
        assert not channel.answered.happened
        fake.lose_event = lambda _: False
        fake.drop_sockets()
        await channel.entered
        assert channel.answered.happened


@on_virtual_clock
async def test_a_sound_that_ended_while_we_were_deaf_is_over_after_the_reconnect() -> None:
    fake = FakeAri()
    async with live_client(fake) as ari:
        fake.inbound(["inbound"], channel_id="c1")
        caller = (await anext(ari.arrivals())).channel
        playback = await caller.play("sound:hello")
        fake.lose_event = lambda event: event["type"] == "PlaybackFinished"
        await asyncio.sleep(2)
        assert not playback.finished.happened
        fake.drop_sockets()
        assert await playback.done() == "done"


@on_virtual_clock
async def test_a_listener_that_fails_does_not_keep_the_others_from_hearing() -> None:
    fake, heard = FakeAri(), list[bool]()
    async with live_client(fake) as ari:

        def fails(live: bool) -> None:
            raise RuntimeError("a bug in a listener")

        ari.on_live.extend([fails, heard.append])
        fake.drop_sockets()
        await asyncio.sleep(1)
        await ari.until_live()
        assert heard == [False, True]


@on_virtual_clock
async def test_a_beat_that_arrives_with_the_theft_does_not_make_the_line_live() -> None:
    fake = FakeAri()
    async with live_client(fake) as ari:
        await asyncio.sleep(1)
        for _ in range(20):
            await asyncio.sleep(ari._heartbeat_seconds - 0.0005)
            fake.steal()
            await until(lambda: not ari.live, within=0.1)
            await asyncio.sleep(0.5)
            assert not ari.live
            await ari.until_live()


@on_virtual_clock
async def test_a_client_that_ends_leaves_no_task_behind() -> None:
    fake = FakeAri()
    fake.far("PJSIP/1", FarEnd())
    async with live_client(fake) as ari:
        channel = ari.channel("c1")
        fake.slow = lambda method, path: 60.0
        task = asyncio.create_task(channel.originate("PJSIP/1", ring_seconds=5))
        await asyncio.sleep(0.5)
        await channel.hang_up()
        await asyncio.sleep(0.5)
    await asyncio.wait([task])
    assert asyncio.all_tasks() == {asyncio.current_task()}


@on_virtual_clock
async def test_a_snapshot_shows_channels_bridges_and_what_is_ours() -> None:
    fake = FakeAri()
    async with live_client(fake) as ari, ari.bridge("b1", name="talk") as bridge:
        fake.inbound(["inbound", "7"], channel_id="c1", number="+441632960007")
        caller = (await anext(ari.arrivals())).channel
        await bridge.add(caller)
        snapshot = await ari.snapshot()
        info = snapshot.channels["c1"]
        assert (info.state, info.app_args, info.caller_number) == ("Up", ("inbound", "7"), "+441632960007")
        assert snapshot.bridges["b1"].channels == ("c1",)
        assert snapshot.bridges["b1"].name == "talk"
        assert snapshot.app_channel_ids == {"c1"}


@on_virtual_clock
async def test_a_channel_found_in_a_snapshot_can_be_adopted() -> None:
    fake = FakeAri()
    async with live_client(fake):
        fake.inbound(["inbound", "7"], channel_id="c1")
    async with live_client(fake) as ari:
        channel = ari.adopt((await ari.snapshot()).channels["c1"])
        await channel.subscribe()
        assert channel.entered.value.args == ("inbound", "7")
        assert channel.answered.happened
        fake.hang_up("c1")
        assert (await channel.left()).kind is GoneKind.DESTROYED
