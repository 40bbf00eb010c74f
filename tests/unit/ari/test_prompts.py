"""Prompts and keys: each deadline runs out where it says, and a missing sound stops nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ari_app.channel import Channel
from ari_app.client import AriClient
from ari_app.errors import HungUp
from ari_app.media import Digit
from ari_app.prompts import Collected, CollectSeconds, Match, Stop, collect, one_of, play, up_to_hash
from tests.support.ari import live_client, until
from tests.support.fake_ari import FakeAri
from tests.support.virtual_clock import on_virtual_clock


@asynccontextmanager
async def caller_of(fake: FakeAri) -> AsyncIterator[tuple[AriClient, Channel]]:
    fake.sound_seconds["sound:menu"] = 5.0
    fake.missing_sounds.add("sound:missing")
    async with live_client(fake) as ari:
        fake.inbound(["inbound"], channel_id="c1")
        yield ari, (await anext(ari.arrivals())).channel


def press_later(fake: FakeAri, *keys: tuple[float, str]) -> None:
    for seconds, digits in keys:
        asyncio.get_running_loop().call_later(seconds, fake.press, "c1", digits)


@on_virtual_clock
async def test_keys_are_collected_until_the_hash_and_the_first_silences_the_prompt() -> None:
    fake = FakeAri()
    async with caller_of(fake) as (_, caller):
        press_later(fake, (1.0, "2"), (1.5, "99"), (2.0, "9#"))
        began = fake.time()
        assert await collect(caller, "sound:menu", match=up_to_hash(8, least=3)) == Collected("2999#", Stop.COMPLETE)
        assert fake.time() - began == pytest.approx(2.0, abs=0.02)
        assert not fake.playbacks


@on_virtual_clock
async def test_a_key_that_is_not_offered_is_invalid() -> None:
    fake = FakeAri()
    async with caller_of(fake) as (_, caller):
        press_later(fake, (0.5, "7"))
        assert await collect(caller, "sound:menu", match=one_of("123")) == Collected("7", Stop.INVALID)


@on_virtual_clock
async def test_the_first_digit_is_waited_for_from_the_end_of_the_prompt() -> None:
    fake = FakeAri()
    async with caller_of(fake) as (_, caller):
        began = fake.time()
        assert await collect(caller, "sound:menu", match=one_of("1")) == Collected("", Stop.FIRST_DIGIT)
        assert fake.time() - began == pytest.approx(5.0 + 4.0, abs=0.02)


@on_virtual_clock
async def test_the_next_digit_is_waited_for_from_the_one_before() -> None:
    fake = FakeAri()
    async with caller_of(fake) as (_, caller):
        press_later(fake, (1.0, "1"), (3.0, "2"))
        began = fake.time()
        assert await collect(caller, match=up_to_hash(8)) == Collected("12", Stop.INTER_DIGIT)
        assert fake.time() - began == pytest.approx(6.0, abs=0.02)


@on_virtual_clock
async def test_the_overall_deadline_ends_it_whatever_is_keyed() -> None:
    fake = FakeAri()
    async with caller_of(fake) as (_, caller):
        press_later(fake, *((float(second), "1") for second in range(1, 30)))
        limits = CollectSeconds(overall=10.0)
        found = await collect(caller, match=lambda _: Match.INCOMPLETE, seconds=limits)
        assert found.stop is Stop.OVERALL
        assert not found.complete


@on_virtual_clock
async def test_a_missing_sound_is_counted_and_the_keys_are_still_read() -> None:
    fake = FakeAri()
    async with caller_of(fake) as (ari, caller):
        press_later(fake, (1.0, "1"))
        assert (await collect(caller, "sound:missing", match=one_of("1"))).complete
        assert not await play(caller, "sound:missing")
        assert not await play(caller, "bogus:scheme")
        await until(lambda: ari.counters.sounds_failed == 3)


@on_virtual_clock
async def test_a_hang_up_in_mid_sound_is_no_failed_sound() -> None:
    fake = FakeAri()
    async with caller_of(fake) as (ari, caller):
        asyncio.get_running_loop().call_later(0.5, fake.hang_up, "c1")
        playback = await caller.play("sound:menu")
        await playback.done()
        await asyncio.sleep(1.0)
        assert ari.counters.sounds_failed == 0


@on_virtual_clock
async def test_keys_typed_ahead_count_where_the_caller_of_collect_listens_already() -> None:
    fake = FakeAri()
    async with caller_of(fake) as (_, caller):
        with caller.listen_dtmf() as keys:
            fake.press("c1", "12#")
            await asyncio.sleep(0.1)
            assert (await collect(caller, "sound:menu", match=up_to_hash(4), keys=keys)).digits == "12#"


@on_virtual_clock
async def test_a_sound_whose_end_never_comes_is_given_up_in_its_time() -> None:
    fake = FakeAri()
    async with caller_of(fake) as (_, caller):
        fake.lose_event = lambda event: event["type"] == "PlaybackFinished"
        began = fake.time()
        await play(caller, "sound:menu", within=20)
        assert fake.time() - began == pytest.approx(20, abs=0.1)


@on_virtual_clock
async def test_a_sound_that_does_not_start_is_given_up_and_the_call_goes_on() -> None:
    fake = FakeAri()
    async with caller_of(fake) as (_, caller):
        fake.lose_event = lambda event: event["type"].startswith("Playback")
        began = fake.time()
        assert not await play(caller, "sound:menu")
        assert fake.time() - began == pytest.approx(2.0, abs=0.1)


@on_virtual_clock
async def test_a_cancelled_prompt_stops_sounding() -> None:
    fake = FakeAri()
    async with caller_of(fake) as (_, caller):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0):
                await play(caller, "sound:menu")
        await until(lambda: not fake.playbacks, within=0.1)


@on_virtual_clock
async def test_collecting_ends_in_hung_up_when_the_party_leaves() -> None:
    fake = FakeAri()
    async with caller_of(fake) as (_, caller):
        asyncio.get_running_loop().call_later(1.0, fake.hang_up, "c1")
        with pytest.raises(HungUp):
            await collect(caller, "sound:menu", match=one_of("1"))


@on_virtual_clock
async def test_a_party_who_leaves_as_its_prompt_ends_leaves_no_error_behind() -> None:
    fake, errors = FakeAri(), []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context["message"]))
    async with caller_of(fake) as (_, caller):
        with caller.listen_dtmf() as keys:

            def at_once() -> None:
                keys.put(None)
                for playback in list(caller._playbacks):
                    playback.finish("gone")

            asyncio.get_running_loop().call_later(1.0, at_once)
            with pytest.raises(HungUp):
                await collect(caller, "sound:menu", match=one_of("1"), keys=keys)
        await asyncio.sleep(0.1)
    assert errors == []


@on_virtual_clock
async def test_a_prompt_through_a_bridge_is_heard_by_both_and_blocks_nobody() -> None:
    fake = FakeAri()
    async with caller_of(fake) as (ari, caller), ari.bridge("b") as bridge:
        fake.inbound(["inbound"], channel_id="c2")
        other = (await anext(ari.arrivals())).channel
        await bridge.add(caller, other)
        press_later(fake, (1.0, "1"))
        assert (await collect(caller, "sound:menu", match=one_of("1"), through=bridge)).complete
        assert [sound for _, sound in fake.channels["c2"].heard] == ["sound:menu", "dtmf:1"]


@on_virtual_clock
async def test_joining_a_bridge_ends_the_sound_that_would_hold_it_up() -> None:
    fake = FakeAri()
    async with caller_of(fake) as (ari, caller), ari.bridge("b") as bridge:
        await caller.play("sound:menu")
        began = fake.time()
        await bridge.add(caller)
        assert fake.time() - began < 0.1


@pytest.mark.parametrize(
    ("digits", "verdict"),
    [("1", Match.INCOMPLETE), ("12", Match.INCOMPLETE), ("12#", Match.INVALID), ("123#", Match.COMPLETE),
     ("1234", Match.INCOMPLETE), ("1234#", Match.COMPLETE), ("12345", Match.INVALID), ("1*", Match.INVALID),
     ("#", Match.INVALID)],
)  # fmt: skip
def test_three_to_four_digits_and_a_hash(digits: str, verdict: Match) -> None:
    assert up_to_hash(4, least=3)(digits) is verdict


@on_virtual_clock
async def test_a_key_in_the_moment_in_which_the_prompt_ends_is_taken_and_no_time_runs_any_more() -> None:
    fake, wrong = FakeAri(), list[object]()
    asyncio.get_running_loop().set_exception_handler(lambda _, what: wrong.append(what))
    async with caller_of(fake) as (ari, caller):
        with caller.listen_dtmf() as keys:

            def both_at_once() -> None:
                [playback] = ari.playbacks.values()
                keys.put(Digit("1", ari.now()))
                playback.finished.happen("done", ari.now())

            asyncio.get_running_loop().call_later(1.0, both_at_once)
            assert await collect(caller, "sound:menu", match=one_of("1"), keys=keys) == Collected("1", Stop.COMPLETE)
            await asyncio.sleep(1)
    assert wrong == []
