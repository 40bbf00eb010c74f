"""Claims that do not see the latest facts: whatever they miss, they take too little and never too much."""

from __future__ import annotations

import shutil
import tempfile
from collections import deque
from datetime import timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from contact_center.models import Attempt, Lead
from contact_center.store.changes import gathering_events
from contact_center.store.claims import Claim
from contact_center.store.engine import open_engine, writing
from contact_center.store.facts import AttemptAnswered, AttemptConnected, AttemptRinging, AttemptUncounted, Fact
from tests.properties.test_claims import NUMBERS, template
from tests.unit.store.world import NOON, add_campaign, add_lead, rows, settled, take


class Ahead(RuleBasedStateMachine):
    """What has happened is known here at once; the database hears of it later, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.mkdtemp(prefix="cw-ahead-")
        shutil.copy(Path(template().name) / "callwright.db", f"{self.folder}/callwright.db")
        self.engine = open_engine(f"sqlite:///{self.folder}/callwright.db")
        self.now = NOON
        self.posted: deque[Fact] = deque()
        self.live: dict[str, Claim] = {}
        self.over: list[Claim] = []
        self.gone: set[int] = set()
        self.used: dict[int, int] = {}
        self.dials: dict[int, int] = {}
        self.uncounted: set[int] = set()
        with writing(self.engine) as session:
            assert [add_campaign(session, name) for name in ("one", "two")] == [1, 2]

    def teardown(self) -> None:
        self._store(len(self.posted))
        leads = {lead["id"]: lead for lead in rows(self.engine, Lead)}
        on_the_line = {one.lead_id for one in self.live.values()}
        for id_, lead in leads.items():
            assert (lead["attempts"], lead["dials"]) == (self.used.get(id_, 0), self.dials.get(id_, 0))
            assert (lead["state"] in ("dialing", "talking")) == (id_ in on_the_line)
        self.engine.dispose()
        shutil.rmtree(self.folder)

    @initialize(leads=st.lists(st.tuples(st.sampled_from([1, 2]), st.sampled_from(NUMBERS)), min_size=4, max_size=14))
    def begin(self, leads: list[tuple[int, str]]) -> None:
        with writing(self.engine) as session:
            for campaign, number in leads:
                add_lead(session, campaign, number)

    @rule(minutes=st.integers(0, 90))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(campaign=st.sampled_from([1, 2]), want=st.integers(1, 4), most=st.sampled_from([0, 0, 2, 3]))
    def claim_ahead_of_the_facts(self, campaign: int, want: int, most: int) -> None:
        with writing(self.engine) as session:
            taken = take(session, campaign, want, now=self.now, max_attempts=most)
        for one in taken:
            assert one.number not in self.live, "two calls to one number"
            assert one.lead_id not in self.gone, "a lead that is closed is called"
            assert one.n == self.dials.get(one.lead_id, 0) + 1
            self.dials[one.lead_id] = one.n
            self.used[one.lead_id] = self.used.get(one.lead_id, 0) + 1
            assert not most or self.used[one.lead_id] <= most, "more attempts than there are"
            self.live[one.number] = one

    @precondition(lambda self: self.live)
    @rule(which=st.integers(0, 7), stage=st.integers(0, 2))
    def go_on(self, which: int, stage: int) -> None:
        one = list(self.live.values())[which % len(self.live)]
        self.posted.append(
            (
                AttemptRinging(one.channel_id, self.now),
                AttemptAnswered(one.channel_id, self.now),
                AttemptConnected(one.channel_id, self.now, "1001", f"{one.channel_id}-a", "br"),
            )[stage]
        )

    @precondition(lambda self: self.live)
    @rule(which=st.integers(0, 7), minutes=st.integers(0, 60), close=st.sampled_from([False, False, True]))
    def end(self, which: int, minutes: int, close: bool) -> None:
        one = self.live.pop(list(self.live)[which % len(self.live)])
        self.over.append(one)
        if close:
            self.gone.add(one.lead_id)
        self.posted.append(
            settled(
                one,
                ended_at=self.now,
                outcome="connected" if close else "missed",
                disposition="connected" if close else "missed",
                lead_state="done" if close else "due",
                next_attempt_at=None if close else self.now + timedelta(minutes=minutes),
            )
        )

    @precondition(lambda self: self.over)
    @rule(which=st.integers(0, 30))
    def find_out_that_it_was_the_trunk(self, which: int) -> None:
        one = self.over[which % len(self.over)]
        if one.attempt_id not in self.uncounted:
            self.uncounted.add(one.attempt_id)
            self.used[one.lead_id] -= 1
        self.posted.append(AttemptUncounted((one.attempt_id,), self.now, "trunk main is down", self.now))

    @rule(many=st.integers(1, 6))
    def the_writer_stores_some(self, many: int) -> None:
        self._store(many)

    def _store(self, many: int) -> None:
        with writing(self.engine) as session, gathering_events(session):
            for _ in range(min(many, len(self.posted))):
                self.posted.popleft().apply(session)

    @invariant()
    def no_number_has_two_open_attempts(self) -> None:
        attempts = rows(self.engine, Attempt)
        still = [one["live_number"] for one in attempts if one["live_number"]]
        assert len(still) == len(set(still))
        assert set(self.live) <= set(still)


TestAhead = Ahead.TestCase
TestAhead.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
