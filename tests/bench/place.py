"""Where the arms are measured: one Asterisk, one far end as a process of its own, and a `serve` that comes and goes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from sqlalchemy import update
from sqlmodel import col

from asterisk_conf import bundle, secrets
from contact_center import settings as settings_file
from contact_center.models import Agent
from contact_center.store.engine import open_engine, reading, writing
from contact_center.terms import AgentState, AgentStatus
from tests.lab.addresses import AddressBlock
from tests.lab.centre import Centre, Serve
from tests.lab.farend.media import Sending
from tests.lab.farend.record import CallRecord, Side
from tests.lab.farend.remote import RemoteFarEnd
from tests.lab.switch import Switch
from tests.lab.until import until

AMI_USER, QUEUE, CONTEXT = "bench", "bench", "bench-native"
NATIVE_DID, NATIVE_QUEUE = "4420794610", "bench-in"  # followed by how many members the queue has
FIRST_EXT = 1001
REGISTER_SECONDS = 60.0
PHONES_AUDIO = Sending.FULL  # as real phones: what idle lines cost is in the figures

_EXTENSIONS = f"""
[{CONTEXT}]
exten => s,1,Queue({QUEUE},r,,,15)
 same => n,Hangup()
"""
_QUEUE_RULES = """strategy = leastrecent
timeout = 15
retry = 1
ringinuse = no
autofill = yes
wrapuptime = 0
"""
_QUEUE = f"\n[{QUEUE}]\n{_QUEUE_RULES}"


@dataclass(frozen=True, slots=True)
class Mark:
    """Where the counts stood at an instant: CPU in seconds, events and bytes of ARI since `serve` began."""

    asterisk_cpu: float
    app_cpu: float
    far_cpu: float
    others_cpu: float
    events: float
    bytes: float
    at: float


class Records:
    """The far end's record file, read as it grows."""

    def __init__(self, path: Path) -> None:
        self._path, self._offset, self._rest = path, 0, b""
        self.calls: list[CallRecord] = []
        self.customers = 0

    def clear(self) -> None:
        """Forget what was read."""
        self.look()
        self.calls.clear()
        self.customers = 0

    def look(self) -> None:
        """Take what has been written since."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        self._offset += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        ended = [CallRecord.from_json(line.decode()) for line in lines]
        self.calls += ended
        self.customers += sum(call.side is Side.CUSTOMER for call in ended)


class Place(Centre):
    """A contact centre whose far end is another process, with an app_queue of the same phones beside the product."""

    async def __aenter__(self) -> Self:
        self.block = self._stack.enter_context(AddressBlock())
        self.asterisk_at, self.trunk_at, self.phones_at = (self.block.take() for _ in range(3))
        self.config = self.base / "callwright.toml"
        self._extra = {"trunk.main": {"max_channels": 5000, "max_cps": 20.0}}
        self.config.write_text(self._toml())
        self.settings = settings_file.load(self.config, {})
        self.ami_secret = secrets.fresh()
        bundle.render(self.settings, self.base / "etc")
        self._add("extensions.conf", _EXTENSIONS)
        self._add("queues.conf", _QUEUE)
        permit = "deny = 0.0.0.0/0.0.0.0\npermit = 127.0.0.0/255.0.0.0\n"
        self._add("manager.conf", f"\n[{AMI_USER}]\nsecret = {self.ami_secret}\n{permit}write = originate\n")
        self.switch = Switch(self.name, self.asterisk_at, self.base / "etc")
        await self._stack.enter_async_context(self.switch)
        record = self.base / "farend.jsonl"
        self.world = RemoteFarEnd(
            switch=(self.asterisk_at, 5060), trunk=(self.trunk_at, 5060), phones=(self.phones_at, 5060),
            record=record, customers_audio=Sending.BURST, phones_audio=PHONES_AUDIO,
        )  # fmt: skip
        await self._stack.enter_async_context(self.world)
        self.records = Records(record)
        self.serve = Serve(self)
        self._stack.push_async_callback(self.serve.stop)
        self.exts: list[str] = []
        self._native_queues: set[int] = set()
        await self.cli("db", "upgrade", as_json=False)
        self.engine = open_engine(self.settings.database.url)
        self._stack.callback(self.engine.dispose)
        return self

    def _add(self, name: str, text: str) -> None:
        with (self.base / "etc" / name).open("a") as file:
            file.write(text)

    # -- serve and agents -----------------------------------------------------------------------------

    async def serve_at(self, rate: float) -> None:
        """Start `serve` with a trunk that takes `rate` calls a second."""
        secret = self.settings.asterisk
        self._extra = {
            "asterisk": {"ari_password": secret.ari_password, "ami_secret": secret.ami_secret},
            "trunk.main": {"max_channels": 5000, "max_cps": float(rate)},
        }
        self.config.write_text(self._toml())
        await self.serve.start()

    async def want_agents(self, count: int) -> None:
        """At least so many agents exist, their phones are registered and members of the native queue."""
        first, missing = FIRST_EXT + len(self.exts), count - len(self.exts)
        if missing <= 0:
            return
        new = [str(first + n) for n in range(missing)]
        table = self.base / "agents.csv"
        table.write_text("ext,name,team\n" + "\n".join(f"{ext},Agent {ext},bench" for ext in new) + "\n")
        await self.cli("agent", "import", str(table))
        await self.serve_at(20.0)  # it makes the phones' accounts
        accounts = dict(self._accounts(new))
        await self.world.ask("add_phones", accounts=accounts, deadline=REGISTER_SECONDS)
        await self.serve.stop()
        self.exts += new
        self._add("queues.conf", "\n".join(f"member => PJSIP/{ext}" for ext in new) + "\n")
        self.switch.refresh()
        await self.switch.cli("queue reload all")

    async def want_native_queue(self, members: int) -> None:
        """NATIVE_DID, this number and 1 is answered and waits in an app_queue of the first so many phones; 0: waits."""
        if members in self._native_queues:
            return
        self._native_queues.add(members)
        name = f"{NATIVE_QUEUE}-{members}"
        lines = "".join(f"member => PJSIP/{ext}\n" for ext in self.exts[:members])
        with (self.base / "etc" / "queues.conf").open("r+") as file:  # the members of the other queue stay last
            others = file.read()
            file.seek(0)
            file.write(f"[{name}]\n{_QUEUE_RULES}{lines}{others}")
        did, queue = f"exten => {NATIVE_DID}{members:02d}", f"Queue({name})\n same => n,Hangup()\n"
        dids = f"{did}1,1,Answer()\n same => n,{queue}{did}0,1,{queue}"
        self._add("extensions.conf", f"\n[callwright-inbound]\n{dids}")
        self.switch.refresh()
        await self.switch.cli("dialplan reload")
        await self.switch.cli("queue reload all")

    def choose_agents(self, count: int, *, online: bool) -> None:
        """While `serve` is down: the first `count` agents are on line (or none), the others off line."""
        status = AgentStatus.ONLINE if online else AgentStatus.OFFLINE
        with writing(self.engine) as session:
            session.execute(update(Agent).values(status=AgentStatus.OFFLINE, state=AgentState.OFFLINE))
            session.execute(update(Agent).where(col(Agent.ext).in_(self.exts[:count])).values(status=status))

    async def idle(self, count: int, deadline: float) -> None:
        """Wait until so many agents are idle by the store."""

        def enough() -> bool:
            with reading(self.engine) as session:
                return session.query(Agent).where(col(Agent.state) == AgentState.IDLE).count() >= count

        await until(enough, deadline, f"{count} idle agents")

    # -- counts ---------------------------------------------------------------------------------------

    async def mark(self) -> Mark:
        """The counts now."""
        meters = await self._meters() if self.serve.is_running else {}
        events = sum(value for name, value in meters.items() if name.startswith("callwright_ari_events_total"))
        size = sum(value for name, value in meters.items() if name.startswith("callwright_ari_bytes_total"))
        asterisk = self.switch.cpu_seconds()
        app = cpu_seconds(self.serve.pid) if self.serve.is_running else 0.0
        far = cpu_seconds(self.world.pid or 0)
        ours = asterisk + app + far + cpu_seconds("self")
        now = asyncio.get_running_loop().time()
        return Mark(asterisk, app, far, machine_cpu_seconds() - ours, events, size, now)

    async def _meters(self) -> dict[str, float]:
        host, _, port = self.settings.http.bind.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            async with asyncio.timeout(5):
                writer.write(f"GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
                text = (await reader.read()).decode()
        finally:
            writer.close()
        rows = (line.rpartition(" ") for line in text.splitlines() if line.startswith("callwright_"))
        return {name: float(value) for name, _, value in rows}

    def attempts(self, statement: Any) -> list[Any]:
        """Rows of a query."""
        with reading(self.engine) as session:
            return list(session.execute(statement))


def cpu_seconds(pid: int | str) -> float:
    """CPU time of a process, user and system; 0 when there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / 100.0


def machine_cpu_seconds() -> float:
    """CPU time that all processes of the machine have used, idle and waiting times left out."""
    user, nice, system, _idle, _wait, irq, soft, *_ = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    return sum(map(int, (user, nice, system, irq, soft))) / 100.0


def utc_now() -> datetime:
    """Aware UTC instant."""
    return datetime.now(UTC)
