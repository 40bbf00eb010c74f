"""The story of calls and agents as queue_log records, so that tools which read app_queue's log read ours.

Layouts: Asterisk's own documentation of queue_log; CALLSTATUS and the DROP of an abandoned campaign call as
QueueMetrics reads them. A campaign stands in the log as a queue of its name.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from contact_center.clock import Clock
from contact_center.dialling import CallResult, DialOrder, Progress
from contact_center.roster import Roster
from contact_center.seat import Seat
from contact_center.terms import AgentStatus, Outcome, Party

ALONE = 1  # position of a call that a campaign placed: it waits in no line


class Log(Protocol):
    """What is needed of QueueLog."""

    def write(self, queue: str, uniqueid: str, interface: str, event: str, *data: object) -> None:
        """One record."""
        ...


class CallRecords:
    """Writes the records of dialled calls, then tells the next listener."""

    def __init__(self, queue_log: Log, roster: Roster, then: Progress) -> None:
        self._log, self._roster, self._then = queue_log, roster, then
        self._answered_at: dict[str, datetime] = {}

    def _interface(self, ext: str) -> str:
        seat = self._roster.get(ext)
        return seat.endpoint if seat else ext

    def ringing(self, order: DialOrder, at: datetime) -> None:
        """Progress: nothing for the log."""
        self._then.ringing(order, at)

    def answered(self, order: DialOrder, at: datetime) -> None:
        """Progress: a person is there, so the call is in the queue."""
        self._then.answered(order, at)
        self._answered_at[order.channel_id] = at
        self._log.write(order.campaign, order.channel_id, "", "ENTERQUEUE", "", order.number, ALONE)

    def connected(self, order: DialOrder, at: datetime, agent: str, agent_channel_id: str, bridge_id: str) -> None:
        """Progress: an agent took it; for a dialled call the wait is the ringing of his phone."""
        self._then.connected(order, at, agent, agent_channel_id, bridge_id)
        hold = round((at - self._answered_at.pop(order.channel_id, at)).total_seconds())
        interface = self._interface(agent)
        self._log.write(order.campaign, order.channel_id, interface, "CONNECT", hold, agent_channel_id, hold)

    def judged(self, order: DialOrder, at: datetime, *, machine: bool) -> None:
        """Progress: his end says it."""
        self._then.judged(order, at, machine=machine)

    def let_go(self, order: DialOrder, at: datetime) -> None:
        """Progress: his end says it."""
        self._then.let_go(order, at)

    def ended(self, order: DialOrder, result: CallResult) -> None:
        """Progress: what became of it."""
        self._then.ended(order, result)
        self._answered_at.pop(order.channel_id, None)
        if not result.record.get("answered_at"):
            return
        if result.outcome is Outcome.CONNECTED:
            self._connected(order, result)
        else:
            self._not_connected(order, result)

    def _connected(self, order: DialOrder, result: CallResult) -> None:
        hold = round(result.record.get("answer_to_agent_seconds") or 0)
        agent_left = result.record.get("hung_up_by") == Party.AGENT
        event = "COMPLETEAGENT" if agent_left else "COMPLETECALLER"
        talk = round(result.record.get("talk_seconds") or 0)
        self._log.write(order.campaign, order.channel_id, self._interface(result.agent), event, hold, talk, ALONE)

    def _not_connected(self, order: DialOrder, result: CallResult) -> None:
        waited = round(_waited(result.record))
        if result.outcome is Outcome.NO_FREE_OPERATORS:
            self._log.write(order.campaign, order.channel_id, "", "EXITWITHTIMEOUT", ALONE, ALONE, waited)
            self._log.write(order.campaign, order.channel_id, "", "CALLSTATUS", "DROP")
        elif result.outcome is Outcome.MACHINE:
            self._log.write(order.campaign, order.channel_id, "", "EXITWITHTIMEOUT", ALONE, ALONE, waited)
            self._log.write(order.campaign, order.channel_id, "", "CALLSTATUS", "MACHINE")
        else:
            self._log.write(order.campaign, order.channel_id, "", "ABANDON", ALONE, ALONE, waited)


def _waited(record: dict[str, Any]) -> float:
    answered, ended = record.get("answered_at"), record.get("ended_at")
    if not answered or not ended:
        return 0.0
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(answered)).total_seconds()


class AgentRecords:
    """Writes AGENTLOGIN, AGENTLOGOFF, PAUSEALL and UNPAUSEALL as agents come and go."""

    def __init__(self, queue_log: Log, clock: Clock) -> None:
        self._log, self._clock = queue_log, clock
        self._since: dict[str, datetime] = {}
        self._paused: set[str] = set()

    def hear(self, seat: Seat) -> None:
        """What an agent chose, or a supervisor for him."""
        now = self._clock.now()
        if seat.status is AgentStatus.OFFLINE:
            self._paused.discard(seat.ext)
            seconds = round((now - self._since.pop(seat.ext, now)).total_seconds())
            self._log.write("", "", seat.endpoint, "AGENTLOGOFF", seat.endpoint, seconds)
            return
        if seat.ext not in self._since:
            self._since[seat.ext] = now
            self._log.write("", "", seat.endpoint, "AGENTLOGIN", seat.endpoint)
        if seat.status is AgentStatus.PAUSED:
            self._paused.add(seat.ext)
            self._log.write("", "", seat.endpoint, "PAUSEALL", seat.pause_reason)
        elif seat.ext in self._paused:
            self._paused.discard(seat.ext)
            self._log.write("", "", seat.endpoint, "UNPAUSEALL", "")
