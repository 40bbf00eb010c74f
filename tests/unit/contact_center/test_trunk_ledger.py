"""The ledger of lines: whoever places calls, a trunk's limits hold at every moment."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contact_center.errors import UsageError
from contact_center.outside_calls import trunks_for
from contact_center.settings import Settings
from contact_center.trunks import DOWN_AFTER, Line, NoLine, Trunks
from tests.support.clock import HandClock
from tests.support.virtual_clock import VirtualClock, on_virtual_clock, run_virtual

STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "campaign",
                "campaigns",
                "sent",
                "sent",
                "unused",
                "person",
                "person",
                "caller",
                "found",
                "over",
                "over",
                "failed",
                "wait",
            ]
        ),
        st.integers(0, 7),
        st.floats(0.0, 1.5),
    ),
    max_size=120,
)


def made(**keys: object) -> Settings:
    return Settings.model_validate({"trunk": {"main": {"host": "127.0.0.9", **keys}}})


@dataclass
class Floor:
    """Everybody who places calls on one trunk, and what was counted of them by the test itself."""

    trunks: Trunks
    most: int
    reserve: int
    rate: float
    campaign: int = 0
    pending: int = 0
    lines: list[Line] = field(default_factory=list)
    callers: list[Line] = field(default_factory=list)
    placed: list[float] = field(default_factory=list)
    forced: int = 0

    @property
    def out(self) -> int:
        return self.campaign + len(self.lines)

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def took(self, many: int = 1) -> None:
        self.placed.extend([self.now()] * many)
        self.check_rate()

    def check_rate(self) -> None:
        """No more calls in any second than the trunk takes; below one a second, none closer than its distance."""
        span, most = (1.0, int(self.rate)) if self.rate >= 1 else (1 / self.rate, 1)
        recent = [at for at in self.placed if at > self.now() - span + 1e-6]
        assert len(recent) + self.pending <= most

    async def step(self, what: str, n: int, seconds: float, number: int) -> None:
        before = self.out
        if what in ("campaign", "campaigns"):
            lines = self.trunks.take_lines((), 1 if what == "campaign" else n)
            self.campaign += len(lines)
            self.pending += len(lines)
            if lines:
                self.check_rate()
                assert self.out <= self.most - max(self.reserve, len(self.callers))
        elif what == "sent" and self.pending:
            for _ in range(self.pending):
                self.trunks.sent("main")
            many, self.pending = self.pending, 0
            self.took(many)
        elif what == "unused" and self.pending:
            self.trunks.give_back("main")
            self.campaign, self.pending = self.campaign - 1, self.pending - 1
        elif what == "person":
            try:
                self.lines.append(await self.trunks.line((), f"p{number}"))
            except NoLine:
                assert self.out == before
                return
            self.took()
            assert self.out + len(self.callers) <= self.most
        elif what == "caller" and (line := self.trunks.hold("main", f"i{number}", inbound=True)):
            self.callers.append(line)
        elif what == "found" and (line := self.trunks.hold("main", f"f{number}", inbound=False)):
            self.lines.append(line)
        elif what in ("over", "failed"):
            self.end(n, failed=what == "failed")
        elif what == "wait":
            await asyncio.sleep(seconds)

    def end(self, n: int, *, failed: bool) -> None:
        lines = self.callers if n % 2 and self.callers else self.lines
        if lines:
            line = lines.pop(n % len(lines))
            line.give_back()
            line.give_back()  # a second time nothing happens
            if failed and not line.inbound:
                line.failed("answers 503")


@settings(max_examples=150, deadline=None)
@given(STEPS, st.integers(1, 6), st.integers(0, 3), st.sampled_from([0.5, 1.0, 2.0, 5.0, 40.0]))
def test_whoever_calls_in_whatever_order_no_limit_of_a_trunk_is_ever_broken(steps, most, reserve, rate):
    async def life() -> None:
        keys = made(max_channels=most, reserve_inbound=reserve, max_cps=rate)
        floor = Floor(Trunks(keys, VirtualClock(), lambda _: None), most, reserve, rate)
        for number, (what, n, seconds) in enumerate(steps):
            await floor.step(what, n, seconds, number)
            main = floor.trunks.lines["main"]
            assert (main.live, main.inbound, main.waiting) == (floor.out, len(floor.callers), 0)

    run_virtual(life())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0.1, 4)), min_size=1, max_size=25), st.integers(1, 4))
def test_people_who_wait_at_once_never_get_more_lines_than_there_are(calls, most):
    async def life() -> None:
        trunks = Trunks(made(max_channels=most, max_cps=3), VirtualClock(), lambda _: None)
        live, placed, loop = 0, [], asyncio.get_running_loop()

        async def call(number: int, begins: float, lasts: float) -> None:
            nonlocal live
            await asyncio.sleep(begins)
            asked = loop.time()
            try:
                line = await trunks.line((), f"p{number}")
            except NoLine:
                assert loop.time() - asked <= 1.001
                return
            live += 1
            placed.append(loop.time())
            assert live <= most
            assert len([at for at in placed if at > loop.time() - 1.0]) <= 3
            await asyncio.sleep(lasts)
            live -= 1
            line.give_back()

        async with asyncio.TaskGroup() as group:
            for number, (begins, lasts) in enumerate(calls):
                group.create_task(call(number, begins, lasts))
        assert trunks.lines["main"].live == 0

    run_virtual(life())


@on_virtual_clock
async def test_who_waits_for_a_line_gets_the_next_one_before_any_campaign():
    trunks = Trunks(made(max_channels=1), VirtualClock(), lambda _: None)
    assert trunks.choose(()) == "main"
    waits = asyncio.create_task(trunks.line((), "own"))
    await asyncio.sleep(0.5)
    trunks.give_back("main")
    assert trunks.choose(()) is None
    line = await waits
    assert (line.trunk, trunks.lines["main"].live) == ("main", 1)
    line.give_back()
    assert trunks.choose(()) == "main"


@on_virtual_clock
async def test_a_line_that_does_not_come_within_a_second_is_refused_in_words():
    trunks = Trunks(made(max_channels=2), VirtualClock(), lambda _: None)
    assert trunks.take_lines((), 9) == ["main", "main"]
    began = asyncio.get_running_loop().time()
    with pytest.raises(NoLine, match="All lines of trunk main are in use"):
        await trunks.line((), "own")
    assert asyncio.get_running_loop().time() - began == pytest.approx(1.0)
    assert not trunks.has_line(())


@on_virtual_clock
async def test_the_next_slot_of_a_slow_trunk_is_waited_for_and_a_distant_one_is_refused_at_once():
    loop = asyncio.get_running_loop()
    trunks = Trunks(made(max_cps=1), VirtualClock(), lambda _: None)
    await trunks.line((), "first")
    await asyncio.sleep(0.4)
    await trunks.line((), "second")
    assert loop.time() == pytest.approx(1.02)
    slow = Trunks(made(max_cps=0.25), VirtualClock(), lambda _: None)
    await slow.line((), "first")
    began = loop.time()
    with pytest.raises(NoLine, match="no more calls in this second"):
        await slow.line((), "second")
    assert loop.time() == began


@on_virtual_clock
async def test_a_trunk_that_takes_nothing_goes_down_for_everybody_and_another_carries_the_calls():
    told: list[object] = []
    both = Settings.model_validate({"trunk": {"main": {"host": "127.0.0.9"}, "spare": {"host": "127.0.0.8"}}})
    trunks = Trunks(both, VirtualClock(), told.append)
    for number in range(DOWN_AFTER):
        line = await trunks.line(("main",), f"c{number}")
        line.give_back()
        line.failed("answers 503")
        await asyncio.sleep(0.1)
    assert trunks.is_down("main")
    assert (await trunks.line((), "own")).trunk == "spare"
    assert trunks.choose(()) == "spare"
    with pytest.raises(NoLine, match="Trunk main answers 503; try again in half a minute"):
        await trunks.line(("main",), "other")
    await asyncio.sleep(30)
    probe = await trunks.line(("main",), "probe")
    probe.carries()
    assert not trunks.is_down("main")


def test_without_a_trunk_the_refusal_says_what_to_add():
    async def life() -> None:
        with pytest.raises(NoLine, match=r"add a \[trunk.NAME\]"):
            await Trunks(Settings(), VirtualClock(), lambda _: None).line((), "own")

    run_virtual(life())


def test_callers_take_the_lines_that_are_kept_for_them_first():
    trunks = Trunks(made(max_channels=4, reserve_inbound=2, max_cps=500), HandClock(), lambda _: None)
    first = trunks.hold("main", "in1", inbound=True)
    trunks.hold("main", "in2", inbound=True)
    assert trunks.hold("main", "in2", inbound=True) is None
    assert trunks.take_lines((), 9) == ["main", "main"]
    trunks.hold("main", "in3", inbound=True)
    trunks.give_back("main")
    assert trunks.choose(()) is None
    assert first is not None
    first.give_back()
    assert trunks.choose(()) == "main"


def trunk(*allowed: str) -> dict[str, object]:
    return {"host": "127.0.0.9", "allowed_prefixes": list(allowed)}


@pytest.mark.parametrize(
    ("trunks", "named", "number", "carriers"),
    [
        ({"a": trunk(), "b": trunk()}, (), "+442079460018", ("a", "b")),
        ({"a": trunk("+44"), "b": trunk("+45")}, (), "+4533000000", ("b",)),
        ({"a": trunk("+44"), "b": trunk()}, (), "+442079460018", ("a", "b")),
        ({"a": trunk("+44"), "b": trunk()}, (), "+449", ("a", "b")),
        ({"a": trunk("+44"), "b": trunk()}, (), "+12125550100", None),
        ({"a": trunk("+44"), "b": trunk()}, ("b",), "+12125550100", ("b",)),
        ({"a": trunk("+44"), "b": trunk("+45")}, ("b",), "+442079460018", None),
        ({}, (), "+442079460018", None),
    ],
)
def test_the_lists_of_the_trunks_decide_what_people_may_call_and_a_trunk_without_one_is_a_spare(
    trunks, named, number, carriers
):
    kept = Settings.model_validate({"trunk": trunks})
    if carriers is None:
        with pytest.raises(UsageError, match=r"may not be called|There is no trunk"):
            trunks_for(kept, named, number)
    else:
        assert trunks_for(kept, named, number) == carriers
