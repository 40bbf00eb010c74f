"""`callwright queue ...` and `callwright campaign ...` on a real database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from contact_center.models import Agent, Attempt, Campaign, Control, Lead, PaceNote
from contact_center.options import CampaignOptions, QueueOptions
from contact_center.store.changes import add_event
from tests.unit.console.support import Cli

NOW = datetime.now(UTC)


def add_attempt(cli: Cli, n: int, state: str, outcome: str = "", answered: bool = False) -> None:
    with cli.writing() as session:
        campaign = session.scalars(select(Campaign)).one()
        lead = Lead(campaign_id=campaign.id, number=f"+4420794600{n:02d}", created_at=NOW)
        session.add(lead)
        session.flush()
        session.add(
            Attempt(
                call_id=f"call-{n}",
                channel_id=f"channel-{n}",
                lead_id=lead.id,
                campaign_id=campaign.id,
                n=1,
                number=lead.number,
                live_number=None if state == "done" else lead.number,
                trunk="main",
                state=state,
                outcome=outcome,
                intent_at=NOW,
                answered_at=NOW if answered else None,
                ended_at=NOW if state == "done" else None,
            )
        )


def test_a_number_belongs_to_one_queue_only(cli: Cli) -> None:
    cli.ok("queue", "add", "support", "--did", "442079460018", "--did", "+442079460019")
    assert "queue support" in cli.refused(2, "queue", "add", "sales", "--did", "442079460018")
    cli.ok("queue", "add", "sales", "--did", "442079460020")
    assert "queue support" in cli.refused(2, "queue", "set", "sales", "dids=+442079460019")
    cli.ok("queue", "set", "support", "dids=")
    cli.ok("queue", "set", "sales", "dids=+442079460019,442079460018")
    assert cli.json("queue", "show", "sales")["options"]["dids"] == ["+442079460019", "442079460018"]


QUEUE_VALUES = {
    "dids": ("442079460018", ["442079460018"]),
    "strategy": ("ring_all", "ring_all"),
    "ring_seconds": ("15s", 15.0),
    "wrap_up_seconds": ("1m", 60.0),
    "max_wait": ("5m", 300.0),
    "max_length": ("12", 12),
    "music": ("jazz", "jazz"),
    "greeting": ("Hello there", "Hello there"),
    "welcome_message": ("welcome", "welcome"),
    "closed_message": ("We are closed.", "We are closed."),
    "overflow": ("number:+442079460018", "number:+442079460018"),
    "overflow_message": ("custom/busy", "custom/busy"),
    "when_empty": ("overflow", "overflow"),
    "hours": ("mon-fri 08:00-18:00", "mon-fri 08:00-18:00"),
    "holidays": ("12-25,2026-04-03", ["12-25", "2026-04-03"]),
    "announce_position": ("on", True),
    "announce_wait": ("on", True),
    "announce_every": ("45s", 45.0),
    "skills": ("danish:3,billing", ["danish:3", "billing:1"]),
    "skills_relax": ("30s", 30.0),
    "callback": ("on", True),
    "callback_attempts": ("2", 2),
    "callback_delays": ("10m,2h", [600.0, 7200.0]),
    "callback_wait": ("2m", 120.0),
    "callback_position": ("3", 3),
    "callback_first": ("customer", "customer"),
    "callback_ring_seconds": ("25", 25.0),
    "callback_expires": ("2d", 172800.0),
    "callback_abandoned": ("on", True),
    "callback_abroad": ("on", True),
    "callback_message": ("Press 1 to be called back.", "Press 1 to be called back."),
    "service_level_seconds": ("30", 30.0),
    "priority": ("60", 60),
    "rating_group": ("talks", "talks"),
    "rating_ivr": ("yes", True),
    "force_hangup": ("on", True),
    "trunk": ("main", ["main"]),
    "category_menu": ("both", "both"),
    "language": ("da", "da"),
    "source": ("web", "web"),
    "record": ("on", True),
    "record_announcement": ("custom/recorded", "custom/recorded"),
}


def test_every_key_of_queue_set_can_be_set(cli: Cli) -> None:
    assert set(QUEUE_VALUES) == set(QueueOptions.model_fields)
    cli.ok("queue", "add", "support")
    cli.ok("rating", "group", "add", "talks")
    cli.ok("queue", "set", "support", *(f"{key}={text}" for key, (text, _) in QUEUE_VALUES.items()))
    shown = cli.json("queue", "show", "support")["options"]
    assert shown == {key: value for key, (_, value) in QUEUE_VALUES.items()}
    assert "mon-fri 08:00-18:00" in cli.ok("queue", "show", "support")
    assert "support" in cli.ok("queue", "show")


def test_a_queue_shows_its_agents_by_state(cli: Cli) -> None:
    cli.ok("queue", "add", "support")
    for ext in ("1001", "1002"):
        cli.ok("agent", "add", ext, "--name", "Ann", "--queue", "support")
    with cli.writing() as session:
        session.scalars(select(Agent).where(Agent.ext == "1002")).one().state = "idle"  # type: ignore[arg-type]
    document = cli.json("queue", "list")[0]
    assert document["agents"] == ["1001", "1002"]
    assert document["agents_by_state"] == {"offline": 1, "idle": 1}


@pytest.mark.parametrize(
    "words",
    [
        ("add", "a/b"),
        ("add", " a"),
        ("add", "a  b"),
        ("add", "a,b"),
        ("add", "a:b"),
        ("add", "+"),
        ("add", "x" * 41),
        ("add", "support"),
        ("add", "new", "--did", "44 20"),
        ("set", "support", "trunk=nowhere"),
        ("add", "new", "--did", "1", "--did", "1"),
        ("set", "support"),
        ("set", "support", "ring_seconds"),
        ("set", "support", "ring_seconds=1"),
        ("set", "support", "ring_seconds=20", "ring_seconds=21"),
        ("set", "support", "colour=red"),
        ("set", "support", "hours=25:00-26:00"),
        ("set", "support", "callback=perhaps"),
        ("set", "support", "greeting=a\x07b"),
        ("set", "support", "overflow=queue:support"),
        ("set", "support", "overflow=number:12"),
        ("set", "support", "holidays=2026-02-30"),
        ("set", "support", "skills=danish:11"),
        ("set", "support", "when_empty=panic"),
        ("set", "support", "language=xx"),
        ("set", "support", "callback_delays=99999999999d"),
        ("set", "support", "callback_delays=15m,0"),
        ("set", "support", "callback_delays="),
        ("set", "support", "callback_attempts=2", "callback_delays=1m,2m,3m"),
        *(
            ("set", "support", f"{key}={'x' * 1001}")
            for key in ("greeting", "welcome_message", "closed_message", "overflow_message", "callback_message")
        ),
    ],
)
def test_bad_queues_are_refused_in_one_sentence(cli: Cli, words: tuple[str, ...]) -> None:
    cli.ok("queue", "add", "support")
    before = cli.json("queue", "list")
    cli.refused(2, "queue", *words)
    assert cli.json("queue", "list") == before


CAMPAIGN_VALUES = {
    "trunk": ("main", ["main"]),
    "caller_id": ("+442079460000", "+442079460000"),
    "caller_ids": ("+1:+12025550100,+1212:+12125550100", ["+1:+12025550100", "+1212:+12125550100"]),
    "ring_seconds": ("30", 30.0),
    "max_attempts": ("4", 4),
    "alternate_after": ("missed,busy", ["missed", "busy"]),
    "alternate_delay": ("5m", 300.0),
    "person_cap": ("3/24h", "3/24h"),
    "day_parts": ("09:00-12:00,12:00-17:00", "09:00-12:00,12:00-17:00"),
    "attempts_per_part": ("2", 2),
    "retry_missed": ("2h", 7200.0),
    "retry_unavailable": ("1h30m", 5400.0),
    "retry_busy": ("90s", 90.0),
    "retry_technical": ("15m", 900.0),
    "lockout": ("72h", 259200.0),
    "connect_deadline": ("1.5", 1.5),
    "abandonment_limit": ("0.02", 0.02),
    "wrap_up_seconds": ("10", 10.0),
    "hours": ("09:00-20:00", "09:00-20:00"),
    "priority": ("70", 70),
    "order": ("retries_first", "retries_first"),
    "filter": ("priority >= 5", "priority >= 5"),
    "lead_expires": ("30d", 2592000.0),
    "promise_seconds": ("15m", 900.0),
    "profile": ("us_tsr", "us_tsr"),
    "message_clock": ("greeting_end", "greeting_end"),
    "silent_message": ("sorry", "sorry"),
    "opt_out": ("campaign", "campaign"),
    "opt_out_key": ("2", "2"),
    "preview_seconds": ("2m", 120.0),
    "seller": ("Acme Ltd", "Acme Ltd"),
    "product": ("boilers", "boilers"),
    "audience": ("consumer", "consumer"),
    "script": ("Good day", "Good day"),
    "amd": ("on", True),
    "amd_action": ("agent", "agent"),
    "amd_message": ("call us", "call us"),
    "sticky": ("off", False),
    "sticky_seconds": ("2m", 120.0),
    "hide_number": ("on", True),
    "record": ("on", True),
    "record_announcement": ("This call is recorded.", "This call is recorded."),
    "screen_pop_url": ("https://crm.example/{lead_id}", "https://crm.example/{lead_id}"),
    "rating_group": ("sales", "sales"),
    "rating_ivr": ("on", True),
    "choose_by_odds": ("on", True),
    "record_trace": ("on", True),
    "force_hangup": ("on", True),
}


def test_every_key_of_campaign_set_can_be_set(cli: Cli) -> None:
    assert set(CAMPAIGN_VALUES) == set(CampaignOptions.model_fields)
    cli.ok("rating", "group", "add", "sales")
    cli.ok("campaign", "add", "spring", "--mode", "power", "--multiplier", "1.2")
    words = [f"{key}={text}" for key, (text, _) in CAMPAIGN_VALUES.items()]
    cli.ok("campaign", "set", "spring", *words, "mode=predictive", "multiplier=0.1", "team=sales")
    shown = cli.json("campaign", "show", "spring")
    assert shown["options"] == {key: value for key, (_, value) in CAMPAIGN_VALUES.items()}
    assert (shown["mode"], shown["multiplier"], shown["team"]) == ("predictive", 0.1, "sales")
    assert "09:00-20:00" in cli.ok("campaign", "show", "spring")
    assert "predictive" in cli.ok("campaign", "list")


@pytest.mark.parametrize(
    "words",
    [
        ("add", "spring", "--mode", "power"),
        ("add", "x", "--mode", "manual"),
        ("add", "<img>", "--mode", "power"),
        ("add", "x", "--mode", "power", "--multiplier", "11"),
        ("add", "x", "--mode", "power", "--multiplier", "nan"),
        ("add", "x", "--mode", "power", "--multiplier", "fast"),
        ("add", "x", "--mode", "power", "--team", "a;b"),
        ("set", "spring"),
        ("set", "spring", "multiplier=0.05"),
        ("set", "spring", "ring_seconds=10"),
        ("set", "spring", "trunk=nowhere"),
        ("set", "spring", "caller_id=call me"),
        ("set", "spring", "caller_ids=+1212"),
        ("set", "spring", "abandonment_limit=3"),
        ("set", "spring", "hours=21:00-21:00"),
        ("set", "spring", "profile=mars"),
        ("set", "spring", "silent_message=a\nb"),
        ("set", "spring", "id=7"),
        ("set", "spring", "=5"),
        ("set", "spring", "retry_busy=soon"),
    ],
)
def test_bad_campaigns_are_refused_in_one_sentence(cli: Cli, words: tuple[str, ...]) -> None:
    cli.ok("campaign", "add", "spring", "--mode", "power")
    before = cli.json("campaign", "list")
    cli.refused(2, "campaign", *words)
    assert cli.json("campaign", "list") == before


def test_a_campaign_is_walked_through_its_states(cli: Cli) -> None:
    cli.ok("campaign", "add", "spring", "--mode", "power")

    def state(action: str) -> str:
        return str(cli.json("campaign", action, "spring")["state"])

    cli.refused(1, "campaign", "pause", "spring")
    cli.refused(1, "campaign", "resume", "spring")
    assert state("stop") == "stopped"
    assert state("start") == "running"
    assert state("start") == "running"
    assert state("pause") == "paused"
    assert "campaign resume spring" in cli.refused(1, "campaign", "start", "spring")
    assert state("resume") == "running"
    assert state("stop") == "stopped"
    with cli.writing() as session:
        session.scalars(select(Campaign)).one().state = "finished"
    assert state("stop") == "finished"
    assert state("start") == "running"


def test_stopping_with_calls_in_progress_is_ending_when_a_serve_runs(cli: Cli) -> None:
    cli.ok("campaign", "add", "spring", "--mode", "power")
    cli.ok("campaign", "start", "spring")
    add_attempt(cli, 1, "ringing")
    cli.served = True
    assert cli.json("campaign", "stop", "spring")["state"] == "ending"
    cli.served = False
    assert cli.json("campaign", "stop", "spring")["state"] == "stopped"


def test_a_running_serve_is_told_of_each_move_once(cli: Cli) -> None:
    cli.ok("campaign", "add", "spring", "--mode", "power")
    for action in ("start", "start", "pause", "resume", "stop"):
        cli.ok("campaign", action, "spring")
    with cli.reading() as session:
        rows = session.scalars(select(Control).order_by(Control.id)).all()  # type: ignore[arg-type]
    assert [row.action for row in rows] == ["add", "start", "pause", "resume", "stop"]


def test_the_numbers_of_a_campaign_are_those_of_its_dials(cli: Cli) -> None:
    cli.ok("campaign", "add", "spring", "--mode", "power")
    for n, (state, outcome, answered) in enumerate(
        [
            ("intent", "", False),
            ("dialing", "", False),
            ("ringing", "", False),
            ("answered", "", True),
            ("connected", "", True),
            ("done", "connected", True),
            ("done", "connected", True),
            ("done", "connected", True),
            ("done", "no_free_operators", True),
            ("done", "missed", False),
            ("unknown", "technical_error", False),
        ]
    ):
        add_attempt(cli, n, state, outcome, answered)
    shown = cli.json("campaign", "show", "spring")
    assert shown["live"] == {"ringing": 3, "waiting": 1, "talking": 1}
    assert (shown["dialled"], shown["answered"], shown["connected"], shown["dropped"]) == (11, 6, 3, 1)
    assert shown["abandonment"] == 0.25
    assert shown["leads"]["new"] == 11


def test_occupancy_is_talk_and_wrap_up_over_time_on_line(cli: Cli) -> None:
    """Ten minutes: 4 idle, 3 talking, 1 wrap-up, 2 paused make 4 of 8."""
    cli.ok("campaign", "add", "spring", "--mode", "power", "--team", "sales")
    cli.ok("agent", "add", "1001", "--name", "Ann", "--team", "sales")
    cli.ok("agent", "add", "1002", "--name", "Bob", "--team", "other")
    start = datetime.now(UTC) - timedelta(minutes=10)
    states = [("idle", 0), ("talking", 4), ("wrap_up", 7), ("paused", 8)]
    with cli.writing() as session:
        campaign = session.scalars(select(Campaign)).one()
        campaign.started_at, campaign.ended_at = start, start + timedelta(minutes=10)
        agent = session.scalars(select(Agent).where(Agent.ext == "1001")).one()  # type: ignore[arg-type]
        for state, minute in states:
            since = start + timedelta(minutes=minute)
            agent.state, agent.since_at = state, since
            add_event(
                session,
                at=since,
                entity="agent",
                entity_id="1001",
                type="agent.state",
                payload={"state": state, "since_at": since.isoformat()},
            )
    assert cli.json("campaign", "show", "spring")["occupancy"] == 0.5


def test_watching_a_campaign_that_has_ended_ends_by_itself(cli: Cli) -> None:
    cli.ok("campaign", "add", "spring", "--mode", "power")
    cli.ok("agent", "add", "1001", "--name", "Ann")
    add_attempt(cli, 1, "done", "connected", True)
    out = cli.ok("campaign", "watch", "spring")
    assert len(out.strip().splitlines()) == 1
    assert "spring stopped: 1 leads left; agents offline 1" in out
    assert "dialled 1 answered 1 (100.0 %)" in out
    assert "campaign" in cli.refused(3, "campaign", "watch", "summer")


def test_watching_with_json_is_one_snapshot(cli: Cli) -> None:
    cli.ok("campaign", "add", "spring", "--mode", "power")
    cli.ok("campaign", "start", "spring")
    with cli.writing() as session:
        campaign = session.scalars(select(Campaign)).one()
        session.add(PaceNote(campaign_id=campaign.id, at=NOW, decisions=[{"want": 3, "reason": "5 idle"}]))
    seen = cli.json("campaign", "watch", "spring")
    assert seen["state"] == "running"
    assert seen["decisions"] == [{"want": 3, "reason": "5 idle"}]
    assert seen["live"] == {"ringing": 0, "waiting": 0, "talking": 0}


def test_names_may_be_written_as_people_write_them(cli: Cli) -> None:
    queue, campaign, team, group = "Støtte DK", "Frühling 2026", "Größe & Söhne".replace(" & ", " "), "Продажи nr. 1"
    cli.ok("rating", "group", "add", group)
    cli.ok("queue", "add", queue, "--did", "442079460018")
    cli.ok("queue", "add", "Night shift", f"overflow=queue:{queue}", f"rating_group={group}")
    cli.ok("agent", "add", "1001", "--name", "Jürgen", "--team", team, "--queue", queue, "--queue", "Night shift")
    assert cli.json("agent", "show", "1001")["queues"] == [queue, "Night shift"]
    cli.ok("agent", "set", "1001", f"queues=Night shift,{queue}", f"penalties={queue}:2")
    assert [agent["ext"] for agent in cli.json("agent", "list", "--team", team)] == ["1001"]
    cli.ok("campaign", "add", campaign, "--mode", "power", "--team", team)
    cli.ok("lead", "add", campaign, "+442079460018")
    assert cli.json("campaign", "show", campaign)["team"] == team
    decomposed = "Fru\u0308hling 2027"
    cli.ok("campaign", "add", decomposed, "--mode", "power")
    assert cli.json("campaign", "show", "Frühling 2027")["name"] == "Frühling 2027"
    assert cli.json("queue", "show", "Night shift")["options"]["overflow"] == f"queue:{queue}"
