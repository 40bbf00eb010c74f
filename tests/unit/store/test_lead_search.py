"""Leads that a filter wants, searched for in pieces: what one look over everything would take, and in its order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, update
from sqlalchemy.orm import Session

from contact_center.models import Attempt, Campaign, Lead
from contact_center.store.claims import Claim, next_due_at
from contact_center.store.engine import writing
from contact_center.store.lead_search import LeadSearch
from contact_center.store.queries_pace import coming_leads
from contact_center.store.tables import table_of
from tests.unit.store.world import LONDON, NOON, add_campaign, add_lead, take

TOKYO = "Asia/Tokyo"
OF_LEEDS = 'fields.city == "Leeds"'
MOST_LOOKS = 40 * 40
"""One lead of a pass over 33 in pieces of one: a pass for each, and a look for each lead and each state in it."""
LEAD = st.fixed_dictionaries(
    {
        "zones": st.sampled_from([LONDON, LONDON, TOKYO]),
        "priority": st.integers(-1, 2),
        "fields": st.sampled_from([{"city": "Leeds"}, {"city": "York"}, {}]),
        "last_agent": st.sampled_from(["", "1001"]),
        "minutes": st.sampled_from([None, None, -30, 0, 5, 90]),
    }
)
ALL_ALIKE = {"zones": LONDON, "priority": 0, "fields": {"city": "Leeds"}, "last_agent": "", "minutes": None}


def put(session: Session, campaign: int, first: int, leads: Sequence[dict[str, Any]]) -> None:
    for n, lead in enumerate(leads, first):
        minutes = lead["minutes"]
        state = {} if minutes is None else {"state": "due", "next_attempt_at": NOON - timedelta(minutes=minutes)}
        more = {key: value for key, value in lead.items() if key != "minutes"}
        add_lead(session, campaign, f"+4420{n:07d}", **{**more, **state})


def wanted_now(session: Session, campaign: int, zones: list[str]) -> list[str]:
    return [lead.number for lead in coming_leads(session, campaign, zones, NOON, 1000)]


class Looks:
    """Claims one after the other, a moment apart, until a look has gone over everything and found nobody."""

    def __init__(self, engine: Engine, campaign: int, search: LeadSearch) -> None:
        self.engine, self.campaign, self.search = engine, campaign, search
        self.turn = 0

    def look(self, want: int, zones: list[str]) -> list[Claim]:
        self.turn += 1
        now = NOON + timedelta(microseconds=self.turn)
        with writing(self.engine) as session:
            return take(session, self.campaign, want, now=now, open_zones=zones, search=self.search)

    def all(self, want: int, zones: list[str]) -> list[str]:
        taken: list[str] = []
        for _ in range(MOST_LOOKS):
            found = self.look(want, zones)
            taken += [claim.number for claim in found]
            if not found and not self.search.goes_on:
                return taken
        raise AssertionError("the search does not come to an end")


def emptied(session: Session) -> int:
    for kind in (Attempt, Lead, Campaign):
        session.connection().execute(delete(table_of(kind)))
    campaign = add_campaign(session)
    session.connection().execute(update(table_of(Campaign)).values(options={"filter": OF_LEEDS}))
    return campaign


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    leads=st.lists(LEAD, max_size=25),
    more=st.lists(LEAD, max_size=8),
    piece=st.integers(1, 9),
    kept=st.integers(1, 9),
    want=st.integers(1, 4),
    looks=st.integers(0, 6),
)
@example(leads=[ALL_ALIKE] * 12, more=[ALL_ALIKE] * 8, piece=1, kept=1, want=1, looks=1)
def test_looks_at_pieces_take_what_one_look_over_everything_would_take(
    engine: Engine, leads: list[Any], more: list[Any], piece: int, kept: int, want: int, looks: int
):
    with writing(engine) as session:
        campaign = emptied(session)
        put(session, campaign, 0, leads)
        expected = wanted_now(session, campaign, [LONDON])
        later = next_due_at(session, campaign, [LONDON], NOON)
    there = Looks(engine, campaign, LeadSearch(large=-1, piece=piece, kept=kept))
    assert there.all(want, [LONDON]) == expected
    if not expected:
        assert there.search.due_at == later
    with writing(engine) as session:  # some come while a pass is under way, others are changed, a place opens
        put(session, campaign, 100, more)
        there.search.renew()
    early = [claim.number for _ in range(looks) for claim in there.look(want, [LONDON])]
    with writing(engine) as session:
        changed = update(table_of(Lead)).where(table_of(Lead).c.state == "new", table_of(Lead).c.priority == 0)
        session.connection().execute(changed.values(fields={"city": "Leeds"}))
        there.search.renew()
        expected = wanted_now(session, campaign, [LONDON, TOKYO])
    assert sorted(there.all(want, [LONDON, TOKYO])) == sorted(expected)
    assert len(set(early) | set(expected)) == len(early) + len(expected)


def test_where_few_leads_wait_each_look_goes_over_them_all(engine: Engine):
    with writing(engine) as session:
        campaign = emptied(session)
        put(session, campaign, 0, [{"minutes": None, "fields": {"city": "Leeds"}}] * 3)
    there = Looks(engine, campaign, LeadSearch(large=3, piece=1))
    assert len(there.look(9, [LONDON])) == 3
    assert not there.search.is_large
    assert not there.search.goes_on


def test_one_look_goes_over_no_more_than_a_piece(engine: Engine):
    with writing(engine) as session:
        campaign = emptied(session)
        put(session, campaign, 0, [{"minutes": None, "fields": {"city": city}} for city in ("Leeds", *["York"] * 6)])
    there = Looks(engine, campaign, LeadSearch(large=6, piece=2))
    looks = [(len(there.look(1, [LONDON])), there.search.goes_on) for _ in range(6)]
    assert looks == [(0, True)] * 4 + [(1, False), (0, False)]
