"""``*45``: on line, or off line when already on line; who lost his open line with his phone is on line again."""

from __future__ import annotations

import asyncio

from agi_scripts.session import AgiSession
from agi_scripts.whoami import BY_PHONE, DESK_SECONDS, Result, calling_agent, refuse_stranger
from contact_center.desk import Desk
from contact_center.terms import AgentStatus


async def run(session: AgiSession, desk: Desk) -> Result:
    """Change first, speak afterwards: a due lead rings within a second of the code, not of the words."""
    agent = calling_agent(session, desk)
    if agent is None:
        return await refuse_stranger(session)
    async with asyncio.timeout(DESK_SECONDS):
        if agent.status is AgentStatus.OFFLINE or await desk.end_old_line(agent.ext):
            if agent.status is not AgentStatus.ONLINE:
                await desk.go_online(agent.ext, by=BY_PHONE)
            phrase = "agent-online"
        else:
            await desk.go_offline(agent.ext, by=BY_PHONE)
            phrase = "agent-offline"
    await session.say(phrase)
    return Result.OK
