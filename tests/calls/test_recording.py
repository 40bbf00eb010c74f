"""When talks are recorded, and what becomes of a talk whose recording is in trouble, on the virtual clock."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ari_app.recording import TapeOrder
from ari_app.tapes import CLAIM_SECONDS, Tapes
from contact_center.settings import Asterisk
from contact_center.store.facts import DiskNoted, Fact, RecordingNoted
from tests.calls.queue_world import DID, QueueWorld, queue_world
from tests.calls.world import World, make_order
from tests.support.fake_ari import FakeAri, FarEnd
from tests.support.fake_sounds import BEGIN_SECONDS
from tests.support.fake_world import FakeRecording
from tests.support.virtual_clock import on_virtual_clock, run_virtual

CUSTOMER = "PJSIP/customer-*@trunk"
SETTINGS = {"trunk": {"main": {"host": "192.0.2.1"}}, "site": {"number_check": "digits"}}
TAKES = FarEnd(rings_after=0.05, answers_after=0.5)
SAID = "sound:recorded"


class Recorder:
    """A contact centre that records: what it noted and what Asterisk recorded."""

    def __init__(self, centre: QueueWorld, folder: Path | None = None, free_mb: int = 0, said: bool = True) -> None:
        self.centre, self.facts = centre, list[Fact]()
        settings = Asterisk(recordings=str(folder or ""), recordings_free_mb=free_mb)
        env = centre.world.app.env

        def media(word: str, text: str, language: str) -> tuple[str, ...]:
            return (f"sound:{text}",) if said else ()

        self.tapes = env.tapes = Tapes(env.ari, settings, env.clock, self.facts.append, media)
        centre.world.fake.far(CUSTOMER, FarEnd(rings_after=0.1, answers_after=1.0))

    @property
    def world(self) -> World:
        return self.centre.world

    @property
    def fake(self) -> FakeAri:
        return self.centre.world.fake

    @property
    def told(self) -> list[str]:
        return [fact.what for fact in self.facts if isinstance(fact, RecordingNoted)]

    @property
    def alarms(self) -> list[str]:
        return [fact.reason for fact in self.facts if isinstance(fact, RecordingNoted) and fact.what == "alarm"]

    @property
    def made(self) -> list[FakeRecording]:
        return [*self.fake.stored, *self.fake.recordings.values()]

    async def talk(self, **order: Any) -> None:
        """A campaign's customer talks to agent 1001 for some seconds by now."""
        self.centre.agent("1001", TAKES)
        self.world.app.place(make_order(**{"record": True, **order}))
        await asyncio.sleep(5)
        assert self.fake.together("cw-1", "cw-1-test-a1")

    async def over(self) -> None:
        """The customer hangs up, and nothing of it is left."""
        self.fake.hang_up("cw-1")
        await self.centre.settled()
        self.world.assert_nothing_left()
        assert list(self.fake.recordings) == []


@on_virtual_clock
async def test_a_talk_is_recorded_from_its_beginning_to_its_end_under_the_name_of_the_call():
    async with queue_world(**SETTINGS) as centre:
        recorder = Recorder(centre)
        await recorder.talk()
        [recording] = recorder.fake.recordings.values()
        assert (recording.name, recording.target.endpoint) == ("call-1", "Snoop/cw-1")
        joined = max(at for at, _, path in recorder.fake.requests if path.endswith("addChannel"))
        assert joined < recording.began < joined + 0.2
        await recorder.over()
        assert recording.ended == pytest.approx(5.0, abs=0.2)
        assert [(f.recording, f.what) for f in recorder.facts] == [("call-1.wav", "began")]
        assert recorder.tapes.health()[0]


@on_virtual_clock
async def test_nothing_is_recorded_where_it_is_off():
    async with queue_world(**SETTINGS) as centre:
        recorder = Recorder(centre)
        await recorder.talk(record=False)
        await recorder.over()
        assert (recorder.made, recorder.facts) == ([], [])
        assert not any("snoop" in path for _, _, path in recorder.fake.requests)


@pytest.mark.parametrize("who", ["cw-1", "cw-1-test-a1"])
def test_a_hang_up_at_any_moment_leaves_nothing_and_raises_no_alarm(who: str):
    async def life(after: float) -> int:
        async with queue_world(**SETTINGS) as centre:
            recorder = Recorder(centre)
            centre.agent("1001", TAKES)
            recorder.world.app.place(make_order(record=True, record_announcement="recorded"))
            await asyncio.sleep(1.4 + after)
            recorder.fake.hang_up(who)
            await asyncio.sleep(1.0)
            made = len(recorder.made)
            recorder.fake.hang_up("cw-1")
            await centre.settled()
            centre.world.assert_nothing_left()
            assert (list(recorder.fake.recordings), recorder.alarms) == ([], [])
            return made

    made = {run_virtual(life(step / 250)) for step in range(0, 500, 3)}
    assert made == {0, 1}, "the sweep did not reach from before to after the beginning"


@on_virtual_clock
async def test_a_pause_is_kept_and_one_that_comes_before_the_beginning_too():
    async with queue_world(**SETTINGS) as centre:
        recorder = Recorder(centre)
        recorder.fake.sound_seconds[SAID] = 6.0
        await recorder.talk(record_announcement="recorded")
        await recorder.tapes.pause("call-1", on=True)
        assert recorder.made == []
        await asyncio.sleep(6)
        [recording] = recorder.made
        assert recording.paused
        await recorder.tapes.pause("call-1", on=False)
        await recorder.tapes.pause("call-1", on=False)
        assert not recording.paused
        await recorder.tapes.pause("call-1", on=True)
        assert recording.paused
        await recorder.over()
        assert recorder.told == ["began", "resumed", "paused"]
        await recorder.tapes.pause("call-1", on=True)  # it is over: nothing happens


def test_a_pause_in_the_moment_in_which_it_begins_is_kept_and_raises_no_alarm():
    async def life(after: float) -> str:
        async with queue_world(**SETTINGS) as centre:
            recorder = Recorder(centre)
            centre.agent("1001", TAKES)
            recorder.world.app.place(make_order(record=True))
            await asyncio.sleep(1.4 + after)
            is_to_be_recorded, states = (
                "call-1" in recorder.tapes._live,
                [state(centre, made) for made in recorder.made],
            )
            await recorder.tapes.pause("call-1", on=True)
            await asyncio.sleep(1.0)
            [recording] = recorder.made
            assert (recording.paused, recorder.alarms) == (is_to_be_recorded, [])
            await recorder.over()
            return states[0] if states else "not yet" if is_to_be_recorded else "no talk yet"

    def state(centre: QueueWorld, recording: FakeRecording) -> str:
        age = centre.world.fake.time() - recording.began
        return "queued" if age < BEGIN_SECONDS else "recording"

    came = {run_virtual(life(step / 500)) for step in range(0, 250)}
    assert came == {"no talk yet", "not yet", "queued", "recording"}


@on_virtual_clock
async def test_a_pause_that_asterisk_refuses_is_an_alarm():
    async with queue_world(**SETTINGS) as centre:
        recorder = Recorder(centre)
        await recorder.talk()
        recorder.fake.destroy(next(c for c in recorder.fake.channels.values() if c.endpoint == "Snoop/cw-1"), 16)
        await recorder.tapes.pause("call-1", on=True)
        assert "could not be paused" in recorder.alarms[0]
        await recorder.over()


@on_virtual_clock
async def test_the_announcement_is_heard_by_both_before_anything_is_recorded():
    async with queue_world(**SETTINGS) as centre:
        recorder = Recorder(centre)
        recorder.fake.sound_seconds[SAID] = 2.0
        await recorder.talk(record_announcement="recorded")
        customer, agent = recorder.fake.channels["cw-1"], recorder.fake.channels["cw-1-test-a1"]
        heard = [[at for at, what in party.heard if what == SAID] for party in (customer, agent)]
        assert heard[0] == heard[1]
        assert len(heard[0]) == 1
        assert heard[0][0] - customer.answered_at < 2.0, "later than the law's two seconds"
        assert recorder.made[0].began >= heard[0][0] + 2.0
        await recorder.over()


@on_virtual_clock
async def test_where_the_announcement_cannot_be_played_nothing_is_recorded_and_an_alarm_says_so():
    async with queue_world(**SETTINGS) as centre:
        recorder = Recorder(centre, said=False)
        await recorder.talk(record_announcement="recorded")
        await asyncio.sleep(10)
        assert (recorder.made, recorder.alarms) == ([], ["its announcement could not be played"])
        assert recorder.fake.together("cw-1", "cw-1-test-a1")
        is_well, why = recorder.tapes.health()
        assert not is_well
        assert "call-1" in why
        await recorder.over()


@on_virtual_clock
async def test_a_caller_of_a_queue_hears_the_announcement_before_he_waits_and_not_again():
    async with queue_world(**SETTINGS) as centre:
        recorder = Recorder(centre)
        centre.queue("sales", dids=DID, record="on", record_announcement="recorded")
        centre.agent("1001", TAKES, "sales")
        caller = centre.call()
        await asyncio.sleep(6)
        phone = centre.world.fake.dialled("PJSIP/1001")[0]
        assert [what for _, what in caller.heard if what == SAID] == [SAID]
        assert [what for _, what in phone.heard if what == SAID] == []
        assert next(at for at, what in caller.heard if what == SAID) < phone.created
        [recording] = recorder.made
        assert caller.caller_number not in recording.name
        centre.world.fake.hang_up(caller.id)
        record = await centre.record(caller)
        assert [event["kind"] for event in record["timeline"]] == ["menu", "queue", "conversation"]
        await centre.settled()


@on_virtual_clock
async def test_nothing_is_recorded_while_the_customer_is_on_hold_and_all_of_it_is_in_one_file():
    async with queue_world(**SETTINGS) as centre:
        recorder = Recorder(centre)
        centre.queue("sales", dids=DID, record="on")
        centre.agent("1001", TAKES, "sales")
        centre.agent("1002", TAKES)
        caller = centre.call()
        await asyncio.sleep(4)
        agent = centre.world.fake.dialled("PJSIP/1001")[0]
        centre.world.fake.press(agent.id, "*71002#")
        await asyncio.sleep(4)
        assert caller.moh
        assert list(recorder.fake.recordings) == []
        centre.world.fake.hang_up(agent.id)  # the transfer is complete
        await asyncio.sleep(4)
        first, second = recorder.made
        assert first.name == second.name
        assert second.appends
        assert second.began - first.ended > 2.0
        centre.world.fake.hang_up(caller.id)
        await centre.settled()
        centre.world.assert_nothing_left()
        assert recorder.told == ["began"]


@pytest.mark.parametrize("trouble", ["refused", "slow", "reply lost"])
def test_trouble_with_the_recording_is_an_alarm_and_neither_delays_nor_ends_the_talk(trouble: str):
    async def life() -> None:
        async with queue_world(**SETTINGS) as centre:
            recorder = Recorder(centre)
            if trouble == "refused":
                recorder.fake.recordings["call-1"] = FakeRecording("call-1", recorder.fake, 0.0)  # type: ignore[arg-type]
            elif trouble == "slow":
                recorder.fake.slow = lambda _, path: 60.0 if "snoop" in path else 0.0
            else:
                recorder.fake.lose_reply = lambda _, path: "snoop" in path
            await recorder.talk()
            customer = recorder.fake.channels["cw-1"]
            joined = next(at for at, bridge in customer.bridge_log if bridge)
            assert joined - customer.answered_at < 1.0
            await asyncio.sleep(30)
            assert recorder.fake.together("cw-1", "cw-1-test-a1")
            [reason] = recorder.alarms
            assert "could not be made" in reason
            recorder.fake.recordings.clear()
            await recorder.over()

    run_virtual(life())


@on_virtual_clock
async def test_a_recording_that_asterisk_ends_while_the_talk_goes_on_is_an_alarm():
    async with queue_world(**SETTINGS) as centre:
        recorder = Recorder(centre)
        await recorder.talk()
        snoop = next(channel for channel in recorder.fake.channels.values() if channel.endpoint == "Snoop/cw-1")
        recorder.fake.destroy(snoop, 16)
        await asyncio.sleep(3)
        assert len(recorder.alarms) == 1
        assert "Asterisk ended it" in recorder.alarms[0]
        assert recorder.fake.together("cw-1", "cw-1-test-a1")
        await recorder.over()


def test_a_file_that_stands_still_is_one_alarm_and_health_is_well_when_it_grows_again(tmp_path: Path):
    async def life() -> None:
        async with queue_world(**SETTINGS) as centre:
            recorder = Recorder(centre, tmp_path)
            file = tmp_path / "call-1.wav"
            await recorder.talk()
            for size in range(1, 6):
                file.write_bytes(b"." * size)
                await asyncio.sleep(2)
            assert recorder.alarms == []
            await asyncio.sleep(20)
            assert recorder.alarms == ["its file stands still at 5 bytes"]
            assert recorder.tapes.health() == (False, "call-1: its file stands still at 5 bytes")
            assert recorder.fake.together("cw-1", "cw-1-test-a1")
            file.write_bytes(b"." * 9)
            await asyncio.sleep(2.1)
            await recorder.tapes.pause("call-1", on=True)
            await asyncio.sleep(600)
            assert (len(recorder.alarms), recorder.tapes.health()[0]) == (1, True)
            await recorder.over()

    run_virtual(life())


def test_a_disk_below_its_limit_is_told_once_and_so_is_that_there_is_room_again(tmp_path: Path):
    async def life() -> None:
        async with queue_world(**SETTINGS) as centre:
            recorder = Recorder(centre, tmp_path / "away", free_mb=0)
            watching = asyncio.create_task(recorder.tapes.run())
            await asyncio.sleep(60)
            assert recorder.facts == [], "nothing is recorded, so nobody cares"
            await recorder.talk()
            await asyncio.sleep(60)
            (tmp_path / "away").mkdir()
            await asyncio.sleep(60)
            told = [bool(fact.reason) for fact in recorder.facts if isinstance(fact, DiskNoted)]
            assert told == [True, False]
            await recorder.over()
            watching.cancel()
            full = Recorder(centre, tmp_path, free_mb=100_000_000)
            full.tapes.prepare(make_order(record=True, record_announcement="recorded"), "en")
            await full.tapes.look()
            await full.tapes.look()
            [fact] = full.facts
            assert isinstance(fact, DiskNoted)
            assert "less than 100000000" in fact.reason
            assert not full.tapes.health()[0]

    run_virtual(life())


@on_virtual_clock
async def test_what_an_earlier_process_recorded_and_no_talk_claims_ends():
    async with queue_world(**SETTINGS) as centre:
        recorder = Recorder(centre)
        await recorder.talk(record=False)
        customer = centre.world.app.env.ari.find("cw-1")
        assert customer is not None
        await customer.snoop("cw-rec-call-1-x", spy="both", app_args=("rec", "call-1"))
        recorder.tapes.take_over(await centre.world.app.env.ari.snapshot())
        watching = asyncio.create_task(recorder.tapes.run())
        await asyncio.sleep(CLAIM_SECONDS - 5)
        assert "cw-rec-call-1-x" in recorder.fake.channels
        await asyncio.sleep(20)
        assert "cw-rec-call-1-x" not in recorder.fake.channels
        watching.cancel()
        await recorder.over()


@on_virtual_clock
async def test_the_recordings_of_a_person_who_is_forgotten_are_deleted_when_asterisk_can_be_asked():
    async with queue_world(**SETTINGS) as centre:
        recorder = Recorder(centre)
        await recorder.talk()
        await recorder.over()
        assert [recording.name for recording in recorder.fake.stored] == ["call-1"]
        recorder.fake.up = False
        recorder.tapes.forget("call-1")
        recorder.tapes.forget("call-9")
        watching = asyncio.create_task(recorder.tapes.run())
        await asyncio.sleep(15)
        recorder.fake.up = True
        await asyncio.sleep(15)
        assert recorder.fake.stored == []
        watching.cancel()


@pytest.mark.parametrize("paused", [False, True])
def test_after_a_crash_a_recording_that_goes_on_is_taken_over_as_it_is(paused: bool):
    async def life() -> None:
        async with queue_world(**SETTINGS) as centre:
            recorder = Recorder(centre)
            await recorder.talk(record=False)
            ari = centre.world.app.env.ari
            customer = ari.find("cw-1")
            assert customer is not None
            snoop = await customer.snoop("cw-rec-call-1-x", spy="both", app_args=("rec", "call-1"))
            await snoop.entered
            await snoop.record("call-1")
            [recording] = recorder.made
            recording.paused = paused
            recorder.tapes.take_over(await ari.snapshot())
            with recorder.tapes.recording(TapeOrder("call-1", customer, _unwanted, adopted=True)):
                await asyncio.sleep(60)
                assert recorder.made == [recording]
                await recorder.tapes.pause("call-1", on=not paused)
                assert recording.paused is not paused
            await asyncio.sleep(1)
            assert recorder.told == ["adopted", "resumed" if paused else "paused"]
            assert "cw-rec-call-1-x" not in recorder.fake.channels
            await recorder.over()

    run_virtual(life())


@on_virtual_clock
async def test_after_a_crash_a_recording_that_was_interrupted_goes_on_in_its_file_and_is_told_as_cut():
    async with queue_world(**SETTINGS) as centre:
        recorder = Recorder(centre)
        await recorder.talk(record=False)
        customer = centre.world.app.env.ari.find("cw-1")
        assert customer is not None
        recorder.fake.stored.append(FakeRecording("call-1", recorder.fake.channels["cw-1"], 0.0, 1.0))
        with recorder.tapes.recording(TapeOrder("call-1", customer, _unwanted, adopted=True)):
            await asyncio.sleep(5)
            [recording] = recorder.fake.recordings.values()
            assert (recording.name, recording.appends) == ("call-1", True)
        assert recorder.told == ["cut"]
        await recorder.over()


async def _unwanted() -> bool:
    raise AssertionError("who has heard the announcement does not hear it again")
