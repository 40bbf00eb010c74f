"""What every caller's call is handed besides Services."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ari_app.agent_line import AgentLines
from ari_app.callback_desk import CallbackDesk
from ari_app.queue_prompts import QueuePrompts
from contact_center.queues.board import QueueBoard


@dataclass(frozen=True, slots=True)
class Caller:
    """Who called whom, and when."""

    call_id: str
    number: str
    did: str
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Reception:
    """What every caller's call is handed besides Services."""

    board: QueueBoard
    lines: AgentLines
    prompts: QueuePrompts
    callbacks: CallbackDesk | None = None
