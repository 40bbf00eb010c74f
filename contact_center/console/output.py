"""Tables and words for people; what callers and files put into our data cannot act on the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from math import floor, log10
from typing import Any
from zoneinfo import ZoneInfo

from rich import box
from rich.table import Table
from rich.text import Text

_DASH = "-"


def clean(value: Any) -> str:
    """A value as text without control characters: it comes from files and callers, and goes to a terminal."""
    if value is None or value == "":
        return _DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, Mapping):
        return clean(", ".join(f"{k}={v}" for k, v in value.items()))
    if isinstance(value, (list, tuple)):
        return clean(", ".join(str(item) for item in value))
    return "".join(c if c.isprintable() else "�" for c in str(value))


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str | None = None) -> Table:
    """A table; cells that are rich Text keep their style, all others are cleaned."""
    made = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(clean(cell)) for cell in row))
    return made


def facts(pairs: Iterable[tuple[str, Any]], title: str | None = None) -> Table:
    """One thing, a line for each of its facts."""
    made = Table(box=None, title=title, title_justify="left", show_header=False, pad_edge=False)
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in pairs:
        made.add_row(name, value if isinstance(value, Text) else Text(clean(value)))
    return made


def local(at: str | datetime | None, zone: str) -> str:
    """An instant of a document as the site's wall clock shows it."""
    if not at:
        return _DASH
    instant = datetime.fromisoformat(at) if isinstance(at, str) else at
    return f"{instant.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S}"


def seconds(value: float | None) -> str:
    """A span for people."""
    if value is None:
        return _DASH
    minutes, rest = divmod(float(value), 60)
    return f"{int(minutes)} min {rest:.0f} s" if minutes else f"{rest:.1f} s"


def share(value: float) -> str:
    """A share from 0 to 1 for people."""
    return f"{100 * value:.1f} %"


def percent(value: float | None, places: int = 1) -> str:
    """A share that may be unknown; one too small for ``places`` is told with two digits, not as nothing."""
    if value is None:
        return _DASH
    told = 100.0 * value
    if 0.0 < told < 10.0**-places:
        places = min(1 - floor(log10(told)), 9)
    return f"{told:.{places}f} %"


def count(number: int, noun: str) -> str:
    """``1 lead``, ``2 leads``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
