"""What the bench makes of the far end's record: its figures and its verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.bench.figures import CLEAN_P95_MS, Run, judge, middle, percentile, summary
from tests.lab.farend.hearing import Interval
from tests.lab.farend.record import CallRecord, Direction, Side

NUMBER = "+441632960001"


def record(side: Side, party: str, **more: Any) -> CallRecord:
    return CallRecord(id=party, side=side, direction=Direction.IN, party=party, number=party, final_code=200, **more)


def customer(at: float = 100.0, *, number: str = NUMBER, heard_at: float | None = 100.55) -> CallRecord:
    """Called at `at`, answered 0.5 s later; hears agent 1001 from `heard_at` on."""
    heard = [] if heard_at is None else [Interval(heard_at, heard_at + 1.0, frozenset(["1001"]))]
    return record(Side.CUSTOMER, number, invite_at=at, answered_at=at + 0.5, heard=heard)


def phone(*, number: str = NUMBER, heard_at: float = 100.53) -> CallRecord:
    heard = [Interval(heard_at, heard_at + 1.0, frozenset([number]))]
    return record(Side.PHONE, "1001", invite_at=100.5, answered_at=100.51, heard=heard)


def run(**changes: Any) -> Run:
    made = Run(
        arm="on_demand", rate=20.0, calls=3, two_way_ms=[20.0, 30.0, 40.0], invite_ms=[1.0, 2.0, 9.0], asterisk_ms=10.0,
        app_ms=2.0, events=9.0, bytes=9000.0, others_cores=0.1, placed_per_second=20.0,
    )  # fmt: skip
    return replace(made, **changes)


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([], 0.5, None), ([7.0], 0.95, 7.0), ([3.0, 1.0, 2.0], 0.5, 2.0), (list(range(1, 101)), 0.95, 95)],
)
def test_a_percentile_is_a_value_that_was_seen(values: list[float], share: float, expected: float | None) -> None:
    assert percentile(values, share) == expected


def test_two_way_audio_counts_from_the_customers_answer_to_the_later_of_both_ears() -> None:
    heard = judge([NUMBER], [customer(), phone()], {NUMBER: 99.99})
    assert heard.two_way_ms == [pytest.approx(50.0, abs=0.01)]
    assert heard.invite_ms == [pytest.approx(10.0, abs=0.01)]
    assert heard.failures == []
    later = judge([NUMBER], [customer(), phone(heard_at=100.7)], {})
    assert later.two_way_ms == [pytest.approx(200.0, abs=0.01)]
    assert later.invite_ms == []


def test_a_number_called_twice_or_never_is_a_failure() -> None:
    heard = judge([NUMBER, "+441632960002"], [customer(), customer(101.0), phone()], {})
    assert heard.two_way_ms == []
    assert heard.failures == [f"{NUMBER}: dialled 2 times", "+441632960002: dialled 0 times"]


def test_a_customer_who_heard_nobody_or_was_heard_by_nobody_is_a_failure() -> None:
    deaf = judge([NUMBER], [customer(heard_at=None), phone()], {})
    mute = judge([NUMBER], [customer(), phone(number="+441632960009")], {})
    assert (deaf.two_way_ms, mute.two_way_ms) == ([], [])
    assert len(deaf.failures) == len(mute.failures) == 1


def test_the_rate_is_that_of_the_invites() -> None:
    numbers = [f"+44163296000{n}" for n in range(5)]
    calls = [customer(100.0 + n / 20, number=number) for n, number in enumerate(numbers)]
    assert judge(numbers, calls, {}).placed_per_second == pytest.approx(20.0)


def test_a_run_is_clean_only_if_nothing_failed_the_rate_was_kept_and_audio_came_in_time() -> None:
    assert run().clean
    assert not run(failures=["one"]).clean
    assert not run(placed_per_second=18.0).clean
    assert not run(two_way_ms=[CLEAN_P95_MS]).clean
    assert not run(two_way_ms=[]).clean


def test_the_summary_has_the_medians_of_the_rounds() -> None:
    found = summary([run(app_ms=2.0), run(app_ms=9.0), run(app_ms=3.0)], 120.0)
    assert found == {
        "two_way_p50_ms": 30.0,
        "two_way_p95_ms": 40.0,
        "command_to_invite_p50_ms": 2.0,
        "clean_rate": 120.0,
        "asterisk_ms_per_call": 10.0,
        "app_ms_per_call": 3.0,
        "events_per_call": 9.0,
    }
    assert middle([None, None]) is None
