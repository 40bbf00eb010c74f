"""Caller and agent hear each other: both are welcomed, the agent's codes are obeyed, until one of them leaves."""

from __future__ import annotations

import asyncio
from datetime import datetime

import structlog

from ari_app import prompts
from ari_app.agent_keys import Action, Dispose, ForceHangUp, PassOn, obeyed_keys, pass_on
from ari_app.agent_leg import DialledLeg, Leg
from ari_app.agent_line import LineLeg
from ari_app.bridge import Bridge
from ari_app.channel import Channel
from ari_app.scope import finish
from ari_app.services import Services
from contact_center import story
from contact_center.crash_points import reached
from contact_center.errors import CallwrightError
from contact_center.terms import Party

log = structlog.get_logger(__name__)


class Talk:
    """One talk of one caller; ``agent`` is the extension of who talks to him."""

    def __init__(self, env: Services, caller: Channel, calls: story.CallLog, agent: str) -> None:
        self._env, self._caller, self._log, self._agent = env, caller, calls, agent

    async def until_over(self, leg: Leg, *, may_force: bool, welcome: tuple[str, ...]) -> None:
        """Until the agent leaves; that the caller leaves is his own scope's matter."""
        words = asyncio.create_task(self._welcome(leg, welcome), name=f"welcome {self._caller.id}") if welcome else None
        try:
            async with obeyed_keys(leg.channel, self._obey, may_force=may_force):
                await leg.channel.left()
                self._log.add(story.Left(self._now(), Party.AGENT))
        finally:
            reached("talk_over")
            if words is not None:
                words.cancel()
                await finish(_ended(words))

    async def _welcome(self, leg: Leg, media: tuple[str, ...]) -> None:
        """A short message to both, as soon as they hear each other."""
        began, heard = self._now(), True
        try:
            heard = await prompts.play(_where(leg, self._env), *media)
        finally:
            if heard:
                gone = self._caller.gone
                until = gone.value.at if gone.happened else self._now()
                self._log.add(story.Announced(began, until, "welcome_message"))

    async def _obey(self, action: Action) -> None:
        match action:
            case PassOn(keys):
                await pass_on(self._caller, keys)
            case ForceHangUp():
                self._log.add(story.Forced(self._now()))
                self._log.add(story.Left(self._now(), Party.AGENT))
                await self._caller.hang_up()
            case Dispose(code):
                await self._dispose(code)

    async def _dispose(self, code: str) -> None:
        call_id = self._log.header.id
        try:
            await self._env.dispose(call_id, code, f"agent:{self._agent}")
        except CallwrightError as error:
            log.info("disposition refused", action="dispose", call_id=call_id, reason=str(error))

    def _now(self) -> datetime:
        return self._env.clock.now()


def _where(leg: Leg, env: Services) -> Bridge:
    match leg:
        case DialledLeg() | LineLeg():
            return leg.bridge
    return env.ari.bridge(leg.bridge_id)


async def _ended(task: asyncio.Task[None]) -> None:
    await asyncio.wait([task])
    if not task.cancelled() and (error := task.exception()) is not None:
        log.warning("no welcome message", action="queue", reason=str(error))
