"""All kinds of facts, by the name under which they are posted."""

from __future__ import annotations

from contact_center.store.attempt_facts import (
    AttemptAnswered,
    AttemptConnected,
    AttemptRinging,
    AttemptSettled,
    AttemptUncounted,
)
from contact_center.store.call_facts import (
    CallArrived,
    CallConnected,
    CallFinished,
    CallLeftQueue,
    CallQueued,
    WaitSaid,
)
from contact_center.store.callback_facts import (
    CallbackAnswered,
    CallbackClosed,
    CallbackConnected,
    CallbackDialEnded,
    CallbackOrdered,
    CallbackReleased,
)
from contact_center.store.fact import Fact
from contact_center.store.pace_facts import PaceLearned
from contact_center.store.state_facts import (
    AgentStateChanged,
    AgentStatusChanged,
    CampaignStateChanged,
    PaceNoted,
    TrunkNoted,
)

__all__ = [
    "AgentStateChanged",
    "AgentStatusChanged",
    "AttemptAnswered",
    "AttemptConnected",
    "AttemptRinging",
    "AttemptSettled",
    "AttemptUncounted",
    "CallArrived",
    "CallConnected",
    "CallFinished",
    "CallLeftQueue",
    "CallQueued",
    "CallbackAnswered",
    "CallbackClosed",
    "CallbackConnected",
    "CallbackDialEnded",
    "CallbackOrdered",
    "CallbackReleased",
    "CampaignStateChanged",
    "Fact",
    "PaceLearned",
    "PaceNoted",
    "TrunkNoted",
    "WaitSaid",
]
