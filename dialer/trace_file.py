"""Traces of live decisions: a file per campaign that says ``record_trace=on``, beside the database."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TextIO

import structlog

from contact_center.settings import Settings

MOST_BYTES = 512 * 1024 * 1024  # a trace grows no further: a disk must not fill up for it
_LONGEST_LINE = 1024 * 1024

log = structlog.get_logger(__name__)


def trace_path(settings: Settings, campaign: str) -> Path:
    """Where a running ``serve`` writes the trace of a campaign: beside the SQLite file, else in its state directory."""
    url = settings.database.url
    beside = url.startswith("sqlite:///")
    directory = Path(url.removeprefix("sqlite:///")).parent if beside else Path(os.environ.get("STATE_DIRECTORY", "."))
    return directory / f"{campaign}.trace"


class TraceFile:
    """Takes lines until it is too long, or the disk refuses; a campaign never waits or fails because of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: TextIO | None = None
        self._size = 0
        try:
            _cut_torn_line(path)
            self._file = path.open("a", encoding="utf-8")
            self._size = self._file.tell()
        except OSError as error:
            self._give_up(error)

    def write(self, line: str) -> None:
        """One line without its end."""
        if self._file is None:
            return
        self._size += len(line) + 1
        if self._size > MOST_BYTES:
            log.warning("a trace is long enough; no more is recorded", action="trace", file=str(self.path))
            self.close()
            return
        try:
            self._file.write(line + "\n")
        except OSError as error:
            self._give_up(error)

    def flush(self) -> None:
        """What was written is in the file."""
        if self._file is not None:
            try:
                self._file.flush()
            except OSError as error:
                self._give_up(error)

    def close(self) -> None:
        """No more is written."""
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError as error:
                self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        log.warning("no trace is recorded", action="trace", file=str(self.path), reason=str(error))
        self._file = None


def _cut_torn_line(path: Path) -> None:
    """A process that was killed may have left half a line at the end."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - _LONGEST_LINE, 0))
        tail = file.read()
        file.truncate(size - (len(tail) - (tail.rfind(b"\n") + 1)))


class Traces:
    """The trace files of a running ``serve``, by campaign."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._files: dict[str, TraceFile] = {}

    def of(self, campaign: str, wanted: bool) -> TraceFile | None:
        """The file of a campaign, opened if it is wanted; else what is open is closed."""
        if not wanted:
            if file := self._files.pop(campaign, None):
                file.close()
            return None
        if campaign not in self._files:
            self._files[campaign] = TraceFile(trace_path(self._settings, campaign))
        return self._files[campaign]

    def flush(self) -> None:
        """All that was written is in the files."""
        for file in self._files.values():
            file.flush()

    def close(self) -> None:
        """Nothing more is recorded."""
        for file in self._files.values():
            file.close()
