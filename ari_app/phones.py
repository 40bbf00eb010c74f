"""Agents' phones: their SIP accounts in Asterisk, and whether they can be reached."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

import structlog

from ari_app.client import AriClient
from ari_app.errors import AriError
from ari_app.provisioning import Account
from contact_center.clock import Clock
from contact_center.roster import Roster
from contact_center.seat import Seat

FEW_PHONES = 8
CHECK_SECONDS = 2.0  # how often phones that cannot be reached are asked after, where AMI does not tell

_AWAY = (None, "offline")

log = structlog.get_logger(__name__)


class Phones:
    """Keeps Asterisk's accounts as the store has them, and the roster informed of who can be reached."""

    def __init__(self, ari: AriClient, roster: Roster, clock: Clock) -> None:
        self._ari, self._roster, self._clock = ari, roster, clock
        self._pushed: dict[tuple[str, str, str], dict[str, str]] = {}
        self._boot_id = ""

    async def push(self, objects: Iterable[Account]) -> None:
        """Make the accounts; what this Asterisk was told since its start is not told again."""
        if self._ari.boot_id != self._boot_id:
            self._pushed.clear()
            self._boot_id = self._ari.boot_id
        for item in objects:
            key = (item.config_class, item.object_type, item.id)
            if self._pushed.get(key) != item.fields:
                await self._ari.put_dynamic(*key, item.fields)
                self._pushed[key] = dict(item.fields)

    async def remove(self, keys: Sequence[tuple[str, str, str]]) -> None:
        """Unmake an account."""
        for key in keys:
            await self._ari.delete_dynamic(*key)
            self._pushed.pop(key, None)

    async def look(self) -> None:
        """Ask once for every agent's phone."""
        await self._look_at([seat.endpoint for seat in self._roster])

    async def look_at(self, endpoint: str) -> None:
        """Ask for one phone, such as ``PJSIP/1001``."""
        tech, _, resource = endpoint.partition("/")
        state = await self._ari.endpoint_state(tech, resource)
        self._roster.phone(endpoint, state not in _AWAY)

    async def _look_at(self, endpoints: Sequence[str]) -> None:
        """Few are asked for one by one, many with one list of all."""
        if len(endpoints) <= FEW_PHONES:
            for endpoint in endpoints:
                await self.look_at(endpoint)
            return
        listed = await self._ari.request("GET", "endpoints") or ()
        states = {f"{each['technology']}/{each['resource']}": each.get("state") for each in listed}
        for endpoint in endpoints:
            self._roster.phone(endpoint, states.get(endpoint) not in _AWAY)

    async def run(self, ami_is_live: Callable[[], bool]) -> None:
        """Look after phones; all of them while AMI cannot tell, else those believed lost. Until cancelled."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            if not self._ari.live:
                continue
            try:
                await self._look_at([seat.endpoint for seat in self._roster if self._must_look(seat, ami_is_live())])
            except AriError as error:
                log.debug("phones not looked at", action="phones", reason=str(error))

    def _must_look(self, seat: Seat, ami_is_live: bool) -> bool:
        doubted = seat.doubted_until_at is not None and self._clock.now() < seat.doubted_until_at
        return not doubted and not (seat.reachable and ami_is_live)
