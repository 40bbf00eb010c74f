"""A private PostgreSQL for tests: its own files, a unix socket, no fsync; gone when the tests are.

Needs Debian's ``postgresql`` package (only its programs; the system's own cluster is not touched). Root is
refused by PostgreSQL, so under root everything runs as an unprivileged user.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from sqlalchemy import make_url

from contact_center.store.schema import upgrade

START_SECONDS = 30
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "60",
    "shared_buffers": "64MB",
    "deadlock_timeout": "200ms",
}


def binaries() -> Path | None:
    """The folder of PostgreSQL's programs, the newest version first; None when they are not installed."""
    versions = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda file: int(file.parts[-3]), reverse=True
    )
    if versions:
        return versions[0].parent
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


class Postgres:
    """One running server. ``url`` gives the address of a new and empty database."""

    def __init__(self) -> None:
        folder = binaries()
        if folder is None:
            raise RuntimeError("PostgreSQL's programs are missing: install Debian's package `postgresql`.")
        self._bin = folder
        self._user = _unprivileged() if os.geteuid() == 0 else None
        # A short path: that of a unix socket may have 107 characters.
        self.home = Path(tempfile.mkdtemp(prefix="cw-pg-", dir="/tmp"))
        self._data = self.home / "data"
        self._databases, self._fresh = 0, ""
        if self._user is not None:
            os.chown(self.home, self._user.pw_uid, self._user.pw_gid)
        self._run("initdb", "-D", str(self._data), "-U", "callwright", "-A", "trust", "-E", "UTF8", "--no-sync")
        settings = {**_SETTINGS, "unix_socket_directories": str(self.home)}
        with (self._data / "postgresql.conf").open("a") as file:
            file.writelines(f"{key} = '{value}'\n" for key, value in settings.items())

    def _run(self, program: str, *arguments: str) -> None:
        user = {} if self._user is None else {"user": self._user.pw_uid, "group": self._user.pw_gid}
        done = subprocess.run(
            [str(self._bin / program), *arguments],
            cwd=self.home,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            check=False,
            timeout=START_SECONDS + 5,
            extra_groups=None if self._user is None else [],
            **user,
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr.strip()}")

    def start(self) -> None:
        """Start the server; returns when it answers."""
        log = str(self.home / "log")
        self._run("pg_ctl", "-D", str(self._data), "-l", log, "-w", "-t", str(START_SECONDS), "start")

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def stop(self, mode: str = "immediate") -> None:
        """Stop it: ``immediate`` is a crash, ``fast`` ends sessions in order."""
        self._run("pg_ctl", "-D", str(self._data), "-m", mode, "-w", "-t", str(START_SECONDS), "stop")

    def url(self, name: str | None = None) -> str:
        """The URL of a database made for this call, or of the one named."""
        if name is None:
            self._databases += 1
            name = f"test_{os.getpid()}_{self._databases}"
            with psycopg.connect(self._conninfo("postgres"), autocommit=True) as connection:
                connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return f"postgresql+psycopg://callwright@/{name}?host={self.home}"

    def fresh(self) -> str:
        """The URL of a database made for this call, with all tables and no rows."""
        if not self._fresh:
            url = self.url()
            upgrade(url)
            self._fresh = str(make_url(url).database)
        url = self.url(f"{self._fresh}_{self._databases + 1}")
        self._databases += 1
        with psycopg.connect(self._conninfo("postgres"), autocommit=True) as connection:
            sql = f'CREATE DATABASE "{make_url(url).database}" TEMPLATE "{self._fresh}" STRATEGY FILE_COPY'
            connection.execute(sql.encode())
        return url

    def _conninfo(self, name: str) -> str:
        return f"host={self.home} user=callwright dbname={name}"

    def pause(self) -> None:
        """Freeze the server and all its sessions, as a machine that hangs does."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        main = int((self._data / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        for process in (main, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)

    def remove(self) -> None:
        """Stop it and delete its files."""
        if (self._data / "postmaster.pid").exists():
            with contextlib.suppress(FileNotFoundError):
                self.go_on()
            self.stop()
        shutil.rmtree(self.home, ignore_errors=True)


def _unprivileged() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise RuntimeError("PostgreSQL refuses to run as root and there is no user postgres or nobody.")
