"""What tests of campaigns share."""

from __future__ import annotations

import asyncio

from tests.lab.centre import Centre


async def finished(centre: Centre, name: str, deadline: float = 60.0) -> dict:
    async def done() -> bool:
        return (await centre.cli("campaign", "show", name))["state"] == "finished"

    end = asyncio.get_running_loop().time() + deadline
    while not await done():
        assert asyncio.get_running_loop().time() < end, f"{name} did not finish: {centre.serve.tail()}"
        await asyncio.sleep(0.2)
    return await centre.cli("campaign", "show", name)
