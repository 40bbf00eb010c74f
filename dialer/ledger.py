"""What became of each call: progress and endings turned into facts, lead steps and trunk health."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from contact_center.clock import Clock
from contact_center.crash_points import reached
from contact_center.dialling import CallResult, DialOrder
from contact_center.options import CampaignOptions
from contact_center.outcomes import LeadChange, after
from contact_center.store.facts import (
    AttemptAnswered,
    AttemptConnected,
    AttemptRinging,
    AttemptSettled,
    Fact,
)
from contact_center.store.recovery import OpenAttempt
from contact_center.terms import LeadState, Outcome
from dialer.campaign import CampaignRun, LiveCall
from dialer.trunks import Trunks


def _number(ext: str) -> int:
    """An agent's number as the pacer knows him; extensions are digits."""
    return int(ext) if ext.isdigit() else 0


class Ledger:
    """Hears of every call that campaigns placed; implements :class:`contact_center.dialling.Progress`."""

    def __init__(
        self,
        *,
        campaigns: dict[int, CampaignRun],
        trunks: Trunks,
        clock: Clock,
        post: Callable[[Fact], None],
        wake: Callable[[], None],
    ) -> None:
        self._campaigns, self._trunks, self._clock = campaigns, trunks, clock
        self._post, self._wake = post, wake
        self.on_result: list[Callable[[DialOrder, CallResult], None]] = []

    def _live(self, order: DialOrder) -> tuple[CampaignRun | None, LiveCall | None]:
        for run in self._campaigns.values():
            if call := run.live.get(order.channel_id):
                return run, call
        return None, None

    def adopted(self, attempt: OpenAttempt, order: DialOrder, answered: bool, connected: bool) -> None:
        """A call of an earlier process goes on under this one, or is about to be closed."""
        self._trunks.adopt(order.trunk)
        if run := self._campaigns.get(attempt.campaign_id):
            now = self._clock.monotonic()
            run.live[order.channel_id] = LiveCall(
                order, now, answered=now if answered else None, connected=now if connected else None
            )

    def ringing(self, order: DialOrder, at: datetime) -> None:
        """Progress: the customer's phone rings."""
        reached("ringing_seen")
        self._trunks.rang(order.trunk)
        self._post(AttemptRinging(channel_id=order.channel_id, at=at))
        reached("ringing_posted")
        if call := self._live(order)[1]:
            call.rang = True

    def answered(self, order: DialOrder, at: datetime) -> None:
        """Progress: the customer answered."""
        reached("answer_seen")
        self._trunks.rang(order.trunk)
        self._post(AttemptAnswered(channel_id=order.channel_id, at=at))
        reached("answer_posted")
        run, call = self._live(order)
        if run and call:
            call.answered = self._clock.monotonic()
            run.pacer.observe("answer", call.answered, order.attempt_id)
        self._wake()

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
        run, call = self._live(order)
        if run and call:
            call.connected = self._clock.monotonic()
            call.agent = _number(agent)
            run.pacer.observe("connect", call.connected, order.attempt_id, call.agent)
        self._wake()

    def ended(self, order: DialOrder, result: CallResult) -> None:
        """Progress: the attempt is over; the lead's next step is stored together with the record."""
        run, call = self._live(order)
        if call and call.connected is not None:
            reached("wrap_up_begun")
        result = self._trunks.ended(order, result)
        for tell in self.on_result:
            tell(order, result)
        self.settle(order, result, self._next_step(order, result, run))
        if run and call:
            run.live.pop(order.channel_id, None)
            run.refresh()
            self._tell_pacer(run, call, result)
        self._wake()

    def never_placed(self, run: CampaignRun, order: DialOrder) -> None:
        """The intent was stored but nothing was sent: the lead is due at once, no attempt is used up."""
        run.live.pop(order.channel_id, None)
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
        swallowed = result.outcome is Outcome.NOT_ATTEMPTED and result.certain
        if swallowed and not result.withdrawn and not self._trunks.is_down(order.trunk):
            # the trunk carries other calls, so there is no "when it is back" to wait for
            later = result.ended_at + timedelta(seconds=options.retry_technical)
            return replace(change, next_attempt_at=later)
        return change

    def _tell_pacer(self, run: CampaignRun, call: LiveCall, result: CallResult) -> None:
        now, ident = self._clock.monotonic(), call.order.attempt_id
        if call.connected is not None:
            run.pacer.observe("hangup", now, call.agent)
        elif call.answered is not None:
            run.pacer.observe("drop", now, ident)
        else:
            kind = {Outcome.BUSY: "busy", Outcome.INVALID_NUMBER: "invalid"}.get(result.outcome, "no_answer")
            run.pacer.observe("fail", now, ident, kind)

    def settle(self, order: DialOrder, result: CallResult, change: LeadChange) -> None:
        """Store the end of an attempt, the lead's next step and the call's record as one fact."""
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
            )
        )
        reached("settled_posted")
