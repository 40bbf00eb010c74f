"""A UDP proxy between Asterisk and a trunk: datagrams pass, vanish, come late or come twice."""

from __future__ import annotations

import asyncio
import random
from typing import Any, Self

Address = tuple[str, int]


class UdpProxy:
    """Asterisk's trunk is `listen`; the far end behind it is `target`, which answers to where a request came from.

    `loss`, `twice`: shares (0 to 1) of datagrams in either direction; `delay_seconds`: each is late by so much;
    `down`: nothing passes.
    """

    def __init__(self, listen: Address, target: Address, *, seed: int = 1) -> None:
        self.listen, self.target = listen, target
        self.loss = self.twice = self.delay_seconds = 0.0
        self.down = False
        self.passed = self.lost = 0
        self._chance = random.Random(seed)
        self._asterisk: Address | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._inner, _ = await loop.create_datagram_endpoint(lambda: _Ear(self._from_asterisk), local_addr=self.listen)
        self._outer, _ = await loop.create_datagram_endpoint(
            lambda: _Ear(self._from_trunk), local_addr=(self.listen[0], 0)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self._inner.close()
        self._outer.close()

    def _from_asterisk(self, data: bytes, source: Address) -> None:
        self._asterisk = source
        self._carry(self._outer, data, self.target)

    def _from_trunk(self, data: bytes, _: Address) -> None:
        if self._asterisk is not None:
            self._carry(self._inner, data, self._asterisk)

    def _carry(self, way: asyncio.DatagramTransport, data: bytes, to: Address) -> None:
        if self.down or self._chance.random() < self.loss:
            self.lost += 1
            return
        self.passed += 1
        for _ in range(2 if self._chance.random() < self.twice else 1):
            asyncio.get_running_loop().call_later(self.delay_seconds, self._send, way, data, to)

    def _send(self, way: asyncio.DatagramTransport, data: bytes, to: Address) -> None:
        if not way.is_closing():
            way.sendto(data, to)


class _Ear(asyncio.DatagramProtocol):
    def __init__(self, heard: Any) -> None:
        self._heard = heard

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._heard(data, addr)
