"""A campaign's ``filter`` as a condition over ``lead``, for SQLite and PostgreSQL, with every value as a parameter.

It must say of each lead what :func:`contact_center.lead_filter.holds` says; a property test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import BindParameter, TextClause, bindparam, text
from sqlalchemy.types import Float, String

from contact_center.lead_filter import (
    LONGEST_NUMBER,
    Both,
    Compared,
    Contains,
    Either,
    Given,
    Kind,
    LeadFilter,
    Name,
    Not,
    Tree,
    Value,
    lead_filter,
)
from contact_center.models import Instant

_FALSE = "(1 = 0)"


@dataclass(frozen=True, slots=True)
class Condition:
    """SQL that begins with AND, or is empty, and the values of its parameters."""

    sql: str = ""
    values: tuple[BindParameter[Any], ...] = ()

    def bind(self, statement: TextClause) -> TextClause:
        """A statement in which ``sql`` stands, with the values."""
        return statement.bindparams(*self.values) if self.values else statement


@lru_cache(maxsize=256)
def condition(words: str, dialect: str) -> Condition:
    """What a filter asks of ``lead``; nothing for an empty one."""
    wanted = lead_filter(words)
    return Condition() if wanted is None else _made(wanted, dialect)


def clause(words: str, dialect: str, *, negated: bool = False) -> TextClause:
    """A filter as a condition of a query over Lead, true for an empty one; ``negated``: whom it leaves out."""
    made = condition(words, dialect)
    return made.bind(text(f"{'NOT ' if negated else ''}(1 = 1{made.sql})"))


def _made(wanted: LeadFilter, dialect: str) -> Condition:
    writer = _Writer(dialect == "sqlite")
    parts = [writer.sql(tree) for _, tree in wanted.parts]
    return Condition("".join(f" AND {part}" for part in parts), tuple(writer.values))


@dataclass(slots=True)
class _Writer:
    is_sqlite: bool
    values: list[BindParameter[Any]] = field(default_factory=list)

    def sql(self, tree: Tree) -> str:
        match tree:
            case Both(parts):
                return f"({' AND '.join(self.sql(part) for part in parts)})"
            case Either(parts):
                return f"({' OR '.join(self.sql(part) for part in parts)})" if parts else _FALSE
            case Not(part):
                return f"(NOT {self.sql(part)})"
            case Compared(name, sign, value):
                return f"coalesce({self._as(name, value)} {sign} {self._bind(value)}, {_FALSE})"
            case Contains(name, words):
                within = "instr" if self.is_sqlite else "strpos"
                return f"coalesce({within}({self._text(name)}, {self._bind(words)}) > 0, {_FALSE})"
            case Given(name):
                return self._given(name)

    def _bind(self, value: Value) -> str:
        if isinstance(value, bool):
            return "'true'" if value else "'false'"
        name = f"filter_{len(self.values)}"
        type_ = Instant() if isinstance(value, datetime) else Float() if isinstance(value, float) else String()
        self.values.append(bindparam(name, value, type_=type_))
        return f":{name}" if isinstance(value, datetime) else f"CAST(:{name} AS {self._type(value)})"

    def _type(self, value: Value) -> str:
        return "text" if isinstance(value, str) else "real" if self.is_sqlite else "double precision"

    def _as(self, name: Name, value: Value) -> str:
        """The lead's value as one that may be compared with ``value``; NULL where it is of another kind."""
        if name.kind is Kind.INSTANT:
            return f"lead.{name.key}"
        if name.kind is Kind.NUMBER:
            return f"CAST(lead.{name.key} AS {self._type(0.0)})"
        if isinstance(value, bool):
            kind, found = self._kind(name), self._found(name)
            if self.is_sqlite:
                return f"CASE WHEN {kind} IN ('true', 'false') THEN {kind} END"
            return f"CASE WHEN {kind} = 'boolean' THEN {found} END"
        return self._number(name) if isinstance(value, float) else self._text(name)

    def _text(self, name: Name) -> str:
        if name.kind is Kind.TEXT:
            return f"lead.{name.key}" if self.is_sqlite else f'(lead.{name.key} COLLATE "C")'
        if self.is_sqlite:
            return f"CASE WHEN {self._kind(name)} = 'text' THEN {self._found(name)} END"
        return f"(CASE WHEN {self._kind(name)} = 'string' THEN {self._found(name)} END COLLATE \"C\")"

    def _number(self, name: Name) -> str:
        kind, found = self._kind(name), self._found(name)
        if not self.is_sqlite:
            is_one = f"{found} ~ '^-?[0-9]+([.][0-9]+)?$' AND length(ltrim({found}, '-')) <= {LONGEST_NUMBER}"
            return f"CASE WHEN {kind} = 'number' OR ({kind} = 'string' AND {is_one}) THEN CAST({found} AS float8) END"
        bare = f"substr({found}, 1 + (substr({found}, 1, 1) = '-'))"
        is_one = (
            f"{bare} GLOB '[0-9]*' AND {bare} GLOB '*[0-9]' AND {bare} NOT GLOB '*[^0-9.]*'"
            f" AND {bare} NOT GLOB '*.*.*' AND length({bare}) <= {LONGEST_NUMBER}"
        )
        return (
            f"CASE WHEN {kind} IN ('integer', 'real') OR ({kind} = 'text' AND {is_one}) THEN CAST({found} AS real) END"
        )

    def _given(self, name: Name) -> str:
        kind, found = self._kind(name), self._found(name)
        empty = "'null', 'false'" if self.is_sqlite else "'null'"
        is_false = "" if self.is_sqlite else f" AND NOT ({kind} = 'boolean' AND {found} = 'false')"
        return f"coalesce({kind} NOT IN ({empty}) AND {found} <> ''{is_false}, {_FALSE})"

    def _kind(self, name: Name) -> str:
        key = self._key(name)
        return f"json_type(lead.fields, {key})" if self.is_sqlite else f"json_typeof(lead.fields -> {key})"

    def _found(self, name: Name) -> str:
        key = self._key(name)
        return f"json_extract(lead.fields, {key})" if self.is_sqlite else f"(lead.fields ->> {key})"

    def _key(self, name: Name) -> str:
        """The field's name as a parameter, the same one wherever it stands."""
        wanted = f'$."{name.key}"' if self.is_sqlite else name.key
        place = next((b.key for b in self.values if b.value == wanted and b.key.startswith("field_")), "")
        if not place:
            place = f"field_{len(self.values)}"
            self.values.append(bindparam(place, wanted, type_=String()))
        return f":{place}" if self.is_sqlite else f"CAST(:{place} AS text)"
