"""A caller whom an earlier process served: his call goes on where it was."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack

from ari_app.after_call import After
from ari_app.agent_leg import AdoptedLeg
from ari_app.channel import Channel
from ari_app.given_outside import GivenOutside, talk_outside
from ari_app.inbound import InboundCall
from ari_app.inbound_outside import still_outside
from ari_app.queue_rings import let_go
from ari_app.scope import until_hangup
from contact_center import story
from contact_center.store.queries_queues import OpenVisit
from contact_center.story_kept import Talked


class ResumedCall(InboundCall):
    """Its coroutine is one of the ``resume_...``."""

    async def resume_waiting(self, visit: OpenVisit | None, visits: int) -> None:
        """Go on with a caller whom an earlier process had greeted, or not yet; he keeps his place."""
        self._visits = visits - (1 if visit else 0)
        self._music.on = True
        if visits:
            self.log.add(story.Answered(self.caller.started_at))
        self._env.ari.spawn(self._clock.wind(), f"clock {self.channel.id}")
        await self._told(self._through_queues(self._first, visit))

    async def resume_talk(
        self, visit: OpenVisit, agent: Channel, ext: str, bridge_id: str, talk: Sequence[Talked]
    ) -> None:
        """Go on with a talk that an earlier process had connected; ``talk`` is what is known of it, not empty."""
        self._known(visit, ext, talk, given=_moved(talk))
        await self._told(self._talk_on(agent, ext, bridge_id))

    async def resume_given(self, visit: OpenVisit, to: GivenOutside, talk: Sequence[Talked]) -> None:
        """Go on with a caller whom his agent gave to a number outside."""
        self._known(visit, to.number, talk, given=True)
        self._env.ari.spawn(self._clock.stop(), f"no clock {self.channel.id}")
        await self._told(talk_outside(self._env, self.channel, to, self.log, self._rules.options))

    async def resume_outside(self, to: GivenOutside) -> None:
        """Go on with a caller whom a rule of his queue sent to a number outside."""
        self.log.add(story.Answered(self.caller.started_at))
        where = (self._env, self.channel, self._queue)
        await self._told(still_outside(*where, to.there, to.number, to.at, self.log))

    def _known(self, visit: OpenVisit, ext: str, talk: Sequence[Talked], *, given: bool) -> None:
        self._visits = visit.n
        entered = story.Entered(visit.entered_at, visit.queue, visit.n, visit.position)
        self._told_to.known(entered, ext, (talk[0].at - visit.entered_at).total_seconds(), given=given)
        for event in (story.Answered(self.caller.started_at), entered, *talk):
            self.log.add(event)

    async def _talk_on(self, agent: Channel, ext: str, bridge_id: str) -> None:
        self._agent, self._wrap_up_seconds = ext, self._first.options.wrap_up_seconds
        async with AsyncExitStack() as agent_side:
            adopted = self._env.roster.adopt(ext, self.caller.call_id, self._wrap_up_seconds)
            offer = agent_side.enter_context(adopted)
            if self._desk.lines.by_channel(agent.id) is None:
                agent_side.push_async_callback(let_go, agent)
            async with After(self._env.after, self.channel, self._ended_by) as after, until_hangup(self.channel):
                after.talks(agent, offer, self._asked())
                self._env.ari.spawn(self._clock.stop(), f"no clock {self.channel.id}")
                await self._talk(AdoptedLeg(agent, bridge_id), agent_side, after, welcome=False)


def _moved(talk: Sequence[Talked]) -> bool:
    """Whether it is not with the agent any more who had it first."""
    agents = [event.agent for event in talk if isinstance(event, story.Connected)]
    return len(set(agents)) > 1
