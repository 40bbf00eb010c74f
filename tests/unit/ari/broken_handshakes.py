"""Many event sockets at once against a peer that resets them, beside other connections of the same loop.

A process of its own, because it ends with connections half open. Prints every failure that is none of the two foreseen.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import struct
import threading
import time

import uvloop

from ari_app.errors import AriDown
from ari_app.websocket import Ear, open_socket

SECONDS = 4.0
CHANCE = random.Random(7)
other_failures: set[str] = set()


def resets(door: socket.socket) -> None:
    """Take what comes, and break it a moment later."""
    while True:
        line, _ = door.accept()
        threading.Timer(CHANCE.choice((0.0, 0.001, 0.01, 0.25)), _break, (line,)).start()


def _break(line: socket.socket) -> None:
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.close()


async def knock(host: str, port: int) -> None:
    """Open the event socket again and again, patient or not."""
    while True:
        try:
            async with asyncio.timeout(CHANCE.uniform(0.001, 0.2)):
                await open_socket(f"http://{host}:{port}", {}, "a", Ear(lambda _: None))
        except (AriDown, TimeoutError):
            pass
        except Exception as error:
            other_failures.add(repr(error)[:60])
        await asyncio.sleep(0.001)


async def call(host: str, port: int) -> None:
    """What the AMI does on the same loop."""
    while True:
        try:
            async with asyncio.timeout(CHANCE.uniform(0.001, 0.2)):
                reader, writer = await asyncio.open_connection(host, port)
                await reader.read()
                writer.close()
        except (OSError, TimeoutError):
            pass
        await asyncio.sleep(0.001)


async def main() -> None:
    """For some seconds."""
    door = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=resets, args=(door,), daemon=True).start()
    at = door.getsockname()
    tasks = [asyncio.create_task(work(*at)) for _ in range(3) for work in (knock, call)]
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and not other_failures:
        await asyncio.wait(tasks, timeout=0.1)
    print("other failures:", sorted(other_failures), flush=True)
    os._exit(0)


if __name__ == "__main__":
    uvloop.run(main())
