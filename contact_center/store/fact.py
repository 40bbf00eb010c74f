"""What a fact is: something that happened, which will be stored once, in order, whatever becomes of us."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from typing import Any, ClassVar

from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Fact(ABC):
    """A frozen dataclass whose fields are strings, numbers, flags, instants, JSON or tuples of these.

    ``apply`` is idempotent: applied twice it leaves the same rows as applied once.
    """

    _kinds: ClassVar[dict[str, type[Fact]]] = {}
    holds_back: ClassVar[bool] = False
    """Whether what is committed after it must see it, even what may go ahead of other facts."""

    def __init_subclass__(cls, **options: Any) -> None:
        Fact._kinds[cls.__name__] = cls

    @abstractmethod
    def apply(self, session: Session) -> None:
        """Write the fact, and what others are told of it, in the caller's writing transaction."""

    def to_json(self) -> dict[str, Any]:
        """JSON-able; ``fact`` names the kind, instants are ISO 8601 to the microsecond."""
        return {
            name: value.isoformat() if isinstance(value, datetime) else value for name, value in self.told().items()
        }

    def told(self) -> dict[str, Any]:
        """As `to_json`, with instants as they are: orjson writes them so by itself, in a tenth of the time."""
        told: dict[str, Any] = {"fact": type(self).__name__}
        for name in _names(type(self)):
            told[name] = getattr(self, name)
        return told

    @staticmethod
    def from_json(values: dict[str, Any]) -> Fact:
        """The fact that ``to_json`` described. Raises ValueError for anything else."""
        kind = Fact._kinds.get(str(values.get("fact")))
        if kind is None:
            raise ValueError(f"{values.get('fact')!r} is not a kind of fact")
        arguments = {}
        for field in fields(kind):
            if field.name in values:
                arguments[field.name] = _decoded(str(field.type), values[field.name])
        try:
            return kind(**arguments)
        except TypeError as error:
            raise ValueError(str(error)) from None


@cache
def _names(kind: type[Fact]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _decoded(kind: str, value: Any) -> Any:
    """``kind`` is the field's annotation as text, as postponed annotations keep it."""
    if value is None:
        return None
    if kind.startswith("datetime"):
        return datetime.fromisoformat(value)
    if kind.startswith("tuple"):
        return tuple(value)
    return value
