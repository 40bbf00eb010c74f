"""Who is asking: the tokens as the store has them, looked up again once a second."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from contact_center.clock import Clock
from contact_center.errors import Unreachable
from contact_center.models_api import ApiToken
from contact_center.store.admin_tokens import list_tokens, split_token
from contact_center.terms import ApiRole

FRESH_SECONDS = 0.8
"""A token that was removed is refused after so long at the latest."""
NEWS_SECONDS = 0.05
"""For a token that is not known all are read again, but no more often than this."""
STALE_SECONDS = 60.0
"""So long the tokens known last are used while the database is away."""
_NOBODY = "0" * 64


@dataclass(frozen=True, slots=True)
class Caller:
    """A token that was proven; ``agent`` is the extension it speaks for, or empty."""

    id: int
    name: str
    role: ApiRole
    agent: str
    key: str

    @property
    def actor(self) -> str:
        """As the audit log names it."""
        return f"api:{self.name}"

    @property
    def sees_numbers(self) -> bool:
        """Whether numbers that a campaign hides are shown."""
        return self.role is ApiRole.SUPERVISOR


class TokenBook:
    """All tokens, by key."""

    def __init__(self, read: Callable[[Callable[[Session], list[ApiToken]]], Awaitable[list[ApiToken]]], clock: Clock):
        self._read, self._clock = read, clock
        self._rows: dict[str, ApiToken] = {}
        self._at: float | None = None
        self._refreshing = asyncio.Lock()

    async def caller(self, token: str) -> Caller | None:
        """Whose token this is; None when it is nobody's. Raises Unreachable when that cannot be known."""
        await self._refresh(FRESH_SECONDS)
        parts = split_token(token)
        key, digest = parts if parts else ("", _NOBODY)
        if key and key not in self._rows:
            await self._refresh(NEWS_SECONDS)
        row = self._rows.get(key)
        # One comparison in every case, so that its time tells nothing of which half was wrong.
        matches = hmac.compare_digest(row.digest if row else "-" * 64, digest)
        return _caller(row) if row is not None and matches else None

    async def holds(self, caller: Caller) -> bool:
        """Whether the token is still there, as it was."""
        await self._refresh(FRESH_SECONDS)
        return any(_caller(row) == caller for row in self._rows.values() if row.id == caller.id)

    async def _refresh(self, fresh_seconds: float) -> None:
        if self._age() < fresh_seconds:
            return
        async with self._refreshing:
            age = self._age()
            if age < fresh_seconds:
                return
            try:
                rows: Sequence[ApiToken] = await self._read(list_tokens)
            except Unreachable:
                if age > STALE_SECONDS:
                    raise
                return
            self._rows, self._at = {row.key: row for row in rows}, self._clock.monotonic()

    def _age(self) -> float:
        return float("inf") if self._at is None else self._clock.monotonic() - self._at


def _caller(row: ApiToken) -> Caller:
    return Caller(row.id or 0, row.name, ApiRole(row.role), row.agent, row.key)
