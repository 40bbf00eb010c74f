"""One Asterisk process in the foreground, from a configuration directory given to it.

Each has directories of its own below `.lab/run/<name>-<pid>`, so any number run side by side. It dies with
the process that started it. Start it from the main thread: the death signal is bound to the starting thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.lab.process import die_with_parent
from tests.lab.provision import Asterisk, default_lab, provide

NOISE = ("No ethernet interface found for seeding global EID",)
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_SECTION = re.compile(r"^\s*\[([^\]]+)\]")


class SwitchError(RuntimeError):
    """Asterisk did not start, or did not answer; the text has the last lines of its log."""


class SwitchSilent(SwitchError):
    """It took longer than it may."""


class Switch:
    """`etc`: directory usable as /etc/asterisk; it is copied, and [directories] of asterisk.conf is written
    anew.

    `address`: the loopback address the configuration binds to, kept for those who ask.
    """

    def __init__(
        self,
        name: str,
        address: str,
        etc: Path,
        *,
        asterisk: Asterisk | None = None,
        lab: Path | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.name, self.address = name, address
        self.asterisk = asterisk or provide(lab)
        self.base = (lab or default_lab()) / "run" / f"{name}-{os.getpid()}"
        self.etc, self.log = self.base / "etc", self.base / "log" / "messages"
        self.data = self.base / "data"
        self.environment = environment or {}
        self._given = etc
        self._run: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._closed_cpu_seconds = self._last_cpu_seconds = 0.0

    # ---- life

    async def start(self, deadline: float = 30.0) -> None:
        """Start it and wait until it is fully booted; SwitchError when that does not happen."""
        self.prepare()
        self.launch()
        await self.wait_ready(deadline)

    def prepare(self) -> None:
        """Write its directories and configuration anew (its databases and recordings stay over a restart)."""
        for part in (
            "lib",
            "log",
            "log/cdr-csv",
            "log/cdr-custom",
            "spool",
            "spool/recording",
            "spool/outgoing",
        ):
            (self.base / part).mkdir(parents=True, exist_ok=True)
        for part in ("spool/monitor", "spool/tmp", "spool/voicemail", "data"):
            (self.base / part).mkdir(parents=True, exist_ok=True)
        self._make_run()
        self._make_data()
        self.refresh()
        _sweep(self.base.parent)

    def refresh(self) -> None:
        """Copy the configuration again (then reload what changed with `cli`)."""
        shutil.rmtree(self.etc, ignore_errors=True)
        shutil.copytree(self._given, self.etc)
        main = self.etc / "asterisk.conf"
        main.write_text(self._main_conf(main.read_text() if main.exists() else ""))

    def launch(self) -> None:
        """Start the process without waiting for it."""
        if self.is_running:
            raise SwitchError(f"{self.name} runs already")
        command = [*self.asterisk.command, "-f", "-C", str(self.etc / "asterisk.conf")]
        parent = os.getpid()
        with (self.base / "log" / "console").open("ab") as out:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                cwd=self.base / "spool",
                env={**os.environ, **self.environment},
                preexec_fn=lambda: die_with_parent(parent),  # noqa: PLW1509 - it only calls prctl
            )

    async def wait_ready(self, deadline: float = 30.0) -> None:
        """Wait until it is fully booted; SwitchError when it ends or is not ready in time."""
        end = asyncio.get_running_loop().time() + deadline
        while asyncio.get_running_loop().time() < end:
            if not self.is_running:
                raise SwitchError(f"{self.name} ended while starting: {self.tail()}")
            if self._run is not None and (self._run / "asterisk.ctl").exists():
                with contextlib.suppress(SwitchError):
                    if "fully booted" in await self.cli("core waitfullybooted", deadline=deadline):
                        return
            await asyncio.sleep(0.02)
        raise SwitchError(f"{self.name} was not ready within {deadline:g} s: {self.tail()}")

    async def stop(self, deadline: float = 10.0) -> None:
        """Stop it (calls are dropped); killed when it has not ended after `deadline` seconds."""
        if self.is_running:
            self.thaw()
            with contextlib.suppress(SwitchError):
                await self.cli("core stop now", deadline=min(5.0, deadline))
            await self._until_ended(deadline)
        self.kill()

    async def restart(self, deadline: float = 30.0) -> None:
        """Stop and start with the same configuration, databases kept."""
        await self.stop()
        await self.start(deadline)

    def kill(self) -> None:
        """SIGKILL, as a crash or a power cut; nothing when it is not running."""
        process = self._process
        if process is None:
            return
        if self.is_running:
            process.kill()
            self._reap(wait=True)
        self._closed_cpu_seconds += self._last_cpu_seconds
        self._process, self._last_cpu_seconds = None, 0.0
        if self._run is not None:
            for left in self._run.glob("asterisk.*"):
                left.unlink(missing_ok=True)

    def freeze(self) -> None:
        """SIGSTOP: it is there but does nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def remove(self) -> None:
        """Delete its directories (after `stop`)."""
        self.kill()
        shutil.rmtree(self.base, ignore_errors=True)
        if self._run is not None:
            shutil.rmtree(self._run, ignore_errors=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
        if kind is None:
            self.remove()  # after a failure the logs stay for reading

    # ---- looking

    @property
    def is_running(self) -> bool:
        """The process is there (frozen counts as there)."""
        process = self._process
        return process is not None and process.returncode is None and not self._reap()

    @property
    def pid(self) -> int | None:
        """Its process id."""
        return self._process.pid if self._process is not None else None

    async def cli(self, command: str, deadline: float = 10.0) -> str:
        """What `asterisk -rx command` prints; SwitchError when it cannot be reached or takes too long."""
        process = await asyncio.create_subprocess_exec(
            *self.asterisk.command,
            "-C",
            str(self.etc / "asterisk.conf"),
            "-rx",
            command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(deadline):
                out, _ = await process.communicate()
        except TimeoutError:
            raise SwitchSilent(f"{self.name}: `{command}` took longer than {deadline:g} s") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        text = "\n".join(x for x in out.decode(errors="replace").splitlines() if not any(n in x for n in NOISE))
        if process.returncode != 0 or "Unable to connect to remote asterisk" in text:
            raise SwitchError(f"{self.name}: `{command}` failed: {text.strip()[-300:]}")
        return text

    async def _shown(self, command: str, impatient: float = 3.0) -> str:
        """What a command shows that changes nothing: on a busy machine one remote console in thousands never answers,
        so it is asked for by another one.
        """
        try:
            return await self.cli(command, impatient)
        except SwitchSilent:
            return await self.cli(command)

    async def channels(self) -> list[str]:
        """Names of all channels alive."""
        lines = (await self._shown("core show channels concise")).splitlines()
        return [line.split("!")[0] for line in lines if "!" in line]

    def cpu_seconds(self) -> float:
        """CPU time used so far, user and system, over all of its lives."""
        return self._closed_cpu_seconds + (self._cpu_now() if self.is_running else self._last_cpu_seconds)

    def rss(self) -> int:
        """Resident memory now, bytes; 0 when it is not running."""
        try:
            return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * _PAGE
        except (OSError, IndexError):
            return 0

    def tail(self, lines: int = 12) -> str:
        """The last lines of console and log."""
        text = ""
        for path in (self.base / "log" / "console", self.log):
            if path.exists():
                text += "\n" + "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
        return text.strip() or "it wrote nothing"

    # ---- inside

    def _cpu_now(self) -> float:
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def _reap(self, *, wait: bool = False) -> bool:
        """Whether the process has ended; its CPU time is read before the process table forgets it."""
        process = self._process
        if process is None or process.returncode is not None:
            return True
        try:
            ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | (0 if wait else os.WNOHANG))
        except ChildProcessError:
            process.wait(10)  # somebody else took its exit status
            return True
        if ended is None:
            return False
        self._last_cpu_seconds = self._cpu_now()
        process.wait(10)
        return True

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self.is_running:
            self._process.send_signal(number)

    async def _until_ended(self, deadline: float) -> None:
        end = asyncio.get_running_loop().time() + deadline
        while self.is_running and asyncio.get_running_loop().time() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    def _make_run(self) -> None:
        """The control socket's directory; a path of more than 107 bytes does not fit a UNIX socket."""
        if self._run is None:
            wanted = self.base / "run"
            if len(os.fsencode(wanted / "asterisk.ctl")) < 100:
                wanted.mkdir(exist_ok=True)
                self._run = wanted
            else:
                self._run = Path(tempfile.mkdtemp(prefix=f"callwright-{self.name[:20]}-"))

    def _make_data(self) -> None:
        """A data directory of its own with links into the private file system: prompts can be added."""
        if self.asterisk.data is None or self.asterisk.root is None:
            return
        for entry in self.asterisk.data.iterdir():
            if entry.name != "sounds":
                _link(self.data / entry.name, entry)
        (self.data / "sounds" / "custom").mkdir(parents=True, exist_ok=True)
        for entry in (self.asterisk.data / "sounds").iterdir():
            if entry.name not in ("custom", "recordings", "priv-callerintros"):
                _link(self.data / "sounds" / entry.name, _inside(entry, self.asterisk.root))

    def _main_conf(self, given: str) -> str:
        """asterisk.conf with directories of this instance, an entity id, and all else as given."""
        kept: list[str] = []
        section, has_options = "", False
        for line in given.splitlines():
            match = _SECTION.match(line)
            section = match[1] if match else section
            if section == "directories":
                continue
            kept.append(line)
            if match and section == "options":
                has_options = True
                kept.append(f"entityid = {self._entity_id()}")
        if not has_options:
            kept += ["[options]", f"entityid = {self._entity_id()}"]
        directories = {
            "astetcdir": self.etc, "astvarlibdir": self.base / "lib", "astdbdir": self.base / "lib",
            "astkeydir": self.base / "lib", "astspooldir": self.base / "spool", "astrundir": self._run,
            "astlogdir": self.base / "log", "astcachedir": self.base / "lib",
            "astmoddir": self.asterisk.modules, "astdatadir": self.data if self.asterisk.data else None,
        }  # fmt: skip
        head = ["[directories]", *(f"{key} => {value}" for key, value in directories.items() if value), ""]
        return "\n".join([*head, *kept]) + "\n"

    def _entity_id(self) -> str:
        digest = hashlib.sha256(str(self.base).encode()).hexdigest()
        return "02:" + ":".join(digest[n : n + 2] for n in range(0, 10, 2))


def _sweep(runs: Path) -> None:
    """Remove what killed runs left behind, two hours after they began."""
    for old in runs.iterdir():
        pid = old.name.rpartition("-")[2]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists() and old.stat().st_mtime < time.time() - 7200:
            shutil.rmtree(old, ignore_errors=True)


def _link(at: Path, target: Path) -> None:
    at.parent.mkdir(parents=True, exist_ok=True)
    at.unlink(missing_ok=True)
    at.symlink_to(target)


def _inside(entry: Path, root: Path) -> Path:
    """Follow absolute links as the private file system means them."""
    for _ in range(10):
        if not entry.is_symlink():
            break
        target = os.readlink(entry)
        entry = root / target.lstrip("/") if target.startswith("/") else entry.parent / target
    return entry
