"""What becomes of recordings as the store keeps it, told twice and by way of the journal."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Engine

from contact_center.models import Call
from contact_center.store.engine import reading, writing
from contact_center.store.facts import CallFinished, DiskNoted, Fact, OwnCallPlaced, RecordingNoted
from contact_center.store.queries_calls import call_document, find_call
from tests.unit.store.world import NOON, events, row

PLACED = OwnCallPlaced(
    "call-1", "manual", "outbound", "Outbound", "+442079460018", NOON, "1001", "phone-1", "cw-call-1-c"
)
LATER = NOON + timedelta(seconds=5)


def told(engine: Engine, *facts: Fact) -> None:
    for fact in facts:
        for _ in range(2):
            with writing(engine) as session:
                Fact.from_json(fact.to_json()).apply(session)


def test_the_record_names_the_file_from_its_beginning_and_keeps_the_name_after_the_end(engine: Engine) -> None:
    told(engine, PLACED, RecordingNoted("call-1", "call-1.wav", "began", NOON))
    assert row(engine, Call)["record"]["recording"] == "call-1.wav"
    told(engine, RecordingNoted("call-1", "call-1.wav", "cut", LATER))
    record = {"kind": "manual", "call_state": "NORMAL_CLEARING_B", "recording": None}
    told(engine, CallFinished("call-1", LATER, "connected", 0.0, record))
    with reading(engine) as session:
        assert call_document(find_call(session, "call-1"))["recording"] == "call-1.wav"
    types = [type_ for type_, _, _ in events(engine, "call")]
    assert types == ["call.placed", "call.recording_began", "call.recording_cut", "call.ended"]


def test_an_alarm_is_told_with_its_reason_and_names_no_file_that_is_not_there(engine: Engine) -> None:
    told(engine, PLACED, RecordingNoted("call-1", "call-1.wav", "alarm", NOON, "it could not be made"))
    assert "recording" not in row(engine, Call)["record"]
    told(engine, RecordingNoted("call-9", "call-9.wav", "alarm", NOON, "its call is unknown"))
    assert [type_ for type_, _, _ in events(engine, "call")][1:] == ["call.recording_alarm"] * 2


def test_a_full_disk_and_room_again_are_told(engine: Engine) -> None:
    told(engine, DiskNoted("/spool", "3 MB are free", NOON), DiskNoted("/spool", "", LATER))
    types = [type_ for type_, _, _ in events(engine, "recordings")]
    assert types == ["recordings.disk_alarm", "recordings.disk_well"]
