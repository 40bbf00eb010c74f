"""What a running contact centre shows to Prometheus."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

from ari_app.ami import Ami
from ari_app.app import App
from contact_center.dialling import CallResult, DialOrder
from contact_center.http.metrics import Meters
from contact_center.store.writer import Writer
from contact_center.terms import AgentState, Outcome
from contact_center.watchdog import LoopMonitor

MEASURE_SECONDS = 1.0  # how old the gauges of /metrics may be


def on_result(meters: Meters) -> Callable[[DialOrder, CallResult], None]:
    """A listener that counts how dials ended."""

    def count(order: DialOrder, result: CallResult) -> None:
        meters.attempts.labels(order.campaign, result.outcome.value).inc()
        meters.calls.labels(order.kind.value, str(result.record.get("call_state", ""))).inc()
        if result.outcome is Outcome.NO_FREE_OPERATORS:
            meters.dropped.labels(order.campaign).inc()
        if result.outcome is Outcome.CONNECTED:
            meters.connected.labels(order.campaign).inc()
            waited = result.record.get("answer_to_agent_seconds")
            if waited is not None:
                meters.answer_to_agent_seconds.labels(order.campaign).observe(waited)

    return count


async def keep_gauges(meters: Meters, app: App, writer: Writer, ami: Ami, monitor: LoopMonitor) -> None:
    """Keep the gauges true. Runs until cancelled."""
    ari, told, sent = app.env.ari, Counter[str](), Counter[str]()
    while True:
        states = Counter(seat.state.value for seat in app.env.roster)
        meters.set_agents({state.value: states[state.value] for state in AgentState})
        if app.inbound is not None:
            board = app.inbound.reception.board
            for queue in board.queues:
                meters.waiting.labels(queue).set(board.length(queue))
        meters.talking.set(states[AgentState.TALKING.value])
        for part, alive in (("ari", ari.live), ("database", writer.healthy), ("ami", ami.live)):
            meters.live.labels(part).set(alive)
        meters.db_backlog.set(writer.backlog)
        meters.loop_stalls.set(monitor.stalls)
        meters.asyncio_tasks.set(len(asyncio.all_tasks()))
        for kind, count in ari.counters.events.items():
            meters.ari_events.labels(kind).inc(count - told[kind])
            told[kind] = count
        for way, size in (("in", ari.counters.bytes_in), ("out", ari.counters.bytes_out)):
            meters.ari_bytes.labels(way).inc(size - sent[way])
            sent[way] = size
        await asyncio.sleep(MEASURE_SECONDS)
