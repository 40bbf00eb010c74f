"""A reader of README.md who does what it says, on Debian's stock Asterisk configuration and loopback addresses."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from contact_center import settings as settings_file
from tests.lab.addresses import AddressBlock
from tests.lab.commands import CLIENT, commands
from tests.lab.farend.customers import e164
from tests.lab.farend.script import Script
from tests.lab.farend.world import FarEnd
from tests.lab.process import die_with_parent
from tests.lab.switch import Switch
from tests.lab.until import until
from tests.readme.page import ROOT, Remark, Step

COMMAND_SECONDS = 60.0
_CURL = """#!{python}
import sys, urllib.request
sys.stdout.write(urllib.request.urlopen(sys.argv[-1], timeout=5).read().decode())
"""
PBX_PASSWORD = "the-password-bob-has-had-for-years"
_PBX_PHONE = f"""
[bobs-desk]
type = endpoint
context = from-internal
disallow = all
allow = ulaw
auth = bobs-desk
aors = bobs-desk
[bobs-desk]
type = auth
auth_type = userpass
username = bobs-desk
password = {PBX_PASSWORD}
[bobs-desk]
type = aor
max_contacts = 1
"""
_PBX_CONTEXT = """
[from-internal]
include => callwright-agent
"""
CUSTOMERS = {
    "+442079460018": Script("talks", ring_seconds=0.5, talk_seconds=1.0),
    "+442079460123": Script("talks", ring_seconds=0.5, talk_seconds=1.0),
    "+442079460200": Script("busy", ring_seconds=0.2, code=486),
    "+442079460300": Script("talks", ring_seconds=0.2, talk_seconds=0.5),
}


class Reader:
    """Runs the steps in `folder`; `etc` plays /etc/asterisk. Only addresses differ from the page: they come by
    the environment.
    """

    def __init__(self, folder: Path, etc: Path, block: AddressBlock) -> None:
        self.folder, self.etc = folder, etc
        self.at, self.trunk_at, self.phones_at = (block.take() for _ in range(3))
        self.switch = Switch("readme", self.at, etc)
        self.far = FarEnd(switch=(self.at, 5060), trunk=(self.trunk_at, 5060), phones=(self.phones_at, 5060))
        self._serve: asyncio.subprocess.Process | None = None
        self._log = folder / "serve.log"
        for number, script in CUSTOMERS.items():
            self.far.trunk.script(number, script)
        manager = etc / "manager.conf"  # Debian has AMI on 127.0.0.1, which belongs to the machine
        manager.write_text(manager.read_text().replace("127.0.0.1", self.at))
        for name, text in (("pjsip.conf", _PBX_PHONE), ("extensions.conf", _PBX_CONTEXT)):
            (etc / name).write_text((etc / name).read_text() + text)
        self._make_programs()

    def _make_programs(self) -> None:
        programs = self.folder / "bin"
        programs.mkdir()
        for name, text in (("callwright", CLIENT), ("curl", _CURL)):
            (programs / name).write_text(text.format(python=sys.executable, etc=self.etc, at=commands().door))
            (programs / name).chmod(0o755)

    @property
    def environment(self) -> dict[str, str]:
        """What commands see."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("CALLWRIGHT_")}
        own = {
            "PATH": f"{self.folder / 'bin'}:{kept['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HTTP": f"http://{self.at}:8080",
            "CALLWRIGHT_ASTERISK__ARI_URL": f"http://{self.at}:8088/ari",
            "CALLWRIGHT_ASTERISK__AMI_HOST": self.at,
            "CALLWRIGHT_ASTERISK__SIP_BIND": f"{self.at}:5060",
            "CALLWRIGHT_FASTAGI__BIND": f"{self.at}:4573",
            "CALLWRIGHT_HTTP__BIND": f"{self.at}:8080",
        }
        if self._trunk_is_written():  # before that the trunk would come from nowhere
            own["CALLWRIGHT_TRUNK__MAIN__HOST"] = self.trunk_at
        return kept | own

    def _trunk_is_written(self) -> bool:
        file = self.folder / "callwright.toml"
        return file.exists() and "\n[trunk.main]" in file.read_text()

    async def does(self, part: Step | Remark) -> None:
        """One step; AssertionError with its line when it is not as the page says."""
        if isinstance(part, Remark):
            await self._by_hand(part)
        elif part.command == "systemctl restart asterisk":
            await self.switch.start()
        elif part.command == "callwright serve":
            await self._start_serve()
            self._compare(part, self._log.read_text(), 0)
        else:
            code, out = await self.run(part.command)
            self._compare(part, out, code)

    def _compare(self, step: Step, output: str, code: int) -> None:
        shown = output.replace(str(self.etc), "/etc/asterisk")
        told = f"README.md line {step.line}: {step.command}\nexit {code}, printed:\n{shown}"
        assert code == step.exit_code, told
        missing = step.missing(shown)
        assert not missing, f"no line like {missing!r}\n{told}"

    async def run(self, command: str) -> tuple[int, str]:
        """Exit code and output (both streams) of a command line; shell variables last."""
        kept = "source ./.vars 2>/dev/null; {}\ncode=$?; declare -p CALL > ./.vars 2>/dev/null; exit $code"
        process = await asyncio.create_subprocess_exec(
            "bash", "-c", kept.format(command), cwd=self.folder, env=self.environment,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        async with asyncio.timeout(COMMAND_SECONDS):
            out, _ = await process.communicate()
        return process.returncode or 0, out.decode()

    async def json(self, command: str) -> dict[str, object]:
        """The document a command prints."""
        code, out = await self.run(f"{command} --json")
        assert code == 0, out
        return dict(json.loads(out))

    # -- what the page asks for in words ---------------------------------------------------------------

    async def _by_hand(self, remark: Remark) -> None:
        match remark.what.split():
            case ["append", "to", file]:
                with (self.folder / file).open("a") as stream:
                    stream.write("\n" + remark.text)
                settings_file.load(self.folder / file, {})
            case ["write", file]:
                (self.folder / file).write_text(remark.text)
            case ["phone", ext, "registers", "and", "dials", code]:
                account = await self.json(f"callwright agent phone {ext}")
                assert account["server"] == f"{self.at}:5060"
                await self._phone(str(account["user"]), str(account["password"]), code)
            case ["phone", user, "of", "the", "PBX", "registers", "and", "dials", code]:
                await self._phone(user, PBX_PASSWORD, code)
            case ["lead", key, "is", "called", "and", "done"]:
                await self._lead_done(key)
            case _:
                raise AssertionError(f"README.md line {remark.line}: nobody knows how to {remark.what!r}")

    async def _phone(self, user: str, password: str, code: str) -> None:
        phone = self.far.phones.add(user, password)
        await phone.register()

        async def on_line() -> bool:
            await phone.dial(code).until_over(15)
            _, out = await self.run("callwright agent list --state idle --json")
            return any(agent["endpoint"] == f"PJSIP/{user}" for agent in json.loads(out))

        # a person takes longer than the second in which serve obeys `agent add`; a code refused changes nothing
        await until(on_line, 5, f"{user} on line")

    async def _lead_done(self, key: str) -> None:
        number = e164(str((await self.json(f"callwright lead show {key}"))["number"]))
        await self.far.trunk.until_called(number, 10)

        async def done() -> bool:
            return (await self.json(f"callwright lead show {key}"))["state"] == "done"

        await until(done, 15, f"lead {key} done")

    # -- serve -----------------------------------------------------------------------------------------

    async def _start_serve(self) -> None:
        parent = os.getpid()
        with self._log.open("wb") as log:
            self._serve = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "cli", "serve", cwd=self.folder, env=self.environment, stdout=log, stderr=log,
                stdin=asyncio.subprocess.DEVNULL, preexec_fn=lambda: die_with_parent(parent),
            )  # fmt: skip

        async def ready() -> bool:
            return '"ready":true' in (await self.run("curl -s $HTTP/health/ready 2>/dev/null"))[1]

        await until(ready, 20, "serve ready")

    async def stops_serve(self) -> int:
        """SIGTERM; the exit code."""
        assert self._serve is not None
        self.far.hang_up_all()
        self._serve.send_signal(signal.SIGTERM)
        async with asyncio.timeout(15):
            return await self._serve.wait()

    async def leaves(self) -> None:
        """Nothing that was started stays."""
        if self._serve is not None and self._serve.returncode is None:
            self._serve.kill()
            await self._serve.wait()
        await self.switch.stop()
        self.switch.remove()
