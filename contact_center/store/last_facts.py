"""The facts of the last moment, in shared memory: who kills the process does not take them with it.

A fact waits up to a fifth of a second for others to share its transaction. Until then it stands here as well. The
memory belongs to the kernel, so it outlives a `kill -9` (not a power cut), and writing to it never waits for a disk.
A link beside the journal names it: what belongs to a database that was removed is never taken for another's.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from contact_center.store.journal import Entry, sensible

SHARED_MEMORY = Path("/dev/shm")
SIZE_BYTES = 1 << 20


def left_behind(journal: Path) -> list[Entry]:
    """What a process that ended left, each once, in order; a line torn by a kill was never posted. Raises OSError."""
    try:
        content = _link(journal).read_bytes()
    except FileNotFoundError:
        return []
    found = sensible(content.split(b"\0", 1)[0].split(b"\n")[:-1])[0]
    # Of one writer: killed while it forgets, it leaves what waits in its new place and in its old one.
    return [entry for _, entry in sorted({entry.seq: entry for entry in found}.items())]


class LastFacts:
    """The memory of one journal's writer, in place of an earlier one. Raises OSError where there is none to have."""

    def __init__(self, journal: Path) -> None:
        self._link = _link(journal)
        earlier = self._link.readlink() if self._link.is_symlink() else None
        file, name = tempfile.mkstemp(".facts", "callwright-", SHARED_MEMORY)
        self._path = Path(name)
        try:
            # Without its space reserved a write into the memory could end the process.
            os.posix_fallocate(file, 0, SIZE_BYTES)
            self._memory = mmap.mmap(file, SIZE_BYTES)
            fresh = self._link.with_name(f"{self._link.name}.new")
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(self._path)
            fresh.replace(self._link)
        except OSError:
            self._path.unlink(missing_ok=True)
            raise
        finally:
            os.close(file)
        if earlier is not None and earlier.parent == SHARED_MEMORY:
            earlier.unlink(missing_ok=True)
        self._end = 0

    def write(self, entry: Entry) -> None:
        """Add a fact. One that JSON cannot say, or for which there is no room, is left out."""
        with suppress(TypeError):
            line = entry.line()
            end = self._end + len(line)
            if end <= SIZE_BYTES:
                self._memory[self._end : end] = line
                self._end = end

    @property
    def is_filling(self) -> bool:
        """Whether there may soon be no room, under a load that never lets everything be stored."""
        return self._end > SIZE_BYTES // 2

    def keep(self, waiting: Iterable[Entry]) -> None:
        """Everything but these is stored: forget it, so that nobody's number stays readable here.

        Who is killed meanwhile leaves some that are stored after these: they are not stored again.
        """
        before, self._end = self._end, 0
        for entry in waiting:
            self.write(entry)
        if before > self._end:
            self._memory[self._end : before] = bytes(before - self._end)

    def close(self, *, remove: bool = True) -> None:
        """Give the memory back; without ``remove`` it stays, for what is neither stored nor in the journal."""
        self._memory.close()
        if remove:
            self._link.unlink(missing_ok=True)
            self._path.unlink(missing_ok=True)


def _link(journal: Path) -> Path:
    return journal.with_name(f"{journal.name}.last")
