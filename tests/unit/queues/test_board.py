"""Who waits, who is rung: the one decision, without a loop."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contact_center.models import Agent, Queue
from contact_center.options import QueueOptions
from contact_center.queues.board import QueueBoard, Waiting
from contact_center.roster import Offer, Roster
from contact_center.settings import Site
from contact_center.terms import AgentState


class Hands:
    """A clock turned by hand."""

    def __init__(self) -> None:
        self.at, self.ticks = datetime(2026, 3, 2, 9, tzinfo=UTC), 0.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.ticks

    def turn(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.ticks += seconds


class Floor:
    """A board with agents; ``taken`` is who was held for which call."""

    def __init__(self) -> None:
        self.clock = Hands()
        self.roster = Roster(self.clock, lambda _: None)
        self.board = QueueBoard(self.roster, self.clock, Site())
        self.taken: list[tuple[str, str]] = []
        self.offers: dict[str, Offer] = {}

    def queue(self, name: str, **options: Any) -> None:
        self.board.change(Queue(name=name, options=QueueOptions().changed(**options).model_dump(mode="json")))

    def agent(self, ext: str, *queues: str, busy: bool = False, **more: Any) -> Offer | None:
        row = Agent(ext=ext, name=ext, endpoint=f"PJSIP/{ext}", status="online", since_at=self.clock.at, **more)
        row.queues = list(queues)
        held = None
        if busy:
            row.queues = []
            self.roster.load([row], self.clock.at)
            held = self.roster.reserve("", "another", prefer=ext)
            self.roster.get(ext).queues = queues
        else:
            self.roster.load([row], self.clock.at)
        return held

    def caller(self, name: str, queue: str, priority: int = 50) -> Waiting:
        def take(offer: Offer) -> None:
            self.taken.append((name, offer.ext))
            self.offers[name] = offer

        entry = Waiting(name, queue, priority, self.clock.at, self.clock.ticks, take)
        self.board.number(entry)
        return entry

    def waits(self, name: str, queue: str, priority: int = 50) -> Waiting:
        entry = self.caller(name, queue, priority)
        self.board.enter(entry)
        return entry


@pytest.fixture
def floor() -> Floor:
    made = Floor()
    made.queue("sales")
    return made


def test_a_caller_who_comes_is_held_an_agent_in_the_same_step(floor: Floor):
    floor.agent("1", "sales")
    floor.waits("a", "sales")
    assert floor.taken == [("a", "1")]
    assert floor.roster.get("1").state is AgentState.OFFERED
    assert floor.roster.get("1").call_id == "a"


def test_an_agent_who_becomes_free_is_held_for_the_first_of_the_most_urgent(floor: Floor):
    floor.queue("vip")
    held = floor.agent("1", "sales", "vip", busy=True)
    for name, queue, priority in (("a", "sales", 50), ("b", "sales", 50), ("c", "vip", 80)):
        floor.waits(name, queue, priority)
        floor.clock.turn(1)
    held.close()
    assert floor.taken == [("c", "1")]
    floor.offers["c"].close()
    floor.offers["a"].close()
    assert floor.taken == [("c", "1"), ("a", "1"), ("b", "1")]


def test_an_agent_is_never_held_for_a_queue_he_does_not_serve(floor: Floor):
    floor.agent("1", "help")
    floor.waits("a", "sales")
    assert floor.taken == []


def test_a_caller_in_line_comes_before_a_campaigns_call(floor: Floor):
    held = floor.agent("1", "sales", busy=True)
    floor.waits("a", "sales")
    held.close()
    assert floor.taken == [("a", "1")]
    assert floor.roster.reserve("", "dialled") is None


def test_the_dialer_sees_no_agent_whom_waiting_or_greeted_callers_need(floor: Floor):
    floor.agent("1", "sales")
    floor.agent("2", "sales")
    floor.agent("3")
    assert floor.roster.idle("") == 3
    coming = floor.caller("a", "sales")
    floor.board.expect(coming)
    assert floor.roster.idle("") == 2
    assert len(floor.roster.on_line("")) == 2
    floor.board.leave(coming)
    assert floor.roster.idle("") == 3
    busy = [floor.agent(ext, "help", busy=True) for ext in ("4", "5")]
    floor.queue("help")
    floor.waits("b", "help")
    assert busy[0] is not None
    assert len(floor.roster.on_line("")) == 4
    floor.waits("c", "help")
    floor.waits("d", "help")
    assert len(floor.roster.on_line("")) == 3


def test_who_missed_a_caller_is_not_rung_for_him_again_before_a_breath_but_another_is(floor: Floor):
    floor.agent("1", "sales")
    entry = floor.waits("a", "sales")
    floor.offers["a"].missed("no_answer")
    entry.missed["1"] = floor.clock.ticks
    floor.offers["a"].close()
    floor.board.enter(entry)
    assert floor.taken == [("a", "1")]
    assert floor.board.next_look(entry) == pytest.approx(5.0)
    floor.clock.turn(5)
    floor.board.look(entry)
    assert floor.taken == [("a", "1"), ("a", "1")]


def test_ring_all_holds_everybody_who_is_free_and_whoever_becomes_free_until_somebody_wins(floor: Floor):
    floor.queue("sales", strategy="ring_all")
    floor.agent("1", "sales")
    floor.agent("2", "sales")
    held = floor.agent("3", "sales", busy=True)
    entry = floor.waits("a", "sales")
    assert sorted(floor.taken) == [("a", "1"), ("a", "2")]
    held.close()
    assert floor.taken[-1] == ("a", "3")
    floor.board.leave(entry)
    floor.agent("4", "sales")
    assert len(floor.taken) == 3


def test_skills_are_wanted_and_wanted_less_as_the_wait_goes_on(floor: Floor):
    floor.queue("sales", strategy="skills", skills="danish:3", skills_relax="30")
    floor.agent("1", "sales", skills={"danish": 2})
    entry = floor.waits("a", "sales")
    assert floor.taken == []
    assert floor.board.next_look(entry) == pytest.approx(30)
    floor.clock.turn(30)
    floor.board.look(entry)
    assert floor.taken == [("a", "1")]


def test_a_change_of_the_queue_is_obeyed_for_those_who_wait(floor: Floor):
    floor.queue("sales", skills="danish:3")
    floor.agent("1", "sales")
    floor.waits("a", "sales")
    assert floor.taken == []
    floor.queue("sales")
    assert floor.taken == [("a", "1")]


def test_round_robin_and_fewest_calls_remember(floor: Floor):
    floor.queue("sales", strategy="round_robin")
    for ext in ("1", "2", "3"):
        floor.agent(ext, "sales")
    for name in "abcd":
        floor.waits(name, "sales")
        floor.offers[name].close()
    assert [ext for _, ext in floor.taken] == ["1", "2", "3", "1"]
    floor.queue("sales", strategy="fewest_calls")
    floor.board.served("sales", "1")
    floor.board.served("sales", "2")
    floor.waits("e", "sales")
    assert floor.taken[-1] == ("e", "3")


def test_a_number_is_found_however_the_carrier_writes_it(floor: Floor):
    floor.queue("sales", dids="+442079460018")
    floor.queue("help", dids="02079460019,support")
    for did in ("442079460018", "+442079460018", "02079460018", "00442079460018"):
        assert floor.board.by_did(did).name == "sales"
    assert floor.board.by_did("+442079460019").name == "help"
    assert floor.board.by_did("Support").name == "help"
    assert floor.board.by_did("442079460099") is None


def test_place_and_expected_wait_count_those_before_him(floor: Floor):
    floor.agent("1", "sales", busy=True)
    first = floor.waits("a", "sales")
    floor.clock.turn(1)
    second = floor.waits("b", "sales")
    assert (floor.board.position(first), floor.board.position(second)) == (1, 2)
    assert floor.board.expected_wait(second) == pytest.approx(360.0)
    floor.board.handled("sales", 60.0)
    assert floor.board.expected_wait(second) == pytest.approx(120.0)
    assert floor.board.length("sales") == 2
