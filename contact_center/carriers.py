"""Which trunk may carry which number: the ``allowed_prefixes`` of the trunks that a call may go by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from contact_center.own_agents import OwnAgents, promised_to
from contact_center.settings import Settings


@dataclass(frozen=True, slots=True)
class Carriers:
    """Some trunks by name, in order of preference, and the ``allowed_prefixes`` of those that have any.

    Where one of them has a list, a number must be on such a list; a trunk without one is a spare for what the lists
    of the others allow.
    """

    trunks: tuple[str, ...] = ()
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings, named: Sequence[str]) -> Self:
        """Those named, or all where none is; names that the settings do not have are passed over."""
        trunks = {name: settings.trunk[name] for name in (named or settings.trunk) if name in settings.trunk}
        lists = {name: trunk.allowed_prefixes for name, trunk in trunks.items() if trunk.allowed_prefixes}
        return cls(tuple(trunks), lists)

    def carry(self, number: str) -> bool:
        """Whether any of them may carry an E.164 number, as far as the lists go."""
        return not self.lists or any(number.startswith(allowed) for allowed in self.lists.values())

    def for_number(self, number: str) -> tuple[str, ...]:
        """Those that may carry it."""
        if not self.carry(number):
            return ()
        return tuple(name for name in self.trunks if name not in self.lists or number.startswith(self.lists[name]))

    def why_not(self, number: str) -> str:
        """Why none of them may carry it, as a sentence."""
        said = "; ".join(f"trunk.{name}.allowed_prefixes has only {', '.join(o)}" for name, o in self.lists.items())
        return f"{number} may not be called: {said}."

    def groups(self) -> list[tuple[str, ...]]:
        """The trunks put together that may carry the same numbers, in order of preference."""
        made: dict[tuple[str, ...], list[str]] = {}
        for name in self.trunks:
            made.setdefault(self.lists.get(name, ()), []).append(name)
        return [tuple(names) for names in made.values()]


ANY_TRUNK = Carriers()
"""Whoever asks knows no trunks: every number may be carried."""


class Hand:
    """Lines that were taken before it is known who is called by them. ``lacking``: trunks of which more were wanted.

    ``own``: leads that wait for an agent of their own are passed over.
    """

    def __init__(self, lines: Sequence[str], carriers: Carriers | None = None, own: OwnAgents | None = None) -> None:
        self._left, self._carriers, self._own = list(lines), carriers, own
        self.lacking: set[str] = set()

    def deal(self, rows: Iterable[Any], most: int) -> tuple[list[tuple[Any, str]], set[int]]:
        """The first ``most`` leads that get a line, with it, and the ids of those passed over that get none.

        One lead per number: a second one is passed over from here on, its number being on the line.
        """
        by_number: dict[str, tuple[Any, str]] = {}
        without: set[int] = set()
        for row in rows:
            if len(by_number) >= most:
                break
            if row.number in by_number:
                continue
            promised = promised_to(row)
            own = promised or row.last_agent
            if self._own is not None and self._own.keep(own, row.next_attempt_at, promised):
                without.add(row.id)
                continue
            line = self._line_for(row.number)
            if line is None:
                without.add(row.id)
            else:
                by_number[row.number] = (row, line)
                self._own = self._own and self._own.with_call_for(own)
        return list(by_number.values()), without

    def _line_for(self, number: str) -> str | None:
        if self._carriers is None or not self._carriers.lists:
            return self._left.pop(0) if self._left else None
        may = self._carriers.for_number(number)
        found = next((n for n, name in enumerate(self._left) if name in may), None)
        if found is None:
            self.lacking |= set(may)
            return None
        return self._left.pop(found)

    def may_carry(self, number: str) -> bool:
        """Whether any trunk at all may carry it."""
        return self._carriers is None or self._carriers.carry(number)
