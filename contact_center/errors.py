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

_LISTED_BY_TWO_WORDS = ("rating group", "tracking pool")


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
