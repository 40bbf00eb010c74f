"""Ids of the legs we dial, none of which is the beginning of another that may be up."""

from __future__ import annotations

from itertools import count
from uuid import uuid4

AGENT, OUTSIDE = "a", "o"


class LegIds:
    """Numbered in one process, and named after it (``process``).

    Asterisk refuses an id with which that of a living channel begins: ``-a1`` while ``-a12`` is up. The numbers only
    grow, and each process has a name of the same length, so legs that an earlier process left are in nobody's way.
    """

    def __init__(self, process: str = "") -> None:
        self._process = process or uuid4().hex[:6]
        self._numbers = count(1)

    def next(self, of: str, kind: str = AGENT) -> str:
        """The next leg of a call, whose own name is ``of``: an agent's, or one to a number OUTSIDE."""
        return f"{of}-{self._process}-{kind}{next(self._numbers)}"
