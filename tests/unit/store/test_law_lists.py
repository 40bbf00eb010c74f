"""Do-not-call lists against claims: nobody is called after the commit of his entry, and serve is told of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine, select
from sqlmodel import col

from contact_center.errors import NotFound
from contact_center.models import Attempt, Lead
from contact_center.store.admin import By
from contact_center.store.admin_dnc import (
    add_dnc,
    blocked_numbers,
    import_dnc,
    last_import_at,
    listed_among,
    remove_dnc,
)
from contact_center.store.changes import take_controls
from contact_center.store.engine import reading, writing
from contact_center.store.fact import Fact
from contact_center.store.law_facts import NumberForbidden
from tests.unit.store.world import NOON, add_campaign, add_lead, events, one_call, row, rows, take

LONDON_NUMBER = "+442079460018"
HOUR = timedelta(hours=1)


def at_once(*works: Callable[[], None]) -> None:
    """Each in a thread of its own; raises the first error of any."""
    with ThreadPoolExecutor(len(works)) as threads:
        for done in [threads.submit(work) for work in works]:
            done.result(timeout=60)


@pytest.mark.parametrize("round_", range(5))
def test_no_lead_is_claimed_after_its_number_was_put_on_the_list(engine: Engine, round_: int) -> None:
    numbers = [f"+1813556{n:04d}" for n in range(100)]
    with writing(engine) as session:
        campaign = add_campaign(session, f"race{round_}")
        for number in numbers:
            add_lead(session, campaign, number)
    order: list[tuple[str, str]] = []
    turn = threading.Lock()

    def forbid_all() -> None:
        for number in reversed(numbers):
            with writing(engine) as session:
                add_dnc(session, By("test", NOON), [number], 0)
            with turn:
                order.append(("forbidden", number))

    def claim_all() -> None:
        while True:
            with turn:
                before = {number for what, number in order if what == "forbidden"}
            with writing(engine) as session:
                taken = take(session, campaign)
            if not taken:
                return
            with turn:
                order.extend(("claimed", one.number) for one in taken)
            assert not {one.number for one in taken} & before, "claimed after the commit of its entry"

    at_once(forbid_all, claim_all)
    claimed = [number for what, number in order if what == "claimed"]
    assert len(claimed) == len(set(claimed))
    assert {row_["state"] for row_ in rows(engine, Lead)} <= {"dialing", "dnc"}


def test_a_serve_learns_which_of_its_ringing_calls_are_forbidden(engine: Engine) -> None:
    taken = one_call(engine, LONDON_NUMBER)
    ringing = [(taken.number, taken.campaign_id), ("+441632960999", taken.campaign_id)]
    with writing(engine) as session:
        assert listed_among(session, ringing) == set()
        import_dnc(session, By("test", NOON), [LONDON_NUMBER, "+441632960002"], taken.campaign_id + 1)
        assert listed_among(session, ringing) == set(), "another campaign's list"
        add_dnc(session, By("test", NOON), [LONDON_NUMBER], taken.campaign_id)
        assert listed_among(session, ringing) == {ringing[0]}
        assert listed_among(session, []) == set()
    with writing(engine) as session:
        told = [(one.entity, one.action, one.entity_id) for one in take_controls(session, NOON)]
    assert ("dnc", "add", LONDON_NUMBER) in told
    assert ("dnc", "import", str(taken.campaign_id + 1)) in told
    with reading(engine) as session:
        call = session.scalars(select(Attempt).where(col(Attempt.live_number).is_not(None))).one()
        assert (call.number, call.campaign_id) in listed_among(session, [(call.number, call.campaign_id)])


def test_an_import_is_one_change_for_others_however_many_numbers_it_has(engine: Engine) -> None:
    numbers = [f"+4416329{n:05d}" for n in range(500)]
    with writing(engine) as session:
        campaign = add_campaign(session)
        add_lead(session, campaign, numbers[7])
        assert last_import_at(session) is None
        change = import_dnc(session, By("test", NOON), numbers, 0, "registry")
        assert (change.numbers, change.leads) == (500, 1)
        assert import_dnc(session, By("test", NOON + HOUR), numbers, 0).numbers == 0
        assert last_import_at(session) == NOON + HOUR, "the same list again is a fresh list"
        assert blocked_numbers(session, numbers[:3], campaign) == set(numbers[:3])
        remove_dnc(session, By("test", NOON), numbers[7], 0)
        with pytest.raises(NotFound):
            remove_dnc(session, By("test", NOON), numbers[7], 0)
    assert events(engine, "dnc")[0] == ("dnc.import", "company", 1)
    assert len(events(engine, "dnc")) == 3
    assert row(engine, Lead, number=numbers[7])["state"] == "new"


def test_a_wish_made_on_the_phone_is_a_fact_that_claims_wait_for(engine: Engine) -> None:
    wish = NumberForbidden(number=LONDON_NUMBER, campaign_id=0, reason="asked on the phone", actor="caller", at=NOON)
    assert wish.holds_back
    assert Fact.from_json(wish.to_json()) == wish
    with writing(engine) as session:
        campaign = add_campaign(session)
        add_lead(session, campaign, LONDON_NUMBER)
        wish.apply(session)
        wish.apply(session)
        assert take(session, campaign) == []
        assert blocked_numbers(session, [LONDON_NUMBER], campaign) == {LONDON_NUMBER}
        assert len(take_controls(session, NOON)) == 1
    assert row(engine, Lead, number=LONDON_NUMBER)["state"] == "dnc"
