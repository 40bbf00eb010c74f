"""The expressions by which a campaign's ``filter`` chooses leads: read, checked, and said of one lead.

``priority >= 5 and fields.city in ("Leeds", "York") and not state == "due"``: Python's grammar, of which only the
nodes named here are taken and none is ever run. Every comparison is true or false; one with a value that is not
there, or is of another kind, is false. ``store.filter_sql`` says the same to the databases.
"""

from __future__ import annotations

import ast
import operator
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, NoReturn

from contact_center.terms import LeadState

LONGEST = 1000
"""Characters of a filter."""
MOST_NODES = 300
_GREATEST = 1e15


class Kind(StrEnum):
    """What a name holds. ``ANY``: a field of one's own, whatever the list had there."""

    NUMBER = "number"
    TEXT = "text"
    INSTANT = "instant"
    ANY = "field"


NAMES = {
    **dict.fromkeys(("priority", "attempts", "dials"), Kind.NUMBER),
    **dict.fromkeys(("number", "state", "disposition", "last_agent"), Kind.TEXT),
    **dict.fromkeys(("created_at", "next_attempt_at"), Kind.INSTANT),
}
"""The columns of a lead that may be named, besides ``fields.NAME``."""
_STATES = tuple(state.value for state in LeadState)
_E164 = re.compile(r"(\+[0-9]{4,15})?")  # an erased lead has none

NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
LONGEST_NUMBER = 15
"""Characters, without the sign, of a text in a field that counts as a number."""

OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_SIGNS: Mapping[type[ast.cmpop], str] = {
    ast.Eq: "=",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}

Value = str | float | bool | datetime


@dataclass(frozen=True, slots=True)
class Name:
    """A column of the lead, or with ``Kind.ANY`` the field ``key``."""

    kind: Kind
    key: str


_STATE, _PHONE = Name(Kind.TEXT, "state"), Name(Kind.TEXT, "number")


@dataclass(frozen=True, slots=True)
class Both:
    """All of them hold."""

    parts: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """One of them holds."""

    parts: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """It does not hold."""

    part: Tree


@dataclass(frozen=True, slots=True)
class Compared:
    """``sign`` is one of OPERATORS."""

    name: Name
    sign: str
    value: Value


@dataclass(frozen=True, slots=True)
class Contains:
    """The text has this in it."""

    name: Name
    text: str


@dataclass(frozen=True, slots=True)
class Given:
    """A field that is there, and is neither empty nor false."""

    name: Name


Tree = Both | Either | Not | Compared | Contains | Given


@dataclass(frozen=True, slots=True)
class LeadFilter:
    """A filter as people wrote it, and its parts that must all hold, each with its words."""

    text: str
    parts: tuple[tuple[str, Tree], ...]

    def takes(self, lead: Any) -> bool:
        """Whether it lets a lead pass: anything with the columns of NAMES and ``fields``."""
        return all(holds(tree, lead) for _, tree in self.parts)

    def may_take(self, **known: Any) -> bool:
        """Whether it can let a lead pass of whom only some columns are known."""
        lead = SimpleNamespace(**known)
        seen = {Name(kind, key) for key, kind in NAMES.items() if key in known}
        return all(holds(tree, lead) for _, tree in self.parts if seen.issuperset(names_of(tree)))

    def against(self, lead: Any) -> str:
        """The words of the first part that leaves a lead out, with what he has there; empty where none does."""
        for words, tree in self.parts:
            if not holds(tree, lead):
                return f"{words} ({', '.join(_told(name, lead) for name in dict.fromkeys(names_of(tree)))})"
        return ""


@lru_cache(maxsize=256)
def lead_filter(text: str) -> LeadFilter | None:
    """A filter read and checked; None of an empty one. Raises ValueError: what is wrong, and at which character."""
    if not text.strip():
        return None
    if len(text) > LONGEST:
        raise ValueError(f"{LONGEST} characters are allowed")
    strange = next((place for place, c in enumerate(text, 1) if not c.isprintable()), 0)
    if strange:
        raise ValueError(f"character {strange} is not printable")
    source = text.strip()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            root = ast.parse(source, mode="eval").body
    except SyntaxError as error:
        if not error.offset:  # Python's place of an end that came too soon
            raise ValueError(f"it ends too soon, at character {len(source)}") from None
        raise ValueError(f"it cannot be read from character {min(error.offset, len(source))} on") from None
    except (ValueError, RecursionError, MemoryError):
        raise ValueError("it cannot be read") from None
    if sum(1 for _ in ast.walk(root)) > MOST_NODES:
        raise ValueError("it is too long; fewer conditions are wanted")
    reader = _Reader(source)
    nodes = root.values if isinstance(root, ast.BoolOp) and isinstance(root.op, ast.And) else [root]
    return LeadFilter(source, tuple((ast.get_source_segment(source, n) or source, reader.tree(n)) for n in nodes))


def checked_filter(value: Any) -> str:
    """A filter as it is stored. Raises ValueError."""
    text = str(value).strip()
    lead_filter(text)
    return text


class _Reader:
    """Makes trees of Python's nodes, as far as they are allowed."""

    def __init__(self, source: str) -> None:
        self._source = source

    def _refuse(self, node: ast.AST, why: str) -> NoReturn:
        line = self._source.encode()
        place = len(line[: getattr(node, "col_offset", 0)].decode(errors="replace")) + 1
        raise ValueError(f"at character {place}: {why}")

    def tree(self, node: ast.expr) -> Tree:
        """A condition."""
        if isinstance(node, ast.BoolOp):
            parts = tuple(self.tree(value) for value in node.values)
            return Both(parts) if isinstance(node.op, ast.And) else Either(parts)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return Not(self.tree(node.operand))
        if isinstance(node, ast.Compare):
            return self._chain(node)
        if isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)):
            name = self._name(node)
            if name.kind is not Kind.ANY:
                self._refuse(node, f"{name.key} must be compared with something, as {name.key} {_example(name)}")
            return Given(name)
        self._refuse(node, "a comparison such as priority >= 5 is wanted")

    def _chain(self, node: ast.Compare) -> Tree:
        sides = [node.left, *node.comparators]
        parts = [self._pair(a, sign, b) for a, sign, b in zip(sides, node.ops, sides[1:], strict=False)]
        return parts[0] if len(parts) == 1 else Both(tuple(parts))

    def _pair(self, left: ast.expr, sign: ast.cmpop, right: ast.expr) -> Tree:
        if isinstance(sign, (ast.In, ast.NotIn)):
            found = self._within(left, right)
            return Not(found) if isinstance(sign, ast.NotIn) else found
        word = _SIGNS.get(type(sign))
        if word is None:
            self._refuse(right, "== or != is wanted instead of is")
        if _is_name(left) == _is_name(right):
            self._refuse(left, "a name is compared with a value, as priority >= 5")
        if _is_name(right):
            left, right, word = right, left, _TURNED.get(word, word)
        return self._compared(self._name(left), word, right)

    def _compared(self, name: Name, word: str, node: ast.expr) -> Tree:
        value = self._value(name, node)
        if word in ("=", "!="):
            self._can_be(name, value, node)
        if isinstance(value, bool) and word not in ("=", "!="):
            self._refuse(node, "true and false are compared with == and != only")
        return Not(Compared(name, "=", value)) if word == "!=" else Compared(name, word, value)

    def _within(self, left: ast.expr, right: ast.expr) -> Tree:
        if isinstance(right, (ast.Tuple, ast.List, ast.Set)):
            if not _is_name(left):
                self._refuse(left, 'a name is wanted, as in fields.city in ("Leeds", "York")')
            name = self._name(left)
            if not right.elts:
                self._refuse(right, 'the list is empty; ("Leeds", "York") is the form that is wanted')
            return Either(tuple(self._compared(name, "=", one) for one in right.elts))
        if not _is_name(right) or not (isinstance(left, ast.Constant) and isinstance(left.value, str)):
            self._refuse(right, 'a list such as ("Leeds", "York") is wanted, or text in a name')
        name = self._name(right)
        if name.kind not in (Kind.TEXT, Kind.ANY):
            self._refuse(right, f"{name.key} is no text")
        return Contains(name, left.value)

    def _name(self, node: ast.expr) -> Name:
        if isinstance(node, ast.Name):
            if node.id in NAMES:
                return Name(NAMES[node.id], node.id)
            self._refuse(node, f"{node.id} is not known; known are {', '.join(NAMES)} and fields.NAME")
        inner = node.value if isinstance(node, (ast.Attribute, ast.Subscript)) else None
        if not (isinstance(inner, ast.Name) and inner.id == "fields"):
            self._refuse(node, f"a name is wanted: {', '.join(NAMES)} or fields.NAME")
        key = node.attr if isinstance(node, ast.Attribute) else getattr(getattr(node, "slice", None), "value", None)
        if not isinstance(key, str) or not key or '"' in key or "\\" in key:
            self._refuse(node, 'a field is named as fields.city or fields["home town"]')
        return Name(Kind.ANY, key)

    def _value(self, name: Name, node: ast.expr) -> Value:
        value = self._literal(node)
        kinds = {Kind.NUMBER: (float,), Kind.ANY: (str, float, bool)}.get(name.kind, (str,))
        if type(value) not in kinds:
            self._refuse(node, f"{name.key} is compared with {_wanted(name)}")
        if name.kind is not Kind.INSTANT:
            return value
        try:
            at = datetime.fromisoformat(str(value))
            return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        except (ValueError, OverflowError):
            self._refuse(node, f"{name.key} is compared with {_wanted(name)}")

    def _can_be(self, name: Name, value: Value, node: ast.expr) -> None:
        """Refuses what no lead ever has: a slip of the pen there would leave out all leads, or none."""
        if name == _STATE and value not in _STATES:
            self._refuse(node, f"a state is one of {', '.join(_STATES)}")
        if name == _PHONE and not _E164.fullmatch(str(value)):
            self._refuse(node, "a number is written as +442079460018")

    def _literal(self, node: ast.expr) -> str | float | bool:
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            value = self._literal(node.operand)
            if isinstance(value, float):
                return -value
        if isinstance(node, ast.Name) and node.id in ("true", "false"):
            return node.id == "true"
        if isinstance(node, ast.Constant):
            if isinstance(node.value, (bool, str)):
                return node.value
            if isinstance(node.value, (int, float)) and abs(node.value) < _GREATEST:
                return float(node.value)
        self._refuse(node, 'a number, "text" in quotes, true or false is wanted')


def _is_name(node: ast.expr) -> bool:
    is_truth = isinstance(node, ast.Name) and node.id in ("true", "false")
    return isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)) and not is_truth


def _example(name: Name) -> str:
    return {Kind.NUMBER: ">= 5", Kind.TEXT: '== "..."'}.get(name.kind, '< "2026-03-01"')


def _wanted(name: Name) -> str:
    if name.kind is Kind.NUMBER:
        return "a number"
    return '"text" in quotes' if name.kind is Kind.TEXT else 'an instant in quotes, as "2026-03-01T15:00Z"'


# -- said of one lead ----------------------------------------------------------------------------------


def holds(tree: Tree, lead: Any) -> bool:
    """Whether a condition is true of a lead."""
    match tree:
        case Both(parts):
            return all(holds(part, lead) for part in parts)
        case Either(parts):
            return any(holds(part, lead) for part in parts)
        case Not(part):
            return not holds(part, lead)
        case Compared(name, sign, value):
            found = _as(value, _found(name, lead))
            return found is not None and OPERATORS[sign](found, value)
        case Contains(name, text):
            found = _found(name, lead)
            return isinstance(found, str) and text in found
        case Given(name):
            found = _found(name, lead)
            return found is not None and found is not False and found != ""


def _found(name: Name, lead: Any) -> Any:
    return lead.fields.get(name.key) if name.kind is Kind.ANY else getattr(lead, name.key)


def _as(like: Value, found: Any) -> Any:
    """A lead's value as one that may be compared with ``like``; None where it is of another kind."""
    if isinstance(like, bool) or isinstance(found, bool):
        return found if isinstance(like, bool) and isinstance(found, bool) else None
    if isinstance(like, float):
        if isinstance(found, str):
            short = len(found.removeprefix("-")) <= LONGEST_NUMBER
            return float(found) if short and NUMBER.fullmatch(found) else None
        return float(found) if isinstance(found, (int, float)) else None
    return found if isinstance(found, type(like)) else None


def names_of(tree: Tree) -> list[Name]:
    """The names in a condition, in their order."""
    match tree:
        case Both(parts) | Either(parts):
            return [name for part in parts for name in names_of(part)]
        case Not(part):
            return names_of(part)
        case _:
            return [tree.name]


def _told(name: Name, lead: Any) -> str:
    found = _found(name, lead)
    words = f"fields.{name.key}" if name.kind is Kind.ANY else name.key
    if found is None or found == "":
        return f"{words} is empty"
    return f"{words} is {str(found)[:60]}"
