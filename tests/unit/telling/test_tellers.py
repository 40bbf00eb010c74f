"""All who are told, in one process with the real writer: what supervisors change is obeyed within a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from sqlalchemy import Engine

from contact_center.clock import SystemClock
from contact_center.http.metrics import Meters
from contact_center.store.admin import By
from contact_center.store.engine import open_engine, reading, writing
from contact_center.store.telling import cursor_of, newest_event_id, oldest_cursor, webhook_cursor
from contact_center.store.webhooks import add_webhook, remove_webhook, replay, rotate_secret
from contact_center.store.writer import Writer
from contact_center.telling.signing import signature
from contact_center.telling.tellers import Tellers, telling
from tests.support.mqtt_broker import Broker
from tests.support.receivers import HttpReceiver, Request
from tests.support.telling import SECRET, add_events
from tests.support.telling_process import settings
from tests.unit.waiting import until

pytestmark = pytest.mark.clock

OTHER = "whsec_" + "A" * 32


def by() -> By:
    return By("test", SystemClock().now())


@asynccontextmanager
async def told(engine: Engine, receiver: HttpReceiver, broker: str = "") -> AsyncIterator[Tellers]:
    url, clock, meters = engine.url.render_as_string(hide_password=False), SystemClock(), Meters()
    wanted = settings(url, broker, receiver.host)
    async with Writer(open_engine(url), clock) as writer, telling(wanted, clock, writer, meters) as tellers:
        yield tellers


def hooked(receiver: HttpReceiver) -> list[Request]:
    return [request for request in receiver.got if request.path == "/hook"]


def is_told(engine: Engine) -> bool:
    with reading(engine) as session:
        return cursor_of(session, webhook_cursor(1)) == newest_event_id(session)


def is_signed(request: Request, secret: str) -> bool:
    stamp = int(request.headers["webhook-timestamp"])
    own = signature(secret, request.headers["webhook-id"], stamp, request.body)
    return own in request.headers["webhook-signature"].split(" ")


async def test_webhooks_are_added_replayed_rotated_and_removed_while_we_run(engine: Engine) -> None:
    async with HttpReceiver() as receiver, told(engine, receiver):
        with writing(engine) as session:
            add_webhook(session, by(), "crm", receiver.url, secret=SECRET, types=["call.*"])
        add_events(engine, 10)
        began = time.monotonic()
        await until(lambda: len(hooked(receiver)) == 10)
        assert time.monotonic() - began < 1.5
        await until(lambda: is_told(engine))
        with writing(engine) as session:
            replay(session, by(), "crm", after_id=0, since=None)
        await until(lambda: len(hooked(receiver)) == 20)
        with writing(engine) as session:
            rotate_secret(session, by(), "crm", OTHER)
        rotated_at, count = time.monotonic(), 20
        while not is_signed(hooked(receiver)[-1], OTHER):
            add_events(engine, 1, start=(count := count + 1))
            await until(lambda wanted=count: len(hooked(receiver)) == wanted)  # type: ignore[misc]
        assert time.monotonic() - rotated_at < 1.5
        assert is_signed(hooked(receiver)[-1], SECRET)
        with writing(engine) as session:
            remove_webhook(session, by(), "crm")
        await until(lambda: not any(task.get_name().startswith("tell webhook") for task in asyncio.all_tasks()))
        with reading(engine) as session:
            assert oldest_cursor(session, names=["webhook:1"]) is None


async def test_one_dead_and_one_slow_receiver_hold_up_neither_each_other_nor_a_third(engine: Engine) -> None:
    gate = asyncio.Event()

    async def never(request: Request) -> web.Response:
        await gate.wait()
        return web.Response()

    async with HttpReceiver(never) as slow, HttpReceiver() as well, Broker() as broker:
        url = engine.url.render_as_string(hide_password=False)
        wanted = settings(url, broker.url, well.host)
        hosts = (well.host, slow.host, "127.0.0.1:1")
        wanted = wanted.model_copy(update={"webhooks": wanted.webhooks.model_copy(update={"allow_hosts": hosts})})
        with writing(engine) as session:
            for name, to in (("dead", "http://127.0.0.1:1/"), ("slow", slow.url), ("well", well.url)):
                add_webhook(session, by(), name, to, secret=SECRET, types=["call.*"])
        clock = SystemClock()
        async with Writer(open_engine(url), clock) as writer, telling(wanted, clock, writer, Meters()):
            add_events(engine, 100)
            began = time.monotonic()
            await until(lambda: len(hooked(well)) == 100)
            await until(lambda: len(broker.of("callwright/event/call.")) == 100)
            assert time.monotonic() - began < 3.0
            # and the writer, on which calls depend, takes a commit at once
            began = time.monotonic()
            await writer.commit(newest_event_id)
            assert time.monotonic() - began < 0.5
            gate.set()


async def test_a_defect_in_telling_one_is_survived(engine: Engine) -> None:
    async with HttpReceiver() as receiver, told(engine, receiver) as tellers:
        with writing(engine) as session:
            add_webhook(session, by(), "ill", receiver.url, secret="no secret at all")
            add_webhook(session, by(), "crm", receiver.url, secret=SECRET, types=["call.*"])
        add_events(engine, 5)
        await until(lambda: sum(is_signed(request, SECRET) for request in hooked(receiver)) == 5)
        assert tellers.held >= 0
