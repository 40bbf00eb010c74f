"""The exceptions people meet, drawn as a tree.

    CallwrightError
    ├── UsageError         wrong usage or bad input          (exit code 2)
    │   └── SettingsError  a bad callwright.toml             (exit code 2)
    ├── NotFound           no such agent, campaign, call ... (exit code 3)
    └── Unreachable        database, Asterisk or serve away  (exit code 4)

Each message is one sentence that says what, where and what to do. Anything else that is raised on
purpose ends with exit code 1.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

_LISTED_BY_TWO_WORDS = ("rating group", "tracking pool")


_ADDRESS = "an address such as {} is wanted"
_FORMS = {
    r"^[0-9]$": "one digit is wanted",
    r"^[A-Z]{3}$": "three capital letters are wanted, such as GBP",
    r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$": "up to 40 letters, digits, _ and - are wanted",
    r"^\+[1-9][0-9]{0,14}$": "+ and up to 15 digits are wanted, such as +44",
    r"^(\+[1-9][0-9]{6,14})?$": "+ and 7 to 15 digits are wanted, such as +442079460018",
    r"^https?://[^\s]+$": _ADDRESS.format("http://127.0.0.1:8088/ari"),
    r"^(https?://[^\s]+)?$": _ADDRESS.format("https://example.com"),
    r"^https?://[^\s?#]+$": _ADDRESS.format("https://example.com/collect"),
    r"^(mqtts?://[^\s]+)?$": _ADDRESS.format("mqtt://127.0.0.1:1883"),
}
_WANTED = {
    "int_parsing": "a whole number is wanted",
    "int_from_float": "a whole number is wanted",
    "float_parsing": "a number is wanted",
    "greater_than_equal": "at least {ge:g} is wanted",
    "less_than_equal": "at most {le:g} is wanted",
    "string_too_long": "{max_length} characters are allowed",
    "literal_error": "{expected} is wanted",
    "enum": "{expected} is wanted",
    "greater_than": "more than {gt:g} is wanted",
    "tuple_type": 'a list is wanted, as ["..."]',
    "bool_parsing": "true or false is wanted",
    "string_type": "text is wanted",
    "int_type": "a whole number is wanted",
    "float_type": "a number is wanted",
    "bool_type": "true or false is wanted",
}


def plain_reason(kind: str, message: str, context: Mapping[str, Any]) -> str:
    """Why pydantic refused a value, in words for people: its type, its message and its context in; no full stop."""
    if kind in _WANTED:
        return _WANTED[kind].format_map(context)
    if kind == "string_pattern_mismatch":
        return _FORMS.get(str(context["pattern"]), "it has another form than is wanted")
    plain = message.removeprefix("Value error, ")
    return f"{plain[0].lower()}{plain[1:]}"


class CallwrightError(Exception):
    """Something failed; the message says what, where and what to do."""

    exit_code = 1


class UsageError(CallwrightError):
    """The command or its input is wrong."""

    exit_code = 2


class SettingsError(UsageError):
    """A setting is unknown or has a value that is not allowed."""


class NotFound(CallwrightError):
    """There is no such thing."""

    exit_code = 3

    def __init__(self, what: str, name: object) -> None:
        command = what if what in _LISTED_BY_TWO_WORDS else what.split(maxsplit=1)[0]
        super().__init__(f"There is no {what} {name!r}; `callwright {command} list` shows what there is.")


class Unreachable(CallwrightError):
    """The database, Asterisk or a running serve cannot be reached."""

    exit_code = 4


def typed(name: str) -> str:
    """A name as it is typed in a command, in quotes where a shell would part it."""
    return name if name.replace("-", "").isalnum() else shlex.quote(name)
