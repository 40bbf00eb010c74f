"""From the bytes of a file to records: its encoding, its lines, its quotes. Everything has a limit.

Whatever somebody hands us, the outcome is a record, a record with a problem in words, or one sentence about
the whole file (UsageError).
"""

from __future__ import annotations

import codecs
import csv
import io
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import charset_normalizer

from contact_center.errors import UsageError

MAX_FILE_BYTES = 4 << 30
MAX_LINE_CHARS = 65_536
MAX_RECORD_LINES = 20
"""A cell may hold line breaks; a quote that is never closed must not swallow the file."""

SAMPLE_BYTES = 262_144
_GUESS_BYTES = 65_536
_DELIMITERS = ",;\t|"

_NOT_TEXT = (
    (b"PK\x03\x04", "an Excel workbook or a zip"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"\x1f\x8b", "a gzip"),
    (b"%PDF", "a PDF"),
    (b"SQLite format 3", "a database"),
    (b"7z\xbc\xaf", "a 7-zip"),
    (b"Rar!", "a rar"),
)
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


Line = tuple[int, str, str]
"""Number, text with its line end, and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Record:
    """One row: its first line in the file and its cells, or the ``problem`` that keeps it from being one."""

    line: int
    cells: list[str]
    problem: str = ""


class TextTable:
    """A file of rows, opened. Use it as a context manager; :meth:`records` reads it once."""

    def __init__(self, path: Path, encoding: str | None = None) -> None:
        self._path = path
        self._raw, self.size = _open(path)
        try:
            self.encoding = encoding or self._find_encoding()
            self._text = io.TextIOWrapper(self._raw, encoding=self.encoding, errors=_errors(self.encoding), newline="")
        except LookupError:
            self._raw.close()
            raise UsageError(f"{path}: there is no encoding {encoding!r}; try cp1252 or utf-8.") from None
        except UsageError:
            self._raw.close()
            raise
        self.delimiter = ","
        self._waiting: deque[Line] = deque()
        self._line = 0

    def _find_encoding(self) -> str:
        sample = self._raw.read(SAMPLE_BYTES)
        self._raw.seek(0)
        return _encoding(self._path, sample, whole=len(sample) == self.size)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._text.close()

    @property
    def position(self) -> int:
        """Bytes read so far, for a progress bar."""
        return self._raw.tell()

    def head(self) -> list[str]:
        """The first lines, to be read again by :meth:`records`; sets the delimiter. Raises UsageError."""
        first: list[Line] = []
        while len(first) < MAX_RECORD_LINES and (line := self._next_line()) is not None:
            first.append(line)
        if first and (told := _told_delimiter(first[0][1])):
            self.delimiter = told
            first.pop(0)
        else:
            self.delimiter = _guess_delimiter([text for _, text, problem in first if not problem])
        self._waiting.extendleft(reversed(first))
        lines = [text for _, text, _ in first if text.strip()]
        if not lines:
            raise UsageError(f"{self._path}: the file is empty; nothing was imported.")
        return lines

    def records(self) -> Iterator[Record]:
        """All rows but the empty ones. Raises UsageError when the file cannot be read on."""
        while (line := self._next_line()) is not None:
            number, text, problem = line
            if problem:
                yield Record(number, [text[:200]], problem)
                continue
            record = self._record(number, text)
            if record.problem or any(cell.strip() for cell in record.cells):
                yield record

    def _record(self, number: int, text: str) -> Record:
        """The row that begins in this line; a quoted cell may go on in the next ones."""
        taken: list[Line] = []
        try:
            cells = next(csv.reader(self._lines_of(text, taken), delimiter=self.delimiter, strict=True), [])
        except csv.Error as error:
            self._waiting.extendleft(reversed(taken))
            return Record(number, [text.rstrip("\r\n")[:1000]], _quotes(error))
        return Record(number, cells, _unreadable([text, *(line[1] for line in taken)], self.encoding))

    def _lines_of(self, text: str, taken: list[Line]) -> Iterator[str]:
        """The lines that the parser asks for while a quote is open; they are noted in ``taken``."""
        yield text
        size = len(text)
        while len(taken) < MAX_RECORD_LINES and size <= MAX_LINE_CHARS:
            following = self._next_line()
            if following is None:
                return
            taken.append(following)
            if following[2]:
                return
            size += len(following[1])
            yield following[1]

    def _next_line(self) -> Line | None:
        if self._waiting:
            return self._waiting.popleft()
        text = self._read()
        if not text:
            return None
        self._line += 1
        if len(text) < MAX_LINE_CHARS or text.endswith(("\n", "\r")):
            return self._line, text, ""
        rest = text
        while rest and not rest.endswith(("\n", "\r")):
            rest = self._read()
        return self._line, text, f"the line is longer than {MAX_LINE_CHARS} characters"

    def _read(self) -> str:
        try:
            return self._text.readline(MAX_LINE_CHARS)
        except UnicodeError:
            raise UsageError(
                f"{self._path}: the file is not {self.encoding} text after line {self._line}; nothing was imported."
            ) from None
        except OSError as error:
            raise UsageError(f"{self._path}: it cannot be read on ({error.strerror}).") from None


def _open(path: Path) -> tuple[BinaryIO, int]:
    try:
        if path.is_dir():
            raise UsageError(f"{path}: this is a folder; name a CSV file.")
        if not path.exists():
            raise UsageError(f"{path}: there is no such file.")
        if not path.is_file():
            raise UsageError(f"{path}: this is not a file; name a CSV file.")
        size = path.stat().st_size
        if size == 0:
            raise UsageError(f"{path}: the file is empty; nothing was imported.")
        if size > MAX_FILE_BYTES:
            raise UsageError(f"{path}: the file is larger than {MAX_FILE_BYTES >> 30} GB; import it in parts.")
        return path.open("rb"), size
    except OSError as error:
        raise UsageError(f"{path}: it cannot be read ({error.strerror}); mend its permissions.") from None


def _encoding(path: Path, sample: bytes, *, whole: bool) -> str:
    """What the file is written in. Raises UsageError when it is no text."""
    kind = next((words for magic, words in _NOT_TEXT if sample.startswith(magic)), "")
    if kind:
        raise UsageError(f"{path}: this is {kind}, not CSV text; save it as CSV and import that.")
    marked = next((name for mark, name in _MARKS if sample.startswith(mark)), "")
    if marked:
        return marked
    half = len(sample) // 2
    if half and sample[1::2].count(0) > 0.4 * half and sample[0::2].count(0) <= 0.1 * half:
        return "utf-16-le"
    if half and sample[0::2].count(0) > 0.4 * half and sample[1::2].count(0) <= 0.1 * half:
        return "utf-16-be"
    control = sum(sample.count(code) for code in range(32) if code not in (9, 10, 12, 13, 26))
    if control > 0.05 * len(sample) + 2:
        raise UsageError(f"{path}: this is not text but binary data; save it as CSV and import that.")
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample, final=whole)
    except UnicodeDecodeError:
        return _western_or_cyrillic(sample)
    return "utf-8"


def _western_or_cyrillic(sample: bytes) -> str:
    """One of the two families of 8-bit text that our languages come in; latin-1 where cp1252 has gaps."""
    strange = b"\n".join(line for line in sample.splitlines() if not line.isascii())[:_GUESS_BYTES]
    best = charset_normalizer.from_bytes(strange, cp_isolation=["cp1252", "cp1251"]).best()
    if best is not None and best.encoding == "cp1251":
        return "cp1251"
    try:
        sample.decode("cp1252")
    except UnicodeDecodeError:
        return "latin-1"
    return "cp1252"


def _errors(encoding: str) -> str:
    """Bytes that the encoding does not know are kept as marks, so that only their row is refused."""
    return "surrogateescape" if encoding.lower().startswith(("utf-8", "cp", "ascii")) else "replace"


def _unreadable(lines: list[str], encoding: str) -> str:
    for line in lines:
        if "\0" in line:
            return "the row has NUL bytes"
        if not line.isascii() and any("\ud800" <= c <= "\udfff" for c in line):
            return f"the row has bytes that are not {encoding.removesuffix('-sig')} text"
    return ""


def _quotes(error: csv.Error) -> str:
    if "unexpected end" in str(error):
        return "a quote is opened and never closed"
    return f"the quotes are wrong ({error})"


def _told_delimiter(line: str) -> str:
    """The delimiter of a first line ``sep=;``, which spreadsheets write."""
    word = line.strip("\r\n ").strip('"')
    return word[4] if len(word) == 5 and word.lower().startswith("sep=") and word[4] in _DELIMITERS else ""


def _guess_delimiter(lines: list[str]) -> str:
    """The one that splits most of the first lines into the same number of cells; the comma when in doubt."""
    filled = [line for line in lines if line.strip()]

    def likelihood(delimiter: str) -> tuple[int, int]:
        counts = [_cells(line, delimiter) for line in filled]
        first = counts[0] if counts else 1
        return (sum(1 for count in counts if count == first) if first > 1 else 0, first)

    best = max(_DELIMITERS, key=likelihood)
    return best if likelihood(best)[0] else ","


def _cells(line: str, delimiter: str) -> int:
    try:
        return len(next(csv.reader([line], delimiter=delimiter), []))
    except csv.Error:
        return 1
