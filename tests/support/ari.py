"""A live client on a fake switch, and waiting for a condition on virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from ari_app.client import AriClient
from tests.lab.until import until as lab_until
from tests.support.fake_ari import FakeAri
from tests.support.virtual_clock import virtual_now

UNTIL_SECONDS = 60.0


@asynccontextmanager
async def live_client(fake: FakeAri, **options: Any) -> AsyncIterator[AriClient]:
    """A client of `fake` that is live."""
    async with AriClient(transport=fake.transport(), now=virtual_now, **options) as ari:
        await ari.until_live()
        yield ari


async def until(condition: Callable[[], bool], within: float = UNTIL_SECONDS) -> None:
    """Let virtual time pass until `condition` holds; TimeoutError after `within` seconds."""
    await lab_until(condition, within, "the condition of this test")
