"""2 000 hostile files: each ends in a report or in one sentence, never in a traceback."""

from __future__ import annotations

import csv
import io
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contact_center.console.spreadsheet import CsvSheet
from contact_center.errors import UsageError
from contact_center.numbers import dialable
from contact_center.settings import Site
from contact_center.terms import NumberCheck
from dialer.lead_file import Good, LeadFile, Reject

FILES = 2000
SITE = Site(number_check=NumberCheck.DIGITS)

CELLS = (
    *("+442079460018", "020 7946 0018", "0044 20 7946 0018", "12", "", " ", "+", "phone", "=1+1", "+1+1", "-1", "@x"),
    *("=cmd|'/c calc'!A0", "\t=x", "\r=x", "'+442079460018", '="02079460018"', '"', '""', '"open', 'half"quote', "\0"),
    *("a\0b", "x" * 5000, "Zoë", "Łódź", "Иван", "日本", "👩‍👩‍👧", "\u202e", "\ufeff", "\u2028", "a\nb", "a\r\nb"),
    *("1e99", "4.4E+11", "NaN", "null", "'; DROP TABLE lead; --", "<img onerror=x>", "../../etc/passwd", "%s%n"),
    *("Europe/Paris", "Mars/Base", "99999", "-1000", "DNC", "44", "9" * 70),
)
HEADERS = (
    ["phone", "name", "priority", "timezone"],
    ["phone_code", "phone_number", "status", "rank"],
    ["name", "city"],
    ["phone", "phone"],
    ["Phone", "", "", "x"],
    [],
)
ENCODINGS = (
    "utf-8",
    "utf-8",
    "utf-8-sig",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "utf-32",
    "latin-1",
    "cp1251",
    "shift_jis",
)


def hostile(seed: int) -> bytes:
    """A file that a bad day, a bad program or a bad person might hand us."""
    choice = random.Random(seed)
    delimiter = choice.choice(",,,;\t|")
    header = choice.choice(HEADERS)
    width = choice.choice((1, 2, 4, 4, 4, 9, 40, 1200, 70_000)) if choice.random() < 0.15 else max(len(header), 1)
    rows = [header] if header else []
    cells = CELLS if width < 1000 else [cell for cell in CELLS if len(cell) < 8]
    for _ in range(choice.randrange(0, 3 if width > 1000 else 25)):
        rows.append([choice.choice(cells) for _ in range(max(width + choice.choice((0, 0, 0, -1, 1)), 0))])
    if choice.random() < 0.5:
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=delimiter).writerows(rows)
        whole = text.getvalue()
    else:
        end = choice.choice(("\n", "\r\n", "\r"))
        whole = end.join(delimiter.join(row) for row in rows) + choice.choice(("", end, '"'))
    data = whole.encode(choice.choice(ENCODINGS), errors="replace")
    return damaged(choice, data)


def damaged(choice: random.Random, data: bytes) -> bytes:
    """Most files as they are; some cut, spoilt or topped with what does not belong."""
    kind = choice.randrange(10)
    if kind == 0:
        return data[: choice.randrange(len(data) + 1)]
    if kind == 1:
        return bytes(choice.randrange(256) for _ in range(choice.randrange(300))) + data
    if kind == 2 and data:
        spoilt = bytearray(data[:100_000])
        for _ in range(10):
            spoilt[choice.randrange(len(spoilt))] = choice.randrange(256)
        return bytes(spoilt)
    if kind == 3:
        return choice.choice((b"\0", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"\x1a", b"PK\x03\x04")) + data
    return data


def read(path: Path) -> tuple[int, int, str]:
    """Good rows, rejected rows, and the sentence about the whole file where there is one."""
    good = bad = 0
    sentence = ""
    try:
        with LeadFile(path, SITE) as file:
            for row in file.rows():
                check(row)
                good, bad = good + isinstance(row, Good), bad + isinstance(row, Reject)
    except UsageError as error:
        sentence = str(error)
    if sentence:
        assert sentence.startswith(str(path))
        assert "\n" not in sentence
    return good, bad, sentence


def check(row: Good | Reject) -> None:
    """What holds for every row that a file gives."""
    if isinstance(row, Good):
        assert dialable(row.draft.number)
        assert len(row.draft.zones) <= 400
        assert all("\0" not in value for value in row.draft.fields.values())
    else:
        assert row.line >= 1
        assert row.reason
        assert "\n" not in row.reason


@pytest.mark.timeout(90)
def test_two_thousand_hostile_files_end_in_a_report_or_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "hostile.csv"
    totals = [0, 0, 0]
    for seed in range(FILES):
        path.write_bytes(hostile(seed))
        good, bad, sentence = read(path)
        totals = [totals[0] + good, totals[1] + bad, totals[2] + bool(sentence)]
    # The generator must reach all three ends, or the test proves nothing.
    assert min(totals) > 300, totals


@given(st.binary(max_size=2000))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_end_in_a_report_or_in_one_sentence(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "bytes.csv"
    path.write_bytes(b"phone,name\n" + data)
    read(path)
    path.write_bytes(data)
    read(path)


@given(st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), min_size=2, max_size=2)))
@settings(max_examples=200, deadline=None)
def test_what_we_write_is_never_a_formula_and_comes_back_as_it_was(rows: list[list[str]]) -> None:
    stream = io.StringIO(newline="")
    sheet = CsvSheet(stream, ["a", "b"])
    for row in rows:
        sheet.write(row)
    written = list(csv.reader(io.StringIO(stream.getvalue(), newline="")))[1:]
    assert len(written) == len(rows)
    for cells, row in zip(written, rows, strict=True):
        for cell, value in zip(cells, row, strict=True):
            assert not cell.startswith(("=", "-", "@", "\t", "\r", "\0"))
            assert not cell.startswith("+") or dialable(cell)
            assert value in (cell, cell.removeprefix("'"))
