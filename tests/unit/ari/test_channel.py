"""A channel's life: any order of events ends in the same state, and no outcome is guessed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ari_app.channel import GoneKind
from ari_app.client import AriClient
from ari_app.errors import AriDown, HungUp, NoAnswer, Refused, Uncertain
from ari_app.events import build
from ari_app.router import ARRIVALS_KEPT
from tests.support.ari import live_client, until
from tests.support.fake_ari import ANSWERS, SILENT, FakeAri, FarEnd
from tests.support.virtual_clock import on_virtual_clock, run_virtual, virtual_now

SHOWN = {
    "id": "c1",
    "name": "PJSIP/x-1",
    "state": "Up",
    "caller": {},
    "dialplan": {"app_name": "Stasis", "app_data": "cw"},
}
LIFE: list[dict[str, Any]] = [
    {"type": "Dial", "dialstatus": "", "peer": SHOWN},
    {"type": "Dial", "dialstatus": "RINGING", "peer": SHOWN},
    {"type": "Dial", "dialstatus": "ANSWER", "peer": SHOWN},
    {"type": "StasisStart", "args": ["a"], "channel": SHOWN},
    {"type": "ChannelHangupRequest", "cause": 16, "channel": SHOWN},
    {"type": "StasisEnd", "channel": SHOWN},
    {"type": "ChannelDestroyed", "cause": 16, "channel": SHOWN},
]


@given(st.lists(st.sampled_from(range(len(LIFE))), max_size=20), st.permutations(range(len(LIFE))))
@settings(max_examples=150, deadline=None)
def test_events_in_any_order_and_number_end_in_the_same_state(before: list[int], order: list[int]) -> None:
    async def live() -> None:
        fake = FakeAri()
        async with live_client(fake) as ari:
            channel = ari.channel("c1")
            for index in (*before, *order):
                event = build(LIFE[index])
                assert event is not None
                channel.on_event(event)
            gone = await channel.left()
            assert gone.kind is GoneKind.DESTROYED
            assert gone.cause == 16
            assert channel.entered.happened
            assert channel.entered.value.args == ("a",)
            assert channel.ringing.happened
            assert channel.answered.happened
            assert "c1" not in ari.channels

    run_virtual(live())


@on_virtual_clock
async def test_a_channel_that_leaves_stasis_and_lives_on_has_left() -> None:
    fake = FakeAri()
    async with live_client(fake) as ari:
        fake.inbound(["inbound"], channel_id="c1")
        caller = (await anext(ari.arrivals())).channel
        fake.leave_stasis(fake.channels["c1"])
        began = fake.time()
        gone = await caller.left()
        assert gone.kind is GoneKind.LEFT
        assert fake.time() - began == pytest.approx(0.2)


@on_virtual_clock
async def test_a_channel_sent_to_the_dialplan_by_us_comes_back_with_new_arguments() -> None:
    fake = FakeAri()
    fake.dialplan[("amd", "s")] = lambda c: fake.later(c, 2.0, lambda: fake.enter(c, "callwright", ["amd", "HUMAN"]))
    fake.far("PJSIP/*", ANSWERS)
    async with live_client(fake) as ari, ari.dial("PJSIP/1", channel_id="c", ring_seconds=5) as channel:
        await channel.continue_in_dialplan("amd")
        assert (await channel.entered).args == ("amd", "HUMAN")
        assert not channel.gone.happened


@on_virtual_clock
async def test_nothing_is_dialled_while_the_line_is_not_live() -> None:
    fake = FakeAri()
    async with AriClient(transport=fake.transport(), now=virtual_now) as ari:
        channel = ari.channel("c1")
        with pytest.raises(AriDown):
            await channel.originate("PJSIP/answer@trunk", ring_seconds=5)
        assert channel.gone.value.kind is GoneKind.REFUSED
        assert not fake.dialled()


@on_virtual_clock
async def test_an_originate_whose_reply_is_lost_is_found_again_and_not_repeated() -> None:
    fake = FakeAri()
    fake.lose_reply = lambda method, path: (method, path) == ("POST", "channels")
    fake.far("PJSIP/1", FarEnd(answers_after=6.0))
    async with live_client(fake) as ari, ari.dial("PJSIP/1", channel_id="c1", ring_seconds=10) as channel:
        assert channel.answered.happened
        assert len(fake.dialled("PJSIP/1")) == 1


@on_virtual_clock
async def test_an_originate_nobody_can_tell_about_is_uncertain_and_is_hung_up_when_it_shows() -> None:
    fake = FakeAri()
    fake.far("PJSIP/1", FarEnd(rings_after=1.0, answers_after=8.0))
    fake.slow = lambda method, path: 5.0 if (method, path) == ("POST", "channels") else 0.0
    async with live_client(fake) as ari:
        channel = ari.channel("c1")
        with pytest.raises(Uncertain):
            await channel.originate("PJSIP/1", ring_seconds=20)
        await channel.hang_up()
        assert not channel.gone.happened
        gone = await channel.left()
        assert gone.asked
        assert gone.kind is GoneKind.DESTROYED
        assert fake.dialled("PJSIP/1")[0].answered_at is None
        assert not ari.channels


@on_virtual_clock
async def test_a_second_hang_up_before_the_first_came_to_pass_does_not_change_why() -> None:
    fake = FakeAri()
    fake.far("PJSIP/1", FarEnd(rings_after=0.1))
    fake.hang_up_seconds = 0.05
    async with live_client(fake) as ari:
        channel = ari.channel("c1")
        await channel.originate("PJSIP/1", ring_seconds=20)
        await channel.hang_up(reason_code=34)
        await channel.hang_up()
        await channel.hang_up(reason_code=17)
        assert (await channel.left()).cause == 34


@on_virtual_clock
async def test_an_uncertain_channel_that_never_shows_is_given_up() -> None:
    fake = FakeAri()
    async with live_client(fake) as ari:
        fake.slow = lambda method, path: 1e6 if (method, path) == ("POST", "channels") else 0.0
        channel = ari.channel("c1")
        with pytest.raises(Uncertain):
            await channel.originate("PJSIP/1", ring_seconds=20)
        await channel.hang_up()
        assert (await channel.left()).kind is GoneKind.LOST
        assert not ari.channels


@on_virtual_clock
async def test_a_conflict_is_no_proof_that_the_channel_exists() -> None:
    fake = FakeAri()
    fake.far("PJSIP/twin", FarEnd())
    async with live_client(fake) as ari:
        real = fake._rest.handle
        fake._rest.handle = lambda method, path, params, answer: (  # type: ignore[method-assign]
            answer(409, {"message": "Channel with given unique ID already exists"})
            if (method, path) == ("POST", "channels")
            else real(method, path, params, answer)
        )
        channel = ari.channel("c1")
        with pytest.raises(Refused):
            await channel.originate("PJSIP/nope", ring_seconds=5)
        assert channel.gone.value.kind is GoneKind.REFUSED


@on_virtual_clock
async def test_a_conflict_with_a_channel_that_is_there_counts_as_placed() -> None:
    fake = FakeAri()
    fake.far("PJSIP/1", FarEnd(answers_after=2.0))
    async with live_client(fake) as ari:
        await ari.request("POST", "channels", body={"endpoint": "PJSIP/1", "channelId": "c1", "app": "callwright"})
        channel = ari.channel("c1")
        await channel.originate("PJSIP/1", ring_seconds=5)
        await channel.answered
        assert len(fake.dialled("PJSIP/1")) == 1


@on_virtual_clock
async def test_a_dial_cancelled_while_it_is_being_placed_leaves_no_ringing_phone() -> None:
    for instant in range(0, 60):
        fake = FakeAri(latency_seconds=0.02)
        fake.far("PJSIP/1", FarEnd(answers_after=0.015))
        async with live_client(fake) as ari:

            async def dial(ari: AriClient = ari) -> None:
                async with ari.dial("PJSIP/1", channel_id="c1", ring_seconds=5):
                    await asyncio.sleep(10)

            task = asyncio.create_task(dial())
            await asyncio.sleep(instant * 0.001)
            task.cancel()
            await asyncio.wait([task])
            await until(lambda fake=fake, ari=ari: not fake.channels and not ari.channels, within=5)  # type: ignore[misc]


@on_virtual_clock
async def test_a_dead_trunk_is_told_from_a_person_who_does_not_answer() -> None:
    fake = FakeAri()
    fake.far("PJSIP/silent", SILENT)
    fake.far("PJSIP/away", FarEnd())
    async with live_client(fake) as ari:
        for endpoint, rang in (("PJSIP/silent", False), ("PJSIP/away", True)):
            with pytest.raises(NoAnswer) as caught:
                async with ari.dial(endpoint, channel_id=endpoint, ring_seconds=20):
                    raise AssertionError("it answered")
            assert (caught.value.gone.cause, caught.value.gone.tech_cause) == (19, 480)
            assert caught.value.channel.ringing.happened is rang


@pytest.mark.parametrize("bad", ["PJSIP/1@x\r\nVia: evil", "PJSIP/1\x00", "PJSIP/1\x7f"])
def test_an_endpoint_with_a_control_character_is_not_dialled(bad: str) -> None:
    async def dial() -> None:
        fake = FakeAri()
        async with live_client(fake) as ari:
            with pytest.raises(ValueError, match="control character"):
                await ari.channel("c1").originate(bad, ring_seconds=5)
            assert not fake.dialled()

    run_virtual(dial())


@on_virtual_clock
async def test_a_caller_id_loses_its_control_characters_and_is_dialled() -> None:
    fake = FakeAri()
    async with live_client(fake) as ari:
        caller_id = '"Bob\r\nX: y" <+441632960001>'
        dialling = ari.dial("PJSIP/answer@trunk", channel_id="c1", ring_seconds=5, caller_id=caller_id)
        async with dialling:
            assert fake.channels["c1"].caller_id == '"BobX: y" <+441632960001>'


@on_virtual_clock
async def test_a_command_on_a_channel_that_ended_unseen_is_a_hang_up() -> None:
    fake = FakeAri()
    async with live_client(fake) as ari:
        fake.inbound(["inbound"], channel_id="c1")
        caller = (await anext(ari.arrivals())).channel
        fake.lose_event = lambda event: event["type"] != "ChannelUserevent"
        fake.hang_up("c1")
        with pytest.raises(HungUp):
            await caller.answer()
        assert caller.gone.value.kind is GoneKind.LOST


@on_virtual_clock
async def test_adding_a_dead_channel_to_a_bridge_names_the_one_that_hung_up() -> None:
    fake = FakeAri()
    async with live_client(fake) as ari, ari.bridge("b") as bridge:
        fake.inbound(["inbound"], channel_id="one")
        fake.inbound(["inbound"], channel_id="two")
        arrivals = ari.arrivals()
        one, two = (await anext(arrivals)).channel, (await anext(arrivals)).channel
        fake.hang_up("two")
        with pytest.raises(HungUp) as caught:
            await bridge.add(one, two)
        assert caught.value.channel is two
        assert not one.gone.happened


@on_virtual_clock
async def test_a_hang_up_that_cannot_be_sent_is_done_when_the_line_is_back() -> None:
    fake = FakeAri()
    async with live_client(fake) as ari:
        fake.inbound(["inbound"], channel_id="c1")
        caller = (await anext(ari.arrivals())).channel
        fake.lose_reply = lambda *_: True
        fake.slow = lambda method, _: 1e6 if method == "DELETE" else 0.0
        await caller.hang_up()
        assert "c1" in fake.channels
        fake.lose_reply, fake.slow = (lambda *_: False), (lambda *_: 0.0)
        await caller.left()
        assert not fake.channels


@on_virtual_clock
async def test_every_listener_gets_every_key_and_stops_when_the_party_leaves() -> None:
    fake = FakeAri()
    async with live_client(fake) as ari:
        fake.inbound(["inbound"], channel_id="c1")
        caller = (await anext(ari.arrivals())).channel
        with caller.listen_dtmf() as one, caller.listen_dtmf() as other:
            fake.press("c1", "12")
            assert [(await one.next()).digit, (await one.next()).digit] == ["1", "2"]
            fake.press("c1", "3")
            fake.hang_up("c1")
            assert [key.digit async for key in other] == ["1", "2", "3"]
            assert (await one.next()).digit == "3"
            with pytest.raises(HungUp):
                await one.next()


@on_virtual_clock
async def test_arrivals_wait_for_their_reader_and_are_subscribed() -> None:
    fake = FakeAri()
    async with live_client(fake) as ari:
        for number in range(5):
            fake.inbound(["inbound", str(number)], channel_id=f"c{number}")
        await asyncio.sleep(1)
        arrivals = ari.arrivals()
        args = [(await anext(arrivals)).args for _ in range(5)]
        assert args == [("inbound", str(number)) for number in range(5)]
        assert all("callwright" in channel.subscribers for channel in fake.channels.values())


@on_virtual_clock
async def test_arrivals_nobody_takes_are_dropped_beyond_a_bound_and_counted() -> None:
    fake = FakeAri()
    async with live_client(fake) as ari:
        for number in range(ARRIVALS_KEPT + 3):
            fake.inbound(["inbound"], channel_id=f"c{number}")
        await asyncio.sleep(1)
        assert ari.counters.dropped["arrival"] == 3
        assert len(ari.channels) == ARRIVALS_KEPT


@on_virtual_clock
async def test_create_and_dial_waits_until_the_channel_may_be_dialled() -> None:
    fake = FakeAri()
    fake.far("PJSIP/1", FarEnd(answers_after=0.5))
    async with live_client(fake) as ari:
        channel = ari.channel("c1")
        await channel.create("PJSIP/1", app_args=["agent"])
        assert channel.entered.value.args == ("agent",)
        assert not channel.answered.happened
        await channel.dial(ring_seconds=5)
        await channel.answered
        await channel.hang_up()
        assert (await channel.left()).asked


@on_virtual_clock
async def test_a_refusal_while_the_channel_lives_stays_a_refusal() -> None:
    fake = FakeAri()
    async with live_client(fake) as ari:
        fake.inbound(["inbound"], channel_id="c1")
        caller = (await anext(ari.arrivals())).channel
        await caller.continue_in_dialplan("somewhere")
        with pytest.raises(Refused) as caught:
            await caller.play("sound:hello")
        assert caught.value.status == 409
        assert not caller.gone.happened
