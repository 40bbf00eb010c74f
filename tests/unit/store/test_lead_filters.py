"""A campaign's ``filter`` in the claim, on SQLite and on PostgreSQL."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, select, text, update
from sqlalchemy.orm import Session

from contact_center.lead_filter import Both, Compared, Contains, Either, Given, Kind, LeadFilter, Name, Not, lead_filter
from contact_center.models import Campaign, Lead
from contact_center.store.claim_heads import heads
from contact_center.store.claim_sql import asked_of
from contact_center.store.claims import campaign_exhausted, next_due_at
from contact_center.store.engine import reading, writing
from contact_center.store.filter_sql import _made, clause
from contact_center.store.queries_pace import coming_leads
from contact_center.store.tables import table_of
from tests.unit.store.world import LONDON, NOON, add_campaign, add_lead, due, take

OF_LEEDS = 'priority >= 5 and fields.city == "Leeds" and attempts < 2 and not state == "due"'


def ask(session: Session, words: str) -> None:
    session.connection().execute(update(table_of(Campaign)).values(options={"filter": words}))


def test_the_very_next_claim_obeys_the_filter_and_other_leads_wait(engine: Engine):
    with writing(engine) as session:
        campaign = add_campaign(session)
        leeds = {"city": "Leeds"}
        add_lead(session, campaign, "+4401", priority=4, fields=leeds)
        add_lead(session, campaign, "+4402", priority=9, fields={"city": "York"})
        due(session, campaign, "+4403", 5, priority=9, fields=leeds, attempts=1)
        wanted = add_lead(session, campaign, "+4404", priority=5, fields=leeds)
        ask(session, OF_LEEDS)
    with writing(engine) as session:
        assert [claim.lead_id for claim in take(session, campaign, 9)] == [wanted]
        assert take(session, campaign, 9) == []
        assert next_due_at(session, campaign, None, NOON) is None
        assert not campaign_exhausted(session, campaign)
        ask(session, 'fields.city == "York"')
        assert [lead.number for lead in coming_leads(session, campaign, None, NOON, 9)] == ["+4402"]
        assert [claim.number for claim in take(session, campaign, 9)] == ["+4402"]
        ask(session, "")
        assert sorted(claim.number for claim in take(session, campaign, 9)) == ["+4401", "+4403"]


def test_what_is_due_later_is_asked_of_the_leads_that_the_filter_wants(engine: Engine):
    with writing(engine) as session:
        campaign = add_campaign(session)
        due(session, campaign, "+4401", -10, fields={"city": "York"})
        due(session, campaign, "+4402", -30, fields={"city": "Leeds"})
        ask(session, 'fields.city == "Leeds"')
        assert next_due_at(session, campaign, [LONDON], NOON) == NOON + timedelta(minutes=30)


def test_classes_and_priorities_that_the_filter_cannot_want_are_not_looked_through(engine: Engine):
    with writing(engine) as session:
        campaign = add_campaign(session)
        for n, priority in enumerate((9, 5, 5, 1)):
            add_lead(session, campaign, f"+440{n}", priority=priority)
        due(session, campaign, "+4409", 5, priority=5)

        def looked_through(words: str) -> list[tuple[str, int]]:
            ask(session, words)
            found = heads(session, campaign, asked_of(session, campaign), None, NOON)
            return [(head.lead_class.index, head.priority) for head in found]

        assert looked_through('state == "due"') == [("ix_lead_retry", 5)]
        assert looked_through("3 < priority <= 5 and fields.city") == [("ix_lead_new", 5), ("ix_lead_retry", 5)]
        assert looked_through('state == "due" or priority == 9') == [("ix_lead_new", 9), ("ix_lead_retry", 5)]
        assert len(looked_through("attempts > 0 or priority == 9")) == 4
        assert len(looked_through('fields.state == "TX" and fields.priority < 3')) == 4, "a field is no column"
        ask(session, 'state == "due"')
        assert [claim.number for claim in take(session, campaign, 9)] == ["+4409"]
        assert next_due_at(session, campaign, None, NOON) is None


# -- the same of a lead in Python and in SQL ------------------------------------------------------------

TEXTS = [
    "",
    "Leeds",
    "leeds",
    "York",
    "Ærø",
    "5",
    "05",
    "-3",
    "4.50",
    "1e3",
    "+5",
    ".5",
    "5.",
    "--1",
    "1.2.3",
    " 5",
    "it's",
]
NUMBERS = [-3.0, 0.0, 1.0, 4.5, 5.0, 9007199254740993.0]
VALUES = [*TEXTS, 5, -3, 4.5, 0, 2**53 + 1, True, False, None]
KEYS = ["city", "home town", "år", "it's", "a.b", "missing"]
FIELD = st.sampled_from(KEYS).map(lambda key: Name(Kind.ANY, key))
SIGN = st.sampled_from(["=", "<", "<=", ">", ">="])
TEXT = st.sampled_from(["number", "state", "disposition", "last_agent"]).map(lambda key: Name(Kind.TEXT, key)) | FIELD
NUMBER = st.sampled_from(["priority", "attempts", "dials"]).map(lambda key: Name(Kind.NUMBER, key)) | FIELD
INSTANT = st.sampled_from(["created_at", "next_attempt_at"]).map(lambda key: Name(Kind.INSTANT, key))
MOMENT = st.integers(-3, 3).map(lambda minutes: NOON + timedelta(minutes=minutes))
LEAF = (
    st.builds(Compared, TEXT, SIGN, st.sampled_from(TEXTS))
    | st.builds(Compared, NUMBER, SIGN, st.sampled_from(NUMBERS))
    | st.builds(Compared, FIELD, st.just("="), st.booleans())
    | st.builds(Compared, INSTANT, SIGN, MOMENT)
    | st.builds(Contains, TEXT, st.sampled_from(["ee", "", "ø", "%", "5"]))
    | st.builds(Given, FIELD)
)
TREE = st.recursive(
    LEAF,
    lambda inner: (
        st.builds(Not, inner)
        | st.builds(Both, st.lists(inner, min_size=1, max_size=3).map(tuple))
        | st.builds(Either, st.lists(inner, max_size=3).map(tuple))
    ),
    max_leaves=8,
)
LEAD = st.fixed_dictionaries(
    {
        "priority": st.integers(-6, 6),
        "attempts": st.integers(0, 3),
        "dials": st.integers(0, 3),
        "state": st.sampled_from(["new", "due", "done"]),
        "disposition": st.sampled_from(["", "busy", "NI"]),
        "last_agent": st.sampled_from(["", "1001"]),
        "created_at": MOMENT,
        "next_attempt_at": st.none() | MOMENT,
        "fields": st.dictionaries(st.sampled_from(KEYS[:-1]), st.sampled_from(VALUES), max_size=5),
    }
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(leads=st.lists(LEAD, min_size=1, max_size=6), trees=st.lists(TREE, min_size=1, max_size=4))
def test_sql_and_python_agree_about_every_lead(engine: Engine, leads: list[dict[str, Any]], trees: list[Any]):
    with writing(engine) as session:
        session.connection().execute(delete(table_of(Lead)))
        session.connection().execute(delete(table_of(Campaign)))
        campaign = add_campaign(session)
        ids = [add_lead(session, campaign, f"+440{n}", **lead) for n, lead in enumerate(leads)]
        for tree in trees:
            wanted = LeadFilter("", (("", tree),))
            made = _made(wanted, engine.dialect.name)
            query = select(table_of(Lead).c.id).where(made.bind(text(f"1 = 1{made.sql}")))
            by_sql = set(session.connection().execute(query).scalars())
            rows = [SimpleNamespace(number=f"+440{n}", **lead) for n, lead in enumerate(leads)]
            assert by_sql == {key for key, row in zip(ids, rows, strict=True) if wanted.takes(row)}, made.sql


# -- what may be written --------------------------------------------------------------------------------

LEAD_OF_ANN = SimpleNamespace(
    **{"number": "+4401", "priority": 3, "attempts": 1, "dials": 1, "state": "due", "disposition": "busy"},
    **{"last_agent": "", "created_at": NOON, "next_attempt_at": None},
    fields={"city": "Leeds", "age": "42", "vip": True, "home town": "York"},
)


@pytest.mark.parametrize(
    ("words", "takes"),
    [
        ("priority >= 3", True),
        ("5 > priority > 2", True),
        ('fields.city in ("Leeds", "York")', True),
        ('fields["home town"] not in ["Leeds"]', True),
        ("fields.age >= 18 and fields.age < 65", True),
        ('"eed" in fields.city', True),
        ("fields.vip == true and not fields.email", True),
        ('created_at >= "2026-03-02" and created_at < "2026-03-02T13:00+00:00"', True),
        ('next_attempt_at < "2030-01-01"', False),
        ('fields.email != "a@b"', True),
        ("priority == -3 or attempts == 2", False),
        ('state == "new"', False),
        ('"020 7946" in number or number == "" or "e" in state', True),
    ],
)
def test_an_expression_says_which_leads_are_called(words: str, takes: bool):
    wanted = lead_filter(words)
    assert wanted is not None
    assert wanted.takes(LEAD_OF_ANN) is takes


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("priority >", "it ends too soon, at character 10"),
        ("priority > 1 && attempts < 2", "it cannot be read from character 15 on"),
        ('state == "due" or state != "NEW"', "at character 28: a state is one of new, due, dialing"),
        ("priority in ()", "at character 13: the list is empty"),
        ('state in ("new", "dne")', "at character 18: a state is one of"),
        ('number == "020 7946 0018"', "at character 11: a number is written as +442079460018"),
        ("priority >= five", "at character 1: a name is compared with a value"),
        ("citty == 3", "at character 1: citty is not known; known are priority, attempts"),
        ('state == "due" and priority > "5"', "at character 31: priority is compared with a number"),
        ("__import__('os').system('x')", "at character 1: a comparison such as priority >= 5 is wanted"),
        ("fields.__class__.__mro__", "at character 1: a name is wanted"),
        ("lambda: 1", "a comparison such as"),
        ('created_at < "tomorrow"', "at character 14: created_at is compared with an instant in quotes"),
        ("priority is 5", "at character 13: == or != is wanted instead of is"),
        ("priority", "at character 1: priority must be compared with something"),
        ("priority + 1 > 3", "at character 1: a name is compared with a value"),
        ('fields.ø == "x" and nr > 3', "at character 21: nr is not known"),
        ("(" * 300 + "priority > 1" + ")" * 300, "it cannot be read"),
        ("not " * 240 + "priority > 1", "fewer conditions are wanted"),
        ("priority > 1e400", "at character 12: a number"),
        ("priority > 1\x00", "character 13 is not printable"),
        ("fields.a == 1 or " * 59 + "priority > 1", "characters are allowed"),
        ('fields["a\\"b"] == 1', "a field is named as"),
    ],
)
def test_a_bad_one_is_refused_in_one_clause_with_its_place(words: str, told: str):
    with pytest.raises(ValueError, match=re.escape(told)):
        lead_filter(words)


def test_the_words_and_the_clause_of_an_empty_filter_take_everybody(tmp_path: Path, sqlite_engine: Engine):
    assert lead_filter("  ") is None
    with writing(sqlite_engine) as session:
        add_lead(session, add_campaign(session), "+4401")
    with reading(sqlite_engine) as session:
        assert len(session.scalars(select(Lead).where(clause("", "sqlite"))).all()) == 1
