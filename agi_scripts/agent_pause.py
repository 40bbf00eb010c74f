"""``*46``: pause, or back from the pause. Off line there is nothing to pause."""

from __future__ import annotations

import asyncio

from agi_scripts.session import AgiSession
from agi_scripts.whoami import BY_PHONE, DESK_SECONDS, Result, calling_agent, refuse_stranger
from contact_center.desk import Desk
from contact_center.terms import AgentStatus


async def run(session: AgiSession, desk: Desk) -> Result:
    """Change first, speak afterwards. The second argument, if any, is the reason of the pause."""
    agent = calling_agent(session, desk)
    if agent is None:
        return await refuse_stranger(session)
    if agent.status is AgentStatus.OFFLINE:
        await session.say("agent-offline")
        return Result.REFUSED
    async with asyncio.timeout(DESK_SECONDS):
        await desk.end_old_line(agent.ext)
        if agent.status is AgentStatus.PAUSED:
            await desk.unpause(agent.ext, by=BY_PHONE)
            phrase = "agent-unpaused"
        else:
            reason = session.args[1] if len(session.args) > 1 else ""
            await desk.pause(agent.ext, reason, by=BY_PHONE)
            phrase = "agent-paused"
    await session.say(phrase)
    return Result.OK
