"""CSV for spreadsheets: no cell of ours is taken for a formula, and a file appears only when complete."""

from __future__ import annotations

import csv
import io
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

import orjson

from contact_center.errors import UsageError
from contact_center.numbers import dialable

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\0")


def safe_cell(value: Any) -> str:
    """A cell that no spreadsheet takes for a formula; E.164 numbers stay as they are."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
        value = "; ".join(value)
    text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    return f"'{text}" if text.startswith(_FORMULA) and not dialable(text) else text


class CsvSheet:
    """A CSV file for spreadsheets, quoted throughout."""

    def __init__(self, stream: TextIO, columns: Sequence[str]) -> None:
        self._writer = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
        self._writer.writerow([safe_cell(column) for column in columns])
        self.rows = 0

    def write(self, cells: Iterable[Any]) -> None:
        """One row."""
        self._writer.writerow([safe_cell(cell) for cell in cells])
        self.rows += 1


@contextmanager
def written(path: Path | None) -> Iterator[TextIO]:
    """A text file that appears under its name when complete, readable by its owner only; None is stdout.

    Raises UsageError when it cannot be written.
    """
    if path is None or str(path) == "-":
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(newline="")
        yield sys.stdout
        sys.stdout.flush()
        return
    if path.is_dir():
        raise UsageError(f"{path}: this is a folder; name a file.")
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:40]}.", dir=path.parent)
    except OSError as error:
        raise UsageError(f"{path}: it cannot be written ({error.strerror}); choose another folder.") from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            yield file
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
