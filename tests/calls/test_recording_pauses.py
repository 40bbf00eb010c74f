"""Recordings that rest and end in the middle of something, on the virtual clock."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from ari_app.recording import TapeOrder
from tests.calls.queue_world import queue_world
from tests.calls.test_recording import SETTINGS, TAKES, Recorder
from tests.support.virtual_clock import on_virtual_clock, run_virtual


@pytest.mark.parametrize("paused", [True, False])
def test_a_pause_or_its_end_while_he_is_on_hold_holds_for_the_talk_after_it(paused: bool):
    async def life() -> None:
        async with queue_world(**SETTINGS) as centre:
            recorder = Recorder(centre)
            centre.agent("1002", TAKES)
            await recorder.talk()
            if not paused:
                await recorder.tapes.pause("call-1", on=True)
            centre.world.fake.press("cw-1-test-a1", "*71002#")
            await asyncio.sleep(4)
            assert list(recorder.fake.recordings) == []
            await recorder.tapes.pause("call-1", on=paused)
            centre.world.fake.hang_up("cw-1-test-a1")
            await asyncio.sleep(4)
            [recording] = recorder.fake.recordings.values()
            assert recording.paused is paused
            told = ["began", "paused"] if paused else ["began", "paused", "resumed"]
            assert (recorder.told, recorder.alarms) == (told, [])
            await recorder.over()

    run_virtual(life())


@on_virtual_clock
async def test_the_channel_that_records_goes_though_the_answer_to_the_end_of_the_recording_is_lost():
    async with queue_world(**SETTINGS) as centre:
        recorder = Recorder(centre)
        await recorder.talk(record=False)
        customer = centre.world.app.env.ari.find("cw-1")
        assert customer is not None
        with recorder.tapes.recording(TapeOrder("call-1", customer)):
            await asyncio.sleep(2)
            [snoop] = [channel for channel in recorder.fake.channels.values() if channel.endpoint == "Snoop/cw-1"]
            recorder.fake.lose_reply = lambda _, path: path.endswith("/stop")
        await asyncio.sleep(5)
        assert snoop.id not in recorder.fake.channels
        await recorder.over()


@contextmanager
def looks_at(folder: Path) -> Iterator[list[Path]]:
    """Where below a folder this very thread, the loop's, looks while the block lasts."""
    seen: list[Path] = []

    def called(frame: FrameType, event: str, _: object) -> None:
        path = frame.f_locals.get("self")
        if (
            event == "call"
            and frame.f_code.co_name == "stat"
            and isinstance(path, Path)
            and path.is_relative_to(folder)
        ):
            seen.append(path)

    sys.setprofile(called)
    try:
        yield seen
    finally:
        sys.setprofile(None)


@pytest.mark.parametrize("is_there", [True, False])
def test_no_call_waits_for_the_disk_and_a_folder_that_is_not_seen_from_here_is_no_alarm_of_each_talk(
    tmp_path: Path, is_there: bool
):
    async def life() -> None:
        async with queue_world(**SETTINGS) as centre:
            recorder = Recorder(centre, tmp_path if is_there else tmp_path / "away")
            await recorder.talk()
            await asyncio.sleep(20)
            assert recorder.alarms == (["its file is not there"] if is_there else [])
            await recorder.over()

    with looks_at(tmp_path) as seen:
        run_virtual(life())
    assert seen == []
    with looks_at(tmp_path) as seen:
        tmp_path.is_dir()
    assert seen == [tmp_path], "a look would have been seen"
