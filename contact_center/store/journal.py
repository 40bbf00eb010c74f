"""Where facts wait while the database is away: a file of JSON lines that survives a crash.

The file keeps some space reserved, filled with NUL bytes, so that a full disk does not silence it: the very
disk that stops the database is often the one it lies on.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import orjson

from contact_center.store.fact import Fact

RESERVED_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """One fact in the journal, numbered by the writer that posted it."""

    source: str
    seq: int
    fact: Fact

    def line(self) -> bytes:
        """The entry as a line. Raises TypeError when the fact holds what JSON cannot say."""
        return orjson.dumps({"source": self.source, "seq": self.seq, **self.fact.told()}) + b"\n"


def sensible(lines: Iterable[bytes]) -> tuple[list[Entry], list[bytes]]:
    """The entries that lines hold, and the lines that make no sense."""
    entries: list[Entry] = []
    senseless: list[bytes] = []
    for line in lines:
        try:
            values = orjson.loads(line)
            entries.append(Entry(values.pop("source"), int(values.pop("seq")), Fact.from_json(values)))
        except (ValueError, KeyError, TypeError, AttributeError):
            senseless.append(line)
    return entries, senseless


class Journal:
    """The file, owned by one writer. Errors of the disk are OSErrors."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._end = 0

    def read(self) -> tuple[list[Entry], list[bytes]]:
        """What an earlier run left, in order, and lines that make no sense.

        A last line without its end was never confirmed and is dropped.
        """
        content = self.path.read_bytes().split(b"\0", 1)[0]
        lines = content.split(b"\n")[:-1]
        self._end = sum(len(line) + 1 for line in lines)
        return sensible(lines)

    def reserve(self) -> None:
        """Reserve the space; a disk that is full already gives none, which is no error here."""
        with suppress(OSError):
            os.posix_fallocate(self._file, 0, RESERVED_BYTES)

    def append(self, lines: Iterable[bytes]) -> None:
        """Add lines; they are on the disk when this returns."""
        block = b"".join(lines)
        view, at = memoryview(block), self._end
        while view:
            written = os.pwrite(self._file, view, at)
            view, at = view[written:], at + written
        os.fdatasync(self._file)
        self._end = at

    def set_aside(self, lines: Iterable[bytes]) -> Path:
        """Keep senseless lines in a file beside this one, for a person to look at."""
        beside = self.path.with_name(f"{self.path.name}.rejected")
        with beside.open("ab") as stream:
            stream.writelines(line + b"\n" for line in lines)
        return beside

    def clear(self) -> None:
        """Forget everything but keep the space."""
        if self._end > RESERVED_BYTES:
            os.ftruncate(self._file, RESERVED_BYTES)
        left = min(self._end, RESERVED_BYTES)
        os.pwrite(self._file, bytes(left), 0)
        os.fdatasync(self._file)
        self._end = 0

    def close(self, *, remove: bool) -> None:
        """Close the file; ``remove`` it when everything in it is stored."""
        os.close(self._file)
        if remove:
            self.path.unlink(missing_ok=True)
