"""AMI against a real Asterisk: queue_log's own file, and phones that come and go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from ari_app.ami import Ami, AmiRefused
from ari_app.backoff import Backoff
from ari_app.queue_log import QueueLog
from tests.unit.small_asterisk import SECRET, SmallAsterisk, small_asterisk
from tests.unit.waiting import until

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

HOST, PHONE = "127.64.4.1", "127.64.4.2"

PJSIP = f"""
[1001]
type = endpoint
context = none
aors = 1001
[1001]
type = aor
max_contacts = 2
[1002]
type = endpoint
context = none
aors = 1002
[1002]
type = aor
contact = sip:1002@{PHONE}:5072
qualify_frequency = 1
qualify_timeout = 0.5
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asterisk() -> AsyncIterator[SmallAsterisk]:
    async with small_asterisk("ami", HOST, pjsip=PJSIP) as running:
        yield running


@asynccontextmanager
async def connected(asterisk: SmallAsterisk, user: str = "callwright") -> AsyncIterator[Ami]:
    async with Ami(HOST, asterisk.ami_port, user, SECRET, backoff=Backoff(0.1, 0.2)) as ami:
        async with asyncio.timeout(5):
            await ami.until_live()
        yield ami


class Phone(asyncio.DatagramProtocol):
    """Answers OPTIONS while ``awake``, and can register."""

    awake = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        lines = data.decode().split("\r\n")
        if self.awake and lines[0].startswith("OPTIONS"):
            kept = [x for x in lines if x.split(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq")]
            reply = "\r\n".join(("SIP/2.0 200 OK", *kept, "Content-Length: 0", "", ""))
            self.transport.sendto(reply.encode(), address)  # type: ignore[attr-defined]

    def register(self, sequence: int, contact_port: int, expires: int) -> None:
        lines = (
            f"REGISTER sip:{HOST} SIP/2.0", f"Via: SIP/2.0/UDP {PHONE}:5072;branch=z9hG4bK{sequence}",
            f"From: <sip:1001@{HOST}>;tag=x", f"To: <sip:1001@{HOST}>", "Call-ID: r1",
            f"CSeq: {sequence} REGISTER", f"Contact: <sip:1001@{PHONE}:{contact_port}>;expires={expires}",
            "Max-Forwards: 70", "Content-Length: 0", "", "",
        )  # fmt: skip
        self.transport.sendto("\r\n".join(lines).encode(), (HOST, 5060))  # type: ignore[attr-defined]


async def test_records_stand_in_asterisks_own_queue_log_as_app_queue_writes_them(
    asterisk: SmallAsterisk,
) -> None:
    async with connected(asterisk) as ami, QueueLog(ami) as queue_log:
        queue_log.write("sales", "c1", "", "ENTERQUEUE", "", "+14155550100", 3)
        queue_log.write("sales", "c1", "PJSIP/1001", "CONNECT", 5, "c3", 4)
        queue_log.write("sales", "c1", "PJSIP/1001", "COMPLETECALLER", 5, 95, 1)
        queue_log.write("", "", "PJSIP/1001", "PAUSEALL", "lunch|Zoë\r\n1|2|3|FAKE")
        queue_log.write("sales", "c2", "", "ABANDON", 1, 1, 7)
        assert await queue_log.flush(5.0)

    def records() -> list[str]:
        lines = asterisk.file("log", "queue_log").read_text().splitlines()
        return [line.partition("|")[2] for line in lines if "QUEUESTART" not in line]

    await until(lambda: len(records()) == 5)
    assert records() == [
        "c1|sales|NONE|ENTERQUEUE||+14155550100|3",
        "c1|sales|PJSIP/1001|CONNECT|5|c3|4",
        "c1|sales|PJSIP/1001|COMPLETECALLER|5|95|1",
        "NONE|NONE|PJSIP/1001|PAUSEALL|lunch/Zoë  1/2/3/FAKE",
        "c2|sales|NONE|ABANDON|1|1|7",
    ]


async def test_phones_that_come_and_go_are_told_as_it_happens(asterisk: SmallAsterisk) -> None:
    loop = asyncio.get_running_loop()
    transport, phone = await loop.create_datagram_endpoint(Phone, local_addr=(PHONE, 5072))
    try:
        async with connected(asterisk) as ami:
            assert ami.contacts()["PJSIP/1001"] is False
            told: list[tuple[str, bool]] = []
            ami.on_contact(lambda endpoint, reachable: told.append((endpoint, reachable)))
            await until(lambda: ami.contacts()["PJSIP/1002"])
            phone.awake = False
            await until(lambda: not ami.contacts()["PJSIP/1002"])
            phone.register(1, 5072, 60)
            await until(lambda: ami.contacts()["PJSIP/1001"])
            phone.register(2, 5073, 60)
            await ami.send("Ping")
            phone.register(3, 5072, 0)
            phone.register(4, 5073, 0)
            await until(lambda: not ami.contacts()["PJSIP/1001"])
            assert [change for change in told if change[0] == "PJSIP/1001"] == [
                ("PJSIP/1001", True),
                ("PJSIP/1001", False),
            ]
    finally:
        transport.close()


async def test_a_user_without_the_class_is_refused_in_words(asterisk: SmallAsterisk) -> None:
    async with connected(asterisk, "deaf") as ami:
        with pytest.raises(AmiRefused, match="Permission denied"):
            await ami.send("QueueLog", Queue="sales", Event="X")


async def test_a_killed_asterisk_is_found_again_and_records_wait_for_it(asterisk: SmallAsterisk) -> None:
    async with connected(asterisk) as ami, QueueLog(ami) as queue_log:
        await asterisk.stop()
        await until(lambda: not ami.live)
        queue_log.write("sales", "c9", "", "ENTERQUEUE", "", "x", 1)
        await asterisk.start()
        assert await queue_log.flush(10.0)
        await until(lambda: "c9|sales|NONE|ENTERQUEUE||x|1" in asterisk.file("log", "queue_log").read_text())


async def test_idle_sockets_that_fill_asterisks_login_places_are_told_and_survived(
    asterisk: SmallAsterisk,
) -> None:
    """D4: 55 sockets that never log in; the status says that there is no way in."""
    opened = [await asyncio.open_connection(HOST, asterisk.ami_port) for _ in range(55)]
    idle = [writer for _, writer in opened]
    try:
        async with asyncio.timeout(10):  # each has its place by then, or was turned away
            await asyncio.gather(*(reader.read(1) for reader, _ in opened), return_exceptions=True)
        async with Ami(HOST, asterisk.ami_port, "callwright", SECRET, backoff=Backoff(0.1, 0.2)) as ami:
            await until(lambda: ami.status != "connecting")
            assert not ami.live
            assert "closed the connection" in ami.status
            for writer in idle:
                writer.transport.abort()
            await until(lambda: ami.live)
    finally:
        for writer in idle:
            writer.transport.abort()
