"""What the dialer asks of whoever places calls, and what it is told back.

The dialer and the ARI app never import each other: the dialer hands a :class:`DialOrder` to a
:class:`PlaceCall` and listens as a :class:`Progress`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import inf
from typing import Any, Protocol

from contact_center.terms import CallKind, Outcome

SENDING_SECONDS = 1.0
"""So long an INVITE may be on its way out of a busy machine: before the hours end, nothing is sent any more."""


@dataclass(frozen=True, slots=True)
class DialOrder:
    """One attempt whose intent is committed. Nothing in it comes from outside unchecked.

    ``endpoint``: the complete dial string, built from digits and the settings only.
    ``prefer_agent``: the extension of the agent who served this lead before, tried first.
    ``attempts``: how many of the lead's attempts are used up, this one included; ``n`` counts every dial.
    ``ordered_at``: when the intent was committed; ``queued_at``: when an agent was shown the lead, who then took it.
    ``deadline_seconds``: how long after the answer an agent must be on the line; with ``greeting_seconds``, how long
    after the end of the customer's greeting, of which so much is waited for.
    ``rating_group``: by what the agent rates the call, asked on his phone with ``rating_ivr``.
    ``fields``: the lead's own, and ``screen_pop_url`` the campaign's template: for the agent's screen only.
    ``invite_before``: when the calling hours close, None for no limit; ``fresh_until``: until when, in seconds of
    the monotonic clock, the do-not-call lists are as they were when they were looked at.
    ``message``: what he hears for whom nobody is free in time, empty for nothing; ``message_required``: he hears it by
    the deadline also while an agent's phone rings for him; ``opt_out_key`` puts him on the list of ``opt_out``.
    ``detect``: whether a machine may have answered is found out first; ``machine_action``: what becomes of it then
    (hangup, message or agent), ``machine_message``: what is left on it.
    ``lockout_seconds``: how long he is left alone if nobody is free for him, ``machine_lockout_seconds``: if he is
    taken for a machine; ``law_version``: the rules obeyed.
    """

    call_id: str
    channel_id: str
    attempt_id: int
    n: int
    attempts: int
    lead_id: int
    campaign: str
    kind: CallKind
    number: str
    trunk: str
    endpoint: str
    caller_id: str
    team: str
    prefer_agent: str
    hide_number: bool
    force_hangup: bool
    ring_seconds: float
    agent_ring_seconds: float
    deadline_seconds: float
    wrap_up_seconds: float
    ordered_at: datetime
    screen_pop_url: str = ""
    rating_group: str = ""
    rating_ivr: bool = False
    fields: Mapping[str, Any] = field(default_factory=dict, compare=False)
    campaign_id: int = 0
    invite_before: datetime | None = None
    fresh_until: float = inf
    lockout_seconds: float = 0.0
    machine_lockout_seconds: float = 0.0
    greeting_seconds: float = 0.0
    law_version: str = ""
    message: str = ""
    message_required: bool = False
    opt_out: str = "company"
    opt_out_key: str = "9"
    detect: bool = False
    machine_action: str = "hangup"
    machine_message: str = ""
    record: bool = False
    record_announcement: str = ""
    queued_at: datetime | None = None

    @property
    def started_at(self) -> datetime:
        """Since when it has been in the dialer's queue: the beginning of its record."""
        return self.queued_at or self.ordered_at

    def is_late(self, at: datetime, monotonic: float) -> bool:
        """Whether nothing may be sent for it any more, though it was intended."""
        ends = self.invite_before
        return monotonic > self.fresh_until or (ends is not None and at >= ends - timedelta(seconds=SENDING_SECONDS))


@dataclass(frozen=True, slots=True)
class PreviewCard:
    """A lead that an agent is shown before it is called; ``call_id`` names the showing, no call yet."""

    call_id: str
    ext: str
    lead_id: int
    campaign: str
    number: str
    hide_number: bool
    until_at: datetime
    fields: Mapping[str, Any] = field(default_factory=dict, compare=False)
    screen_pop_url: str = ""


@dataclass(frozen=True, slots=True)
class CallResult:
    """How the attempt ended.

    ``rang``: the customer's phone is known to have rung (or he answered); only then a silent end counts.
    ``sip_code``: the final SIP answer of the far end, None when there was none.
    ``record``: the call as the contract's ``call show`` prints it.
    ``certain``: False when it was never proven what happened on the line; such an attempt is not repeated.
    ``opted_out``: he keyed that he wants no more calls. ``message_left``: a machine was told it to the end.
    ``withdrawn``: we took the call back ourselves (campaign stopped); it says nothing about the trunk.
    """

    outcome: Outcome
    sip_code: int | None
    rang: bool
    agent: str
    ended_at: datetime
    record: dict[str, Any]
    certain: bool = True
    withdrawn: bool = False
    opted_out: bool = False
    message_left: bool = False


class Progress(Protocol):
    """What the dialer hears while a call lives. All calls are synchronous and never fail."""

    def ringing(self, order: DialOrder, at: datetime) -> None:
        """The customer's phone rings."""
        ...

    def answered(self, order: DialOrder, at: datetime) -> None:
        """The customer answered."""
        ...

    def judged(self, order: DialOrder, at: datetime, *, machine: bool) -> None:
        """It is known who answered; a ``machine`` needs no agent."""
        ...

    def connected(self, order: DialOrder, at: datetime, agent: str, agent_channel_id: str, bridge_id: str) -> None:
        """Customer and agent hear each other."""
        ...

    def let_go(self, order: DialOrder, at: datetime) -> None:
        """Nobody is free for him; what he hears now needs no agent."""
        ...

    def ended(self, order: DialOrder, result: CallResult) -> None:
        """The attempt is over; told exactly once for each order."""
        ...


class PlaceCall(Protocol):
    """Places the calls; the coroutine behind an order belongs to the placer, not to the dialer."""

    @property
    def ready(self) -> bool:
        """Whether calls may be placed now: ARI is proven alive."""
        ...

    def can_say(self, message: str) -> bool:
        """Whether an order's message is ready to be played; it is made ready from now on where it is not."""
        ...

    def can_leave(self, message: str) -> bool:
        """As :meth:`can_say`, for what is left on machines."""
        ...

    def place(self, order: DialOrder) -> None:
        """Start the call's life at once; what becomes of it is told to the Progress."""
        ...

    def place_held(self, order: DialOrder, offer: object, leg: object) -> None:
        """As :meth:`place`, for the agent whom ``offer`` (of the roster) holds; ``leg``: his own call, or None."""
        ...

    def show_preview(self, card: PreviewCard) -> None:
        """An agent is shown a lead."""
        ...

    def hide_preview(self, card: PreviewCard) -> None:
        """He is not any more."""
        ...

    def withdraw(self, order: DialOrder) -> None:
        """Take a call back that is not answered yet; one that is answered goes on."""
        ...
