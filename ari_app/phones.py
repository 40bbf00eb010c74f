"""Agents' phones: their SIP accounts in Asterisk, and whether they can be reached."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress

import structlog

from ari_app.ami import Ami, AmiError, AmiRefused
from ari_app.client import AriClient
from ari_app.errors import AriError, Refused
from ari_app.provisioning import AOR, Account, is_as_wanted
from contact_center.clock import Clock
from contact_center.roster import Roster
from contact_center.seat import Seat
from contact_center.terms import AgentStatus

FEW_PHONES = 8  # more are asked for with one list
KNOWN_SECONDS = 25.0  # by itself Asterisk asks each phone every 20 s and waits 3 s: by then it knows of a dead one
KNOWN_IF_ASKED_SECONDS = 7.0  # the same where we have it asked
ASKED_AT_ONCE = 25  # lost phones that are asked for a sign of life at a time
CHECK_SECONDS = 2.0  # how often phones that cannot be reached are asked after, where AMI does not tell

_AWAY = (None, "offline")

log = structlog.get_logger(__name__)


class Phones:
    """Keeps Asterisk's accounts as the store has them, and the roster informed of who can be reached."""

    def __init__(self, ari: AriClient, ami: Ami, roster: Roster, clock: Clock) -> None:
        self._ari, self._ami, self._roster, self._clock = ari, ami, roster, clock
        self._asked: dict[str, float] = {}
        self._pushed: dict[tuple[str, str, str], dict[str, str]] = {}
        self._boot_id = ""
        self._missed_news = False
        ami.on_live.append(self._ami_changed)

    def _ami_changed(self, live: bool) -> None:
        """A list of devices does not tell that the phone of somebody who talks has left meanwhile."""
        self._missed_news = self._missed_news or live

    async def push(self, objects: Iterable[Account]) -> None:
        """Make the accounts; what this Asterisk was told since its start is not told again.

        Nor an address of record that is as wanted: see ``provisioning.put_objects``.
        """
        if self._ari.boot_id != self._boot_id:
            self._pushed.clear()
            self._boot_id = self._ari.boot_id
        for item in objects:
            key = (item.config_class, item.object_type, item.id)
            if self._pushed.get(key) != item.fields:
                if item.object_type != AOR or not is_as_wanted(await self._told(key), item.fields):
                    await self._ari.put_dynamic(*key, item.fields)
                self._pushed[key] = dict(item.fields)

    async def _told(self, key: tuple[str, str, str]) -> object:
        try:
            return await self._ari.request("GET", f"asterisk/config/dynamic/{'/'.join(key)}")
        except Refused as refused:
            if refused.status != 404:
                raise
            return None

    async def remove(self, keys: Sequence[tuple[str, str, str]]) -> None:
        """Unmake an account."""
        for key in keys:
            await self._ari.delete_dynamic(*key)
            self._pushed.pop(key, None)

    async def withdraw(
        self, endpoints: Collection[str], keys_of: Callable[[str], Sequence[tuple[str, str, str]]]
    ) -> None:
        """Unmake those of these accounts that Asterisk has; ``keys_of`` a user name tells what it is made of."""
        unwanted = {endpoint: keys_of(endpoint.partition("/")[2]) for endpoint in endpoints}
        for key in (key for keys in unwanted.values() for key in keys):
            self._pushed.pop(key, None)
        if unwanted:
            for endpoint in unwanted.keys() & (await self._states()).keys():
                await self.remove(unwanted[endpoint])

    async def look(self) -> None:
        """Ask once for every agent's phone."""
        await self._look_at([seat.endpoint for seat in self._roster])

    async def look_at(self, endpoint: str) -> None:
        """Ask for one phone, such as ``PJSIP/1001``."""
        tech, _, resource = endpoint.partition("/")
        before = self._news(endpoint)
        self._take(endpoint, before, await self._ari.endpoint_state(tech, resource))

    def _news(self, endpoint: str) -> int:
        seat = self._roster.seat_of(endpoint)
        return seat.phone_news if seat else 0

    def _take(self, endpoint: str, before: int, state: str | None) -> None:
        """Believe an answer, unless something newer was heard while it was under way."""
        if self._news(endpoint) == before:
            self._roster.phone(endpoint, state not in _AWAY)

    async def _look_at(self, endpoints: Sequence[str]) -> None:
        """Few are asked for one by one, many with one list of all."""
        if len(endpoints) <= FEW_PHONES:
            for endpoint in endpoints:
                await self.look_at(endpoint)
            return
        before = {endpoint: self._news(endpoint) for endpoint in endpoints}
        states = await self._states()
        for endpoint in endpoints:
            self._take(endpoint, before[endpoint], states.get(endpoint))

    async def _states(self) -> dict[str, str | None]:
        """Every endpoint that Asterisk has, such as ``PJSIP/1001``, with its state."""
        listed = await self._ari.request("GET", "endpoints") or ()
        return {f"{each['technology']}/{each['resource']}": each.get("state") for each in listed}

    async def run(self) -> None:
        """Look after phones; all of them while AMI cannot tell or once it could not, else those believed lost.

        Runs until cancelled.
        """
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            if not self._ari.live:
                continue
            try:
                everybody, self._missed_news = self._missed_news, False
                await self._look_at([seat.endpoint for seat in self._roster if everybody or self._must_look(seat)])
                await self._ask_the_lost()
            except (AriError, AmiError) as error:
                self._missed_news = True
                log.debug("phones not looked at", action="phones", reason=str(error))

    def _must_look(self, seat: Seat) -> bool:
        if seat.doubted_at is not None:
            doubt = KNOWN_IF_ASKED_SECONDS if self._ami.live else KNOWN_SECONDS
            if (self._clock.now() - seat.doubted_at).total_seconds() < doubt:
                return False
        return not (seat.reachable and self._ami.live)

    async def _ask_the_lost(self) -> None:
        """Have Asterisk ask the lost phones of agents on line, those first that were not asked for longest.

        By itself it asks every 20 s, and a phone that registers anew from the same address is not asked at once.
        """
        if not self._ami.live:
            return
        lost = [s.endpoint for s in self._roster if not s.reachable and s.status is not AgentStatus.OFFLINE]
        self._asked = {endpoint: self._asked.get(endpoint, float("-inf")) for endpoint in lost}
        for endpoint in sorted(lost, key=lambda name: self._asked[name])[:ASKED_AT_ONCE]:
            self._asked[endpoint] = self._clock.monotonic()
            with suppress(AmiRefused):  # it has no account now
                await self._ami.send("PJSIPQualify", Endpoint=endpoint.partition("/")[2])
