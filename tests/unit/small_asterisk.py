"""A small real Asterisk of the lab for tests of AGI and AMI: loopback only, files of its own."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 30.0
SECRET = "lab-secret-4711"
LAB_ROOT = Path(os.environ.get("CALLWRIGHT_LAB_ROOTFS", Path(__file__).parents[2] / ".lab" / "rootfs")).resolve()

_MODULES = """
res_timing_timerfd res_sorcery_config res_sorcery_memory res_sorcery_astdb res_pjproject res_pjsip
res_pjsip_session res_pjsip_pubsub res_pjsip_registrar res_pjsip_endpoint_identifier_user
res_pjsip_authenticator_digest res_rtp_asterisk chan_pjsip pbx_config res_agi res_speech app_queue
res_musiconhold res_clioriginate res_manager_devicestate func_channel func_global app_verbose app_echo app_playback
codec_ulaw codec_alaw codec_gsm format_gsm format_wav format_pcm
"""

_FILES = {
    "manager.conf": """[general]
enabled = yes
webenabled = no
bindaddr = {host}
port = {ami_port}
[callwright]
secret = {secret}
read = all
write = all
[deaf]
secret = {secret}
read = call
write = call
""",
    "pjsip.conf": """[global]
type = global
[udp]
type = transport
protocol = udp
bind = {host}:5060
{pjsip}
""",
    "extensions.conf": "[general]\n[globals]\n{extensions}\n",
    "queues.conf": "[general]\n",
    "logger.conf": "[general]\nqueue_log = yes\n[logfiles]\nfull => notice,warning,error,verbose\n",
    "musiconhold.conf": "[general]\n",
    "rtp.conf": "[general]\nrtpstart = 20000\nrtpend = 20100\nicesupport = no\n",
}
_EMPTY = "udptl pjproject cdr cel features acl ccss http stasis indications codecs queuerules"


@dataclass(slots=True)
class SmallAsterisk:
    """A running Asterisk: AMI at ``host:ami_port`` for user ``callwright``."""

    host: str
    ami_port: int
    root: Path
    home: str
    process: asyncio.subprocess.Process | None = None

    def file(self, *parts: str) -> Path:
        """A file of this Asterisk, as seen from outside its root."""
        return self.root / self.home.lstrip("/") / Path(*parts)

    @property
    def full_log(self) -> str:
        """Its log so far."""
        return self.file("log", "full").read_text(errors="replace")

    async def cli(self, command: str) -> str:
        """Run one console command."""
        process = await asyncio.create_subprocess_exec(
            "chroot", str(self.root), "asterisk", "-C", f"{self.home}/etc/asterisk.conf", "-rx", command,
            stdout=PIPE, stderr=STDOUT,
        )  # fmt: skip
        async with asyncio.timeout(15):
            out, _ = await process.communicate()
        return out.decode(errors="replace")

    async def start(self) -> None:
        """Start it and wait until it is fully booted."""
        self.process = await asyncio.create_subprocess_exec(
            "chroot", str(self.root), "asterisk", "-f", "-C", f"{self.home}/etc/asterisk.conf",
            stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL,
        )  # fmt: skip
        async with asyncio.timeout(START_SECONDS):
            while "fully booted" not in await self.cli("core waitfullybooted"):
                assert self.process.returncode is None, self.full_log
                await asyncio.sleep(0.1)

    async def stop(self) -> None:
        """Kill it at once; calls and sockets go with it."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()


def free_port(host: str) -> int:
    """A TCP port that is free now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def small_asterisk(
    name: str, host: str, *, extensions: str = "", pjsip: str = ""
) -> AsyncIterator[SmallAsterisk]:
    """An Asterisk with this dialplan and these PJSIP sections, on ``host`` alone."""
    asterisk = SmallAsterisk(host, free_port(host), LAB_ROOT, f"/lab/{name}-{os.getpid()}")
    _write(asterisk, extensions, pjsip)
    try:
        await asterisk.start()
        yield asterisk
    finally:
        await asterisk.stop()
        shutil.rmtree(asterisk.file(), ignore_errors=True)


def _write(asterisk: SmallAsterisk, extensions: str, pjsip: str) -> None:
    for folder in ("etc", "lib", "log", "spool", "run", "data/sounds/callwright"):
        asterisk.file(folder).mkdir(parents=True, exist_ok=True)
    values = {
        "host": asterisk.host, "ami_port": asterisk.ami_port, "secret": SECRET,
        "extensions": extensions, "pjsip": pjsip,
    }  # fmt: skip
    for name, text in _FILES.items():
        asterisk.file("etc", name).write_text(text.format(**values))
    for name in _EMPTY.split():
        asterisk.file("etc", f"{name}.conf").write_text("")
    loads = "\n".join(f"load = {module}.so" for module in _MODULES.split())
    asterisk.file("etc", "modules.conf").write_text(f"[modules]\nautoload = no\n{loads}\n")
    home = asterisk.home
    asterisk.file("etc", "asterisk.conf").write_text(
        f"[directories]\nastetcdir => {home}/etc\nastmoddir => {_module_folder(asterisk.root)}\n"
        f"astvarlibdir => {home}/lib\nastdbdir => {home}/lib\nastkeydir => {home}/lib\n"
        f"astagidir => {home}/lib\n"
        f"astdatadir => {home}/data\nastspooldir => {home}/spool\nastrundir => {home}/run\n"
        f"astlogdir => {home}/log\n[options]\nentityid = 02:00:00:00:64:01\nverbose = 3\n"
    )
    stock = asterisk.root / "usr/share/asterisk"
    for folder in stock.iterdir():
        if folder.name != "sounds":
            asterisk.file("data", folder.name).symlink_to(f"/usr/share/asterisk/{folder.name}")
    asterisk.file("data", "sounds", "en").symlink_to("/usr/share/asterisk/sounds/en")


def _module_folder(root: Path) -> str:
    return next(f"/usr/lib/{folder.name}/asterisk/modules" for folder in (root / "usr/lib").glob("*-linux-gnu"))
