"""README.md as a script: its console blocks, the files it tells to write, and remarks for the test."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
_REMARK = re.compile(r"<!-- test: (.*?) -->")
_FENCE = re.compile(r"```(\w*)\s*")
_EXIT = re.compile(r"\s+# exit (\d)$")


@dataclass(slots=True)
class Step:
    """A command of a console block, what it prints (`...` stands for anything) and how it exits."""

    line: int
    command: str
    exit_code: int = 0
    shown: list[str] = field(default_factory=list)

    def missing(self, output: str) -> str:
        """The first line shown that the output does not have, in the order shown; empty when it has all."""
        lines = [_squeezed(text) for text in output.splitlines()]
        place = 0
        for wanted in filter(None, map(_squeezed, self.shown)):
            if wanted == "...":
                continue
            pattern = re.compile(".*".join(map(re.escape, wanted.split("..."))))
            while place < len(lines) and not pattern.fullmatch(lines[place]):
                place += 1
            if place == len(lines):
                return wanted
            place += 1
        return ""


@dataclass(frozen=True, slots=True)
class Remark:
    """Something the reader does by hand; `text`: the block that follows it, if it writes a file."""

    line: int
    what: str
    text: str = ""


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def _blocks(text: str) -> list[tuple[int, str, list[str]]]:
    """Line, kind and lines of every fenced block; remarks come as blocks of kind `remark`."""
    found: list[tuple[int, str, list[str]]] = []
    kind: str | None = None
    for number, line in enumerate(text.splitlines(), 1):
        fence = _FENCE.fullmatch(line)
        if kind is None and fence:
            kind = fence[1]
            found.append((number, kind, []))
        elif kind is None:
            if remark := _REMARK.fullmatch(line):
                found.append((number, "remark", [remark[1]]))
        elif line == "```":
            kind = None
        else:
            found[-1][2].append(line)
    assert kind is None, "README.md: a fence is not closed"
    return found


def story(text: str) -> list[Step | Remark]:
    """What a reader does, in order."""
    made: list[Step | Remark] = []
    blocks = _blocks(text)
    for place, (number, kind, lines) in enumerate(blocks):
        if kind == "remark":
            following = blocks[place + 1] if place + 1 < len(blocks) else (0, "", [])
            content = "\n".join(following[2]) + "\n" if following[1] in ("toml", "csv") else ""
            made.append(Remark(number, lines[0], content))
        elif kind == "console":
            made += _steps(number, lines)
    return made


def _steps(number: int, lines: list[str]) -> list[Step]:
    steps: list[Step] = []
    for offset, line in enumerate(lines, 1):
        if line.startswith("$ "):
            exits = _EXIT.search(line)
            command = line[2 : exits.start()] if exits else line[2:]
            steps.append(Step(number + offset, command, int(exits[1]) if exits else 0))
        else:
            assert steps, f"README.md line {number + offset}: a console block begins with `$ `"
            steps[-1].shown.append(line)
    return steps


def shell_lines(text: str) -> list[str]:
    """The commands of `sh` blocks, which are not run: they install the machine."""
    return [line for _, kind, lines in _blocks(text) if kind == "sh" for line in lines if line.strip()]
