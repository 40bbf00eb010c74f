"""Who is told what happens to callers: the store by facts, queue_log by its records. Nothing here waits or fails.

Layouts of the records: Asterisk's own documentation of queue_log.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from ari_app.queue_patience import CALLBACK_KEY
from ari_app.queue_records import Log
from ari_app.transfer import Reached
from contact_center.http.metrics import Meters
from contact_center.roster import Roster
from contact_center.store.facts import (
    CallArrived,
    CallConnected,
    CallFinished,
    CallLeftQueue,
    CallQueued,
    Fact,
    WaitSaid,
)
from contact_center.story import CallLog, Entered
from contact_center.story_kept import heard_to_keep
from contact_center.terms import CallState, Party, Reception, VisitEnd

_VISIT_ENDS = {Reception.REMOVED.value: VisitEnd.REMOVED, Reception.TECHNICAL_ERROR.value: VisitEnd.LOST}


class InboundTold:
    """What is told of one caller's call; made for each by :class:`Listeners`."""

    def __init__(self, listeners: Listeners, call_id: str, channel_id: str) -> None:
        self._to, self._call_id, self._channel_id = listeners, call_id, channel_id
        self._visit: Entered | None = None
        self._hold_seconds = 0.0
        self._agent = ""
        self._given = False

    def _log(self, queue: str, interface: str, event: str, *data: object) -> None:
        self._to.queue_log.write(queue, self._channel_id, interface, event, *data)

    def known(self, visit: Entered, agent: str, hold_seconds: float, *, given: bool = False) -> None:
        """What an earlier process told already; ``given``: also that the first agent gave him away."""
        self._visit, self._agent, self._hold_seconds, self._given = visit, agent, hold_seconds, given

    def arrived(self, at: datetime, did: str, number: str, queue: str) -> None:
        """A caller is there."""
        self._to.post(
            CallArrived(
                call_id=self._call_id, channel_id=self._channel_id, at=at, did=did, caller_number=number, queue=queue
            )
        )

    def queued(self, visit: Entered, priority: int, calls: CallLog) -> None:
        """He stands in line; ``calls`` is what is known of his call."""
        self._visit, self._agent, self._given = visit, "", False
        self._to.post(
            CallQueued(
                call_id=self._call_id,
                n=visit.n,
                queue=visit.queue,
                channel_id=self._channel_id,
                at=visit.at,
                priority=priority,
                position=visit.position,
                heard=heard_to_keep(calls),
            )
        )
        self._log(visit.queue, "", "ENTERQUEUE", "", calls.header.caller_number, visit.position)

    def said(self, at: datetime, seconds: float) -> None:
        """He was told how long he will wait."""
        if self._visit is not None:
            self._to.post(WaitSaid(call_id=self._call_id, n=self._visit.n, at=at, seconds=round(seconds, 1)))

    def not_answered(self, ext: str, rung_seconds: float) -> None:
        """An agent did not take him."""
        if self._visit is not None:
            self._log(self._visit.queue, self._to.interface(ext), "RINGNOANSWER", round(1000 * rung_seconds))

    def connected(self, at: datetime, ext: str, agent_channel_id: str, bridge_id: str, rung_seconds: float) -> None:
        """He hears an agent."""
        if self._visit is None:
            return
        hold = (at - self._visit.at).total_seconds()
        self._agent, self._hold_seconds = ext, hold
        self._to.post(
            CallConnected(
                call_id=self._call_id,
                n=self._visit.n,
                queue=self._visit.queue,
                at=at,
                agent=ext,
                agent_channel_id=agent_channel_id,
                bridge_id=bridge_id,
                wait_seconds=round(hold, 3),
                ring_seconds=round(rung_seconds, 3),
            )
        )
        self._to.meters.queue_wait_seconds.labels(self._visit.queue).observe(hold)
        interface = self._to.interface(ext)
        self._log(self._visit.queue, interface, "CONNECT", round(hold), agent_channel_id, round(rung_seconds))

    def moved(self, at: datetime, to: Reached) -> None:
        """His agent gave him to another agent, or to a number outside."""
        if (visit := self._visit) is None:
            return
        talked = (at - visit.at).total_seconds() - self._hold_seconds
        interface = self._to.interface(self._agent)
        figures = (round(self._hold_seconds), round(talked), visit.position)
        self._log(visit.queue, interface, *to.told, *figures)
        self._agent = to.agent or to.name
        self._to.post(
            CallConnected(
                call_id=self._call_id,
                n=visit.n,
                queue=visit.queue,
                at=at,
                agent=self._agent,
                agent_channel_id=to.leg.channel.id,
                bridge_id=to.leg.bridge_id,
                wait_seconds=round(self._hold_seconds, 3),
            )
        )
        self._given = True

    def sent_on(self, at: datetime, end: VisitEnd, target: str, position: int) -> None:
        """A rule of the queue ended his wait."""
        if (visit := self._visit) is None:
            return
        waited = (at - visit.at).total_seconds()
        self._to.post(
            CallLeftQueue(
                call_id=self._call_id,
                n=visit.n,
                queue=visit.queue,
                at=at,
                outcome=end.value,
                target=target,
                wait_seconds=round(waited, 3),
            )
        )
        places = (position, visit.position, round(waited))
        if end is VisitEnd.CALLBACK:
            self._log(visit.queue, "", "EXITWITHKEY", CALLBACK_KEY, *places)
        else:
            self._log(visit.queue, "", "EXITEMPTY" if end is VisitEnd.EMPTY else "EXITWITHTIMEOUT", *places)
        self._visit = None

    def finished(self, at: datetime, position: int, wrap_up_seconds: float, record: dict[str, Any]) -> None:
        """His call is over."""
        end = _VISIT_ENDS.get(str(record.get("disposition")), VisitEnd.ABANDONED)
        if record.get("call_state") == CallState.SWITCH_LOST:
            end = VisitEnd.LOST
        self._to.post(
            CallFinished(
                call_id=self._call_id,
                at=at,
                outcome=end.value,
                wrap_up_seconds=wrap_up_seconds,
                record=record,
            )
        )
        self._to.meters.calls.labels(str(record.get("kind")), str(record.get("call_state"))).inc()
        if (visit := self._visit) is None:
            return
        if self._given:
            return  # the transfer was the last word on this stay
        if self._agent:
            by_agent = record.get("hung_up_by") == Party.AGENT
            event = "COMPLETEAGENT" if by_agent else "COMPLETECALLER"
            talk = round(record.get("talk_seconds") or 0)
            interface = self._to.interface(self._agent)
            self._log(visit.queue, interface, event, round(self._hold_seconds), talk, visit.position)
            return
        places = (position, visit.position, round((at - visit.at).total_seconds()))
        if end is VisitEnd.REMOVED:
            self._log(visit.queue, "", "WITHDRAW", *places, "ended by a supervisor")
        else:
            self._log(visit.queue, "", "ABANDON", *places)


class Listeners:
    """Where the stories of all callers go: ``post`` takes facts, ``queue_log`` records."""

    def __init__(self, post: Callable[[Fact], None], queue_log: Log, roster: Roster, meters: Meters) -> None:
        self.post, self.queue_log, self._roster, self.meters = post, queue_log, roster, meters

    def interface(self, ext: str) -> str:
        """How queue_log names an agent: by his phone."""
        seat = self._roster.get(ext)
        return seat.endpoint if seat else ext

    def call(self, call_id: str, channel_id: str) -> InboundTold:
        """For one caller's call."""
        return InboundTold(self, call_id, channel_id)
