"""What the roster makes of phones that are lost, of lines and of calls of an agent's own."""

from __future__ import annotations

from contact_center.models import Agent
from contact_center.roster import Roster
from contact_center.seat import Seat
from contact_center.terms import AgentState, AgentStatus
from tests.support.clock import HandClock


class Desk:
    def __init__(self, **more: object) -> None:
        self.clock = HandClock()
        self.roster = Roster(self.clock, lambda _: None)
        self.roster.load([self.row(**more)], self.clock.now())

    def row(self, **more: object) -> Agent:
        given = {"status": "online", **more}
        return Agent(ext="1001", name="Ann", endpoint="PJSIP/1001", since_at=self.clock.now(), **given)

    @property
    def seat(self) -> Seat:
        seat = self.roster.get("1001")
        assert seat is not None
        return seat

    def miss(self, reason: str) -> None:
        offer = self.roster.reserve("", "call")
        assert offer is not None
        offer.missed(reason)
        offer.close()


def test_a_phone_that_gives_no_sign_of_life_is_doubted_and_is_no_miss_of_its_agents() -> None:
    desk = Desk()
    desk.miss("silent")
    assert (desk.seat.state, desk.seat.misses) == (AgentState.UNREACHABLE, 0)
    assert desk.seat.doubted_at == desk.clock.now()
    desk.roster.phone("PJSIP/1001", reachable=True)
    assert (desk.seat.state, desk.seat.doubted_at) == (AgentState.IDLE, None)


def test_a_line_is_taken_at_its_word_until_its_phone_is_lost_and_then_only_if_it_is_heard() -> None:
    desk = Desk()
    desk.roster.phone("PJSIP/1001", reachable=False)
    desk.roster.line(desk.seat, "channel")
    assert desk.seat.state is AgentState.IDLE  # he never registered, and yet he called
    desk.roster.phone("PJSIP/1001", reachable=True)
    desk.roster.phone("PJSIP/1001", reachable=False)
    assert desk.seat.state is AgentState.UNREACHABLE
    desk.roster.phone("PJSIP/1001", reachable=True)
    assert desk.seat.state is AgentState.UNREACHABLE  # the phone is back; the old call need not be
    desk.roster.line_lives(desk.seat)
    assert desk.seat.state is AgentState.IDLE


def test_a_line_not_answered_twice_pauses_the_agent() -> None:
    desk = Desk(connect="persistent")
    desk.roster.line_missed(desk.seat)
    desk.roster.line_missed(desk.seat)
    assert (desk.seat.state, desk.seat.pause_reason) == (AgentState.PAUSED, "line not answered")


def test_who_leaves_in_the_wrap_up_is_off_line_at_once() -> None:
    desk = Desk()
    offer = desk.roster.reserve("", "call")
    assert offer is not None
    offer.connected(30.0)
    offer.close()
    assert (desk.seat.state, desk.seat.last_call_id) == (AgentState.WRAP_UP, "call")
    desk.roster.sync("1001", desk.row(status="offline"), chose_at=desk.clock.now())
    assert desk.seat.state is AgentState.OFFLINE


def test_a_removed_agent_leaves_and_whoever_watches_him_is_told() -> None:
    desk = Desk()
    seat, told = desk.seat, []
    seat.watch = lambda: told.append(seat.status)
    desk.roster.sync("1001", None)
    assert told == [AgentStatus.OFFLINE]


def test_a_call_of_his_own_is_known_while_it_lasts() -> None:
    desk = Desk()
    with desk.roster.calling("PJSIP/1001", "channel"):
        assert desk.seat.own_calls == ["channel"]
        assert desk.seat.state is AgentState.IDLE
    assert desk.seat.own_calls == []


def test_an_agent_found_unreachable_stays_so_after_a_restart_until_his_phone_is_heard_of() -> None:
    desk = Desk(state="unreachable")
    assert desk.seat.state is AgentState.UNREACHABLE
