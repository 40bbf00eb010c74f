"""Claims against a model: each lead at most once at a time, in the contract's order, never two calls to a number."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import update

from contact_center.models import Attempt, Call, Campaign, Lead, Outbox
from contact_center.store.claims import Claim, campaign_exhausted, lead_counts, next_due_at
from contact_center.store.engine import open_engine, reading, writing
from contact_center.store.facts import AttemptUncounted, Fact
from contact_center.store.schema import upgrade
from contact_center.store.tables import table_of
from tests.unit.store.world import NOON, add_campaign, add_lead, forbid, rows, settled, take

ZONES = ("Europe/London", "America/Chicago,America/New_York")
NUMBERS = tuple(f"+44163296{n:04d}" for n in range(8))
CAMPAIGNS = st.sampled_from([1, 1, 1, 2])
LEADS = st.tuples(CAMPAIGNS, st.sampled_from(NUMBERS), st.sampled_from(ZONES), st.sampled_from([0, 0, 0, 1]))


@dataclass
class Person:
    """What the model knows of a lead."""

    id: int
    campaign: int
    number: str
    zones: str
    priority: int
    state: str = "new"
    last_agent: str = ""
    due_at: datetime | None = None
    attempts: int = 0
    dials: int = 0


class Claiming(RuleBasedStateMachine):
    """Two campaigns over the same few numbers, so that they get into each other's way."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.mkdtemp(prefix="cw-claims-")
        url = f"sqlite:///{self.folder}/callwright.db"
        shutil.copy(Path(template().name) / "callwright.db", f"{self.folder}/callwright.db")
        self.engine = open_engine(url)
        self.now = NOON
        self.people: dict[int, Person] = {}
        self.forbidden: set[tuple[str, int]] = set()
        self.live: dict[str, int] = {}
        self.claims: list[Claim] = []
        self.seen: set[tuple[int, int]] = set()
        self.channels: set[str] = set()
        with writing(self.engine) as session:
            assert [add_campaign(session, name) for name in ("one", "two")] == [1, 2]

    def teardown(self) -> None:
        self.engine.dispose()
        shutil.rmtree(self.folder)

    @initialize(leads=st.lists(LEADS, min_size=6, max_size=16))
    def begin(self, leads: list[tuple[int, str, str, int]]) -> None:
        self.add(leads)

    @rule(leads=st.lists(LEADS, min_size=1, max_size=4))
    def add(self, leads: list[tuple[int, str, str, int]]) -> None:
        for campaign, number, zones, priority in leads:
            with writing(self.engine) as session:
                id_ = add_lead(session, campaign, number, zones=zones, priority=priority)
            self.people[id_] = Person(id_, campaign, number, zones, priority)

    @rule(number=st.sampled_from(NUMBERS[:3]), campaign=st.sampled_from([0, 1, 2]))
    def put_on_do_not_call(self, number: str, campaign: int) -> None:
        if (number, campaign) not in self.forbidden:
            self.forbidden.add((number, campaign))
            with writing(self.engine) as session:
                forbid(session, number, campaign)

    @rule(minutes=st.integers(0, 120))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(
        campaign=CAMPAIGNS,
        want=st.integers(1, 4),
        zones=st.sampled_from([None, None, None, set(ZONES), {ZONES[0]}, set()]),
        most=st.sampled_from([0, 0, 1, 2]),
        state=st.sampled_from([*["running"] * 7, "paused", "ending"]),
    )
    def take_some(self, campaign: int, want: int, zones: set[str] | None, most: int, state: str) -> None:
        expected = self._expected(campaign, want, zones, most) if state == "running" else []
        table = table_of(Campaign)
        with writing(self.engine) as session:
            session.connection().execute(update(table).where(table.c.id == campaign).values(state=state))
            looked = next_due_at(session, campaign, zones, self.now)
            taken = take(session, campaign, want, now=self.now, open_zones=zones, max_attempts=most)
        self.claims += taken
        assert [one.lead_id for one in taken] == expected
        assert not taken or looked == self.now
        for one in taken:
            person = self.people[one.lead_id]
            person.state, person.dials, person.attempts = "dialing", person.dials + 1, person.attempts + 1
            assert (one.n, one.attempts) == (person.dials, person.attempts)
            assert one.number not in self.live
            assert (one.lead_id, one.n) not in self.seen
            assert one.channel_id not in self.channels
            self.live[one.number] = one.lead_id
            self.seen.add((one.lead_id, one.n))
            self.channels.add(one.channel_id)

    def _expected(self, campaign: int, want: int, zones: set[str] | None, most: int) -> list[int]:
        """The contract's order by brute force; leads that are set aside on the way change the model."""
        chosen: list[Person] = []
        set_aside = 0
        while len(chosen) < want:
            few = want - len(chosen) + 2 * set_aside
            busy = set(self.live) | {one.number for one in chosen}
            waiting = [
                one
                for one in self.people.values()
                if one.campaign == campaign
                and (zones is None or one.zones in zones)
                and one.number not in busy
                and one not in chosen
                and (one.state == "new" or (one.state == "due" and _at(one) <= self.now))
            ]
            if not waiting:
                break
            for one in sorted(waiting, key=_place_in_line)[:few]:
                if {(one.number, 0), (one.number, campaign)} & self.forbidden:
                    one.state, set_aside = "dnc", set_aside + 1
                elif most and one.attempts >= most:
                    one.state, set_aside = "closed", set_aside + 1
                elif len(chosen) < want and one.number not in {other.number for other in chosen}:
                    chosen.append(one)
        return [one.id for one in chosen]

    @precondition(lambda self: self.live)
    @rule(
        which=st.integers(0, 7),
        outcome=st.sampled_from(["missed", "connected", "technical_error", "not_attempted", "unknown"]),
        minutes=st.integers(0, 60),
        closed=st.sampled_from([False, False, False, True]),
    )
    def end(self, which: int, outcome: str, minutes: int, closed: bool) -> None:
        person = self.people[list(self.live.values())[which % len(self.live)]]
        (one,) = (claim for claim in self.claims if (claim.lead_id, claim.n) == (person.id, person.dials))
        counted, said = outcome != "not_attempted", "missed" if outcome == "unknown" else outcome
        del self.live[one.number]
        person.attempts -= 0 if counted else 1
        person.last_agent = "1001" if outcome == "connected" else person.last_agent
        person.state = "closed" if closed else "due"
        person.due_at = None if closed else self.now + timedelta(minutes=minutes)
        self._apply(
            settled(
                one,
                outcome=said,
                disposition=said,
                state="unknown" if outcome == "unknown" else "done",
                counted=counted,
                ended_at=self.now,
                lead_state=person.state,
                next_attempt_at=person.due_at,
                last_agent="1001" if outcome == "connected" else None,
            )
        )

    @precondition(lambda self: self.claims)
    @rule(which=st.lists(st.integers(0, 30), min_size=1, max_size=3))
    def find_out_that_it_was_the_trunk(self, which: list[int]) -> None:
        claims = {one.attempt_id: one for one in (self.claims[n % len(self.claims)] for n in which)}
        table = {one["id"]: one for one in rows(self.engine, Attempt)}
        leads = {one["id"]: one for one in rows(self.engine, Lead)}
        for one in claims.values():
            attempt, person = table[one.attempt_id], self.people[one.lead_id]
            if attempt["ended_at"] is None or not attempt["counted"]:
                if attempt["outcome"] == "not_attempted" and person.dials == one.n and person.state == "due":
                    person.due_at = self.now  # it waits for the trunk now, no longer for a delay
                continue
            person.attempts -= 1
            is_still_there = person.dials == one.n and person.state in ("due", "closed")
            if is_still_there and leads[one.lead_id]["disposition"] == attempt["outcome"]:
                person.state, person.due_at = "due", self.now
        self._apply(AttemptUncounted(tuple(claims), self.now, "trunk main is down", self.now))

    def _apply(self, fact: Fact) -> None:
        for _ in range(2):  # as after a reply that was lost
            with writing(self.engine) as session:
                fact.apply(session)

    @invariant()
    def the_next_due_time_is_that_of_the_first_who_waits(self) -> None:
        with reading(self.engine) as session:
            for campaign in (1, 2):
                people = [one for one in self.people.values() if one.campaign == campaign]
                times = [one.due_at for one in people if one.state == "due" and one.due_at is not None]
                times += [self.now for one in people if one.state == "new"]
                expected = max(min(times), self.now) if times else None
                assert next_due_at(session, campaign, None, self.now) == expected

    @invariant()
    def the_rows_say_what_the_model_says(self) -> None:
        leads = {one["id"]: one for one in rows(self.engine, Lead)}
        for person in self.people.values():
            lead: Any = leads[person.id]
            known = (person.state, person.attempts, person.dials, person.last_agent)
            assert (lead["state"], lead["attempts"], lead["dials"], lead["last_agent"]) == known
        attempts = rows(self.engine, Attempt)
        assert {one["live_number"] for one in attempts if one["live_number"]} == set(self.live)
        assert len({(one["lead_id"], one["n"]) for one in attempts}) == len(attempts) == len(self.seen)
        assert len(rows(self.engine, Call)) == len(attempts)

    @invariant()
    def events_are_numbered_without_gaps(self) -> None:
        numbers: dict[tuple[str, str], list[int]] = {}
        for event in rows(self.engine, Outbox):
            numbers.setdefault((event["entity"], event["entity_id"]), []).append(event["seq"])
        assert all(seqs == list(range(1, len(seqs) + 1)) for seqs in numbers.values())

    @invariant()
    def counts_and_exhaustion_agree_with_the_rows(self) -> None:
        with reading(self.engine) as session:
            for campaign in (1, 2):
                states = [one.state for one in self.people.values() if one.campaign == campaign]
                counts = lead_counts(session, campaign)
                assert counts == {state: states.count(state) for state in counts}
                alive = {"new", "due", "dialing", "talking"} & set(states)
                assert campaign_exhausted(session, campaign) == (not alive)


def _at(one: Person) -> datetime:
    assert one.due_at is not None
    return one.due_at


def _place_in_line(one: Person) -> tuple[Any, ...]:
    if one.state == "new":
        return (1, -one.priority, 0.0, -one.id)
    return (0 if one.last_agent else 2, -one.priority, _at(one).timestamp(), one.id)


@cache
def template() -> tempfile.TemporaryDirectory[str]:
    """A folder with an empty database, made once: each example starts with a copy."""
    folder = tempfile.TemporaryDirectory(prefix="cw-template-")
    upgrade(f"sqlite:///{folder.name}/callwright.db")
    return folder


TestClaiming = Claiming.TestCase
TestClaiming.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
