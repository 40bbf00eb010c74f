"""What every callback is handed besides Services."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from sqlalchemy.orm import Session

from ari_app.agent_line import AgentLines
from ari_app.queue_prompts import QueuePrompts
from ari_app.queue_records import Log
from ari_app.services import Services
from contact_center.http.metrics import Meters
from contact_center.ids import new_id
from contact_center.queues.board import QueueBoard
from contact_center.store.fact import Fact

T = TypeVar("T")


class Store(Protocol):
    """How the store is asked: the writer."""

    async def commit(self, fn: Callable[[Session], T], within: float = 2.0) -> T:
        """What ``fn`` gave in a writing transaction, after its COMMIT."""
        ...

    async def read(self, fn: Callable[[Session], T], within: float = 2.0) -> T:
        """What ``fn`` finds in a read transaction."""
        ...

    def post(self, fact: Fact) -> None:
        """Store a fact in its turn."""
        ...


@dataclass(slots=True)
class CallbackParts:
    """Built once. ``owner`` names this process in claims."""

    env: Services
    board: QueueBoard
    lines: AgentLines
    prompts: QueuePrompts
    store: Store
    queue_log: Log
    meters: Meters
    owner: str = field(default_factory=lambda: new_id("own"))

    async def commit(self, fn: Callable[[Session], T]) -> T:
        """A claim or an intent: after this it is stored. Raises Unreachable."""
        return await self.store.commit(fn)

    def post(self, fact: Fact) -> None:
        """Store a fact."""
        self.store.post(fact)
