"""Which agent is calling, told by the endpoint that authenticated and by nothing else."""

from __future__ import annotations

from enum import StrEnum

from agi_scripts.session import AgiSession
from contact_center.desk import AgentCard, Desk

DESK_SECONDS = 5.0
"""How long a change at the desk may take before the agent hears that it failed."""

BY_PHONE = "phone"
"""Who asked for the change, as the records show it."""


class Result(StrEnum):
    """What the dialplan finds in ``CALLWRIGHT_RESULT`` and the metrics count."""

    OK = "ok"
    REFUSED = "refused"
    ERROR = "error"
    HUNG_UP = "hung_up"


def calling_agent(session: AgiSession, desk: Desk) -> AgentCard | None:
    """The agent whose endpoint called, or None."""
    endpoint = endpoint_of(session)
    return desk.by_endpoint(endpoint) if endpoint else None


def endpoint_of(session: AgiSession) -> str:
    """The endpoint that called: the first argument (``1001`` or ``PJSIP/1001``) as ``PJSIP/1001``, or empty."""
    endpoint = session.args[0] if session.args else ""
    return endpoint if "/" in endpoint or not endpoint else f"PJSIP/{endpoint}"


async def refuse_stranger(session: AgiSession) -> Result:
    """Tell a caller whose endpoint is no agent's that the code is not for him."""
    await session.say("agent-unknown")
    return Result.REFUSED
