"""A chain of lines: whatever is done to it shows, and where."""

from __future__ import annotations

import io
from collections.abc import Callable

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contact_center.law.chain import START, ChainWriter, Verdict, lines_of, verify

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**50), 2**50) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
BODIES = st.lists(st.dictionaries(st.sampled_from(["kind", "a", "b", "é"]), VALUES, max_size=4), min_size=1, max_size=8)
SMALL: list[dict[str, object]] = [{"kind": "evidence", "a": 1}, {"kind": "call", "n": 2.5}, {"kind": "call", "n": None}]


def made(bodies: list[dict[str, object]]) -> list[bytes]:
    chain = ChainWriter()
    lines = [chain.line({**body, "kind": "x"}) for body in bodies] + [chain.last()]
    return [line.encode() for line in lines]


@given(BODIES)
def test_a_file_that_nobody_touched_is_sound(bodies: list[dict[str, object]]) -> None:
    lines = made(bodies)
    verdict = verify(lines_of(io.BytesIO(b"".join(lines))))
    assert verdict == Verdict(True, 0, "", len(lines), orjson.loads(lines[-1])["hash"])


@given(BODIES, st.data())
def test_one_changed_byte_anywhere_shows_on_its_line(bodies: list[dict[str, object]], data: st.DataObject) -> None:
    lines = made(bodies)
    number = data.draw(st.integers(0, len(lines) - 1))
    place = data.draw(st.integers(0, len(lines[number]) - 2))
    byte = data.draw(st.integers(0, 255).filter(lambda b: b not in (lines[number][place], 10)))
    lines[number] = lines[number][:place] + bytes([byte]) + lines[number][place + 1 :]
    verdict = verify(lines)
    assert not verdict.sound
    assert verdict.line == number + 1


def _rehashed(line: bytes, **changes: object) -> bytes:
    """A line whose own hash was made to fit again."""
    body = {k: v for k, v in orjson.loads(line).items() if k not in ("hash", "line", "prev")} | changes
    chain = ChainWriter()
    chain.lines = orjson.loads(line)["line"] - 1
    chain.end = orjson.loads(line)["prev"]
    return chain.line(body).encode()


TAMPERING: dict[str, tuple[Callable[[list[bytes]], list[bytes]], int, str]] = {
    "a line taken out": (lambda lines: [lines[0], *lines[2:]], 2, "does not follow"),
    "a line doubled": (lambda lines: [lines[0], lines[0], *lines[1:]], 2, "does not follow"),
    "two lines exchanged": (lambda lines: [lines[0], lines[2], lines[1], lines[3]], 2, "does not follow"),
    "the first line taken out": (lambda lines: lines[1:], 1, "does not follow"),
    "the end taken away": (lambda lines: lines[:-1], 4, "cut short"),
    "nothing left": (lambda lines: [], 1, "cut short"),
    "a line after the end": (lambda lines: [*lines, lines[-1]], 5, "after the end"),
    "half a line": (lambda lines: [*lines[:-1], lines[-1][:-5]], 4, "whole line"),
    "an empty line": (lambda lines: [lines[0], b"\n", *lines[1:]], 2, "not JSON"),
    "no object": (lambda lines: [b"[]\n", *lines[1:]], 1, "no hash"),
    "a key that stands twice": (
        lambda lines: [lines[0], lines[1].replace(b'{"', b'{"n":9,"', 1), *lines[2:]],
        2,
        "does not fit",
    ),
    "other spaces": (lambda lines: [lines[0].replace(b":1", b": 1", 1), *lines[1:]], 1, "does not fit"),
    "one line hashed anew": (lambda lines: [lines[0], _rehashed(lines[1], n=9), *lines[2:]], 3, "does not follow"),
    "an end of another length": (lambda lines: [*lines[:-1], _rehashed(lines[-1], lines=9)], 4, "number of lines"),
}


@pytest.mark.parametrize("what", TAMPERING)
def test_tampering_shows_where_it_was_done(what: str) -> None:
    change, line, reason = TAMPERING[what]
    chain = ChainWriter()
    lines = [chain.line(body).encode() for body in SMALL] + [chain.last().encode()]
    assert orjson.loads(lines[0])["prev"] == START
    assert verify(lines).sound
    verdict = verify(change(lines))
    assert (verdict.sound, verdict.line) == (False, line), verdict
    assert reason in verdict.reason
