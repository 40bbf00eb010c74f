"""Another process that holds the SQLite file, as a backup or a careless script does."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Self

HOLDER = """
import sqlite3, sys
link = sqlite3.connect(sys.argv[1], timeout=10, isolation_level=None)
link.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


class HeldLock:
    """`async with HeldLock(file)`: nobody else writes to the file while the block lasts."""

    def __init__(self, file: Path) -> None:
        self._file = file

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", HOLDER, str(self._file), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        assert self._process.stdout is not None
        async with asyncio.timeout(15):
            if await self._process.stdout.readline() != b"held\n":
                raise RuntimeError(f"{self._file} could not be locked")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._process.kill()
        await self._process.wait()
