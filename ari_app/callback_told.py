"""What is told of a callback's talk while it lasts: the store, so that it can be taken over, and queue_log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ari_app.agent_leg import Leg
from ari_app.callback_parts import CallbackParts
from ari_app.transfer import Reached
from contact_center import story
from contact_center.callbacks.plan import Kept
from contact_center.roster import Offer
from contact_center.store.callback_facts import CallbackAnswered, CallbackConnected
from contact_center.terms import Party

ALONE = 1  # place in the queue of a customer who is called: nobody stands before him


class CallbackTold:
    """For one turn of one callback."""

    def __init__(self, kept: Kept, parts: CallbackParts) -> None:
        self._kept, self._parts = kept, parts
        self._n, self._customer, self._interface = 0, "", ""
        self._connected_at: datetime | None = None
        self._given = False

    def not_taken(self, offer: Offer, rung_seconds: float) -> None:
        """The agent who was called first did not take it."""
        self._write(self._kept.call_id, offer.seat.endpoint, "RINGNOANSWER", round(1000 * rung_seconds))

    def answered(self, n: int, at: datetime, customer: str) -> None:
        """The customer, or his machine, is there; ``n`` is the dial's number, ``customer`` its channel."""
        self._parts.post(CallbackAnswered(callback_id=self._kept.id, n=n, at=at))
        self._write(customer, "", "ENTERQUEUE", "", self._kept.number, ALONE)

    def connected(self, n: int, at: datetime, customer: str, leg: Leg, offer: Offer) -> None:
        """They hear each other."""
        self.known(n, at, customer, offer.seat.endpoint)
        self._post(at, offer.ext, leg)
        self._write(customer, self._interface, "CONNECT", 0, leg.channel.id, 0)

    def known(self, n: int, at: datetime, customer: str, interface: str) -> None:
        """As :meth:`connected`, told by an earlier process."""
        self._n, self._customer, self._interface, self._connected_at = n, customer, interface, at

    def moved(self, at: datetime, to: Reached) -> None:
        """The agent gave him to another agent, or to a number outside."""
        talked = story.seconds_between(self._connected_at, at)
        figures = (0, round(talked), ALONE)
        self._write(self._customer, self._interface, *to.told, *figures)
        self.given()
        self._post(at, to.agent, to.leg)

    def given(self) -> None:
        """He was given away; queue_log has had its last word."""
        self._given = True

    def ended(self, calls: story.CallLog, told: dict[str, Any], customer: str) -> None:
        """The dial is over; after a transfer queue_log has had its last word."""
        if calls.find(story.Connected) is not None:
            event = "COMPLETEAGENT" if told["hung_up_by"] == Party.AGENT else "COMPLETECALLER"
            if not self._given:
                self._write(customer, self._interface, event, 0, round(told["talk_seconds"]), ALONE)
        elif calls.find(story.Answered) is not None:
            self._write(customer, "", "ABANDON", ALONE, ALONE, 0)

    def _post(self, at: datetime, agent: str, leg: Leg) -> None:
        where = {"agent": agent, "agent_channel_id": leg.channel.id, "bridge_id": leg.bridge_id}
        self._parts.post(CallbackConnected(callback_id=self._kept.id, n=self._n, at=at, **where))

    def _write(self, uniqueid: str, interface: str, event: str, *data: object) -> None:
        self._parts.queue_log.write(self._kept.queue, uniqueid, interface, event, *data)
