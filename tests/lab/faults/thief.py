"""Another program that opens a socket with our application's name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from contact_center.settings import Settings


@asynccontextmanager
async def thief(settings: Settings) -> AsyncIterator[None]:
    """While the block lasts the application's events go elsewhere."""
    asterisk = settings.asterisk
    url = f"{asterisk.ari_url}/events?app={asterisk.app}"
    headers = {"Authorization": aiohttp.encode_basic_auth(asterisk.ari_user, asterisk.ari_password)}
    async with aiohttp.ClientSession() as session, session.ws_connect(url, headers=headers):
        yield
