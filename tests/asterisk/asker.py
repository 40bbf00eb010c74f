"""python -m tests.asterisk.asker BASE RATE PATH...: asks so many times a second until its stdin ends.

In a process of its own, so that it holds up nobody but the product. The token comes as the first line of stdin; at the
end {"statuses": {...}, "seconds": ..., "p50": ..., "p95": ...} goes to stdout.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter

import aiohttp

from tests.prove.proof import percentile


async def ask(base: str, rate: float, paths: list[str], token: str, stop: asyncio.Event) -> dict[str, object]:
    """Until ``stop``; what came of it."""
    statuses, took, began = Counter[int](), list[float](), time.monotonic()
    connector, headers = aiohttp.TCPConnector(limit=20), {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session, asyncio.TaskGroup() as group:

        async def one(path: str) -> None:
            asked = time.monotonic()
            async with session.get(base + path) as answer:
                await answer.read()
                statuses[answer.status] += 1
            took.append(time.monotonic() - asked)

        n = 0
        while not stop.is_set():
            group.create_task(one(paths[n % len(paths)]))
            n += 1
            await asyncio.sleep(max(0.0, began + n / rate - time.monotonic()))
    seconds = time.monotonic() - began
    figures = {"seconds": seconds, "p50": percentile(took, 0.5), "p95": percentile(took, 0.95)}
    return {"statuses": {str(status): count for status, count in statuses.items()}, **figures}


async def main() -> None:
    """The command."""
    base, rate, *paths = sys.argv[1:]
    stop, token = asyncio.Event(), sys.stdin.readline().strip()
    asking = asyncio.create_task(ask(base, float(rate), paths, token, stop))
    await asyncio.to_thread(sys.stdin.read)
    stop.set()
    print(json.dumps(await asking))


if __name__ == "__main__":
    asyncio.run(main())
