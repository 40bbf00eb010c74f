"""The end of one dialled attempt: who left first, what that means, and what is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

import structlog

from ari_app.channel import Channel, Gone, GoneKind
from ari_app.detection import Verdict
from ari_app.errors import HungUp
from ari_app.parting import customer_left
from ari_app.patience import Patience
from ari_app.services import Services
from contact_center import timeline
from contact_center.dialling import CallResult, DialOrder
from contact_center.outcomes import classify
from contact_center.terms import Outcome, Party

TIMER_B_SECONDS = 31.0  # RFC 3261: an INVITE that nothing answers ends after 32 s

log = structlog.get_logger(__name__)


class CallEnd:
    """What one attempt has come to so far: ``outcome`` None where only its end can tell.

    ``agent``: the extension of who talks, or talked. ``certain``: whether it is known what became of the customer.
    ``withdrawn``: taken back before it was sent or answered. ``opted_out``: he wants no more calls.
    ``verdict``: whether a machine answered, where that was asked; ``message_left`` on it. ``on_answer`` is called where
    an answer was not seen before the end.
    """

    def __init__(
        self,
        order: DialOrder,
        customer: Channel,
        calls: timeline.CallLog,
        env: Services,
        on_answer: Callable[[], None],
    ) -> None:
        self._order, self._customer, self._log, self._env = order, customer, calls, env
        self._on_answer = on_answer
        self.outcome: Outcome | None = None
        self.agent = ""
        self.certain, self.withdrawn, self.opted_out = True, False, False
        self.verdict: Verdict | None = None
        self.message_left = False
        self.patience: Patience | None = None
        self.placed_at = asyncio.get_running_loop().time()

    def left(self, hangup: HungUp) -> None:
        """Somebody hung up."""
        if hangup.channel is not self._customer:
            self._log.add(timeline.Left(self._now(), Party.AGENT))
            return
        gone = self._customer.gone.value
        if gone.kind is GoneKind.REFUSED:  # nothing was sent; it is seen as a hang-up before the refusal itself is
            self.outcome, self.withdrawn = Outcome.NOT_ATTEMPTED, not self._env.ari.live
            log.warning("not placed", action="dial", call_id=self._order.call_id)
            return
        if self._customer.answered.happened and self._log.find(timeline.Answered) is None:
            self._on_answer()  # he answered and hung up before we could look
        if gone.kind is GoneKind.LOST:
            self.certain = self.outcome is not None
        customer_left(gone, self._log)

    def result(self) -> CallResult:
        """What is told of the attempt; to be asked for once, when it is over."""
        gone = self._customer.gone.value if self._customer.gone.happened else None
        answered = self._log.find(timeline.Answered) is not None
        outcome, sip_code = self.outcome, 200 if answered else None
        if gone is not None and not gone.asked and not answered:
            sip_code = gone.tech_cause
        if outcome is None and answered:
            outcome = self._left_waiting(gone)
        if outcome is None and gone is not None and gone.kind is GoneKind.DESTROYED:
            outcome = self._refused(gone)
            sip_code = None if outcome is Outcome.NOT_ATTEMPTED else sip_code
        if outcome is None:
            outcome, self.certain = Outcome.TECHNICAL_ERROR, False
        at = gone.at if gone is not None else self._now()
        self._log.add(timeline.Ended(at, outcome, sip_code))
        return CallResult(
            outcome=outcome,
            sip_code=sip_code,
            rang=self._customer.ringing.happened,
            agent=self.agent,
            ended_at=at,
            record=timeline.fold(self._log) | self._law() | self._judged(),
            certain=self.certain,
            withdrawn=self.withdrawn,
            opted_out=self.opted_out,
            message_left=self.message_left,
        )

    def _judged(self) -> dict[str, Any]:
        """The verdict of machine detection, for the report of how good it is."""
        return {"amd": self.verdict.as_json(self._order.machine_action)} if self.verdict else {}

    def _law(self) -> dict[str, Any]:
        """The rules that were obeyed, for the evidence, and when his greeting was over, where they count from that."""
        told: dict[str, Any] = {"law_version": self._order.law_version} if self._order.law_version else {}
        if self.patience is not None and self.patience.greeting_seconds is not None:
            told["greeting_seconds"] = self.patience.greeting_seconds
        return told

    def _left_waiting(self, gone: Gone | None) -> Outcome:
        """He answered and hung up before an agent was there: our failure once the deadline had passed."""
        if gone is None or gone.kind is GoneKind.LOST:
            return Outcome.TECHNICAL_ERROR
        answered: timeline.Answered = self._log.find(timeline.Answered)
        waited = (gone.at - answered.at).total_seconds()
        return Outcome.NO_FREE_OPERATORS if waited >= self._order.deadline_seconds else Outcome.TECHNICAL_ERROR

    def _refused(self, gone: Gone) -> Outcome:
        """What the refusal means. Asterisk answers 408 itself when the trunk said nothing for 32 s (timer B)."""
        waited = asyncio.get_running_loop().time() - self.placed_at
        silent = gone.tech_cause in (None, 408) and gone.cause in (None, 18, 19)
        if silent and not self._customer.ringing.happened and waited >= TIMER_B_SECONDS:
            return Outcome.NOT_ATTEMPTED
        return classify(gone.tech_cause, gone.cause)

    def _now(self) -> datetime:
        return self._env.clock.now()
