"""Turns of the tests that run side by side: one that is marked `alone` is timed, and nobody else computes meanwhile.

Each test holds a lock that all may share; a test that is alone has it for itself. It shuts a gate before, through
which all others come, so that it is not kept waiting for ever.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from pathlib import Path

import pytest


class Turn:
    """The turn of one worker's test; all whose ``folder`` is the same take turns."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._gate, self._floor = (
            os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o600) for name in ("turns.gate", "turns.floor")
        )
        self._is_mine = False
        self.is_next = False  # the gate is shut behind us
        self.file: Path | None = None  # of the last test

    def wait(self, *, alone: bool) -> None:
        """Stand still until it is our turn."""
        if self._is_mine:
            return
        how = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
        fcntl.flock(self._gate, how)
        self.is_next = alone
        fcntl.flock(self._floor, how)
        if not alone:
            fcntl.flock(self._gate, fcntl.LOCK_UN)
        self._is_mine = True

    async def come(self, *, alone: bool) -> None:
        """The same, while phones and lines of the tests before go on living in this loop."""
        await asyncio.to_thread(self.wait, alone=alone)

    def over(self) -> None:
        """The next ones may go on."""
        for lock in (self._floor, self._gate):
            fcntl.flock(lock, fcntl.LOCK_UN)
        self._is_mine = self.is_next = False


TURN = pytest.StashKey[Turn]()
"""Of a worker's configuration: its turn, where there are other workers."""
