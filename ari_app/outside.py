"""A number outside, called for a caller whom nobody here can serve."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import structlog

from ari_app import caller_ids
from ari_app.channel import Channel
from ari_app.errors import AriError, HungUp
from ari_app.services import Services
from ari_app.trunk_line import take_line
from contact_center.errors import UsageError
from contact_center.outside_calls import trunks_for
from contact_center.trunks import NoLine

RING_SECONDS = 45.0
"""How long the number may ring."""

log = structlog.get_logger(__name__)


class OutsideCall:
    """The leg to the number, by one of ``trunks`` (empty: of all); the caller hears ringback until it answers."""

    def __init__(
        self, env: Services, caller: Channel, channel_id: str, number: str, shown: str, trunks: Sequence[str]
    ) -> None:
        self.channel, self._trunks = env.ari.channel(channel_id), trunks
        self._env, self._caller, self._number, self._shown = env, caller, number, shown

    @asynccontextmanager
    async def answered(self) -> AsyncIterator[bool]:
        """Whether both hear each other while the block lasts; the leg ends with it."""
        async with AsyncExitStack() as leg:
            there = await self._connected(leg)
            yield there

    async def _connected(self, leg: AsyncExitStack) -> bool:
        try:
            bridge = await leg.enter_async_context(self._env.bridges.take())
            await self._caller.ring()
            leg.push_async_callback(self.channel.hang_up)
            trunks = trunks_for(self._env.settings, self._trunks, self._number)
            trunk = await take_line(self._env, self.channel, trunks)
            dialled = self._env.ari.dial(
                self._env.trunks.dial_string(trunk, self._number),
                channel_id=self.channel.id,
                ring_seconds=RING_SECONDS,
                app_args=("outside", self._number),
                caller_id=caller_ids.shown(
                    self._env.settings, trunk, self._shown if self._shown.startswith("+") else ""
                ),
                originator=self._caller.id,
            )
            there = await leg.enter_async_context(dialled)
            await self._caller.ring_stop()
            await bridge.add(self._caller, there)
        except HungUp as hangup:
            if hangup.channel is self._caller:
                raise
            return False
        except (AriError, UsageError, NoLine) as error:
            log.warning("the number outside was not reached", action="overflow", reason=str(error))
            return False
        return True
