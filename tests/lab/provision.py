"""Provides an Asterisk of version 22 or newer without touching one that is installed or running on the
machine.

In this order: the binary `$CALLWRIGHT_ASTERISK`; the machine's own `asterisk` when it is new enough (its
binary and modules are only read); a private Debian unstable root file system in `.lab/rootfs`, made by
debootstrap. The private one is run through its own dynamic loader, without chroot and without root rights.

    python -m tests.lab.provision [--lab .lab]
"""

from __future__ import annotations

import argparse
import fcntl
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

OLDEST = 22
SUITE = "sid"
PACKAGES = "asterisk,asterisk-core-sounds-en,asterisk-core-sounds-en-gsm,asterisk-moh-opsound-gsm"
VARIABLE = "CALLWRIGHT_ASTERISK"
DEBOOTSTRAP_SECONDS = 1800
HOW_ELSE = f"set {VARIABLE} to the path of an Asterisk {OLDEST} (or newer) binary to use one of your own"


class ProvisionError(RuntimeError):
    """There is no usable Asterisk; the text is one sentence for people."""


@dataclass(frozen=True, slots=True)
class Asterisk:
    """How to start one. `command`: what stands before the options; `root`: the private root file system, or
    None.

    `modules` and `data` are None when the binary's compiled-in directories are right.
    """

    command: tuple[str, ...]
    version: str
    root: Path | None = None
    modules: Path | None = None
    data: Path | None = None


def default_lab() -> Path:
    """`.lab` of the checkout this file belongs to."""
    return Path(__file__).resolve().parents[2] / ".lab"


def find(lab: Path | None = None) -> Asterisk | None:
    """The Asterisk that is there already, None when none is; ProvisionError when the one asked for is no
    good.
    """
    own = os.environ.get(VARIABLE)
    if own:
        return _own(own)
    installed = shutil.which("asterisk", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if installed:
        version = _version((installed,))
        if version is not None and _major(version) >= OLDEST:
            return Asterisk((installed,), version)
    root = (lab or default_lab()) / "rootfs"
    return in_root(root) if root.is_dir() else None


def provide(lab: Path | None = None) -> Asterisk:
    """`find`, else make the private root file system; ProvisionError when that fails twice."""
    place = lab or default_lab()
    place.mkdir(parents=True, exist_ok=True)
    with (place / "provision.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs at once make one file system
        found = find(place)
        if found is not None:
            return found
        _make(place)
        return in_root(place / "rootfs")


def in_root(root: Path) -> Asterisk:
    """The Asterisk in a private root file system; ProvisionError when it is not whole or too old."""
    modules = next(iter(sorted(root.glob("usr/lib/*/asterisk/modules"))), None)
    loader = next(iter(sorted(root.glob("usr/lib/*/ld-linux*.so.*"))), None)
    binary = root / "usr/sbin/asterisk"
    if modules is None or loader is None or not binary.is_file():
        raise ProvisionError(f"{root} holds no complete Asterisk: remove it and run the command again.")
    libraries = f"{modules.parent.parent}:{root / 'usr/lib'}"
    command = (str(loader), "--inhibit-cache", "--library-path", libraries, str(binary))
    version = _version(command)
    if version is None or _major(version) < OLDEST:
        raise ProvisionError(f"{root} holds Asterisk {version}; remove it and run the command again, or {HOW_ELSE}.")
    return Asterisk(command, version, root, modules, root / "usr/share/asterisk")


def _own(path: str) -> Asterisk:
    version = _version((path,))
    if version is None:
        raise ProvisionError(f"{VARIABLE}={path} is not an Asterisk binary that starts here.")
    if _major(version) < OLDEST:
        raise ProvisionError(f"{VARIABLE}={path} is Asterisk {version}; {OLDEST} or newer is needed.")
    return Asterisk((path,), version)


def _version(command: tuple[str, ...]) -> str | None:
    try:
        said = subprocess.run([*command, "-V"], capture_output=True, text=True, timeout=20, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"Asterisk (?:certified/|GIT-)?(\d[^\s~]*)", said)
    return match[1] if match else None


def _major(version: str) -> int:
    match = re.match(r"\d+", version)
    return int(match[0]) if match else 0


def _make(lab: Path) -> None:
    """debootstrap into `rootfs.partial`, then rename: a `rootfs` is always whole.

    One more try after a failure.
    """
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if sudo and subprocess.run([*sudo, "true"], capture_output=True, check=False).returncode != 0:
        raise ProvisionError(f"Making a private Asterisk needs root or sudo without a password; or {HOW_ELSE}.")
    tool = shutil.which("debootstrap", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if tool is None:
        raise ProvisionError(f"debootstrap is missing (apt-get install debootstrap); or {HOW_ELSE}.")
    partial, log = lab / "rootfs.partial", lab / "debootstrap.log"
    command = [*sudo, tool, "--variant=minbase", f"--include={PACKAGES}", SUITE, str(partial)]
    said = ""
    for _ in range(2):
        _remove(partial, sudo)
        said = _run(command, log)
        if not said:
            _finish(partial, sudo)
            partial.rename(lab / "rootfs")
            return
    _remove(partial, sudo)
    raise ProvisionError(f"debootstrap of Debian {SUITE} failed twice ({said}; all of it in {log}); {HOW_ELSE}.")


def _run(command: list[str], log: Path) -> str:
    """Run debootstrap; '' when it worked, else the line that says why not."""
    with log.open("w", encoding="utf-8") as out:
        try:
            code = subprocess.run(
                command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False,
                timeout=DEBOOTSTRAP_SECONDS,
            ).returncode  # fmt: skip
        except subprocess.TimeoutExpired:
            return f"not done within {DEBOOTSTRAP_SECONDS} s"
        except OSError as error:
            return str(error)
    if code == 0:
        return ""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("E:", "W: Failure"))]
    return (errors or lines or [f"exit code {code}"])[-1]


def _finish(root: Path, sudo: list[str]) -> None:
    """Readable by the user who made it, without package lists and downloaded packages."""
    for waste in ("var/cache/apt/archives", "var/lib/apt/lists"):
        _remove(root / waste, sudo)
    if sudo:
        subprocess.run([*sudo, "chown", str(os.getuid()), str(root), str(root.parent)], check=True)


def _remove(path: Path, sudo: list[str]) -> None:
    if not path.exists():
        return
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8")
    inside = [m for line in mounts.splitlines() if (m := line.split()[1]).startswith(f"{path}/")]
    for mount in sorted(inside, key=len, reverse=True):  # an interrupted debootstrap leaves proc mounted
        subprocess.run([*sudo, "umount", mount], check=True)
    subprocess.run([*sudo, "rm", "-rf", "--one-file-system", str(path)], check=True)


def main() -> int:
    """Provide it and print its version; 1 with one sentence when that is not possible."""
    parser = argparse.ArgumentParser(description="Provide an Asterisk for tests and the demo.")
    parser.add_argument("--lab", type=Path, default=default_lab(), help="directory for the private file system")
    lab: Path = parser.parse_args().lab
    try:
        asterisk = provide(lab.resolve())
    except ProvisionError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Asterisk {asterisk.version} ({asterisk.root or asterisk.command[0]})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
