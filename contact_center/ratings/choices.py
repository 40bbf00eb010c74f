"""What may be chosen after a call: groups of rating options, and categories."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class RatingOption:
    """``digit`` 1 to 9. ``goal``: what a call reaches that is rated so, or empty."""

    digit: int
    name: str
    asks_value: bool = False
    goal: str = ""


@dataclass(frozen=True, slots=True)
class RatingGroup:
    """Options by digit; ``speech``: they are spoken in the menu."""

    name: str
    speech: bool = True
    options: tuple[RatingOption, ...] = ()

    def by_digit(self, key: str) -> RatingOption | None:
        """The option of a key; None where the key has none."""
        return next((option for option in self.options if str(option.digit) == key), None)

    def find(self, text: str) -> RatingOption | None:
        """The option of a digit or of a name, however its letters are written."""
        named = (option for option in self.options if option.name.casefold() == text.strip().casefold())
        return self.by_digit(text.strip()) or next(named, None)


@dataclass(frozen=True, slots=True)
class Category:
    """``value``: the virtual one, of a call of this kind."""

    number: int
    name: str
    value: Decimal = Decimal(0)


@dataclass(slots=True)
class ChoiceBook:
    """All groups and categories in force now; replaced as a whole when one changes."""

    groups: Mapping[str, RatingGroup] = field(default_factory=dict)
    categories: Mapping[int, Category] = field(default_factory=dict)

    def load(self, groups: Iterable[RatingGroup], categories: Iterable[Category]) -> None:
        """Take these in place of all before."""
        self.groups = {group.name: group for group in groups}
        self.categories = {category.number: category for category in categories}
