"""The program's commands without its start-up time: one process that has imported it forks for each command.

`python -m tests.readme.quick SOCKET` serves; the program written by `client` is what the page's `callwright` runs.
"""

from __future__ import annotations

import json
import os
import socket
import sys

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


def main(at: str) -> None:
    """Serve for ever."""
    import cli

    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        door.bind(at)
        door.listen()
        while True:
            line, _ = door.accept()
            with line:
                asked, streams, _, _ = socket.recv_fds(line, 1 << 20, 3)
                child = os.fork()
                if child == 0:
                    _run(cli.main, json.loads(asked), streams)
                for stream in streams:
                    os.close(stream)
                line.send(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode())


def _run(program: object, asked: dict[str, object], streams: list[int]) -> None:
    """The command, in a process of its own from here on."""
    code: object = 70
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
        os._exit(code if isinstance(code, int) else 70)


if __name__ == "__main__":
    main(sys.argv[1])
