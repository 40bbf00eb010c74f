"""``*47``: hear one's own status."""

from __future__ import annotations

from agi_scripts.session import AgiSession
from agi_scripts.whoami import Result, calling_agent, refuse_stranger
from contact_center.desk import Desk


async def run(session: AgiSession, desk: Desk) -> Result:
    """Say the state the system sees; nothing is changed."""
    agent = calling_agent(session, desk)
    if agent is None:
        return await refuse_stranger(session)
    await session.say(f"agent-status-{agent.state.value}")
    return Result.OK
