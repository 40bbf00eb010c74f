"""`callback list`, `show` and `cancel` over callbacks that were ordered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from contact_center.store.call_facts import CallArrived, CallFinished
from contact_center.store.callback_claims import begin_dial, claim_callback
from contact_center.store.callback_facts import CallbackOrdered
from tests.unit.console.support import Cli

NOW = datetime.now(UTC) - timedelta(seconds=60)


def order(cli: Cli, n: int, queue: str = "support") -> None:
    """A caller who ordered a callback."""
    at, call = NOW + timedelta(seconds=n), f"call-{n}"
    record = {"id": call, "kind": "callback", "queue": queue, "caller_number": f"+44740000000{n}", "timeline": []}
    expires = at + timedelta(hours=1)
    with cli.writing() as session:
        CallArrived(call, f"ch-{n}", at, "442079460018", f"+44740000000{n}", queue).apply(session)
        CallbackOrdered(f"cb-{n}", call, queue, f"+44740000000{n}", "442079460018", 50, at, at, expires).apply(session)
        CallFinished(call, at, "callback", 0.0, record).apply(session)


@pytest.fixture
def support(cli: Cli) -> Cli:
    cli.ok("queue", "add", "support", "--did", "442079460018", "callback=on")
    cli.ok("queue", "add", "sales")
    for n, queue in ((2, "support"), (1, "support"), (3, "sales")):
        order(cli, n, queue)
    return cli


def test_callbacks_are_listed_in_the_order_of_their_places(support: Cli) -> None:
    found = support.json("callback", "list")
    assert [d["id"] for d in found] == ["cb-1", "cb-2", "cb-3"]
    assert [d["id"] for d in support.json("callback", "list", "--queue", "support")] == ["cb-1", "cb-2"]
    wanted = {"id", "call_id", "queue", "number", "state", "attempt", "due_at"}
    assert wanted <= set(found[0])
    assert (found[0]["state"], found[0]["attempt"], found[0]["number"]) == ("waiting", 0, "+447400000001")
    assert "cb-1" in support.ok("callback", "list")
    assert "no queue" in support.refused(3, "callback", "list", "--queue", "nobody")
    assert "is not known" in support.refused(2, "callback", "list", "--state", "asleep")
    assert support.json("queue", "show", "support")["callbacks_waiting"] == 2


def test_a_callback_shows_its_dials_by_its_own_id_or_its_calls(support: Cli) -> None:
    with support.writing() as session:
        assert claim_callback(session, "cb-1", "me", datetime.now(UTC))
        assert begin_dial(session, "cb-1", "me", "cw-cb-1-1", "1001", 3, datetime.now(UTC)) == 1
    for name in ("cb-1", "call-1"):
        shown = support.json("callback", "show", name)
        assert (shown["id"], shown["state"], shown["attempt"]) == ("cb-1", "calling_customer", 1)
        assert [(d["n"], d["agent"], d["outcome"]) for d in shown["dials"]] == [(1, "1001", None)]
    assert "1001" in support.ok("callback", "show", "cb-1")
    assert "There is no callback" in support.refused(3, "callback", "show", "cb-9")


def test_a_cancelled_callback_leaves_the_line_and_its_call_ends_in_red(support: Cli) -> None:
    assert support.json("callback", "cancel", "cb-1")["state"] == "cancelled"
    assert support.json("call", "show", "call-1")["timeline"][-1]["kind"] == "deleted"
    assert [d["id"] for d in support.json("callback", "list", "--state", "waiting")] == ["cb-2", "cb-3"]
    assert "nothing to cancel" in support.refused(1, "callback", "cancel", "cb-1")
    assert "There is no callback" in support.refused(3, "callback", "cancel", "cb-9")
    with support.writing() as session:
        assert not claim_callback(session, "cb-1", "me", datetime.now(UTC))


def test_an_erased_person_is_not_called_back_and_no_event_knows_his_number(support: Cli) -> None:
    support.ok("lead", "erase", "+447400000001")
    shown = support.json("callback", "show", "cb-1")
    assert (shown["state"], shown["number"], shown["ended_at"] is None) == ("cancelled", "", False)
    with support.reading() as session:
        told = [str(tuple(row)) for row in session.execute(text("SELECT * FROM outbox"))]
    assert told
    assert not [row for row in told if "+447400000001" in row]
