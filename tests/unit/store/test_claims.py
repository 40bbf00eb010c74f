from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import Engine, update

from contact_center.models import Attempt, Call, Campaign, Lead, Outbox
from contact_center.store.claims import campaign_exhausted, lead_counts, next_due_at, zones_of
from contact_center.store.engine import reading, writing
from contact_center.store.queries_pace import coming_leads
from contact_center.store.tables import table_of
from contact_center.terms import CallKind, LeadOrder
from tests.unit.store.world import (
    LONDON,
    NOON,
    add_campaign,
    add_lead,
    due,
    events,
    forbid,
    row,
    rows,
    settled,
    take,
)


def test_served_leads_come_first_then_new_ones_newest_first_then_retries(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        due(session, campaign, "+4401", 90)
        due(session, campaign, "+4402", 120)
        add_lead(session, campaign, "+4403")
        add_lead(session, campaign, "+4404")
        due(session, campaign, "+4405", 1, last_agent="1001")
        due(session, campaign, "+4406", 5, last_agent="1002")
        due(session, campaign, "+4407", -1, last_agent="1002")
        taken = take(session, campaign, 10)
    assert [one.number for one in taken] == ["+4406", "+4405", "+4404", "+4403", "+4402", "+4401"]
    assert [one.last_agent for one in taken[:3]] == ["1002", "1001", ""]


def test_a_campaign_may_call_retries_before_new_ones(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        session.connection().execute(
            update(table_of(Campaign)).values(options={"order": LeadOrder.RETRIES_FIRST.value})
        )
        due(session, campaign, "+4401", 90, priority=-5)
        add_lead(session, campaign, "+4403", priority=5)
        due(session, campaign, "+4402", 120)
        due(session, campaign, "+4404", -1)
        due(session, campaign, "+4405", 1, last_agent="1001")
        coming = [lead.number for lead in coming_leads(session, campaign, None, NOON, 10)]
        taken = [one.number for one in take(session, campaign, 10)]
    assert coming == taken == ["+4405", "+4402", "+4401", "+4403"]


def test_a_higher_priority_goes_first_within_its_class_only(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        due(session, campaign, "+4401", 90, priority=99)
        due(session, campaign, "+4402", 120)
        add_lead(session, campaign, "+4403", priority=5)
        add_lead(session, campaign, "+4404")
        due(session, campaign, "+4405", 1, last_agent="1001")
        taken = take(session, campaign, 10)
    assert [one.number for one in taken] == ["+4405", "+4403", "+4404", "+4401", "+4402"]


def test_only_leads_whose_zones_are_open_are_taken(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        add_lead(session, campaign, "+4401")
        add_lead(session, campaign, "+1201", zones="America/New_York")
        add_lead(session, campaign, "+1202", zones="America/Chicago,America/New_York")
        due(session, campaign, "+1203", 5, zones="America/Denver")
        assert zones_of(session, campaign) == [
            "America/Chicago,America/New_York",
            "America/Denver",
            "America/New_York",
            LONDON,
        ]
        assert take(session, campaign, 10, open_zones=[]) == []
        first = take(session, campaign, 10, open_zones=["America/New_York", LONDON, "Asia/Tokyo"])
        assert [one.number for one in first] == ["+1201", "+4401"]
        assert [one.number for one in take(session, campaign, 10)] == ["+1202", "+1203"]


def test_more_zones_than_one_query_can_join_still_come_in_order(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        for n in range(250):
            due(session, campaign, f"+44{n:04d}", (n * 37) % 250, zones=f"Zone/{n:03d}")
        taken = take(session, campaign, 250)
    assert [one.number for one in taken] == [f"+44{n:04d}" for n in sorted(range(250), key=lambda n: -((n * 37) % 250))]


def test_a_claim_writes_attempt_call_lead_and_event_together(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        add_lead(session, campaign, "+4401", fields={"name": "Zoë"}, dials=2, attempts=1)
        (taken,) = take(session, campaign, kind=CallKind.PREDICTIVE, trunks=["b"])
    assert (taken.n, taken.attempts, taken.fields, taken.trunk) == (3, 2, {"name": "Zoë"}, "b")
    attempt = row(engine, Attempt)
    assert attempt["id"] == taken.attempt_id
    assert (attempt["channel_id"], attempt["call_id"]) == (taken.channel_id, taken.call_id)
    assert (attempt["state"], attempt["live_number"], attempt["n"]) == ("intent", "+4401", 3)
    lead = row(engine, Lead)
    assert (lead["state"], lead["dials"], lead["attempts"]) == ("dialing", 3, 2)
    call = row(engine, Call)
    assert (call["id"], call["kind"], call["caller_number"]) == (taken.call_id, "predictive", "+4401")
    assert (call["ended_at"], call["disposition"], call["record"]) == (None, "", {})
    assert events(engine) == [("attempt.intent", taken.call_id, 1)]


def test_trunks_are_given_out_in_turn(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        for n in range(5):
            add_lead(session, campaign, f"+440{n}")
        taken = take(session, campaign, 5, trunks=["a", "b"])
    assert [one.trunk for one in taken] == ["a", "b", "a", "b", "a"]
    assert len({one.channel_id for one in taken}) == 5


@pytest.mark.parametrize("state", ["stopped", "paused", "ending", "finished"])
def test_a_campaign_that_does_not_run_gives_no_leads(engine: Engine, state: str) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session, state=state)
        add_lead(session, campaign, "+4401")
        assert take(session, campaign, 5) == []


def test_forbidden_numbers_are_put_on_dnc_and_the_next_ones_are_taken(engine: Engine) -> None:
    with writing(engine) as session:
        campaign, other = add_campaign(session), add_campaign(session, "autumn")
        for n in range(1, 5):
            add_lead(session, campaign, f"+440{n}")
        forbid(session, "+4404")
        forbid(session, "+4403", campaign)
        forbid(session, "+4402", other)
        assert [one.number for one in take(session, campaign, 1)] == ["+4402"]
    states = {lead["number"]: lead["state"] for lead in rows(engine, Lead)}
    assert states == {"+4401": "new", "+4402": "dialing", "+4403": "dnc", "+4404": "dnc"}
    assert [event[0] for event in events(engine, "lead")] == ["lead.state", "lead.state"]


def test_a_long_run_of_forbidden_numbers_is_worked_off_in_bounded_steps(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        add_lead(session, campaign, "+4400000")
        for n in range(1, 1201):
            add_lead(session, campaign, f"+44{n:05d}")
            forbid(session, f"+44{n:05d}")
    claims = []
    for _ in range(4):
        with writing(engine) as session:
            claims += take(session, campaign, 2)
    assert [one.number for one in claims] == ["+4400000"]
    with reading(engine) as session:
        assert lead_counts(session, campaign)["dnc"] == 1200


def test_a_lead_whose_attempts_are_used_up_is_closed_with_the_reason(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        due(session, campaign, "+4401", 9, attempts=3)
        due(session, campaign, "+4402", 5, attempts=2)
        assert [one.number for one in take(session, campaign, 5, max_attempts=3)] == ["+4402"]
    lead = row(engine, Lead, number="+4401")
    assert (lead["state"], lead["reason"]) == ("closed", "all 3 attempts used")
    assert lead["closed_at"] == NOON


def test_without_a_limit_attempts_never_run_out(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        due(session, campaign, "+4401", 9, attempts=3000, dials=3000)
        assert [one.n for one in take(session, campaign, 5, max_attempts=0)] == [3001]


def test_a_number_on_the_line_for_another_campaign_is_passed_over_and_taken_later(engine: Engine) -> None:
    with writing(engine) as session:
        spring, autumn = add_campaign(session), add_campaign(session, "autumn")
        add_lead(session, spring, "+4401")
        add_lead(session, autumn, "+4402")
        add_lead(session, autumn, "+4401")
        (on_the_line,) = take(session, spring)
        assert [one.number for one in take(session, autumn, 5)] == ["+4402"]
    with writing(engine) as session:
        settled(on_the_line).apply(session)
    with writing(engine) as session:
        assert [one.number for one in take(session, autumn, 5)] == ["+4401"]


def test_a_number_that_is_in_the_campaign_twice_is_called_once_at_a_time(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        for number in ("+4401", "+4402", "+4401", "+4401"):
            add_lead(session, campaign, number)
    with writing(engine) as session:
        taken = take(session, campaign, 4)
    assert [(one.lead_id, one.number) for one in taken] == [(4, "+4401"), (2, "+4402")]
    with writing(engine) as session:
        assert take(session, campaign, 4) == []
        settled(taken[0]).apply(session)
    with writing(engine) as session:
        assert [one.lead_id for one in take(session, campaign, 4)] == [3]


def test_the_next_due_time_says_when_to_look_again(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        assert next_due_at(session, campaign, None, NOON) is None
        due(session, campaign, "+4401", -90)
        due(session, campaign, "+4402", -30, priority=7, last_agent="1001")
        due(session, campaign, "+1201", -5, zones="America/New_York")
        assert next_due_at(session, campaign, None, NOON) == NOON + timedelta(minutes=5)
        assert next_due_at(session, campaign, [LONDON], NOON) == NOON + timedelta(minutes=30)
        assert next_due_at(session, campaign, ["Asia/Tokyo"], NOON) is None
        assert next_due_at(session, campaign, [LONDON], NOON + timedelta(hours=1)) == NOON + timedelta(hours=1)
        add_lead(session, campaign, "+4403")
        assert next_due_at(session, campaign, [LONDON], NOON) == NOON


def test_counts_name_every_state_and_an_empty_campaign_is_exhausted(engine: Engine) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        assert campaign_exhausted(session, campaign)
        add_lead(session, campaign, "+4401", state="done")
        add_lead(session, campaign, "+4402", state="closed")
        assert campaign_exhausted(session, campaign)
        add_lead(session, campaign, "+4403")
        assert not campaign_exhausted(session, campaign)
        take(session, campaign)
        assert not campaign_exhausted(session, campaign)
        assert lead_counts(session, campaign) == {
            **{"new": 0, "due": 0, "dialing": 1, "talking": 0},
            **{"done": 1, "closed": 1, "dnc": 0},
        }


CLAIM_ALL = """
import sys
from contact_center.store.engine import open_engine, writing
from tests.unit.store.world import take
engine = open_engine(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
while True:
    with writing(engine) as session:
        taken = take(session, int(sys.argv[2]), 5)
    if not taken:
        break
    print(*(one.lead_id for one in taken), flush=True)
"""


def _start_claiming(engine: Engine, campaign: int) -> subprocess.Popen[str]:
    url = engine.url.render_as_string(hide_password=False)
    process = subprocess.Popen(
        [sys.executable, "-c", CLAIM_ALL, url, str(campaign)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def _fill(engine: Engine, leads: int) -> int:
    with writing(engine) as session:
        campaign = add_campaign(session)
        for n in range(leads):
            add_lead(session, campaign, f"+44{n:06d}")
    return campaign


def test_four_processes_take_each_of_2000_leads_exactly_once(engine: Engine) -> None:
    campaign = _fill(engine, 2000)
    processes = [_start_claiming(engine, campaign) for _ in range(4)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    taken: Counter[int] = Counter()
    shares = []
    for process in processes:
        output = process.communicate(timeout=60)[0]
        assert process.returncode == 0
        shares.append(len(output.split()))
        taken.update(map(int, output.split()))
    assert len(taken) == 2000
    assert set(taken.values()) == {1}
    assert sum(share > 0 for share in shares) >= 2
    assert all(lead["dials"] == 1 for lead in rows(engine, Lead))


def test_a_process_killed_in_the_middle_of_claims_leaves_nothing_half_made(engine: Engine) -> None:
    campaign = _fill(engine, 800)
    told: set[int] = set()
    for after in (1, 7, 19, 2):
        process = _start_claiming(engine, campaign)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("go\n")
        process.stdin.flush()
        for _ in range(after):
            told.update(map(int, process.stdout.readline().split()))
        os.kill(process.pid, signal.SIGKILL)
        told.update(map(int, process.stdout.read().split()))  # communicate() would miss what readline() read ahead
        process.stdin.close()
        process.wait(timeout=30)
        process.stdout.close()
    attempts, calls = rows(engine, Attempt), rows(engine, Call)
    dialing = {lead["id"] for lead in rows(engine, Lead) if lead["state"] == "dialing"}
    assert {attempt["lead_id"] for attempt in attempts} == dialing
    assert {attempt["call_id"] for attempt in attempts} == {call["id"] for call in calls}
    assert len(attempts) == len(dialing) == len(rows(engine, Outbox))
    assert told <= dialing
    assert len(dialing) - len(told) <= 5 * 4  # at most one claim of each process was not told
