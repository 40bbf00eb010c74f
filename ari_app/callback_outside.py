"""A callback whose customer was given to a number outside, found so by a next process."""

from __future__ import annotations

from datetime import datetime

from ari_app.callback_call import CallbackCall
from ari_app.callback_dial import CustomerDial
from ari_app.channel import Channel
from ari_app.errors import HungUp
from ari_app.given_outside import GivenOutside, talk_outside
from ari_app.scope import finish
from contact_center import story


class GivenCallback(CallbackCall):
    """Its last turn: no agent is held for it any more."""

    async def resume_outside(self, n: int, customer: Channel, to: GivenOutside, agent: str, since: datetime) -> None:
        """Go on with the talk; ``agent`` is the extension of who gave the customer away."""
        self._n, self.waits = n, False
        dial = self.dial = CustomerDial(self._env, self.kept, customer.id, self.log)
        self._told.given()
        seat = self._env.roster.get(agent)
        name = seat.name if seat else agent
        self.log.add(story.Offered(since, name))
        self.log.add(story.Answered(since))
        self.log.add(story.Connected(since, name))
        self.log.add(to.told)
        try:
            await talk_outside(self._env, customer, to, self.log, self._options)
        except HungUp as hangup:
            self._left(hangup)
        finally:
            await finish(customer.hang_up())
            self._ended(dial)
