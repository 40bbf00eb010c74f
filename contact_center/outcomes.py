"""What a SIP answer means, and when a lead is tried again (the contract's table of outcomes)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from contact_center.options import CampaignOptions
from contact_center.terms import LeadState, Outcome

USED_UP = "all attempts are used up"

_BY_SIP_CODE = {
    404: Outcome.INVALID_NUMBER,
    408: Outcome.UNAVAILABLE,
    410: Outcome.UNAVAILABLE,
    480: Outcome.UNAVAILABLE,
    484: Outcome.INVALID_NUMBER,
    486: Outcome.BUSY,
    600: Outcome.BUSY,
    603: Outcome.BUSY,
    604: Outcome.INVALID_NUMBER,
    607: Outcome.BLOCKED,
    608: Outcome.BLOCKED,
}

# Q.850 causes, for trunks whose answer carries no SIP code: 17 busy, 21 rejected, 18 to 20 no user responding,
# no answer or subscriber absent, 1 unallocated, 28 invalid number format.
_BY_CAUSE = {
    1: Outcome.INVALID_NUMBER,
    17: Outcome.BUSY,
    18: Outcome.UNAVAILABLE,
    19: Outcome.UNAVAILABLE,
    20: Outcome.UNAVAILABLE,
    21: Outcome.BUSY,
    28: Outcome.INVALID_NUMBER,
}


def classify(sip_code: int | None, cause: int | None) -> Outcome:
    """What a dial that was refused came to: by the final SIP code, else by the Q.850 cause."""
    if sip_code is not None and sip_code >= 300:
        return _BY_SIP_CODE.get(sip_code, Outcome.TECHNICAL_ERROR)
    return _BY_CAUSE.get(cause or 0, Outcome.TECHNICAL_ERROR)


def gave_up(*, rang: bool) -> Outcome:
    """What a dial that we ended ourselves came to: missed if his phone rang, else it never reached him."""
    return Outcome.MISSED if rang else Outcome.NOT_ATTEMPTED


@dataclass(frozen=True, slots=True)
class LeadChange:
    """What becomes of the lead: its state, when it is tried again, and whether the dial used up an attempt.

    ``alternate``: where it has another number that one is next, at ``alternate_at`` if that is said.
    """

    state: LeadState
    next_attempt_at: datetime | None
    counted: bool
    reason: str = ""
    alternate: bool = False
    alternate_at: datetime | None = None


def after(
    outcome: Outcome, *, ended_at: datetime, attempts: int, options: CampaignOptions, certain: bool = True
) -> LeadChange:
    """The lead's next step after a dial.

    ``attempts``: how many it has used up, this one included. ``max_attempts`` 0 means no limit. A dial of
    which nothing is certain counts, and its lead waits as after a technical error.
    """
    if outcome is Outcome.NOT_ATTEMPTED and certain:
        return LeadChange(LeadState.DUE, ended_at, counted=False, reason="the trunk did not take the call")
    if outcome is Outcome.CONNECTED:
        return LeadChange(LeadState.DONE, None, counted=True)
    used_up = bool(options.max_attempts) and attempts >= options.max_attempts
    alternate = outcome.value in options.alternate_after and certain and not used_up
    if outcome is Outcome.INVALID_NUMBER:
        told = "the number does not exist"
        return LeadChange(LeadState.CLOSED, None, counted=True, reason=told, alternate=alternate)
    if outcome is Outcome.BLOCKED:
        return LeadChange(LeadState.CLOSED, None, counted=True, reason="the network blocks our calls: review")
    if used_up:
        return LeadChange(LeadState.CLOSED, None, counted=True, reason=USED_UP)
    soon = None
    if alternate and options.alternate_delay is not None:
        soon = ended_at + timedelta(seconds=options.alternate_delay)
    later = ended_at + _delay(outcome, options)
    return LeadChange(LeadState.DUE, later, counted=True, alternate=alternate, alternate_at=soon)


def _delay(outcome: Outcome, options: CampaignOptions) -> timedelta:
    seconds = {
        Outcome.MISSED: options.retry_missed,
        Outcome.MACHINE: options.retry_missed,
        Outcome.UNAVAILABLE: options.retry_unavailable,
        Outcome.BUSY: options.retry_busy,
    }.get(outcome, options.retry_technical)
    return timedelta(seconds=seconds)
