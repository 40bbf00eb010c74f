"""`python -m tests.support.telling_process DATABASE BROKER RECEIVER`: tells everybody until it is killed."""

from __future__ import annotations

import asyncio
import sys

from contact_center.clock import SystemClock
from contact_center.http.metrics import Meters
from contact_center.settings import Database, GoogleAnalytics, Mqtt, Settings, Tracking, Webhooks
from contact_center.store.engine import open_engine
from contact_center.store.writer import Writer
from contact_center.telling.tellers import telling


def settings(database: str, broker: str, receiver: str) -> Settings:
    """``receiver``: host:port of everything that is told by HTTP."""
    return Settings(
        database=Database(url=database),
        mqtt=Mqtt(url=broker),
        webhooks=Webhooks(allow_hosts=(receiver,)),
        analytics=GoogleAnalytics(url=f"http://{receiver}/mp/collect"),
        tracking=Tracking(url=f"http://{receiver}/transactions", property="shop", send="all"),
    )


async def main(database: str, broker: str, receiver: str) -> None:
    """Runs for ever."""
    clock = SystemClock()
    wanted = settings(database, broker, receiver)
    async with Writer(open_engine(database), clock) as writer, telling(wanted, clock, writer, Meters()):
        print("telling", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
