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
from contact_center.store.law_facts import NumberForbidden
from contact_center.store.own_facts import OwnCallAnswered, OwnCallPlaced
from contact_center.store.pace_facts import PaceLearned
from contact_center.store.previews import PreviewNoted
from contact_center.store.rating_facts import CallRated, CategoryKeyed, RatingAsked
from contact_center.store.recording_facts import DiskNoted, RecordingNoted
from contact_center.store.state_facts import (
    AgentStateChanged,
    AgentStatusChanged,
    CampaignStateChanged,
    PaceNoted,
    TrunkNoted,
)
from contact_center.store.talk_facts import TalkMoved
from contact_center.store.trunk_use import TrunkUsed

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
    "CallRated",
    "CallbackAnswered",
    "CallbackClosed",
    "CallbackConnected",
    "CallbackDialEnded",
    "CallbackOrdered",
    "CallbackReleased",
    "CampaignStateChanged",
    "CategoryKeyed",
    "DiskNoted",
    "Fact",
    "NumberForbidden",
    "OwnCallAnswered",
    "OwnCallPlaced",
    "PaceLearned",
    "PaceNoted",
    "PreviewNoted",
    "RatingAsked",
    "RecordingNoted",
    "TalkMoved",
    "TrunkNoted",
    "TrunkUsed",
    "WaitSaid",
]
