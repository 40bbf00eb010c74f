"""Webhooks, analytics and tracking on the command line."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from contact_center.models import Audit, Outbox
from contact_center.store.call_facts import CallArrived
from contact_center.store.engine import reading, writing
from contact_center.telling.signing import signature
from tests.support.receivers import HttpReceiver
from tests.support.telling import NOON
from tests.unit.console.support import Cli
from tests.unit.telling.test_addresses import HOSTILE


@contextmanager
def receiving() -> Iterator[HttpReceiver]:
    """A receiver in a thread of its own: commands have a loop of their own."""
    receiver, ready, loop = HttpReceiver(), threading.Event(), asyncio.new_event_loop()
    done = asyncio.Event()

    async def serve() -> None:
        async with receiver:
            ready.set()
            await done.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(5)
    try:
        yield receiver
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(5)
        loop.close()


def allow(cli: Cli, host: str) -> None:
    text = cli.config.read_text(encoding="utf-8")
    cli.config.write_text(f'{text}[webhooks]\nallow_hosts = ["{host}"]\n', encoding="utf-8")


def test_a_webhook_is_added_shown_tried_and_removed_and_its_secret_is_shown_once(cli: Cli) -> None:
    with receiving() as receiver:
        allow(cli, receiver.host)
        added = cli.run("webhook", "add", "crm", receiver.url, "--type", "call.*", "--type", "agent.state")
        assert added.exit_code == 0, added.stderr
        secret = added.stdout.strip()
        assert secret.startswith("whsec_")
        assert cli.run("webhook", "add", "two", receiver.url).exit_code == 0
        tried = cli.run("webhook", "test", "crm")
        assert tried.exit_code == 0, tried.stderr
        (got,) = receiver.got
        assert got.json["type"] == "webhook.test"
        own = signature(secret, got.headers["webhook-id"], int(got.headers["webhook-timestamp"]), got.body)
        assert got.headers["webhook-signature"] == own
    (crm, _) = cli.run("webhook", "list", "--json").json
    assert (crm["types"], crm["state"], crm["behind"], crm["dead"]) == (["call.*", "agent.state"], "enabled", 1, 0)
    away = cli.run("webhook", "test", "crm")
    assert away.exit_code == 1
    assert "did not take it" in away.stderr
    assert cli.run("webhook", "replay", "crm", "--after", "0").exit_code == 0
    rotated = cli.run("webhook", "rotate", "crm", "--json").json["secret"]
    assert cli.run("webhook", "enable", "crm").exit_code == 0
    assert cli.run("webhook", "remove", "crm").exit_code == 0
    assert cli.run("webhook", "remove", "crm").exit_code == 3
    with reading(cli.engine) as session:
        kept = str([row.payload for row in session.query(Outbox)]) + str([row.detail for row in session.query(Audit)])
    assert secret not in kept
    assert rotated not in kept
    assert "secret" not in str(cli.run("webhook", "list", "--json").json)


def test_hostile_webhooks_of_every_kind_are_refused_when_they_are_saved(cli: Cli) -> None:
    for url in HOSTILE[::6]:  # all of them are put to what is asked here in test_addresses
        answer = cli.run("webhook", "add", "crm", url)
        assert (answer.exit_code, answer.stderr.count("\n")) == (2, 1), (url, answer)
    assert cli.run("webhook", "list", "--json").json == []


def test_a_second_carrier_of_the_transaction_value_is_refused_with_the_name_of_the_first(cli: Cli) -> None:
    first = cli.run("analytics", "add", "shop", "G-ABC1234567", "hush", "--value", "transaction", "--rating", "Sale")
    assert first.exit_code == 0, first.stderr
    second = cli.run("analytics", "add", "blog", "G-XYZ1234567", "hush2", "--value", "transaction")
    assert second.exit_code == 2
    assert "shop" in second.stderr
    assert "hush" not in str(cli.run("analytics", "list", "--json").json)
    assert cli.run("analytics", "remove", "shop").exit_code == 0
    assert cli.run("analytics", "add", "blog", "G-XYZ1234567", "hush2", "--value", "transaction").exit_code == 0


def test_pools_orders_the_report_and_a_visitor(cli: Cli) -> None:
    assert cli.run("tracking", "pool", "add", "shop", "442079460001", "442079460002").exit_code == 0
    assert cli.run("tracking", "pool", "add", "shop", "442079460001").exit_code == 2
    assert cli.run("tracking", "pool", "add", "shop", "x").exit_code == 2
    with writing(cli.engine) as session:
        CallArrived("c-1", "ch-1", NOON, "442079460001", "+447400000001", "sales").apply(session)
    assert cli.run("tracking", "attach", "c-1", "gbr01", "--json").json == {
        "call_id": "c-1", "context_id": "gbr01", "matched": False, "offline": True,
    }  # fmt: skip
    assert cli.run("tracking", "order", "c-1", "09890809", "9.99", "--json").json["total"] == "9.99"
    assert cli.run("tracking", "order", "nobody", "1", "9.99").exit_code == 3
    assert cli.run("tracking", "order", "c-1", "1", "9.999").exit_code == 2
    report = cli.run("report", "matching", "--from", "2026-03-01", "--to", "2026-03-02", "--json").json
    assert (report["calls"], report["matched"], report["share"]) == (1, 0, 0.0)
    sheet = cli.run("report", "matching", "--from", "2026-03-01", "--to", "2026-03-02", "--format", "csv").stdout
    assert sheet.splitlines()[0] == '"of","name","calls","matched","offline","vendor_ids","unusable","share"'
    assert "67.0 % to 96.0 %" in cli.run("report", "matching", "--from", "2026-03-01", "--to", "2026-03-02").stdout
    shown = cli.run("visitor", "show", "gbr01", "--json").json
    assert shown["vendor_id"] is True
    assert [step["what"] for step in shown["trace"]] == ["call", "order"]
    assert cli.run("visitor", "show", "gbr01").exit_code == 0
    assert cli.run("visitor", "show", "nobody").exit_code == 3
    assert cli.run("tracking", "pool", "list", "--json").json == [
        {"pool": "shop", "numbers": ["+442079460001", "+442079460002"], "held": 0}
    ]
    assert cli.run("tracking", "pool", "remove", "shop").exit_code == 0
    assert cli.run("tracking", "pool", "remove", "shop").exit_code == 3
