"""Checks of this machine: the settings' file, the database, the ports, the disk."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import resource
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import aiohttp

from asterisk_conf import pjsip
from asterisk_conf.doctor.finding import Finding, bad, note, well
from asterisk_conf.secrets import weakness
from contact_center.errors import CallwrightError, UsageError
from contact_center.settings import Settings

DATABASE_SECONDS = 10.0
"""How long the database may take to tell its schema."""

PORT_SECONDS = 2.0
"""How long a port of our own may take to answer."""

LEAST_FREE_BYTES = 1 << 30
FEWEST_OPEN_FILES = 4096
NETWORK_FILESYSTEMS = (
    "nfs",
    "cifs",
    "smb",
    "9p",
    "afs",
    "ceph",
    "glusterfs",
    "lustre",
    "fuse.sshfs",
    "davfs",
    "gfs2",
)


class SchemaState(Protocol):
    """What is told of the database's schema: revisions, and whether they are the same."""

    @property
    def current(self) -> str | None:
        """The revision the database is at, None when it is empty."""
        ...

    @property
    def head(self) -> str:
        """The revision this program wants."""
        ...


def settings_file(path: Path | None) -> Finding:
    """Whether others on the machine can read the passwords."""
    if path is None:
        return note("settings", "no file: defaults and environment", "`callwright init` writes callwright.toml")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o007:
        return bad("settings", f"{path} can be read by everybody (mode {mode:o})", f"chmod 640 {path}")
    return well("settings", f"{path} is in force and private (mode {mode:o})")


def passwords(settings: Settings) -> Finding:
    """Whether one is missing, short, or known to everybody."""
    asterisk = settings.asterisk
    pairs = [
        ("asterisk.ari_password", asterisk.ari_password, asterisk.ari_user),
        ("asterisk.ami_secret", asterisk.ami_secret, asterisk.ami_user),
    ]
    weak = [f"{key} {reason}" for key, secret, user in pairs if (reason := weakness(secret, user=user))]
    if weak:
        return bad(
            "passwords",
            "; ".join(weak),
            "put 32 random letters and digits there, then `callwright conf install`",
        )
    return well("passwords", "none is empty, short or a known default")


async def database(settings: Settings, schema_state: Callable[[str], SchemaState]) -> Finding:
    """Whether the database answers and has the schema this program wants."""
    try:
        async with asyncio.timeout(DATABASE_SECONDS):
            state = await asyncio.to_thread(schema_state, settings.database.url)
    except CallwrightError as error:
        return bad("database", str(error), "start the database, or mend database.url in the settings")
    except TimeoutError:
        return bad("database", f"no answer within {DATABASE_SECONDS:g} s", "start the database, or mend database.url")
    if state.current != state.head:
        was = "empty" if state.current is None else f"at {state.current}"
        return bad("database", f"the schema is {was}, {state.head} is wanted", "run `callwright db upgrade`")
    return well("database", f"the schema is at {state.head}")


def database_disk(settings: Settings, mounts: Path = Path("/proc/mounts")) -> Finding | None:
    """Whether a SQLite file lies on a disk of this machine; None for a database server."""
    file = sqlite_file(settings)
    if file is None:
        return None
    filesystem = filesystem_of(file, mounts.read_text(encoding="utf-8", errors="replace"))
    if filesystem.startswith(NETWORK_FILESYSTEMS):
        return bad(
            "database disk",
            f"{file} lies on a network file system ({filesystem}), where SQLite loses data",
            "move it to a local disk, or use PostgreSQL",
        )
    return well("database disk", f"{file} lies on a local disk ({filesystem or 'unknown'})")


def sqlite_file(settings: Settings) -> Path | None:
    """The database file, absolute; None for a database server."""
    url = settings.database.url
    return Path(url.removeprefix("sqlite:///")).absolute() if url.startswith("sqlite:") else None


def filesystem_of(path: Path, mounts: str) -> str:
    """The type of the file system a path lies on, after the lines of /proc/mounts; empty when unknown."""
    best, kind = -1, ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) > 2 and path.is_relative_to(fields[1].replace("\\040", " ")) and len(fields[1]) >= best:
            best, kind = len(fields[1]), fields[2]
    return kind


def disk_space(settings: Settings, least: int = LEAST_FREE_BYTES) -> Finding:
    """Free bytes where the database lies, or where we stand when it is elsewhere."""
    folder = (sqlite_file(settings) or Path.cwd() / "x").parent
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < least:
        return bad(
            "disk space",
            f"{free / 1e9:.1f} GB free at {folder}, {least / 1e9:.1f} GB are wanted",
            "make room: recordings and old logs are the usual guests",
        )
    return well("disk space", f"{free / 1e9:.0f} GB free at {folder}")


def time_zone(settings: Settings) -> Finding:
    """Whether the rules of the site's zone are there: calling hours hang on them."""
    try:
        zone = ZoneInfo(settings.site.timezone)
    except (ZoneInfoNotFoundError, OSError):
        return bad("time zone", f"no data for {settings.site.timezone}", "install tzdata")
    return well("time zone", f"{zone.key} is known")


def open_files() -> Finding:
    """Whether this process, and so `serve` started the same way, may open enough sockets."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < FEWEST_OPEN_FILES:
        return note(
            "own open files",
            f"{soft} may be open here",
            "the unit of `conf render` asks for 65536; or ulimit -n",
        )
    return well("own open files", f"{soft} may be open here")


def listens_on_loopback(settings: Settings, tables: tuple[Path, ...] | None = None) -> Finding:
    """Whether Asterisk's web server and AMI are bound to all addresses of this machine."""
    ports = {
        "ARI": (urlsplit(settings.asterisk.ari_url).port or 80, "http.conf"),
        "AMI": (settings.asterisk.ami_port, "manager.conf"),
    }
    tables = tables or (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
    present = [table.read_text() for table in tables if table.exists()]
    if not present:
        return note("loopback", "this system does not tell who listens where")
    bound = set().union(*(bound_to_all(text) for text in present))
    open_doors = [(name, port, file) for name, (port, file) in ports.items() if port in bound]
    if open_doors:
        return bad(
            "loopback",
            "; ".join(f"{name} listens on all addresses, port {port}" for name, port, _ in open_doors),
            f"set bindaddr = 127.0.0.1 in {', '.join(file for *_, file in open_doors)} and restart Asterisk",
        )
    return well("loopback", "neither ARI nor AMI listens on all addresses")


def sip_address(settings: Settings) -> Finding:
    """Whether Asterisk, bound where the settings say, can reach the trunks at all."""
    try:
        own = pjsip.own_address(settings)
    except UsageError as error:
        return bad("SIP address", str(error).removesuffix("."), "mend it, then `callwright conf install`")
    outside = [name for name, trunk in settings.trunk.items() if not _is_loopback(trunk.host)]
    if own and _is_loopback(own) and outside:
        return bad(
            "SIP address",
            f"sip_bind is {settings.asterisk.sip_bind}, where neither trunk {outside[0]} nor phones can be reached",
            "set sip_bind in [asterisk] to this machine's address, or 0.0.0.0:5060; `callwright conf install`; restart",
        )
    return well("SIP address", f"phones and trunks meet Asterisk at {settings.asterisk.sip_bind}")


def _is_loopback(host: str) -> bool:
    bare = {"localhost": "127.0.0.1"}.get(host, host).strip("[]")
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


def bound_to_all(table: str) -> set[int]:
    """Ports of /proc/net/tcp or tcp6 that somebody listens to on every address."""
    found = set()
    for line in table.splitlines()[1:]:
        fields = line.split()
        address, _, port = fields[1].partition(":")
        if fields[3] == "0A" and not address.strip("0"):
            found.add(int(port, 16))
    return found


async def fastagi(settings: Settings, *, serving: bool) -> Finding:
    """Whether `serve` answers the agents' codes, or else whether the port is free for it."""
    host, port = pjsip.split_bind(settings.fastagi.bind)
    taken = await _connects(pjsip.reachable(host), port)
    if serving and not taken:
        return bad("FastAGI", f"{settings.fastagi.bind} does not answer: *45 fails", "restart `callwright serve`")
    if taken and not serving:
        return bad(
            "FastAGI",
            f"another program has {settings.fastagi.bind}",
            f"stop it (ss -ltnp 'sport = :{port}' names it), or set fastagi.bind to another port",
        )
    return well("FastAGI", f"{settings.fastagi.bind} {'answers' if taken else 'is free for serve'}")


async def http(settings: Settings, *, serving: bool) -> Finding:
    """Whether our own health page answers, or else whether the port is free."""
    host, port = pjsip.split_bind(settings.http.bind)
    if not await _connects(pjsip.reachable(host), port):
        if serving:
            return bad("HTTP", f"{settings.http.bind} does not answer", "restart `callwright serve`")
        return well("HTTP", f"{settings.http.bind} is free for serve")
    if await serve_answers(settings):
        return well("HTTP", f"{settings.http.bind} is ours")
    return bad(
        "HTTP",
        f"another program has {settings.http.bind}",
        f"stop it (ss -ltnp 'sport = :{port}' names it), or set http.bind to another port",
    )


async def _connects(host: str, port: int) -> bool:
    try:
        async with asyncio.timeout(PORT_SECONDS):
            _, writer = await asyncio.open_connection(host.strip("[]"), port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def serve_answers(settings: Settings) -> bool:
    """Whether a running `serve` shows its health page, which is JSON; what else may live there is not."""
    host, port = pjsip.split_bind(settings.http.bind)
    url = f"http://{pjsip.reachable(host)}:{port}/health/live"
    try:
        timeout = aiohttp.ClientTimeout(total=PORT_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as response:
            body = json.loads(await response.text())
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
        return False
    return isinstance(body, dict)


def database_folder(settings: Settings) -> Finding | None:
    """Whether SQLite can write beside its file (it keeps a journal there); None for a database server."""
    file = sqlite_file(settings)
    if file is None:
        return None
    if not os.access(file.parent, os.W_OK):
        return bad("database folder", f"{file.parent} cannot be written", "give it to the user of `callwright serve`")
    return well("database folder", f"{file.parent} can be written")
