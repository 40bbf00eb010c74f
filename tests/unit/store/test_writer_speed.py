from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from contact_center.clock import SystemClock
from contact_center.store.claims import Claim
from contact_center.store.engine import reading, writing
from contact_center.store.facts import (
    AgentStateChanged,
    AttemptAnswered,
    AttemptConnected,
    AttemptRinging,
    Fact,
)
from contact_center.store.recovery import open_attempts
from contact_center.store.writer import Writer
from tests.unit.store.world import NOON, add_agent, add_campaign, add_lead, settled, take

pytestmark = pytest.mark.clock

CALLS = 400


def facts_of_a_call(taken: Claim, ext: str) -> list[Fact]:
    """All that is posted of one served call: three of the line, three of the agent, and its end."""
    wrapped = NOON + timedelta(seconds=31)
    return [
        AttemptRinging(taken.channel_id, NOON),
        AttemptAnswered(taken.channel_id, NOON),
        AgentStateChanged(ext, "offered", NOON, None, None, taken.call_id, 0),
        AttemptConnected(taken.channel_id, NOON, ext, f"{taken.channel_id}-a", "br"),
        AgentStateChanged(ext, "talking", NOON, None, None, taken.call_id, 0),
        settled(taken, outcome="connected", lead_state="done", last_agent=ext, next_attempt_at=None),
        AgentStateChanged(ext, "wrap_up", wrapped, None, wrapped, taken.call_id, 0),
        AgentStateChanged(ext, "idle", wrapped, wrapped, None, "", 0),
    ]


async def test_posting_costs_the_loop_little_and_the_thread_keeps_up(
    engine: Engine, alone_from_here: Callable[[], None]
) -> None:
    with writing(engine) as session:
        campaign = add_campaign(session)
        for n in range(CALLS):
            add_lead(session, campaign, f"+44{n:05d}")
        for n in range(20):
            add_agent(session, f"10{n:02d}")
    alone_from_here()
    claims: list[Claim] = []
    started, used = time.perf_counter(), time.thread_time()
    while len(claims) < CALLS:
        with writing(engine) as session:
            claims += take(session, campaign, 4)
    claim_cpu = (time.thread_time() - used) / CALLS
    claim_wall = (time.perf_counter() - started) / CALLS
    stories = [facts_of_a_call(taken, f"10{n % 20:02d}") for n, taken in enumerate(claims)]
    async with Writer(engine, SystemClock()) as writer:
        await writer.read(lambda session: None)
        spans = []
        process, mine, started = time.process_time(), time.thread_time(), time.perf_counter()
        for story in stories:
            at = time.perf_counter()
            for fact in story:
                writer.post(fact)
            spans.append((time.perf_counter() - at) / len(story))
        loop_cpu = time.thread_time() - mine
        assert await writer.drain(30)
        wall = time.perf_counter() - started
        cpu = time.process_time() - process
        assert writer.quarantined == 0
    with reading(engine) as session:
        assert open_attempts(session) == []
    spans.sort()
    print(
        f"\n{engine.dialect.name}: post {spans[CALLS // 2] * 1e6:.1f} us p50, {spans[-4] * 1e6:.0f} us p99; "
        f"loop {loop_cpu / CALLS * 1e3:.3f} ms, all threads {cpu / CALLS * 1e3:.2f} ms of CPU per call "
        f"(8 facts); claim {claim_cpu * 1e3:.2f} ms of CPU, {claim_wall * 1e3:.2f} ms; "
        f"{CALLS / wall:.0f} calls/s stored"
    )
    assert spans[CALLS // 2] < 0.0003
    assert CALLS / wall > 80
    if engine.dialect.name == "sqlite":
        assert claim_cpu + cpu / CALLS < 0.004  # 0.5 ms on an idle machine; a shared one takes several times as much
