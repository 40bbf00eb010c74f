"""Loopback addresses for one run, different from those of every other run on the machine.

A run takes a block 127.x.y.* and holds it by a TCP socket bound (not listening) to a guard port in it, so
blocks come free when the process ends, however it ends.
"""

from __future__ import annotations

import os
import random
import socket
from types import TracebackType
from typing import Self

GUARD_PORT = 65_000
FIRST_NET, LAST_NET = 64, 126
VARIABLE = "CALLWRIGHT_LAB_NET"


class AddressBlock:
    """127.x.y.1 to .254. `$CALLWRIGHT_LAB_NET` (such as `127.61`) fixes the first two parts."""

    def __init__(self) -> None:
        self._guard: socket.socket | None = None
        self._prefix = ""
        self._given = 0
        self._take()

    def _take(self) -> None:
        chance = random.Random(f"{os.getpid()} {os.urandom(8).hex()}")
        fixed = os.environ.get(VARIABLE)
        for _ in range(500):
            net = fixed or f"127.{chance.randint(FIRST_NET, LAST_NET)}"
            prefix = f"{net}.{chance.randint(1, 254)}"
            guard = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                guard.bind((f"{prefix}.254", GUARD_PORT))
            except OSError:
                guard.close()
                continue
            self._guard, self._prefix = guard, prefix
            return
        raise OSError("no free block of loopback addresses was found")

    @property
    def prefix(self) -> str:
        """`127.x.y`."""
        return self._prefix

    def take(self) -> str:
        """The next address of the block."""
        if self._given >= 250:
            raise OSError(f"all addresses of {self._prefix}.* have been given out")
        self._given += 1
        return f"{self._prefix}.{self._given}"

    def close(self) -> None:
        """Give the block back."""
        if self._guard is not None:
            self._guard.close()
            self._guard = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
