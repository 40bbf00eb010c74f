from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.farend.place import Place
from tests.lab.addresses import AddressBlock
from tests.lab.farend import FarEnd
from tests.lab.provision import ProvisionError, in_root
from tests.lab.switch import Switch, SwitchError
from tests.lab.until import until

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.asterisk
async def test_a_switch_is_killed_frozen_and_started_again_beside_another(switch: Switch, tmp_path: Path) -> None:
    with AddressBlock() as block:
        for file in switch.etc.glob("*.conf"):
            text = file.read_text().replace(switch.address, block.prefix + ".1")
            (tmp_path / file.name).write_text(text)
        async with Switch("second", block.take(), tmp_path) as second:
            assert second.pid != switch.pid
            assert second.rss() > 10_000_000
            second.kill()
            assert not second.is_running
            with pytest.raises(SwitchError, match="second: `core show version` failed"):
                await second.cli("core show version")
            await second.start()
            second.freeze()
            with pytest.raises(SwitchError, match=r"took longer than 0\.3 s"):
                await second.cli("core show version", deadline=0.3)
            second.thaw()
            assert "Asterisk" in await second.cli("core show version")
            await second.cli("database put lab kept yes")
            used = second.cpu_seconds()
            await second.restart()
            assert second.cpu_seconds() > used > 0.1
            assert "yes" in await second.cli("database get lab kept")
            base = second.base
        assert not base.exists()
    assert "Asterisk" in await switch.cli("core show version")


@pytest.mark.asterisk
async def test_asterisk_ends_with_the_process_that_started_it(switch: Switch, tmp_path: Path) -> None:
    program = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom tests.lab.switch import Switch\n"
        "async def main():\n"
        "    switch = Switch('orphan', '127.0.0.1', Path(sys.argv[1]), lab=Path(sys.argv[2]))\n"
        "    switch.prepare(); switch.launch(); print(switch.pid, flush=True); await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    lab = tmp_path / "lab"
    lab.mkdir()
    if switch.asterisk.root is not None:
        (lab / "rootfs").symlink_to(switch.asterisk.root)
    child = subprocess.Popen(  # noqa: ASYNC220 - its end is what is tested
        [sys.executable, "-c", program, str(switch.etc), str(lab)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert child.stdout is not None
    pid = int(child.stdout.readline())
    assert os.path.exists(f"/proc/{pid}")  # noqa: ASYNC240
    child.send_signal(signal.SIGKILL)
    child.wait(5)
    child.stdout.close()

    def gone() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            return True

    await until(gone, 5, "Asterisk ends too")


async def test_a_switch_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "modules.conf").write_text("[modules]\nautoload = no\nrequire = no_such_module.so\n")
    broken = Switch("broken", "127.0.0.1", tmp_path)
    with pytest.raises(SwitchError, match="broken ended while starting"):
        await broken.start(10)
    broken.remove()


def test_an_asterisk_of_ones_own_that_is_none_is_refused_with_a_sentence() -> None:
    environment = {**os.environ, "CALLWRIGHT_ASTERISK": "/bin/true"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.lab.provision"],
        env=environment, capture_output=True, text=True, cwd=ROOT, timeout=30, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "CALLWRIGHT_ASTERISK=/bin/true is not an Asterisk binary that starts here.\n"


def test_a_half_made_file_system_is_not_taken_for_an_asterisk(tmp_path: Path) -> None:
    with pytest.raises(ProvisionError, match="holds no complete Asterisk"):
        in_root(tmp_path)


def test_blocks_of_addresses_do_not_collide() -> None:
    blocks = [AddressBlock() for _ in range(20)]
    try:
        assert len({block.take() for block in blocks}) == 20
    finally:
        for block in blocks:
            block.close()


async def test_until_gives_the_value_or_says_what_did_not_come() -> None:
    assert await until(lambda: 7, 1, "seven") == 7
    with pytest.raises(TimeoutError, match=r"not within 0.05 s: the moon \(last seen: \[\]\)"):
        await until(list, 0.05, "the moon")


async def test_the_far_end_says_which_address_is_taken(place: Place) -> None:
    def far_end() -> FarEnd:
        return FarEnd(switch=(place.switch, 5060), trunk=(place.trunk, 5066), phones=(place.phones, 5066))

    async with far_end():
        with pytest.raises(OSError, match="in use"):
            await far_end().__aenter__()
