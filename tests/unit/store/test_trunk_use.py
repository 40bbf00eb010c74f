"""What trunks used, on both databases: a minute is told again with all that is known of it; caps are put by hand."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from contact_center.errors import UsageError
from contact_center.models_trunks import TrunkUse
from contact_center.settings import Settings
from contact_center.store.admin import By
from contact_center.store.engine import reading, writing
from contact_center.store.facts import Fact, TrunkNoted, TrunkUsed
from contact_center.store.trunk_use import capped_trunks, kept_trunks, set_caps, trunk_documents
from tests.unit.store.world import NOON, events, rows

HOME = Settings.model_validate(
    {"trunk": {"main": {"host": "127.0.0.9", "calls_per_hour": 5}, "spare": {"host": "127.0.0.8"}}}
)


def apply(engine: Engine, *facts: Fact) -> None:
    """Each in a transaction of its own."""
    for fact in facts:
        with writing(engine) as session:
            fact.apply(session)


def used(minutes: int, calls: int, seconds: float) -> TrunkUsed:
    at = NOON + timedelta(minutes=minutes)
    return TrunkUsed("main", at, calls, seconds, at + timedelta(seconds=30))


def test_a_minute_is_put_in_place_of_what_was_known_of_it_and_old_ones_are_forgotten(engine: Engine) -> None:
    apply(engine, used(0, 1, 2.5), used(0, 3, 4.5), used(0, 3, 4.5), used(1, 1, 0.0))
    assert [(row["calls"], row["seconds"]) for row in rows(engine, TrunkUse)] == [(3, 4.5), (1, 0.0)]
    with reading(engine) as session:
        kept = kept_trunks(session, HOME)["main"]
        assert [(minute.minute_at, minute.calls) for minute in kept.minutes] == [
            (NOON, 3),
            (NOON + timedelta(minutes=1), 1),
        ]
    apply(engine, used(2 * 1440 + 1, 1, 0.0))
    assert [row["minute_at"] for row in rows(engine, TrunkUse)] == [
        NOON + timedelta(minutes=1),
        NOON + timedelta(minutes=2 * 1440 + 1),
    ]
    assert events(engine) == []


def test_a_fact_of_use_is_the_same_when_it_comes_out_of_the_journal() -> None:
    assert Fact.from_json(used(0, 3, 4.5).to_json()) == used(0, 3, 4.5)


def test_caps_that_are_changed_by_hand_stand_in_place_of_the_settings_and_are_told(engine: Engine) -> None:
    by = By("cli:ann", NOON)
    with writing(engine) as session:
        set_caps(session, by, HOME, "main", {"calls_per_hour": "9", "minutes_per_day": "2.5"})
        with pytest.raises(UsageError, match="it needs cost_per_minute"):
            set_caps(session, by, HOME, "main", {"spend_per_day": "9"})
    with writing(engine) as session:
        kept = set_caps(session, by, HOME, "main", {"calls_per_hour": ""})
        assert (kept.caps.calls_per_hour, kept.caps.minutes_per_day, kept.changed) == (5, 2.5, {"minutes_per_day": 2.5})
        assert [document["name"] for document in trunk_documents(session, HOME, NOON)] == ["main", "spare"]
    assert events(engine) == [("trunk.set", "main", 1), ("trunk.set", "main", 2)]


def test_whoever_wants_to_call_is_told_of_caps_only_where_every_trunk_has_reached_one(engine: Engine) -> None:
    apply(engine, TrunkNoted("main", "capped", "its calls_per_hour of 5 is reached", NOON))
    with reading(engine) as session:
        assert capped_trunks(session, ("main", "spare")) == ""
        assert capped_trunks(session, ()) == ""
        assert capped_trunks(session, ("main",)) == (
            "Trunk main takes no more calls: its calls_per_hour of 5 is reached; "
            "a supervisor can raise it (`callwright trunk set main`)."
        )
