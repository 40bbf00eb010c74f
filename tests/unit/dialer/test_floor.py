"""The floor hears of real seats of a real roster, and tells pacers what they learn from."""

from __future__ import annotations

import pytest

from contact_center.models import Agent
from contact_center.roster import Roster
from contact_center.seat import Seat
from contact_center.terms import AgentStatus
from dialer.floor import EVERYBODY, Floor, agent_number
from tests.support.clock import HandClock


class Hall:
    def __init__(self, *exts: str, team: str = "sales") -> None:
        self.clock = HandClock()
        self.roster = Roster(self.clock, lambda _: None)
        self.events: list[tuple[str, str]] = []
        self.stirred: list[str] = []
        self.floor = Floor(self.roster, self.clock, lambda e: self.events.append((e.kind, e.ext)), self.stirred.append)
        for ext in exts:
            row = Agent(
                ext=ext, name=ext, endpoint=f"PJSIP/{ext}", team=team, status="online", since_at=self.clock.now()
            )
            self.roster.load([row], self.clock.now())
        self.events.clear()
        self.stirred.clear()

    def crew(self, team: str = "sales") -> tuple[int, int, list[float], list[float]]:
        crew = self.floor.crew(team)
        return crew.idle, crew.on_line, *crew.ages(self.clock.monotonic())


def test_a_whole_call_tells_its_end_and_when_the_agent_is_ready_again():
    hall = Hall("1001", "1002")
    offer = hall.roster.reserve("sales", "call-1")
    assert hall.floor.offered == {"call-1"}
    assert hall.crew() == (1, 2, [], [])
    offer.connected(5.0)
    hall.clock.forward(60)
    assert hall.crew() == (1, 2, [60.0], [])
    assert not hall.floor.offered
    offer.close()
    hall.clock.forward(4)
    assert hall.crew() == (1, 2, [], [4.0])
    hall.roster.end_wrap_up(offer.seat)
    assert hall.crew() == (2, 2, [], [])
    assert hall.events == [("hangup", "1001"), ("ready", "1001")]
    assert hall.crew(EVERYBODY) == hall.crew()


def test_without_wrap_up_the_talk_ends_before_the_agent_is_ready():
    hall = Hall("1001")
    offer = hall.roster.reserve("sales", "call-1")
    offer.connected(0.0)
    offer.close()
    assert hall.events == [("hangup", "1001"), ("ready", "1001")]


@pytest.mark.parametrize("status", [AgentStatus.PAUSED, AgentStatus.OFFLINE])
def test_who_leaves_during_his_talk_is_gone_after_it_and_comes_back_by_a_login(status):
    hall = Hall("1001")
    offer = hall.roster.reserve("sales", "call-1")
    offer.connected(0.0)
    hall.roster.set_status("1001", status, "", by="agent:1001")
    assert hall.crew() == (0, 0, [], [])
    offer.close()
    assert hall.events == [("hangup", "1001"), ("logout", "1001")]
    hall.roster.set_status("1001", AgentStatus.ONLINE, "", by="agent:1001")
    assert hall.events[2:] == [("login", "1001")]
    assert hall.crew() == (1, 1, [], [])


def test_a_phone_that_is_lost_takes_its_agent_off_line():
    hall = Hall("1001", "1002")
    hall.roster.phone("PJSIP/1001", reachable=False)
    assert hall.crew() == (1, 1, [], [])
    assert hall.events == [("logout", "1001")]


def test_only_what_may_lead_to_a_call_wakes_campaigns():
    hall = Hall("1001")
    offer = hall.roster.reserve("sales", "call-1")
    offer.connected(5.0)
    assert hall.stirred == []
    offer.close()
    hall.roster.end_wrap_up(offer.seat)
    assert hall.stirred == ["sales", "sales"]
    hall.roster.set_status("1001", AgentStatus.PAUSED, "", by="agent:1001")
    assert hall.stirred == ["sales", "sales"]


def test_an_agent_who_changes_his_team_leaves_the_one_and_comes_to_the_other():
    hall = Hall("1001")
    row = Agent(ext="1001", name="x", endpoint="PJSIP/1001", team="help", status="online", since_at=hall.clock.now())
    hall.roster.sync("1001", row)
    assert hall.crew()[:2] == (0, 0)
    assert hall.crew("help")[:2] == (1, 1)
    assert hall.crew(EVERYBODY)[:2] == (1, 1)
    assert hall.events == [("logout", "1001"), ("login", "1001")]


def test_a_removed_agent_is_no_longer_counted_even_after_his_talk():
    hall = Hall("1001")
    offer = hall.roster.reserve("sales", "call-1")
    offer.connected(5.0)
    hall.roster.sync("1001", None)
    assert hall.crew(EVERYBODY) == (0, 0, [], [])
    offer.close()
    assert hall.crew(EVERYBODY) == (0, 0, [], [])
    assert hall.roster.get("1001") is None


def test_extensions_with_leading_zeros_are_other_agents():
    assert agent_number("0101") != agent_number("101")


class Queue:
    """Callers who wait and need these agents."""

    def __init__(self, *needed: str) -> None:
        self.needed = set(needed)

    def take(self, seat: Seat) -> str:
        return ""

    def spoken_for(self) -> set[str]:
        return self.needed


def test_agents_whom_callers_in_a_queue_need_are_not_there_for_campaigns():
    hall = Hall("1001", "1002", "1003")
    offer = hall.roster.reserve("sales", "call-1")
    offer.connected(0.0)
    hall.roster.callers = Queue(offer.ext, "1002", "9999")
    assert hall.crew() == (2, 3, [0.0], [])
    hall.floor.look()
    assert hall.crew() == hall.crew(EVERYBODY) == (1, 1, [], [])
    assert hall.crew("help") == (0, 0, [], [])
    assert hall.floor.whole("sales").on_line == 3
    hall.roster.callers.needed.clear()
    hall.floor.look()
    assert hall.crew() == (2, 3, [0.0], [])
