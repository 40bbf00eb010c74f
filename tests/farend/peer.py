"""A bare SIP peer for tests: it sends what it is told and keeps every datagram it gets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

from tests.lab.farend.message import Request, Response, parse
from tests.lab.until import until

OFFER = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 9 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
)


class Peer(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.got: list[Request | Response] = []
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.got.append(parse(data))

    @property
    def address(self) -> tuple[str, int]:
        assert self.transport is not None
        name: tuple[str, int] = self.transport.get_extra_info("sockname")
        return name

    def send(self, data: bytes, target: tuple[str, int]) -> None:
        assert self.transport is not None
        self.transport.sendto(data, target)

    def request(
        self, method: str, number: str, *, branch: str = "z9hG4bKa", to_tag: str = "", cseq: str = "1 INVITE",
        body: bytes = b"", more: str = "",
    ) -> bytes:  # fmt: skip
        host, port = self.address
        tag = f";tag={to_tag}" if to_tag else ""
        return (
            f"{method} sip:{number}@127.0.0.1 SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {host}:{port};rport;branch={branch}\r\n"
            f"From: <sip:me@{host}>;tag=mine\r\nTo: <sip:{number}@127.0.0.1>{tag}\r\n"
            f"Call-ID: one\r\nCSeq: {cseq}\r\n"
            f"Contact: <sip:me@{host}:{port}>\r\n{more}Content-Length: {len(body)}\r\n\r\n"
        ).encode() + body

    def codes(self) -> list[int]:
        return [message.code for message in self.got if isinstance(message, Response)]

    def methods(self) -> list[str]:
        return [message.method for message in self.got if isinstance(message, Request)]

    async def until(self, condition: Callable[[], bool], what: str, deadline: float = 5.0) -> None:
        await until(condition, deadline, what)


@asynccontextmanager
async def open_peer(host: str) -> AsyncIterator[Peer]:
    loop = asyncio.get_running_loop()
    transport, peer = await loop.create_datagram_endpoint(Peer, local_addr=(host, 0))
    try:
        yield peer
    finally:
        transport.close()
