"""Whether a party has put its call on hold, as its phone's own key tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class OnHold:
    """Not on hold until told otherwise."""

    def __init__(self) -> None:
        self.now = False
        self._listeners: set[Callable[[bool], None]] = set()

    def becomes(self, *, held: bool) -> None:
        """Take in an event."""
        self.now = held
        for hear in tuple(self._listeners):
            hear(held)

    @contextmanager
    def told(self, hear: Callable[[bool], None]) -> Iterator[None]:
        """While the block lasts, each change is told."""
        self._listeners.add(hear)
        try:
            yield
        finally:
            self._listeners.discard(hear)
