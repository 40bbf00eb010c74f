"""A whole contact centre for tests and demos: Asterisk with the bundle, the far end, a database, `serve` and its CLI.

Everything runs on loopback addresses of its own and below one directory; `serve` and Asterisk die with the caller.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import select
from sqlmodel import col

from asterisk_conf import bundle, secrets
from contact_center import settings as settings_file
from contact_center.models import Agent
from contact_center.settings import Settings
from contact_center.store.changes import open_control_ids
from contact_center.store.engine import open_engine, reading
from tests.lab.addresses import AddressBlock
from tests.lab.commands import commands
from tests.lab.farend.phones import Phone
from tests.lab.farend.world import FarEnd
from tests.lab.process import die_with_parent
from tests.lab.switch import Switch
from tests.lab.until import until

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 20.0
CLI_SECONDS = 60.0
HTTP_SECONDS = 3.0
TOLD_LINES = 40  # how much of the logs is shown with a test that failed
MOST_CODES = 30  # agents who dial a code at once: FastAGI takes fifty connections


class CommandFailed(RuntimeError):
    """`callwright ...` ended with another exit code than 0."""

    def __init__(self, words: tuple[str, ...], code: int, out: str, err: str) -> None:
        super().__init__(f"callwright {' '.join(words)}: exit {code}: {err.strip() or out.strip()}")
        self.code, self.out, self.err = code, out, err


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command printed."""

    code: int
    out: str
    err: str


class Serve:
    """The `serve` process."""

    def __init__(self, centre: Centre) -> None:
        self._centre = centre
        self._process: asyncio.subprocess.Process | None = None
        self.log = centre.base / "serve.log"

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.returncode is None

    async def start(self, *, ready: bool = True) -> None:
        """Start it, and wait until it is ready to dial."""
        parent = os.getpid()
        with self.log.open("ab") as out:
            self._process = await asyncio.create_subprocess_exec(
                *self._centre.command, "serve", stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out,
                env=self._centre.environment, cwd=self._centre.base, preexec_fn=lambda: die_with_parent(parent),
            )  # fmt: skip
        if ready:
            await self.until_ready()

    async def until_ready(self, deadline: float = READY_SECONDS) -> None:
        """Wait until /health/ready says yes; RuntimeError with the end of its log when that does not come."""
        loop = asyncio.get_running_loop()
        end = loop.time() + deadline
        while loop.time() < end and self.is_running:
            if await self._centre.http_status("/health/ready") == 200:
                return
            await asyncio.sleep(0.02)
        raise RuntimeError(f"serve is not ready: {self.tail()}")

    def kill(self) -> None:
        """SIGKILL."""
        assert self._process is not None
        self._process.kill()

    async def ended(self) -> int:
        """Wait for its end; the exit code."""
        assert self._process is not None
        return await self._process.wait()

    async def stop(self) -> int:
        """SIGTERM, and wait for its end."""
        if not self.is_running:
            return 0
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(15):
                return await self._process.wait()
        except TimeoutError:
            self._process.kill()
            return await self._process.wait()

    def tail(self, lines: int = 25) -> str:
        """The last lines of its log."""
        if not self.log.exists():
            return "it wrote nothing"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


class Centre:
    """`async with Centre() as centre`: Asterisk and far end are up; `await centre.serve.start()` when wanted.

    `agents`: so many agents with extensions from 1001 are added and their phones registered by `add_agents`.
    `trunks`: settings of further trunks by name; `main` leads to the far end. `settings`: TOML lines by section that
    are added to the file.
    """

    def __init__(
        self,
        name: str = "centre",
        *,
        base: Path | None = None,
        settings: dict[str, dict[str, Any]] | None = None,
        database: str = "",
    ) -> None:
        self.name = name
        self._own_base = base is None
        self.base = base or Path(tempfile.mkdtemp(prefix=f"callwright-{name}-"))
        self._extra = settings or {}
        self._database = database
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self.block = self._stack.enter_context(AddressBlock())
        self.asterisk_at, self.trunk_at, self.phones_at = (self.block.take() for _ in range(3))
        self.config = self.base / "callwright.toml"
        self.config.write_text(self._toml())
        self.settings: Settings = settings_file.load(self.config, {})
        bundle.render(self.settings, self.base / "etc")
        self.switch = Switch(self.name, self.asterisk_at, self.base / "etc")
        await self._stack.enter_async_context(self.switch)
        self.far = await self._stack.enter_async_context(
            FarEnd(
                switch=(self.asterisk_at, 5060),
                trunk=(self.trunk_at, 5060),
                phones=(self.phones_at, 5060),
                record=self.base / "farend.jsonl",
            )
        )
        self.serve = Serve(self)
        OPEN.append(self)
        self._stack.push(self._tell)
        self._stack.push_async_callback(self._end_serve)
        await self.cli("db", "upgrade", as_json=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)
        if kind is None and self._own_base:
            for link in self.base.glob("*.last"):  # shared memory that a killed serve left outside the folder
                link.resolve().unlink(missing_ok=True)
            shutil.rmtree(self.base, ignore_errors=True)

    def _tell(self, kind: type[BaseException] | None, *_: object) -> None:
        """It is closed; a test that failed while it was open in its body is reported on only now."""
        OPEN.remove(self)
        if kind is not None:
            CLOSED_IN_ERROR.update(self.logs())

    def logs(self) -> dict[str, str]:
        """How `serve` and Asterisk told the last of it, for whoever asks why a test failed."""
        return {
            f"{self.name}: serve": self.serve.tail(TOLD_LINES),
            f"{self.name}: asterisk": self.switch.tail(TOLD_LINES),
        }

    async def _end_serve(self) -> None:
        self.far.hang_up_all()
        await self.serve.stop()

    def _toml(self) -> str:
        database = self._database or f"sqlite:///{self.base / 'callwright.db'}"
        sections: dict[str, dict[str, Any]] = {
            "site": {"name": "Demo", "timezone": "Europe/London", "country": "GB"},
            "database": {"url": database},
            "asterisk": {
                "ari_url": f"http://{self.asterisk_at}:8088/ari",
                "ari_password": secrets.fresh(),
                "ami_host": self.asterisk_at,
                "ami_secret": secrets.fresh(),
                "sip_bind": f"{self.asterisk_at}:5060",
            },
            "trunk.main": {"host": self.trunk_at, "port": 5060, "max_channels": 200, "max_cps": 50.0},
            "fastagi": {"bind": f"{self.asterisk_at}:4573"},
            "http": {"bind": f"{self.asterisk_at}:8080"},
        }
        for section, keys in self._extra.items():
            sections.setdefault(section, {}).update(keys)
        lines: list[str] = []
        for section, keys in sections.items():
            lines.append(f"[{section}]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
        return "\n".join(lines) + "\n"

    # -- the program ----------------------------------------------------------------------------------

    @property
    def command(self) -> list[str]:
        """The program with this centre's settings."""
        return [sys.executable, "-m", "cli", "--config", str(self.config)]

    @property
    def environment(self) -> dict[str, str]:
        """What the program's processes see."""
        return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}

    async def run(self, *words: str, stdin: bytes | None = None) -> Answer:
        """Run one command, whatever its exit code."""
        async with asyncio.timeout(CLI_SECONDS):
            code, out, err = await commands().run(
                [*self.command[3:], *words], environment=self.environment, cwd=self.base, stdin=stdin or b""
            )
        return Answer(code, out.decode(), err.decode())

    async def cli(self, *words: str, as_json: bool = True) -> Any:
        """Run one command that must succeed; its JSON document (or its text)."""
        answer = await self.run(*words, *(["--json"] if as_json else []))
        if answer.code != 0:
            raise CommandFailed(words, answer.code, answer.out, answer.err)
        return json.loads(answer.out) if as_json and answer.out.strip() else answer.out

    async def http_status(self, path: str) -> int:
        """The status of a GET on the product's HTTP port; 0 when nobody answers."""
        try:
            line = (await self._get(path)).partition(b"\r\n")[0]
            return int(line.split()[1]) if line else 0
        except (OSError, TimeoutError):
            return 0

    async def http_json(self, path: str) -> Any:
        """The JSON document of a GET on the product's HTTP port, whatever the status. OSError when nobody answers."""
        return json.loads((await self._get(path)).partition(b"\r\n\r\n")[2])

    async def _get(self, path: str) -> bytes:
        host, _, port = self.settings.http.bind.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            async with asyncio.timeout(HTTP_SECONDS):
                writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
                return await reader.read()
        finally:
            writer.close()

    # -- people ---------------------------------------------------------------------------------------

    async def add_agents(
        self, count: int, *, first: int = 1001, team: str = "", queues: Sequence[str] = (), online: bool = False
    ) -> list[Phone]:
        """Add agents by one CSV import, give them phones and register these; with ``online`` each dials *45.

        ``queues``: that of the first agent, of the second one ...; none for those after the last of them.
        """
        table = self.base / "agents.csv"
        rows = [f"{first + n},Agent {first + n},{team},{''.join(queues[n : n + 1])}" for n in range(count)]
        table.write_text("ext,name,team,queues\n" + "\n".join(rows) + "\n")
        await self.cli("agent", "import", str(table))
        phones = []
        for user, password in self._accounts([str(first + n) for n in range(count)]):
            phones.append(self.far.phones.add(user, password))
        async with asyncio.TaskGroup() as group:
            for phone in phones:
                group.create_task(phone.register())
        if self.serve.is_running:
            await self.obeyed()
        if online:
            for begin in range(0, count, MOST_CODES):
                calls = [phone.dial("*45") for phone in phones[begin : begin + MOST_CODES]]
                for call in calls:
                    await call.until_over(15)
        return phones

    async def obeyed(self, deadline: float = 2.0) -> None:
        """Wait until `serve` has obeyed every change made by commands so far; the contract gives it 1 s."""
        engine = open_engine(self.settings.database.url)

        async def nothing_waits() -> bool:  # what is taken from the table is obeyed a moment later
            return b"\ncallwright_changes_waiting 0.0\n" in await self._get("/metrics")

        try:
            await until(lambda: not open_control_ids(engine), deadline, "serve to take what was changed")
            await until(nothing_waits, deadline, "serve to obey")
        finally:
            engine.dispose()

    def _accounts(self, exts: list[str]) -> list[tuple[str, str]]:
        """What `agent phone` prints, read at once for many: each command would cost a second."""
        engine = open_engine(self.settings.database.url)
        try:
            with reading(engine) as session:
                rows = session.scalars(select(Agent).where(col(Agent.ext).in_(exts)).order_by(col(Agent.ext)))
                return [(row.endpoint.partition("/")[2], row.password) for row in rows]
        finally:
            engine.dispose()

    async def add_campaign(self, name: str, numbers: list[str], *, mode: str = "power", **keys: str) -> None:
        """A campaign with these leads, callable at any hour."""
        await self.cli("campaign", "add", name, "--mode", mode)
        settings = {"hours": "00:00-24:00", **keys}
        await self.cli("campaign", "set", name, *(f"{key}={value}" for key, value in settings.items()))
        file = self.base / f"{name}.csv"
        file.write_text("phone\n" + "\n".join(numbers) + "\n")
        if numbers:
            await self.cli("lead", "import", name, str(file))


OPEN: list[Centre] = []
"""Those that are up in this process."""

CLOSED_IN_ERROR: dict[str, str] = {}
"""What the programs of those had logged that an error closed, until the test is reported on."""
