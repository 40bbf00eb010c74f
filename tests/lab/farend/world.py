"""`FarEnd`: everything outside Asterisk in one object, as an async context manager."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from tests.lab.farend.agent import UserAgent
from tests.lab.farend.audio import AudioOptions
from tests.lab.farend.clock import Clock
from tests.lab.farend.customers import Trunk
from tests.lab.farend.media import Media
from tests.lab.farend.owner import Owner
from tests.lab.farend.phones import Phones
from tests.lab.farend.record import CallLog
from tests.lab.farend.transaction import Address, Timers


class FarEnd:
    """The trunk's far side at `trunk`, the phones at `phones`, both speaking SIP with Asterisk at `switch`.

    Addresses are (IPv4, port); trunk and phones need different IPs, because Asterisk tells a trunk by its IP.
    `record`: file that gets one JSON line per ended call. Leaving the context ends every call.
    """

    def __init__(
        self,
        *,
        switch: Address,
        trunk: Address,
        phones: Address,
        record: Path | None = None,
        customers_audio: AudioOptions | None = None,
        phones_audio: AudioOptions | None = None,
        timers: Timers | None = None,
    ) -> None:
        self.clock = Clock()
        self.media = Media(self.clock)
        self.log = CallLog(record)
        self.owner = Owner()
        self.switch, self.timers = switch, timers or Timers()
        self.customers_audio = customers_audio or AudioOptions()
        self._agents = [UserAgent(address, self.media, self.log, self.timers) for address in (trunk, phones)]
        self.trunk = Trunk(self._agents[0], self.owner, switch, self.customers_audio)
        self.phones_audio = phones_audio or AudioOptions()
        self.phones = Phones(self._agents[1], self.owner, switch, self.phones_audio)

    async def __aenter__(self) -> Self:
        for agent in self._agents:
            agent.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.owner.close()
        for agent in self._agents:
            agent.close()
        self.media.stop()
        self.log.close()

    def add_trunk(self, address: Address, switch: Address | None = None) -> Trunk:
        """One more trunk at an address of its own (of another Asterisk when `switch` is given); open at once."""
        agent = UserAgent(address, self.media, self.log, self.timers)
        agent.open()
        self._agents.append(agent)
        return Trunk(agent, self.owner, switch or self.switch, self.customers_audio)

    def add_phones(self, address: Address, switch: Address) -> Phones:
        """More phones, at an address of their own, of another Asterisk; open at once."""
        agent = UserAgent(address, self.media, self.log, self.timers)
        agent.open()
        self._agents.append(agent)
        return Phones(agent, self.owner, switch, self.phones_audio)

    @property
    def faults(self) -> list[str]:
        """Tracebacks and sentences of whatever went wrong inside the far end itself; must stay empty."""
        return [*self.owner.faults, *(fault for agent in self._agents for fault in agent.faults)]

    @property
    def counts(self) -> dict[str, int]:
        """Datagrams sent, received, refused (not SIP), repeated and stray ones, over all sockets."""
        total: dict[str, int] = {}
        for agent in self._agents:
            for name, count in agent.counts.items():
                total[name] = total.get(name, 0) + count
        return total

    def hang_up_all(self) -> None:
        """End every live call."""
        for agent in self._agents:
            for call in agent.live_calls():
                call.hangup()
