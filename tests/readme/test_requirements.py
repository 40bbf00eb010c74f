"""REQUIREMENTS.md names tests that exist and says what is open."""

from __future__ import annotations

import ast
import re

from tests.readme.page import ROOT

TEXT = (ROOT / "REQUIREMENTS.md").read_text()
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if re.match(r"\| \d", line)]


def _functions(path: str) -> set[str]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(ast.parse((ROOT / path).read_text())) if isinstance(node, kinds)}


def test_every_test_named_exists() -> None:
    assert len(ROWS) > 40
    for number, _, test, _ in ROWS:
        if test != "-":
            path, name = test.strip("`").split("::")
            assert name in _functions(path), f"number {number}: {test}"


def test_rows_are_numbered_and_what_is_not_open_has_a_test() -> None:
    numbers = [int(row[0]) for row in ROWS]
    assert numbers == list(range(1, len(ROWS) + 1))
    for number, behaviour, test, state in ROWS:
        assert behaviour
        assert re.match(r"(done|open|partly)\b", state), number
        assert (test == "-") == state.startswith("open"), number
