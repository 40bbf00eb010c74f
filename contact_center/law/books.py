"""The rules of law that come with the program, read from their files once and checked."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from contact_center.law.rules import Book, Calendar, Rule

PROFILES: dict[str, str] = {"none": "", "us_tsr": "US", "uk_ofcom": "GB", "ca_crtc": "CA"}
"""The values of a campaign's ``profile``, each with the country whose law it names."""

_BOOKS = ("us_federal", "us_states", "uk_ofcom", "ca_crtc")


@dataclass(frozen=True, slots=True, eq=False)
class Library:
    """All books. ``digest`` names their very text: 12 hex digits of a SHA-256 over the files."""

    books: tuple[Book, ...]
    digest: str

    @property
    def rules(self) -> Iterator[Rule]:
        """Every rule of every book."""
        return (rule for book in self.books for rule in book.rule)

    def of(self, jurisdictions: Iterable[str]) -> tuple[Rule, ...]:
        """The rules of these jurisdictions, whenever they are in force; a state brings its country's along.

        ``US-FL`` means Florida and the United States.
        """
        wanted = {part for name in jurisdictions for part in (name, name.partition("-")[0])}
        return tuple(rule for rule in self.rules if rule.jurisdiction in wanted)

    def calendar(self, name: str) -> Calendar:
        """The calendar of an id. Raises KeyError."""
        return {calendar.id: calendar for book in self.books for calendar in book.calendar}[name]

    def version_of(self, rule: Rule) -> str:
        """The book that a rule stands in, with its version: ``us_federal 2026.1``."""
        book = next(book for book in self.books if any(rule is own for own in book.rule))
        return f"{book.book} {book.version}"


@lru_cache(maxsize=1)
def library() -> Library:
    """The books of this program. Raises ValueError when one of them is not sound: that is our own mistake."""
    texts = {name: data_file(name) for name in _BOOKS}
    found = Library(
        books=tuple(Book.model_validate(_cleaned(tomllib.loads(text))) for text in texts.values()),
        digest=hashlib.sha256("\0".join(texts.values()).encode()).hexdigest()[:12],
    )
    _check(found)
    return found


def data_file(name: str) -> str:
    """The text of one of the data files."""
    return files("contact_center.law").joinpath("data", f"{name}.toml").read_text(encoding="utf-8")


def _cleaned(raw: dict[str, Any]) -> dict[str, Any]:
    """TOML has no null: ``limit = "none"`` stands for it."""
    for rule in raw.get("rule", ()):
        if rule.get("limit") == "none":
            rule["limit"] = None
    return raw


def _check(found: Library) -> None:
    ids = [rule.id for rule in found.rules]
    if len(set(ids)) != len(ids):
        raise ValueError("two rules of law have one id")
    for rule in found.rules:
        if rule.until is not None and rule.until <= rule.since:
            raise ValueError(f"rule {rule.id} ends before it begins")
        for name in getattr(rule, "closed", ()):
            found.calendar(name)
