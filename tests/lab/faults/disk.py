"""A disk small enough to fill up."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Self


class SmallDisk:
    """`with SmallDisk(megabytes=8) as disk`: a tmpfs at `disk.path`. RuntimeError where mounting is not allowed."""

    def __init__(self, megabytes: int = 8) -> None:
        self._megabytes = megabytes
        self.path = Path(tempfile.mkdtemp(prefix="callwright-disk-"))
        self._ballast = self.path / "ballast"

    def __enter__(self) -> Self:
        options = f"size={self._megabytes}m,mode=0777"
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            self.path.rmdir()
            raise RuntimeError(f"A small disk needs the right to mount a tmpfs: {done.stderr.strip()}")
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", "-l", str(self.path)], check=True)
        self.path.rmdir()

    @property
    def free_bytes(self) -> int:
        """What is left on it."""
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize

    def fill(self) -> None:
        """Not a byte is left."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in (65536, 4096, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    continue

    def free(self) -> None:
        """The space is there again."""
        self._ballast.unlink(missing_ok=True)
