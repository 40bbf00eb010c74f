from __future__ import annotations

import json
from pathlib import Path

from tests.lab.farend import (
    CallLog,
    CallRecord,
    Direction,
    Interval,
    Side,
    in_flight,
    max_at_once_per_number,
    max_in_flight,
    read_log,
    two_way_at,
)


def record(party: str, start: float, end: float | None, side: Side = Side.CUSTOMER) -> CallRecord:
    return CallRecord(f"{party}-{start}", side, Direction.IN, party, party, invite_at=start, ended_at=end)


def heard(*rows: tuple[float, float, str]) -> list[Interval]:
    return [Interval(start, end, frozenset(names.split())) for start, end, names in rows]


def test_a_record_comes_back_from_its_line_as_it_was(tmp_path: Path) -> None:
    log = CallLog(tmp_path / "calls.jsonl")
    call = record("+447420000001", 10.0, 12.5)
    call.heard = heard((10.0, 11.0, "nothing"), (11.0, 12.5, "1001 other"))
    call.dtmf_received, call.holds = [("1", 11.5, 0.1)], [(11.2, "switch", "sendonly")]
    call.headers = {"call-info": "<sip:x>;answer-after=0"}
    log.begin(call)
    log.end(call)
    log.close()
    assert read_log(tmp_path / "calls.jsonl") == [call]
    row = json.loads((tmp_path / "calls.jsonl").read_text())
    assert row["heard"][1] == [11.0, 12.5, ["1001", "other"]]


def test_calls_in_flight_are_counted_and_a_call_that_starts_as_another_ends_does_not_overlap() -> None:
    calls = [record("a", 0.0, 2.0), record("b", 1.0, 3.0), record("a", 2.0, 4.0), record("c", 10.0, None)]
    assert list(in_flight(calls)) == [(0.0, 1), (1.0, 2), (2.0, 1), (2.0, 2), (3.0, 1), (4.0, 0), (10.0, 1)]
    assert max_in_flight(calls) == 2
    assert max_at_once_per_number(calls) == {"a": 1, "b": 1, "c": 1}
    assert max_at_once_per_number([*calls, record("a", 3.9, 5.0)])["a"] == 2


def test_two_way_is_the_first_instant_at_which_both_hear_each_other() -> None:
    one, other = record("a", 0.0, 9.0), record("b", 0.0, 9.0)
    one.heard = heard((0.0, 1.0, "nothing"), (1.0, 3.0, "b"), (3.0, 5.0, "other"), (5.0, 9.0, "b other"))
    other.heard = heard((0.0, 4.0, "silence"), (4.0, 9.0, "a"))
    assert two_way_at(one, other) == two_way_at(other, one) == 5.0
    other.heard = heard((0.0, 0.5, "a"))
    assert two_way_at(one, other) is None


def test_attempts_are_numbered_per_customer() -> None:
    log = CallLog()
    for call in (record("a", 1.0, 2.0), record("b", 1.5, 2.0), record("a", 3.0, 4.0)):
        log.begin(call)
    assert [(c.party, c.attempt) for c in log.calls] == [("a", 1), ("b", 1), ("a", 2)]
    assert [c.attempt for c in log.attempts("a")] == [1, 2]
    assert log.live() == []
