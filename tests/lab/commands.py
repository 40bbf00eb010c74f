"""The program's commands without its start-up time: one process that has loaded all of it forks for each command.

A test run gives hundreds of commands, and each would spend a second of processor time on imports. What a command does
is the same: it is a process of its own, with its own environment, folder and streams. `serve` is started in the
ordinary way where it is meant to run.

`Commands` is what tests use; the program written by `CLIENT` is the page's `callwright` in tests of the README.
"""

from __future__ import annotations

import asyncio
import atexit
import gc
import json
import os
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import BinaryIO

from tests.lab.process import die_with_parent

ROOT = Path(__file__).resolve().parents[2]
CLIENT = """#!{python} -SE
import json, os, socket, sys
words = sys.argv[1:]
if " ".join(words[:2]) in ("conf install", "conf check", "conf uninstall") or words[:1] == ["doctor"]:
    words += ["--asterisk-etc", "{etc}"]
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line:
    line.connect("{at}")
    asked = json.dumps({{"words": words, "cwd": os.getcwd(), "environment": dict(os.environ)}})
    socket.send_fds(line, [asked.encode()], [0, 1, 2])
    sys.exit(int(line.recv(16) or b"70"))
"""
NO_ANSWER = 70


class Commands:
    """The process that forks; it ends with this one. ``door``: the socket at which it is asked."""

    def __init__(self) -> None:
        folder = tempfile.mkdtemp(prefix="callwright-commands-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        self.door = f"{folder}/door"
        parent = os.getpid()
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
            door.bind(self.door)
            door.listen(64)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.lab.commands", str(door.fileno())], cwd=ROOT,
                pass_fds=[door.fileno()], preexec_fn=lambda: die_with_parent(parent),  # noqa: PLW1509 - as tests start, alone
            )  # fmt: skip

    async def run(
        self, words: Sequence[str], *, environment: Mapping[str, str], cwd: Path, stdin: bytes = b""
    ) -> tuple[int, bytes, bytes]:
        """Exit code, output and errors of one command."""
        with tempfile.TemporaryFile() as read, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            read.write(stdin)
            read.seek(0)
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line:
                line.connect(self.door)
                asked = json.dumps({"words": list(words), "cwd": str(cwd), "environment": dict(environment)})
                socket.send_fds(line, [asked.encode()], [stream.fileno() for stream in (read, out, err)])
                line.setblocking(False)
                told = await asyncio.get_running_loop().sock_recv(line, 16)
            return int(told or NO_ANSWER), _written(out), _written(err)


def _written(stream: BinaryIO) -> bytes:
    stream.seek(0)
    return stream.read()


@cache
def commands() -> Commands:
    """The one of this test process."""
    return Commands()


def main(door: socket.socket) -> None:
    """Serve for ever: a command for each connection, its exit code when it has ended."""
    import cli

    cli.build()
    gc.collect()
    gc.freeze()  # what is loaded stays shared with every child
    with selectors.DefaultSelector() as waiting:
        waiting.register(door, selectors.EVENT_READ)
        while True:
            for key, _ in waiting.select():
                if key.fileobj is door:
                    line, _ = door.accept()
                    child = _start(cli.main, line)
                    waiting.register(os.pidfd_open(child), selectors.EVENT_READ, (child, line))
                else:
                    waiting.unregister(key.fileobj)
                    os.close(key.fd)
                    _tell(*key.data)


def _start(program: object, line: socket.socket) -> int:
    asked, streams, _, _ = socket.recv_fds(line, 1 << 20, 3)
    child = os.fork()
    if child == 0:
        _run(program, json.loads(asked), streams)
    for stream in streams:
        os.close(stream)
    return child


def _tell(child: int, line: socket.socket) -> None:
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with line:
        try:
            line.send(str(code).encode())
        except BrokenPipeError:
            return  # who asked has gone


def _run(program: object, asked: dict[str, object], streams: list[int]) -> None:
    """The command, in a process of its own from here on."""
    code: object = NO_ANSWER
    try:
        os.chdir(str(asked["cwd"]))
        os.environ.clear()
        os.environ.update(asked["environment"])  # type: ignore[call-overload]
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        # The old ones remember whether what they wrote to before could be sought in.
        sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))
        sys.argv = ["callwright", *asked["words"]]  # type: ignore[misc]
        program()  # type: ignore[operator]
    except SystemExit as end:
        code = end.code or 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else NO_ANSWER)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
