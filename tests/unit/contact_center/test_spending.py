"""Caps of trunks: what is counted, when a trunk is left out, when it comes back, and that a restart forgets nothing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contact_center.settings import Caps, Settings
from contact_center.spending import DAY, HOUR, Reached, Use, UsedMinute, reached
from contact_center.store.facts import Fact, TrunkNoted, TrunkUsed
from contact_center.trunks import NoLine, Trunks
from tests.support.clock import HandClock
from tests.support.virtual_clock import VirtualClock, on_virtual_clock

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def settings_of(*, spare: bool = False, **keys: object) -> Settings:
    trunks: dict[str, object] = {"main": {"host": "127.0.0.9", "max_cps": 100, **keys}}
    if spare:
        trunks["spare"] = {"host": "127.0.0.8", "max_cps": 100}
    return Settings.model_validate({"trunk": trunks})


class Carrier:
    """Trunks on a clock of the test's own, and what they posted."""

    def __init__(self, settings: Settings) -> None:
        self.clock, self.facts = HandClock(), list[Fact]()
        self.trunks = Trunks(settings, self.clock, self.facts.append)

    def place(self, *names: str) -> str | None:
        taken = self.trunks.choose(names)
        if taken is not None:
            self.trunks.sent(taken)
        return taken

    def forward(self, seconds: float) -> None:
        """Time goes by, and is counted each second at the most."""
        while seconds > 0:
            self.clock.forward(min(seconds, 30.0))
            self.trunks.tick()
            seconds -= 30.0

    def noted(self) -> list[tuple[str, str]]:
        return [(fact.state, fact.reason) for fact in self.facts if isinstance(fact, TrunkNoted)]

    def minutes(self) -> list[UsedMinute]:
        kept = {fact.minute_at: fact for fact in self.facts if isinstance(fact, TrunkUsed)}
        return [UsedMinute(at, fact.calls, fact.seconds, fact.at) for at, fact in kept.items()]


@given(
    st.lists(st.tuples(st.floats(0, 9000), st.integers(0, 3), st.floats(0, 90)), max_size=60),
    st.sampled_from([HOUR, DAY]),
)
def test_what_is_counted_is_never_less_than_what_was_used_in_that_time_and_at_most_a_minute_more(steps, span):
    use, at, used = Use(), NOON, list[tuple[datetime, int, float]]()
    for wait, calls, seconds in steps:
        at += timedelta(seconds=wait)
        use.add(at, calls, seconds)
        used.append((at, calls, seconds))
        for field, index in (("calls", 1), ("seconds", 2)):
            counted = getattr(use.hour(at) if span == HOUR else use.day(at), field)
            least = sum(step[index] for step in used if step[0] > at - timedelta(minutes=span))
            most = sum(step[index] for step in used if step[0] > at - timedelta(minutes=span + 1))
            assert least - 1e-6 <= counted <= most + 1e-6


@given(st.lists(st.tuples(st.floats(0, 3000), st.integers(1, 3)), min_size=1, max_size=30), st.integers(1, 6))
def test_the_moment_that_is_told_is_the_first_at_which_a_call_may_be_placed_again(steps, limit):
    caps, use, at = Caps(calls_per_hour=limit), Use(), NOON
    for wait, calls in steps:
        at += timedelta(seconds=wait)
        use.add(at, calls)
    found = next(reached(caps, use, at), None)
    if found is not None:
        assert found.free_at > at
        assert next(reached(caps, use, found.free_at - timedelta(seconds=1)), None) is not None
        assert next(reached(caps, use, found.free_at), None) is None


def test_a_trunk_takes_its_calls_of_an_hour_and_no_more_until_the_first_are_an_hour_old():
    carrier = Carrier(settings_of(calls_per_hour=3))
    placed = []
    for _ in range(6):
        placed.append(carrier.place())
        carrier.forward(60)
    assert placed == ["main"] * 3 + [None] * 3
    assert carrier.noted() == [("capped", "its calls_per_hour of 3 is reached")]
    carrier.forward(3600 - 6 * 60 - 30)
    assert carrier.place() is None
    carrier.forward(120)
    assert carrier.place() == "main"
    assert carrier.noted()[1] == ("up", "")


def test_lines_that_are_taken_for_calls_count_before_they_are_sent_and_nobody_is_told_of_a_cap_in_between():
    carrier = Carrier(settings_of(calls_per_day=2))
    assert carrier.trunks.take_lines((), 9) == ["main", "main"]
    carrier.trunks.tick()
    assert carrier.noted() == []
    carrier.trunks.give_back("main")
    carrier.trunks.sent("main")
    assert carrier.trunks.take_lines((), 9) == ["main"]


def test_minutes_count_while_a_talk_goes_on_and_a_call_that_nobody_answers_costs_nothing():
    carrier = Carrier(settings_of(minutes_per_day=10, cost_per_minute=0.5))
    carrier.place()
    carrier.forward(1200)
    assert carrier.place() == "main"
    carrier.trunks.answered("main", "cw-1")
    carrier.forward(580)
    assert carrier.place() == "main"
    carrier.forward(20)
    assert carrier.place() is None
    assert carrier.noted() == [("capped", "its minutes_per_day of 10 is reached")]


def test_money_per_day_is_minutes_times_their_price_and_is_told_first():
    carrier = Carrier(settings_of(spend_per_day=3, cost_per_minute=1.5, minutes_per_hour=2))
    carrier.place()
    carrier.trunks.answered("main", "cw-1")
    carrier.forward(119)
    assert carrier.place() == "main"
    carrier.forward(1)
    assert carrier.noted() == [("capped", "its spend_per_day of 3 is reached")]
    assert carrier.trunks.lines["main"].capped == Reached(
        "spend_per_day", pytest.approx(3.0), 3.0, carrier.trunks.lines["main"].capped.free_at
    )


def test_the_next_trunk_carries_what_the_first_may_not():
    carrier = Carrier(settings_of(calls_per_hour=1, spare=True))
    assert [carrier.place(), carrier.place(), carrier.place("main")] == ["main", "spare", None]
    assert carrier.trunks.spent(()) == ""
    assert carrier.trunks.spent(("main",)) == (
        "Trunk main takes no more calls: its calls_per_hour of 1 is reached; "
        "a supervisor can raise it (`callwright trunk set main`)."
    )


def test_a_cap_that_is_raised_holds_for_the_next_call():
    carrier = Carrier(settings_of(calls_per_hour=1))
    assert [carrier.place(), carrier.place()] == ["main", None]
    carrier.trunks.take_caps("main", Caps(calls_per_hour=2))
    assert [carrier.place(), carrier.place()] == ["main", None]
    carrier.trunks.take_caps("main", Caps())
    assert carrier.place() == "main"


@on_virtual_clock
async def test_who_has_a_person_on_the_line_is_refused_at_once_and_in_words_and_is_not_kept_waiting_for_a_line():
    trunks = Trunks(settings_of(calls_per_hour=1, max_channels=1), VirtualClock(), lambda _: None)
    await trunks.line((), "first")
    began = asyncio.get_running_loop().time()
    with pytest.raises(NoLine, match="Trunk main takes no more calls: its calls_per_hour of 1 is reached") as refusal:
        await trunks.line((), "second")
    assert refusal.value.word == "capped"
    assert asyncio.get_running_loop().time() == began
    assert not trunks.has_line(())


def test_the_next_process_knows_what_was_used_and_goes_on_counting_the_talks_it_finds():
    before = Carrier(settings_of(calls_per_day=3, minutes_per_hour=4))
    for number in range(2):
        before.place()
        before.trunks.answered("main", f"cw-{number}")
    before.forward(90)

    after = Carrier(settings_of(calls_per_day=3, minutes_per_hour=4))
    after.clock.forward(90 + 10)
    after.trunks.remember("main", before.minutes(), ("down", "does not answer"))
    after.trunks.adopt("main", "cw-0", answered=True)
    after.trunks.tick()
    use = after.trunks.lines["main"].spending.use.hour(after.clock.now())
    assert (use.calls, use.seconds) == (2, pytest.approx(2 * 90 + 10))
    assert after.noted() == [("up", "")]
    assert [after.place(), after.place()] == ["main", None]
    after.trunks.take_caps("main", Caps(minutes_per_hour=4))
    after.forward(50)
    assert after.place() is None


def test_talks_that_last_too_long_are_named_and_those_of_an_earlier_process_have_lasted_since_their_answer():
    carrier = Carrier(settings_of(max_call_minutes=2))
    carrier.trunks.answered("main", "cw-own")
    carrier.trunks.adopt("main", "cw-found", answered=True, since=carrier.clock.now() - timedelta(seconds=100))
    carrier.trunks.adopt("main", "cw-rings", answered=False)
    carrier.forward(19)
    assert carrier.trunks.too_long() == []
    carrier.forward(1)
    assert carrier.trunks.too_long() == [("main", "cw-found")]
    carrier.forward(100)
    assert carrier.trunks.too_long() == [("main", "cw-own"), ("main", "cw-found")]
    carrier.trunks.take_caps("main", Caps())
    assert carrier.trunks.too_long() == []


def test_a_talk_that_is_found_counts_from_its_answer_where_nothing_was_counted_for_long_before():
    before = Carrier(settings_of(minutes_per_hour=30))
    before.place()
    before.forward(40)  # it rings all the while, and is answered when nobody counts
    after = Carrier(settings_of(minutes_per_hour=30))
    after.clock.forward(40 + 30)
    after.trunks.remember("main", before.minutes(), ("up", ""))
    after.trunks.adopt("main", "cw-0", answered=True, since=after.clock.now() - timedelta(seconds=10))
    after.trunks.tick()
    assert after.trunks.lines["main"].spending.use.hour(after.clock.now()).seconds == pytest.approx(10)
