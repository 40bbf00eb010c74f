"""What the bench makes of the far end's record of callers: their figures, who was lost, agents with two calls."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bench.callers import Scene
from tests.bench.callers_heard import judge_callers
from tests.lab.farend.hearing import OTHER, Interval
from tests.lab.farend.record import CallRecord, Direction, Side

ONE, TWO = "+447400000001", "+447400000002"


def caller(number: str, at: float, *, music_at: float | None = None, agent_at: float | None, by: str = "1001") -> Any:
    """Calls at `at`, is answered 10 ms later, and hears the agent for a second."""
    heard = [] if music_at is None else [Interval(music_at, agent_at or music_at + 1, frozenset([OTHER]))]
    if agent_at is not None:
        heard.append(Interval(agent_at, agent_at + 1.0, frozenset([by])))
    return CallRecord(
        id=number, side=Side.CUSTOMER, direction=Direction.OUT, party=number, number="442079460000", invite_at=at,
        answered_at=at + 0.01, ended_at=at + 5.0, final_code=200, heard=heard,
    )  # fmt: skip


def agent(number: str, at: float, *, until: float, name: str = "1001") -> CallRecord:
    """Called at `at`, answers 5 ms later and hears the caller 15 ms after that."""
    heard = [Interval(at + 0.02, until, frozenset([number]))]
    return CallRecord(
        id=f"{name} {at}", side=Side.PHONE, direction=Direction.IN, party=name, number=name, invite_at=at,
        answered_at=at + 0.005, ended_at=until, final_code=200, heard=heard,
    )  # fmt: skip


def test_who_meets_a_free_agent_counts_from_his_invite_and_who_waits_from_the_end_of_the_call_before() -> None:
    calls = [
        caller(ONE, 100.0, agent_at=100.05),
        agent(ONE, 100.02, until=101.0),
        caller(TWO, 100.5, music_at=100.71, agent_at=101.06),
        agent(TWO, 101.03, until=102.0),
    ]
    heard = judge_callers([ONE, TWO], calls)
    assert heard.failures == []
    assert heard.invite_ms == [pytest.approx(20.0, abs=0.01)]
    assert heard.offer_ms == [pytest.approx(10.0, abs=0.01), pytest.approx(30.0, abs=0.01)]
    assert heard.freed_ms == [pytest.approx(30.0, abs=0.01)]
    assert heard.sound_ms == [pytest.approx(40.0, abs=0.01), pytest.approx(200.0, abs=0.01)]
    assert heard.talk_ms == [pytest.approx(25.0, abs=0.01), pytest.approx(25.0, abs=0.01)]
    assert heard.untaken == 0


def test_a_caller_without_an_agent_or_with_two_is_lost() -> None:
    alone = judge_callers([ONE], [caller(ONE, 100.0, music_at=100.1, agent_at=None)])
    unknown = judge_callers([ONE], [])
    twice = caller(ONE, 100.0, agent_at=100.05)
    twice.heard.append(Interval(102.0, 103.0, frozenset(["1002"])))
    passed_on = [twice, agent(ONE, 100.02, until=101.0), agent(ONE, 101.9, until=103.0, name="1002")]
    assert [len(alone.lost), len(unknown.lost), len(judge_callers([ONE], passed_on).lost)] == [1, 1, 1]
    assert alone.offer_ms == []


def test_who_waits_long_must_have_heard_music() -> None:
    calls = [caller(ONE, 100.0, agent_at=103.0), agent(ONE, 102.9, until=104.0)]
    assert judge_callers([ONE], calls).lost == [f"{ONE}: waited without music"]
    calls[0].heard.insert(0, Interval(100.2, 102.9, frozenset([OTHER])))
    assert judge_callers([ONE], calls).lost == []


def test_an_agent_with_two_calls_at_once_is_found_and_so_is_a_phone_that_rang_for_nobody() -> None:
    calls = [
        caller(ONE, 100.0, agent_at=100.05),
        agent(ONE, 100.02, until=101.0),
        caller(TWO, 100.5, agent_at=100.95),
        agent(TWO, 100.9, until=102.0),
        agent("+447400000009", 110.0, until=110.5),
    ]
    heard = judge_callers([ONE, TWO], calls)
    assert heard.doubles == ["agent 1001 had 2 calls at once"]
    assert heard.untaken == 1


def test_callers_come_evenly_by_chance_or_all_at_once_always_the_same_way() -> None:
    numbers = [f"+4474000{n:05d}" for n in range(2000)]
    even = Scene("even", rate=20.0, calls=2000, agents=1, talk_seconds=1.0)
    chance = Scene("chance", rate=20.0, calls=2000, agents=1, talk_seconds=1.0, chance=True)
    crowd = Scene("crowd", rate=0.0, calls=2000, agents=1, talk_seconds=1.0)
    assert [at for at, _, _ in even.plan(["1"], numbers)][:3] == [0.0, 0.05, 0.1]
    assert {at for at, _, _ in crowd.plan(["1"], numbers)} == {0.0}
    plan = chance.plan(["1", "2"], numbers)
    assert plan == chance.plan(["1", "2"], numbers)
    assert plan[-1][0] == pytest.approx(100.0, rel=0.1)
    assert [did for _, did, _ in plan[:3]] == ["1", "2", "1"]
