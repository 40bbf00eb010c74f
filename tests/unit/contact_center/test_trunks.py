from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contact_center.dialling import CallResult, DialOrder
from contact_center.settings import Settings
from contact_center.store.facts import AttemptUncounted, TrunkNoted
from contact_center.terms import CallKind, Outcome
from contact_center.trunks import DOWN_AFTER, PROBE_SECONDS, Trunks, dial_string
from tests.support.clock import HandClock

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Lines:
    def __init__(self, **trunks: dict) -> None:
        self.clock, self.facts = HandClock(), []
        named = {name: {"host": "127.0.0.1", **keys} for name, keys in trunks.items()}
        self.settings = Settings.model_validate({"trunk": named})
        self.trunks = Trunks(self.settings, self.clock, self.facts.append)
        self._next = 0

    def place(self, names: tuple[str, ...]) -> str | None:
        """A line is taken, and its call sent at once."""
        taken = self.trunks.choose(names)
        if taken is not None:
            self.trunks.sent(taken)
        return taken

    def call(
        self, outcome: Outcome, sip_code: int | None = None, *, trunk: str = "main", rang: bool = False
    ) -> CallResult:
        self._next += 1
        order = make_order(self._next, trunk)
        return self.trunks.ended(order, CallResult(outcome, sip_code, rang, "", NOW, {"attempts": [{"n": 1}]}))


def make_order(number: int, trunk: str) -> DialOrder:
    return DialOrder(
        call_id=f"c{number}",
        channel_id=f"cw-{number}",
        attempt_id=number,
        n=1,
        attempts=1,
        lead_id=number,
        campaign="spring",
        kind=CallKind.POWER,
        number="+447400000001",
        trunk=trunk,
        endpoint="",
        caller_id="",
        team="",
        prefer_agent="",
        hide_number=False,
        force_hangup=False,
        ring_seconds=25.0,
        agent_ring_seconds=20.0,
        deadline_seconds=2.0,
        wrap_up_seconds=0.0,
        ordered_at=NOW,
    )


def test_never_more_calls_than_lines_less_those_kept_for_inbound():
    lines = Lines(main={"max_channels": 3, "reserve_inbound": 1, "max_cps": 100})
    assert [lines.place(()) for _ in range(3)] == ["main", "main", None]
    assert lines.trunks.wait_seconds(()) is None
    lines.call(Outcome.BUSY, 486)
    assert lines.place(()) == "main"


def test_never_more_calls_in_a_second_than_allowed():
    lines = Lines(main={"max_channels": 99, "max_cps": 2})
    assert [lines.place(()) for _ in range(3)] == ["main", "main", None]
    assert 1.0 < lines.trunks.wait_seconds(()) < 1.1
    lines.clock.forward(1.03)
    assert lines.place(()) == "main"


@pytest.mark.parametrize(("rate", "stored_in"), [(20, 0.01), (80, 0.007), (80, 0.03), (300, 0.01)])
def test_the_rate_is_reached_though_every_intent_takes_its_time_to_be_stored(rate: int, stored_in: float):
    lines, sent = Lines(main={"max_channels": 10_000, "max_cps": float(rate)}), list[float]()
    began = lines.clock.monotonic()
    while (seconds := lines.clock.monotonic() - began) < 20.0:
        taken = lines.trunks.take_lines((), 1000)
        lines.clock.forward(stored_in if taken else 0.0)
        for name in taken:
            lines.trunks.sent(name)
            sent.append(lines.clock.monotonic())
        lines.clock.forward(max(lines.trunks.wait_seconds(()) or 0.0, 0.001) + 0.001)
    assert len(sent) >= 0.95 * rate * seconds
    assert max(sum(at < other <= at + 1.0 for other in sent) for at in sent[:: rate // 4]) <= rate


def test_less_than_one_call_a_second_is_possible():
    lines = Lines(main={"max_cps": 0.5})
    assert [lines.place(()), lines.place(())] == ["main", None]
    lines.clock.forward(1.5)
    assert lines.place(()) is None
    lines.clock.forward(0.6)
    assert lines.place(()) == "main"


def test_the_second_trunk_takes_what_the_first_cannot():
    lines = Lines(main={"max_channels": 1}, spare={})
    assert [lines.place(()), lines.place(())] == ["main", "spare"]
    assert lines.place(("main",)) is None


def test_a_storm_of_503_takes_the_trunk_down_and_gives_every_attempt_back():
    lines = Lines(main={})
    results = [lines.call(Outcome.TECHNICAL_ERROR, 503) for _ in range(DOWN_AFTER)]
    assert [r.outcome for r in results] == [Outcome.TECHNICAL_ERROR] * (DOWN_AFTER - 1) + [Outcome.NOT_ATTEMPTED]
    assert results[-1].record["attempts"][0]["outcome"] == "not_attempted"
    given_back = next(f for f in lines.facts if isinstance(f, AttemptUncounted))
    assert given_back.attempt_ids == tuple(range(1, DOWN_AFTER))
    assert next(f for f in lines.facts if isinstance(f, TrunkNoted)).state == "down"


def test_a_trunk_that_is_down_is_probed_once_in_half_a_minute_until_it_carries_a_call():
    lines = Lines(main={})
    for _ in range(DOWN_AFTER):
        lines.call(Outcome.NOT_ATTEMPTED)
    assert lines.place(()) is None
    lines.clock.forward(PROBE_SECONDS)
    assert [lines.place(()), lines.place(())] == ["main", None]
    assert lines.call(Outcome.TECHNICAL_ERROR, 503).outcome is Outcome.NOT_ATTEMPTED
    lines.clock.forward(PROBE_SECONDS)
    assert lines.place(()) == "main"
    lines.trunks.rang("main")
    assert lines.place(()) is None  # the probe counts as a call of its second
    lines.clock.forward(1.03)
    assert lines.place(()) == "main"


def back(rate: float) -> Lines:
    """A trunk that has just come back by its probe, which is over."""
    lines = Lines(main={"max_cps": rate, "max_channels": 10_000})
    for _ in range(DOWN_AFTER):
        lines.call(Outcome.TECHNICAL_ERROR, 503)
    lines.clock.forward(PROBE_SECONDS)
    assert lines.place(()) == "main"
    lines.call(Outcome.BUSY, 486)
    assert not lines.trunks.is_down("main")
    return lines


def sent_in(lines: Lines, seconds: int) -> list[int]:
    """Calls of campaigns in each second, where as many are wanted as may be."""
    counts = []
    for _ in range(seconds):
        counts.append(0)
        for _ in range(100):
            while lines.place(()):
                counts[-1] += 1
            lines.clock.forward(0.01)
    return counts


def test_a_trunk_that_comes_back_starts_slowly_and_is_at_its_full_rate_after_half_a_minute():
    counts = sent_in(back(20.0), 35)
    assert sum(counts[:3]) <= 3
    assert [sum(counts[n : n + 5]) <= 20 * (n + 5) / 30 * 5 + 5 for n in range(0, 30, 5)] == [True] * 6
    assert sum(counts[:30]) >= 200
    assert min(counts[31:]) >= 18


def test_a_slow_trunk_comes_back_at_its_own_rate():
    assert sum(sent_in(back(0.5), 20)) in (9, 10)


def test_calls_with_a_person_on_them_need_not_wait_for_a_trunk_that_starts_slowly():
    lines = back(20.0)
    assert lines.place(()) is None
    assert lines.trunks.wait_seconds((), campaign=False) == 0.0


def test_a_trunk_that_fails_again_while_it_starts_is_left_in_peace_sooner():
    lines = back(20.0)
    assert [later(lines).outcome for _ in range(2)] == [Outcome.TECHNICAL_ERROR, Outcome.NOT_ATTEMPTED]
    assert lines.trunks.is_down("main")


def test_calls_of_the_time_before_it_came_back_do_not_take_it_down_and_use_up_no_attempt():
    lines = back(20.0)
    results = [lines.call(Outcome.TECHNICAL_ERROR, 503) for _ in range(2 * DOWN_AFTER)]
    assert {result.outcome for result in results} == {Outcome.NOT_ATTEMPTED}
    assert not lines.trunks.is_down("main")


def later(lines: Lines) -> CallResult:
    """A call that was ordered now, and refused by the trunk."""
    lines._next += 1
    order = replace(make_order(lines._next, "main"), ordered_at=lines.clock.now())
    return lines.trunks.ended(order, CallResult(Outcome.TECHNICAL_ERROR, 503, False, "", NOW, {"attempts": [{"n": 1}]}))


def test_a_trunk_that_went_down_with_asterisk_is_tried_as_soon_as_asterisk_is_back():
    lines = Lines(main={})
    for _ in range(DOWN_AFTER):  # an Asterisk that ends in good order refuses every new call
        lines.call(Outcome.NOT_ATTEMPTED)
    lines.clock.forward(2.0)
    assert lines.place(()) is None
    lines.trunks.look_again()
    assert [lines.place(()), lines.place(())] == ["main", None]


def test_a_single_503_between_good_calls_is_a_technical_error():
    lines = Lines(main={})
    for _ in range(20):
        assert lines.call(Outcome.TECHNICAL_ERROR, 503).outcome is Outcome.TECHNICAL_ERROR
        lines.call(Outcome.BUSY, 486)
    assert not lines.trunks.is_down("main")


def test_calls_we_took_back_say_nothing_about_the_trunk():
    lines = Lines(main={})
    for number in range(20):
        result = CallResult(Outcome.NOT_ATTEMPTED, None, False, "", NOW, {}, withdrawn=True)
        lines.trunks.ended(replace(make_order(number, "main")), result)
    assert not lines.trunks.is_down("main")


def test_the_dial_format_is_filled_in():
    trunk = Settings.model_validate(
        {"trunk": {"main": {"host": "sip.example", "dial_format": "sip:00{number}@{host}:{port}"}}}
    ).trunk["main"]
    assert (
        dial_string("main", trunk, "+442079460000", "10.0.0.1")
        == "PJSIP/callwright-trunk-main/sip:00442079460000@sip.example:5060"
    )


@given(st.text(min_size=1, max_size=30))
def test_whatever_the_number_no_dial_string_leaves_the_trunk(text):
    trunk = Settings.model_validate({"trunk": {"main": {"host": "127.0.0.9"}}}).trunk["main"]
    try:
        made = dial_string("main", trunk, text, "127.0.0.1")
    except ValueError:
        return
    digits = text.removeprefix("+")
    assert made == f"PJSIP/callwright-trunk-main/sip:+{digits}@127.0.0.9:5060"
    assert digits.isdigit()


@pytest.mark.parametrize("number", ["+44@evil", "44 20", "", "+", "12345678901234567", "٤٤٢٠٧", "44;x", "44/PJSIP"])
def test_hostile_numbers_are_refused(number):
    trunk = Settings.model_validate({"trunk": {"main": {"host": "127.0.0.9"}}}).trunk["main"]
    with pytest.raises(ValueError, match="digits"):
        dial_string("main", trunk, number, "127.0.0.1")


@pytest.mark.parametrize(
    ("keys", "port"), [({}, 5060), ({"transport": "tls"}, 5061), ({"transport": "tls", "port": 5060}, 5060)]
)
def test_the_port_of_a_tls_trunk_is_5061_unless_it_is_given(keys, port):
    trunk = Settings.model_validate({"trunk": {"main": {"host": "sip.example", **keys}}}).trunk["main"]
    assert trunk.port == port
