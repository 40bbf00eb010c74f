"""A file of leads: which column is what, and each row as a lead or as a reject with its reason.

Takes the column names that dialler lists have carried for twenty years (VICIdial's standard order, with or
without a header) as well as plain ones. Any column that is not known becomes a field of the lead.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from contact_center import numbers
from contact_center.errors import UsageError
from contact_center.law.places import LeadFacts, place_key
from contact_center.lead_drafts import TIMES, times
from contact_center.other_numbers import is_other_number, others_of, place_of
from contact_center.settings import Site
from contact_center.store.admin_leads import LeadDraft, checked_priority
from contact_center.store.expiry import check_promise
from dialer.lead_text import Record, TextTable

MAX_COLUMNS = 1000
MAX_FIELD_CHARS = 4000
_LONGEST_NAME = 60

NUMBER_COLUMNS = ("phone_number", "phone", "number", "tel", "telephone", "mobile")
"""In order of preference; the others of them become fields."""

_ZONE_COLUMNS = ("timezone", "time_zone", "tz")
_PRIORITY_COLUMNS = ("priority", "rank")
_NOT_SET = "next_attempt_at"
_OF_EXPORT = frozenset(("id", "attempts", "disposition", "last_agent"))
"""Columns by which an export of ours is known."""
_DNC_STATUSES = ("DNC", "DNCL", "DNCC")

STANDARD = (
    *(
        "vendor_lead_code",
        "source_id",
        "list_id",
        "phone_code",
        "phone_number",
        "title",
        "first_name",
        "middle",
    ),
    *("last_name", "address1", "address2", "address3", "city", "state", "province", "postal_code", "country"),
    *(
        "gender",
        "date_of_birth",
        "alt_phone",
        "email",
        "security_phrase",
        "comments",
        "called_count",
        "status",
    ),
    *("entry_date", "rank", "owner"),
)
"""VICIdial's order of columns in a file without a header."""

_SHORTEST_STANDARD = 9
_ESCAPED = re.compile(r"'[=+\-@\t\r\0]")


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that became no lead."""

    line: int
    reason: str
    cells: list[str]


@dataclass(frozen=True, slots=True)
class Good:
    """A row that is a lead."""

    line: int
    draft: LeadDraft


@dataclass(slots=True)
class _Columns:
    """Where in a row the known things stand."""

    names: list[str]
    number: int
    code: int | None = None
    zone: int | None = None
    priority: int | None = None
    status: int | None = None
    times: dict[str, int] = field(default_factory=dict)
    plain: dict[int, str] = field(default_factory=dict)
    ignored: int = 0

    @classmethod
    def of(cls, names: list[str], ignored: int = 0) -> Self:
        """Of a header in which NUMBER_COLUMNS occurs."""
        number = next(names.index(name) for name in NUMBER_COLUMNS if name in names)
        standard = "phone_code" in names
        columns = cls(
            names=names,
            number=number,
            code=names.index("phone_code") if standard else None,
            zone=_place(names, _ZONE_COLUMNS),
            priority=_place(names, _PRIORITY_COLUMNS if standard else _PRIORITY_COLUMNS[:1]),
            status=names.index("status") if standard and "status" in names else None,
            times={name: names.index(name) for name in _times(names) if name in names},
            ignored=ignored,
        )
        own = (columns.number, columns.code, columns.zone, columns.priority, *columns.times.values())
        columns.plain = {n: name for n, name in enumerate(names) if n not in own and n >= ignored}
        return columns


class LeadFile:
    """A file of leads, opened. Use it as a context manager; :meth:`rows` reads it once, as it streams.

    ``agents``: extensions that there are, where it matters. ``lasts_seconds``: when the leads end; 0: never.

    Raises UsageError with one sentence when the file as a whole is no list of leads.
    """

    def __init__(
        self,
        path: Path,
        site: Site,
        encoding: str | None = None,
        now: datetime | None = None,
        agents: Container[str] | None = None,
        lasts_seconds: float = 0.0,
    ) -> None:
        self._lasts_seconds = lasts_seconds
        self._path, self._site, self._now, self._agents = path, site, now or datetime.now(UTC), agents
        self._table = TextTable(path, encoding)
        self.header: list[str] = []

    def __enter__(self) -> Self:
        self._table.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._table.__exit__(kind, error, trace)

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self._table.size

    @property
    def position(self) -> int:
        """Bytes read so far."""
        return self._table.position

    def rows(self) -> Iterator[Good | Reject]:
        """Each row that is not empty. Raises UsageError when there is no row at all."""
        self._table.head()
        records = self._table.records()
        first = next(records, None)
        if first is None:
            raise UsageError(f"{self._path}: the file is empty; nothing was imported.")
        columns, is_header = self._columns(first)
        self.header = columns.names[columns.ignored :]
        if not is_header:
            yield self._row(first, columns)
        elif (second := next(records, None)) is None:
            raise UsageError(f"{self._path}: there is a header but no row; nothing was imported.")
        else:
            yield self._row(second, columns)
        for record in records:
            yield self._row(record, columns)

    def _columns(self, first: Record) -> tuple[_Columns, bool]:
        """What stands where, and whether the first row said so."""
        if first.problem:
            raise UsageError(f"{self._path}: line {first.line}: {first.problem}; nothing was imported.")
        if len(first.cells) > MAX_COLUMNS:
            raise UsageError(f"{self._path}: {len(first.cells)} columns are too many; {MAX_COLUMNS} are allowed.")
        names = [_name(cell) for cell in first.cells]
        if any(name in NUMBER_COLUMNS for name in names):
            return _Columns.of(self._header(names), 2 if names[:2] == ["line", "reason"] else 0), True
        cells = first.cells
        if len(cells) >= _SHORTEST_STANDARD and _digits(cells[4]) and (not cells[3].strip() or _digits(cells[3])):
            more = [f"extra_{n}" for n in range(1, len(cells) - len(STANDARD) + 1)]
            return _Columns.of(list(STANDARD) + more), False
        if len(cells) == 1 and _digits(cells[0]):
            return _Columns.of(["phone"]), False
        found = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        raise UsageError(
            f"{self._path}: no column has the number; one must be named {', '.join(NUMBER_COLUMNS[:5])} "
            f"or {NUMBER_COLUMNS[5]} (found: {_shown(found)})."
        )

    def _header(self, names: list[str]) -> list[str]:
        seen: dict[str, int] = {}
        for place, name in enumerate(names, 1):
            if name and name in seen:
                raise UsageError(
                    f"{self._path}: the header names {_shown(name)} twice "
                    f"(columns {seen[name]} and {place}); rename one."
                )
            seen[name] = place
        return [name or f"column_{place}" for place, name in enumerate(names, 1)]

    def _row(self, record: Record, columns: _Columns) -> Good | Reject:
        if record.problem:
            return Reject(record.line, record.problem, record.cells)
        cells = record.cells
        if len(cells) > len(columns.names):
            if any(cell.strip() for cell in cells[len(columns.names) :]):
                reason = f"the row has {len(cells)} cells, the header has {len(columns.names)}"
                return Reject(record.line, reason, cells[columns.ignored : MAX_COLUMNS])
            cells = cells[: len(columns.names)]
        try:
            return Good(record.line, self._draft(cells, columns))
        except UsageError as error:
            return Reject(record.line, str(error).removesuffix("."), record.cells[columns.ignored : MAX_COLUMNS])

    def _draft(self, cells: list[str], columns: _Columns) -> LeadDraft:
        status = _cell(cells, columns.status)
        if status.upper() in _DNC_STATUSES:
            raise UsageError(f"the row's status is {status.upper()}: it must not be called")
        text = _with_code(_cell(cells, columns.number), _cell(cells, columns.code))
        number = numbers.normalise(text, self._site.country, self._site.number_check)
        fields = _fields(cells, columns)
        others = others_of(number, self._others(fields, _cell(cells, columns.code)))
        facts = LeadFacts.of(number, fields, _cell(cells, columns.zone), others)
        place = place_key(facts, site_zone=self._site.timezone)
        given = {name: _cell(cells, where) for name, where in columns.times.items()}
        if given.pop(_NOT_SET, ""):
            raise UsageError(f"{_NOT_SET} is not set by hand; name the column callback_at, or leave it out")
        promise = times(given, place, self._site.timezone, self._now)
        if (agent := promise["callback_agent"]) and self._agents is not None and agent not in self._agents:
            raise UsageError(f"there is no agent {_shown(agent)} to call back")
        check_promise(promise["callback_at"], self._lasts_seconds, self._now)
        return LeadDraft(number, place, checked_priority(_cell(cells, columns.priority)), fields, others, **promise)

    def _others(self, fields: dict[str, str], code: str) -> Iterator[str]:
        """The further numbers, taken out of ``fields``; what is no number there stays a field, as lists are."""
        for name in sorted(filter(is_other_number, fields), key=place_of):
            try:
                other = numbers.normalise(_with_code(fields[name], code), self._site.country, self._site.number_check)
            except UsageError:
                continue
            del fields[name]
            yield other


def _times(names: list[str]) -> tuple[str, ...]:
    """The columns that say when a lead is called; those of an export tell of times past, and are fields like others."""
    return () if set(names) >= _OF_EXPORT else (*TIMES, _NOT_SET)


def _fields(cells: list[str], columns: _Columns) -> dict[str, str]:
    fields: dict[str, str] = {}
    for place, name in columns.plain.items():
        if place < len(cells) and (value := cells[place].strip()):
            if len(value) > MAX_FIELD_CHARS:
                raise UsageError(f"{name} is longer than {MAX_FIELD_CHARS} characters")
            fields[name] = _plain(value)
    return fields


def _with_code(number: str, code: str) -> str:
    """The number with its country's ``phone_code``, unless it has one of its own."""
    if not number:
        raise UsageError("the phone number is empty")
    if not code or number.lstrip("' ").startswith(("+", "00")):
        return number
    digits = re.sub(r"^(\+|00)", "", code)
    if not re.fullmatch(r"[0-9]{1,4}", digits):
        raise UsageError(f"phone_code {_shown(code)!r} is not a country code")
    return f"+{digits} {number}"


def _name(cell: str) -> str:
    """A column's name as we compare and keep it: lower case, words joined by ``_``."""
    words = re.sub(r"[^\w]+", "_", cell.strip().lower()).strip("_")
    return words[:_LONGEST_NAME]


def _cell(cells: list[str], place: int | None) -> str:
    return _plain(cells[place].strip()) if place is not None and place < len(cells) else ""


def _plain(value: str) -> str:
    """A cell as it was before a file of ours made it harmless for spreadsheets."""
    return value[1:] if _ESCAPED.match(value) else value


def _place(names: list[str], wanted: tuple[str, ...]) -> int | None:
    return next((names.index(name) for name in wanted if name in names), None)


def _digits(cell: str) -> bool:
    """Whether a cell looks like a number, so that it is no header."""
    kept = re.sub(r"[\s().+'/\-]", "", cell)
    return kept.isdecimal() and bool(kept)


def _shown(text: str) -> str:
    plain = "".join(c if c.isprintable() else "?" for c in text)
    return plain if len(plain) <= 80 else plain[:77] + "..."
