"""What became of each call: progress and endings turned into facts, lead steps and trunk health."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from contact_center.clock import Clock
from contact_center.crash_points import reached
from contact_center.dialling import CallResult, DialOrder
from contact_center.options import CampaignOptions
from contact_center.outcomes import LeadChange, after
from contact_center.store.admin_dnc import DNC_REASON
from contact_center.store.facts import (
    AttemptAnswered,
    AttemptConnected,
    AttemptRinging,
    AttemptSettled,
    Fact,
)
from contact_center.store.recovery import OpenAttempt
from contact_center.terms import LeadState, Outcome
from contact_center.trunks import Trunks
from dialer.campaign import CampaignRun, LiveCall
from dialer.floor import AgentEvent, agent_number

# What a pacer is told of a call that no person answered. What is not here says nothing of people: the trunk failed,
# or nobody knows.
_FAILS = {
    Outcome.BUSY: "busy",
    Outcome.INVALID_NUMBER: "invalid",
    Outcome.BLOCKED: "invalid",
    Outcome.MISSED: "no_answer",
    Outcome.UNAVAILABLE: "no_answer",
    Outcome.MACHINE: "machine",
}
TAKEN_BACK = "the call was taken back before it was answered"
"""The reason of a lead whose call we ended ourselves: its campaign was stopped, or its number forbidden."""


class Ledger:
    """Hears of every call that campaigns placed; implements :class:`contact_center.dialling.Progress`.

    ``changed``: told of a campaign whose calls have changed, and whether that leaves room for others.
    """

    def __init__(
        self,
        *,
        campaigns: dict[int, CampaignRun],
        trunks: Trunks,
        clock: Clock,
        post: Callable[[Fact], None],
        changed: Callable[[CampaignRun, bool], None],
    ) -> None:
        self._campaigns, self._trunks, self._clock = campaigns, trunks, clock
        self._post, self._changed = post, changed
        self._calls: dict[str, tuple[CampaignRun, LiveCall]] = {}
        self._talks_for: dict[str, CampaignRun] = {}
        self.on_result: list[Callable[[DialOrder, CallResult], None]] = []

    def placed(self, run: CampaignRun, call: LiveCall) -> None:
        """A call is about to be placed."""
        self._calls[call.order.channel_id] = run, call
        run.add(call)

    def adopted(self, attempt: OpenAttempt, order: DialOrder, answered: bool, connected: bool) -> None:
        """A call of an earlier process goes on under this one, or is about to be closed."""
        self._trunks.adopt(order.trunk, order.channel_id, answered=answered, since=attempt.answered_at)
        if run := self._campaigns.get(attempt.campaign_id):
            now = self._clock.monotonic()
            began = now - max((self._clock.now() - attempt.intent_at).total_seconds(), 0.0)
            call = LiveCall(order, began, answered=now if answered else None, connected=now if connected else None)
            call.person = answered
            self.placed(run, call)
            if connected:
                self._count(run, dropped=False)
            self._changed(run, False)

    def ringing(self, order: DialOrder, at: datetime) -> None:
        """Progress: the customer's phone rings."""
        reached("ringing_seen")
        self._trunks.rang(order.trunk)
        self._post(AttemptRinging(channel_id=order.channel_id, at=at))
        reached("ringing_posted")
        if found := self._calls.get(order.channel_id):
            found[1].rang = True

    def answered(self, order: DialOrder, at: datetime) -> None:
        """Progress: the customer answered."""
        reached("answer_seen")
        self._trunks.rang(order.trunk)
        self._trunks.answered(order.trunk, order.channel_id)
        self._post(AttemptAnswered(channel_id=order.channel_id, at=at))
        reached("answer_posted")
        if found := self._calls.get(order.channel_id):
            run, call = found
            call.answered = self._clock.monotonic()
            run.move(call)
            if not run.options.amd:  # else who answered is known only when it has been listened to
                self._person(run, call)
            self._changed(run, False)

    def judged(self, order: DialOrder, at: datetime, *, machine: bool) -> None:
        """Progress: it has been listened to who answered."""
        if found := self._calls.get(order.channel_id):
            run, call = found
            if machine:
                self._machine(run, call)
            else:
                self._person(run, call)
            self._changed(run, False)

    def _machine(self, run: CampaignRun, call: LiveCall) -> None:
        """No person answered: no agent is kept for it, however long it is talked to."""
        if not call.machine:
            call.machine = True
            run.move(call)
            if not call.person:
                run.resolve(call, answered=False)
            now, ident = self._clock.monotonic(), call.order.attempt_id
            run.pacer.observe("fail", now, ident, _FAILS[Outcome.MACHINE])
            if run.windows.count_machine(self._clock.now().timestamp()):
                run.pacer.observe("drop", now, -ident)  # by a number that no call has: of somebody, not of this one

    def let_go(self, order: DialOrder, at: datetime) -> None:
        """Progress: nobody was free for him; he needs no agent while he hears the message."""
        if found := self._calls.get(order.channel_id):
            run, call = found
            self._drop(run, call)
            self._changed(run, False)

    def _drop(self, run: CampaignRun, call: LiveCall) -> None:
        if call.dropped:
            return
        self._person(run, call)
        call.dropped = True
        run.move(call)
        self._count(run, dropped=True)
        run.pacer.observe("drop", self._clock.monotonic(), call.order.attempt_id)

    def _person(self, run: CampaignRun, call: LiveCall) -> None:
        """A person answered."""
        if not call.person and call.answered is not None:
            call.person = True
            run.resolve(call, answered=True)
            run.pacer.observe("answer", call.answered, call.order.attempt_id)

    def connected(self, order: DialOrder, at: datetime, agent: str, agent_channel_id: str, bridge_id: str) -> None:
        """Progress: customer and agent hear each other."""
        self._post(
            AttemptConnected(
                channel_id=order.channel_id,
                at=at,
                agent=agent,
                agent_channel_id=agent_channel_id,
                bridge_id=bridge_id,
            )
        )
        reached("connected_posted")
        if found := self._calls.get(order.channel_id):
            run, call = found
            self._person(run, call)
            first, call.connected, call.agent = call.connected is None, self._clock.monotonic(), agent
            run.move(call)
            if first:
                self._count(run, dropped=False)
                self._talks_for[agent] = run
                run.pacer.observe("connect", call.connected, order.attempt_id, agent_number(agent))
            self._changed(run, False)

    def agent(self, event: AgentEvent, runs: Iterable[CampaignRun]) -> None:
        """An agent's state changed; ``runs``: the campaigns that may use him. A talk's end is its campaign's alone."""
        now, ident = self._clock.monotonic(), agent_number(event.ext)
        if event.kind == "hangup":
            if run := self._talks_for.pop(event.ext, None):
                run.pacer.observe("hangup", now, ident)
            return
        for run in runs:
            if run.looks_ahead:
                run.pacer.observe(event.kind, now, ident)

    def ended(self, order: DialOrder, result: CallResult) -> None:
        """Progress: the attempt is over; the lead's next step is stored together with the record."""
        run, call = self._calls.pop(order.channel_id, (None, None))
        if call and call.connected is not None:
            reached("wrap_up_begun")
        result = self._trunks.ended(order, result)
        for tell in self.on_result:
            tell(order, result)
        self.settle(order, result, self._next_step(order, result, run))
        if run and call:
            run.live.pop(order.channel_id, None)
            run.move(call)
            run.refresh()
            self._tell_pacer(run, call, result)
            self._changed(run, True)

    def never_placed(self, run: CampaignRun, order: DialOrder) -> None:
        """The intent was stored but nothing was sent: the lead is due at once, no attempt is used up."""
        self._trunks.give_back(order.trunk)
        now = self._clock.now()
        result = CallResult(Outcome.NOT_ATTEMPTED, None, False, "", now, {}, withdrawn=True)
        self.settle(order, result, LeadChange(LeadState.DUE, now, counted=False, reason="dialling was stopped"))

    def _next_step(self, order: DialOrder, result: CallResult, run: CampaignRun | None) -> LeadChange:
        options = run.options if run else CampaignOptions()
        change = after(
            result.outcome,
            ended_at=result.ended_at,
            attempts=order.attempts,
            options=options,
            certain=result.certain,
        )
        if result.withdrawn and not change.counted:
            change = replace(change, reason=TAKEN_BACK)
        if result.opted_out:
            return LeadChange(LeadState.DNC, None, counted=True, reason=DNC_REASON)
        if result.message_left:
            return LeadChange(LeadState.DONE, None, counted=True)
        locked = {
            Outcome.NO_FREE_OPERATORS: order.lockout_seconds,
            Outcome.MACHINE: order.machine_lockout_seconds,
        }.get(result.outcome)
        if locked is not None and change.next_attempt_at is not None:
            until = result.ended_at + timedelta(seconds=locked)
            return replace(change, next_attempt_at=max(change.next_attempt_at, until), alternate_at=None)
        swallowed = result.outcome is Outcome.NOT_ATTEMPTED and result.certain
        if swallowed and not result.withdrawn and not self._trunks.is_down(order.trunk):
            # the trunk carries other calls, so there is no "when it is back" to wait for
            later = result.ended_at + timedelta(seconds=options.retry_technical)
            return replace(change, next_attempt_at=later)
        return change

    def _tell_pacer(self, run: CampaignRun, call: LiveCall, result: CallResult) -> None:
        """What the end says of people; the end of a talk is told when its agent is through with it."""
        if call.connected is not None or not result.certain:
            return
        now, ident = self._clock.monotonic(), call.order.attempt_id
        if result.outcome is Outcome.MACHINE:
            self._machine(run, call)
        elif call.answered is not None:
            self._drop(run, call)
        elif (kind := _FAILS.get(result.outcome)) and not result.withdrawn:
            if not call.person:
                run.resolve(call, answered=False)
            run.pacer.observe("fail", now, ident, kind)

    def _count(self, run: CampaignRun, *, dropped: bool) -> None:
        run.windows.count(self._clock.now().timestamp(), dropped=dropped)

    def settle(self, order: DialOrder, result: CallResult, change: LeadChange) -> None:
        """Store the end of an attempt, the lead's next step and the call's record as one fact."""
        run = self._campaigns.get(order.campaign_id)
        self._post(
            AttemptSettled(
                channel_id=order.channel_id,
                attempt_id=order.attempt_id,
                lead_id=order.lead_id,
                outcome=result.outcome,
                sip_code=result.sip_code,
                counted=change.counted,
                agent=result.agent,
                ended_at=result.ended_at,
                state="done" if result.certain else "unknown",
                lead_state=change.state,
                disposition=result.outcome.value,
                next_attempt_at=change.next_attempt_at,
                last_agent=result.agent or None,
                reason=change.reason,
                record=result.record,
                alternate=change.alternate,
                alternate_at=change.alternate_at,
                day_parts=run.options.day_parts if run else "",
                attempts_per_part=run.options.attempts_per_part if run else 1,
            )
        )
        reached("settled_posted")
