"""A file of JSON lines in which each line carries the hash of the one before: a change anywhere shows.

A line is one JSON object with sorted keys; ``line`` counts from 1, ``prev`` is the hash of the line before
(64 zeros before the first), ``hash`` the SHA-256 of the object without it. The last line has ``kind`` end and
``lines``, so that a file that was cut short shows, too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

START = "0" * 64
END = "end"
LONGEST_LINE = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a file. ``line``: where it breaks, 0 when it is sound; ``end``: the hash of its last line."""

    sound: bool
    line: int
    reason: str
    lines: int
    end: str


class ChainWriter:
    """Turns bodies into lines. ``end`` is the hash of the last one."""

    def __init__(self) -> None:
        self.lines = 0
        self.end = START

    def line(self, body: Mapping[str, Any]) -> str:
        """The next line, with its newline. ``body`` is JSON-able and has no key of the chain's own."""
        self.lines += 1
        linked = {**body, "line": self.lines, "prev": self.end}
        self.end = _hash(linked)
        return _written({**linked, "hash": self.end}).decode() + "\n"

    def last(self, **more: Any) -> str:
        """The line that ends the file."""
        return self.line({"kind": END, "lines": self.lines + 1, **more})


def verify(lines: Iterable[bytes]) -> Verdict:
    """Whether these lines are the very file that was written, and if not, where it breaks first."""
    before, number, ended = START, 0, False
    for raw in lines:
        number += 1
        if ended:
            return Verdict(False, number, "it stands after the end of the file", number, before)
        body = _body(raw)
        if isinstance(body, str):
            return Verdict(False, number, body, number, before)
        if body.get("prev") != before or body.get("line") != number:
            reason = f"it does not follow line {number - 1}: a line was taken out, put in, moved or changed"
            return Verdict(False, number, reason, number, before)
        before = str(body["hash"])
        ended = body.get("kind") == END
        if ended and body.get("lines") != number:
            return Verdict(False, number, "the number of lines is not the one it ended with", number, before)
    if not ended:
        return Verdict(False, number + 1, "the file was cut short: its end is missing", number, before)
    return Verdict(True, 0, "", number, before)


def _body(raw: bytes) -> dict[str, Any] | str:
    """The object of a line whose hash fits, or what is wrong with it."""
    if len(raw) > LONGEST_LINE or not raw.endswith(b"\n"):
        return "it is not a whole line"
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return "it is not JSON: it was changed"
    if not isinstance(body, dict) or not isinstance(body.get("hash"), str):
        return "it has no hash: it was changed"
    # Byte for byte: a key that stands twice reads differently in other programs.
    bare = {key: value for key, value in body.items() if key != "hash"}
    if _written(body) + b"\n" != raw or _hash(bare) != body["hash"]:
        return "its hash does not fit: it was changed"
    return body


def lines_of(stream: Any) -> Iterator[bytes]:
    """The lines of a binary stream, none of them longer than is ever written."""
    while raw := stream.readline(LONGEST_LINE + 1):
        yield raw


def _hash(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(_written(body)).hexdigest()


def _written(body: Mapping[str, Any]) -> bytes:
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
