"""Reading Asterisk's configuration files as Asterisk does: includes, templates, additions to sections."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_SECTION = re.compile(r"\[([^\]]+)\]\s*(?:\(([^)]*)\))?")
_INCLUDE = re.compile(r"#(?:try)?include\s+[\"<]?([^\">]+?)[\">]?\s*$")
_BLOCK_COMMENT = re.compile(r";--(?!-).*?--;", re.DOTALL)
DEPTH = 10


@dataclass
class Section:
    """``[name]`` with its lines in order; a template serves others and is nothing by itself."""

    name: str
    template: bool = False
    entries: list[tuple[str, str]] = field(default_factory=list)

    def get(self, key: str, default: str = "") -> str:
        """The last value of a key, as most of Asterisk takes it."""
        return next((value for name, value in reversed(self.entries) if name == key), default)

    def all(self, key: str) -> list[str]:
        """Each value of a key in order."""
        return [value for name, value in self.entries if name == key]


def sections(directory: Path, name: str, *, skip: str = "") -> list[Section]:
    """The sections of a file and of what it includes; none when the file is not there.

    Includes whose path starts with ``skip`` are left out. Sections opened anew with ``(+)`` are joined to the
    first of that name. Raises OSError when a file cannot be read.
    """
    found: list[Section] = []
    current: Section | None = None
    for line in _lines(directory, directory / name, skip, 0):
        match = _SECTION.match(line)
        if match:
            current = _open(found, match[1], [part.strip() for part in (match[2] or "").split(",") if part.strip()])
        elif current is not None and "=" in line:
            key, _, value = line.partition("=")
            current.entries.append((key.strip().lower(), value.removeprefix(">").strip()))
    return found


def first(found: list[Section], name: str) -> Section | None:
    """The section of that name."""
    return next((section for section in found if section.name == name), None)


def _open(found: list[Section], name: str, options: list[str]) -> Section:
    if "+" in options:
        existing = first(found, name)
        if existing is not None:
            return existing
    section = Section(name, template="!" in options)
    for option in options:
        base = first(found, option)
        if base is not None:
            section.entries += base.entries
    found.append(section)
    return section


def _lines(directory: Path, file: Path, skip: str, depth: int) -> Iterator[str]:
    if depth > DEPTH or not file.is_file():
        return
    text = _BLOCK_COMMENT.sub("", file.read_text(encoding="utf-8", errors="surrogateescape"))
    for raw in text.splitlines():
        line = re.split(r"(?<!\\);", raw, maxsplit=1)[0].strip()
        match = _INCLUDE.match(line)
        if not match:
            if line:
                yield line
        elif not (skip and match[1].startswith(skip)):
            for included in _matching(directory, match[1]):
                yield from _lines(directory, included, skip, depth + 1)


def _matching(directory: Path, pattern: str) -> list[Path]:
    path = Path(pattern)
    if path.is_absolute():
        return sorted(Path("/").glob(pattern.lstrip("/")))
    return sorted(directory.glob(pattern))
