"""What the doctor's tests break and mend with."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from aiohttp import web

from asterisk_conf.doctor import Finding, run_checks
from contact_center.settings import Settings
from tests.lab.switch import Switch
from tests.lab.until import until


@dataclass(frozen=True)
class Schema:
    current: str | None
    head: str = "0002"


def current_schema(url: str) -> Schema:
    return Schema("0002")


async def examine(
    settings: Settings,
    switch: Switch,
    *,
    schema: Callable[[str], Schema] = current_schema,
    config: Path | None = None,
) -> dict[str, Finding]:
    findings = await run_checks(settings, config, schema_state=schema, etc=switch.etc)
    assert len({finding.name for finding in findings}) == len(findings)
    assert all(finding.fix for finding in findings if finding.ok is False)
    assert not any(finding.fix for finding in findings if finding.ok)
    return {finding.name: finding for finding in findings}


def broken(findings: dict[str, Finding]) -> set[str]:
    return {name for name, finding in findings.items() if finding.ok is False}


async def assert_healthy(settings: Settings, switch: Switch) -> None:
    findings = await examine(settings, switch)
    assert broken(findings) == set(), findings


def with_asterisk(settings: Settings, **keys: Any) -> Settings:
    return settings.model_copy(update={"asterisk": settings.asterisk.model_copy(update=keys)})


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


@asynccontextmanager
async def edited(switch: Switch, name: str, old: str, new: str, reload: str) -> AsyncIterator[None]:
    """A file of the running Asterisk is changed and reloaded, and put back afterwards."""
    file = switch.etc / name
    before = file.read_text()
    edit(file, old, new)
    await switch.cli(reload)
    try:
        yield
    finally:
        file.write_text(before)
        await switch.cli(reload)


@asynccontextmanager
async def listening(bind: str) -> AsyncIterator[None]:
    """Some other program that has a port."""
    host, port = bind.split(":")

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        writer.close()

    server = await asyncio.start_server(greet, host, int(port))
    async with server:
        yield


@asynccontextmanager
async def health_page(bind: str) -> AsyncIterator[None]:
    """The page a running serve shows."""

    async def live(request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    app = web.Application()
    app.router.add_get("/health/live", live)
    runner = web.AppRunner(app)
    await runner.setup()
    host, port = bind.split(":")
    await web.TCPSite(runner, host, int(port)).start()
    try:
        yield
    finally:
        await runner.cleanup()


class Registrar(asyncio.DatagramProtocol):
    """A carrier that answers each REGISTER with ``code``, or not at all (0)."""

    def __init__(self) -> None:
        self.code = 0
        self.seen = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        lines = data.decode().split("\r\n")
        self.seen += 1
        if not self.code or not lines[0].startswith("REGISTER"):
            return
        kept = [line for line in lines if re.match(r"(Via|From|To|Call-ID|CSeq|Contact):", line)]
        kept = [f"{line};tag=carrier" if line.startswith("To:") else line for line in kept]
        reply = [f"SIP/2.0 {self.code} Answer", *kept, "Expires: 600", "Content-Length: 0", "", ""]
        self.transport.sendto("\r\n".join(reply).encode(), addr)


async def state(switch: Switch, wanted: str) -> None:
    await switch.cli("pjsip send register callwright-trunk-main")

    async def reached() -> bool:
        return wanted in await switch.cli("pjsip show registrations")

    await until(reached, 5, f"registration {wanted}")
