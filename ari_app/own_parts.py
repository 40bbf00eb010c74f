"""What calls that agents make themselves are handed, and how their end is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ari_app.agent_line import AgentLines
from ari_app.services import Services
from contact_center.http.metrics import Meters
from contact_center.queues.board import QueueBoard
from contact_center.store.facts import CallFinished, Fact
from contact_center.terms import VisitEnd


@dataclass(frozen=True, slots=True)
class OwnParts:
    """Built once by the composition root. ``post`` takes facts."""

    env: Services
    lines: AgentLines
    board: QueueBoard
    post: Callable[[Fact], None]
    meters: Meters


def finished(parts: OwnParts, call_id: str, at: datetime, wrap_up_seconds: float, record: dict[str, Any]) -> None:
    """An own call is over."""
    parts.post(
        CallFinished(
            call_id=call_id,
            at=at,
            outcome=VisitEnd.CONNECTED.value,
            wrap_up_seconds=wrap_up_seconds,
            record=record,
        )
    )
    parts.meters.calls.labels(str(record.get("kind")), str(record.get("call_state"))).inc()
