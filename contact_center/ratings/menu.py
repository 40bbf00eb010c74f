"""The menus after a call as state machines. Pure: keys and silence come in, words to be said come out.

Whoever leads somebody through a menu says ``words()``, waits for a key no longer than ``patience``, tells ``key`` or
``silence``, and goes on until ``result`` is there.
"""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from contact_center.ratings.choices import RatingGroup, RatingOption
from contact_center.ratings.money import keyed_value

TRIES = 3
FIRST_KEY_SECONDS = 6.0  # from the end of the prompt
NEXT_KEY_SECONDS = 5.0  # between the digits of a value or a code
SETTLE_SECONDS = 0.7  # an option is one digit: more digits than one, sooner than this, are a mistake
MOST_KEYS = 64


class Word(StrEnum):
    """What is said."""

    RATE = "rate_this_call"
    WRONG_OPTION = "wrong_option"
    VALUE = "enter_value"
    WRONG_VALUE = "wrong_value"
    CODE = "enter_category"
    WRONG_CODE = "wrong_category"
    SAVED = "saved"
    GIVEN_UP = "given_up"


class Result(StrEnum):
    """How it ended; the last two are the business of whoever leads through it."""

    DONE = "rated"
    SILENCE = "silence"
    INVALID = "invalid"
    WRONG_VALUE = "wrong_value"
    HUNG_UP = "hung_up"
    TOO_LATE = "too_late"


class Menu(Protocol):
    """What a leader needs of a menu."""

    result: Result | None
    patience: float

    def words(self) -> tuple[Word, ...]:
        """What is to be said now, once."""
        ...

    def key(self, key: str) -> None:
        """A key was pressed."""
        ...

    def silence(self) -> None:
        """None was, for as long as ``patience``."""
        ...


class _Words:
    def __init__(self) -> None:
        self.result: Result | None = None
        self.patience = FIRST_KEY_SECONDS
        self._words: tuple[Word, ...] = ()

    def words(self) -> tuple[Word, ...]:
        """What is to be said now, once."""
        words, self._words = self._words, ()
        return words

    def _say(self, *words: Word, patience: float = FIRST_KEY_SECONDS) -> None:
        self._words, self.patience = words, patience

    def _end(self, result: Result) -> None:
        self.result = result
        self._words = (Word.SAVED,) if result is Result.DONE else (Word.GIVEN_UP,)


class Entry:
    """Digits closed by ``#``; what is keyed too much is read to its end, so that it spoils no second try."""

    def __init__(self) -> None:
        self.digits = ""

    def key(self, key: str) -> str | None:
        """All digits once ``#`` came, else None. ``*`` is kept: it makes a wrong entry."""
        if key != "#":
            self.digits = (self.digits + key)[:MOST_KEYS]
            return None
        digits, self.digits = self.digits, ""
        return digits


class RatingMenu(_Words):
    """One option out of a group, and its value where it asks one. ``option`` and ``value``: what was chosen."""

    def __init__(self, group: RatingGroup) -> None:
        super().__init__()
        self._group = group
        self._chosen: RatingOption | None = None
        self._wrong_keys = self._wrong_values = 0
        self._entry: Entry | None = None
        self._draining = False
        self.option: RatingOption | None = None
        self.value: Decimal | None = None
        self._say(Word.RATE)

    def key(self, key: str) -> None:
        """A key of the agent."""
        if self.result is not None or self._draining:
            return
        if self._entry is not None:
            self._value_key(self._entry, key)
        elif self._chosen is not None:
            self._after_choice(key)
        else:
            self._choice(key)

    def _choice(self, key: str) -> None:
        self._chosen = self._group.by_digit(key)
        if self._chosen is None:
            self._drain()
        elif self._chosen.asks_value:
            self._entry = Entry()
            self._say(Word.VALUE)
        else:
            self.patience = SETTLE_SECONDS

    def _after_choice(self, key: str) -> None:
        if key == "#":
            self._rated(None)
        else:
            self._chosen = None
            self._drain()

    def _drain(self) -> None:
        self._draining, self.patience = True, SETTLE_SECONDS

    def _value_key(self, entry: Entry, key: str) -> None:
        self.patience = NEXT_KEY_SECONDS
        digits = entry.key(key)
        if digits is None:
            return
        value = keyed_value(digits)
        if value is None:
            self._wrong_value()
        else:
            self._rated(value)

    def silence(self) -> None:
        """No key came."""
        if self.result is not None:
            return
        if self._draining:
            self._wrong_option()
        elif self._entry is not None and self._entry.digits:
            self._wrong_value()
        elif self._entry is None and self._chosen is not None:
            self._rated(None)
        else:
            self._end(Result.SILENCE)

    def _wrong_option(self) -> None:
        self._draining = False
        self._wrong_keys += 1
        if self._wrong_keys >= TRIES:
            self._end(Result.INVALID)
        else:
            self._say(Word.WRONG_OPTION, Word.RATE)

    def _wrong_value(self) -> None:
        self._entry = Entry()
        self._wrong_values += 1
        if self._wrong_values >= TRIES:
            self._end(Result.WRONG_VALUE)
        else:
            self._say(Word.WRONG_VALUE, Word.VALUE)

    def _rated(self, value: Decimal | None) -> None:
        self.option, self.value = self._chosen, value
        self._end(Result.DONE)


class CategoryMenu(_Words):
    """A category's number, a value, or both. ``category`` and ``value``: what was keyed, also when more was asked."""

    def __init__(self, numbers: Collection[int], *, code: bool, value: bool) -> None:
        super().__init__()
        self._numbers, self._asks_value = numbers, value
        self._entry, self._wrong = Entry(), 0
        self._in_code = code
        self.category: int | None = None
        self.value: Decimal | None = None
        self._say(Word.CODE if code else Word.VALUE)

    def key(self, key: str) -> None:
        """A key of the agent."""
        if self.result is not None:
            return
        self.patience = NEXT_KEY_SECONDS
        digits = self._entry.key(key)
        if digits is None:
            return
        if self._in_code:
            self._code(digits)
        else:
            self._value(digits)

    def _code(self, digits: str) -> None:
        number = int(digits) if digits.isascii() and digits.isdigit() else None
        if number is None or number not in self._numbers:
            self._again()
            return
        self.category = number
        if self._asks_value:
            self._in_code, self._wrong = False, 0
            self._say(Word.VALUE)
        else:
            self._end(Result.DONE)

    def _value(self, digits: str) -> None:
        self.value = keyed_value(digits)
        if self.value is None:
            self._again()
        else:
            self._end(Result.DONE)

    def silence(self) -> None:
        """No key came."""
        if self.result is not None:
            return
        if self._entry.digits:
            self._entry = Entry()
            self._again()
        else:
            self._end(Result.SILENCE)

    def _again(self) -> None:
        self._wrong += 1
        if self._wrong >= TRIES:
            self._end(Result.INVALID if self._in_code else Result.WRONG_VALUE)
        elif self._in_code:
            self._say(Word.WRONG_CODE, Word.CODE)
        else:
            self._say(Word.WRONG_VALUE, Word.VALUE)
