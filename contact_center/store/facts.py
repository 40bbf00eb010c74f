"""All kinds of facts, by the name under which they are posted."""

from __future__ import annotations

from contact_center.store.attempt_facts import (
    AttemptAnswered,
    AttemptConnected,
    AttemptRinging,
    AttemptSettled,
    AttemptUncounted,
)
from contact_center.store.fact import Fact
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
    "CampaignStateChanged",
    "Fact",
    "PaceNoted",
    "TrunkNoted",
]
