"""Agents from a CSV file: small files, read whole."""

from __future__ import annotations

import csv
from pathlib import Path

from contact_center.errors import UsageError
from contact_center.store.admin_agents import AgentDraft

_COLUMNS = ("ext", "name", "endpoint", "team", "queues", "connect")
_MOST_BYTES = 4 << 20


def read_agents(path: Path, connect: str) -> list[tuple[int, AgentDraft]]:
    """Line and draft of each row; ``connect`` where a row says nothing. Raises UsageError in one sentence."""
    lines = _text(path).splitlines()
    try:
        reader = csv.reader(lines, delimiter=_delimiter(lines), strict=True)
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise UsageError(f"{path}: this is not CSV ({error}); mend the quotes.") from None
    filled = [(line, [cell.strip() for cell in row]) for line, row in rows if any(row)]
    if not filled:
        raise UsageError(f"{path}: the file is empty; its columns are {', '.join(_COLUMNS)}.")
    header = [cell.lower() for cell in filled[0][1]]
    unknown = next((name for name in header if name not in _COLUMNS), None)
    if unknown is not None or "ext" not in header or "name" not in header or len(set(header)) < len(header):
        raise UsageError(
            f"{path}: the first line must name the columns ext, name and of the others: "
            f"{', '.join(_COLUMNS[2:])}, each once."
        )
    if len(filled) == 1:
        raise UsageError(f"{path}: there is a header but no agent.")
    return [(line, _draft(path, line, header, row, connect)) for line, row in filled[1:]]


def _draft(path: Path, line: int, header: list[str], row: list[str], connect: str) -> AgentDraft:
    if len(row) > len(header):
        raise UsageError(f"{path}: line {line} has {len(row)} cells, the header {len(header)}.")
    cells = dict(zip(header, row, strict=False))
    queues = cells.get("queues", "").replace(";", ",").replace("|", ",")
    return AgentDraft(
        ext=cells["ext"],
        name=cells.get("name", ""),
        endpoint=cells.get("endpoint", ""),
        team=cells.get("team", ""),
        queues=tuple(queue.strip() for queue in queues.split(",") if queue.strip()),
        connect=cells.get("connect") or connect,
    )


def _delimiter(lines: list[str]) -> str:
    first = next((line for line in lines if line.strip()), "")
    return max(",;\t", key=first.count)


def _text(path: Path) -> str:
    try:
        if not path.is_file():
            raise UsageError(
                f"{path}: {'this is a folder; name a file' if path.is_dir() else 'there is no such file'}."
            )
        if path.stat().st_size > _MOST_BYTES:
            raise UsageError(f"{path}: the file is too large for a list of agents; 4 MB are allowed.")
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{path}: the file is not UTF-8 text; save it as CSV UTF-8.") from None
    except OSError as error:
        raise UsageError(f"{path}: it cannot be read ({error.strerror}); mend its permissions.") from None
    if "\0" in text:
        raise UsageError(f"{path}: the file has NUL bytes; it is not CSV.")
    return text
