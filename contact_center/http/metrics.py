"""What Prometheus can ask for, each meter with a name of its own and a registry of its own."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

CALL_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
LAG_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
WAIT_BUCKETS = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)


class Meters:
    """The product's meters; make one per process and hand it to whoever counts.

    Counters only rise; labels hold names from the configuration, never numbers of people.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self._calls()
        self._machine()

    def _calls(self) -> None:
        r = self.registry
        self.calls = Counter("callwright_calls", "Calls ended.", ["kind", "call_state"], registry=r)
        self.attempts = Counter("callwright_attempts", "Dials ended.", ["campaign", "outcome"], registry=r)
        self.dropped = Counter("callwright_dropped", "Answered, and no agent in time.", ["campaign"], registry=r)
        self.connected = Counter("callwright_connected", "Answered, and an agent spoke.", ["campaign"], registry=r)
        self.abandonment = Gauge(
            "callwright_abandonment_ratio",
            "Dropped / (dropped + connected), by window.",
            ["campaign", "window"],
            registry=r,
        )
        self.ringing = Gauge("callwright_ringing", "Dials that ring now.", ["campaign"], registry=r)
        self.talking = Gauge("callwright_talking", "Conversations now.", registry=r)
        self.waiting = Gauge("callwright_queue_waiting", "Callers who wait now.", ["queue"], registry=r)
        self.queue_wait_seconds = Histogram(
            "callwright_queue_wait_seconds",
            "Wait of answered callers.",
            ["queue"],
            buckets=WAIT_BUCKETS,
            registry=r,
        )
        self.answer_to_agent_seconds = Histogram(
            "callwright_answer_to_agent_seconds", "From the customer's answer to both hearing each other.",
            ["campaign"], buckets=CALL_BUCKETS, registry=r,
        )  # fmt: skip
        self.agents = Gauge("callwright_agents", "Agents now.", ["state"], registry=r)

    def _machine(self) -> None:
        r = self.registry
        self.ari_events = Counter("callwright_ari_events", "Events from Asterisk.", ["type"], registry=r)
        self.ari_bytes = Counter("callwright_ari_bytes", "Bytes of events, commands and replies.", ["way"], registry=r)
        self.ari_requests = Histogram(
            "callwright_ari_request_seconds",
            "Commands to Asterisk.",
            ["method"],
            buckets=CALL_BUCKETS,
            registry=r,
        )
        self.ari_request_errors = Counter("callwright_ari_request_errors", "Commands that failed.", ["why"], registry=r)
        self.live = Gauge("callwright_live", "1 while a part is proven alive.", ["part"], registry=r)
        self.trunk_capped = Gauge("callwright_trunk_capped", "1 while a cap is reached.", ["trunk"], registry=r)
        self.trunk_calls = Gauge("callwright_trunk_calls", "Calls out in 24 hours.", ["trunk"], registry=r)
        self.trunk_minutes = Gauge("callwright_trunk_minutes", "Talk in 24 hours.", ["trunk"], registry=r)
        self.loop_lag_seconds = Histogram(
            "callwright_loop_lag_seconds", "How late the event loop is.", buckets=LAG_BUCKETS, registry=r
        )
        self.loop_stalls = Gauge("callwright_loop_stalls", "Stalls of the event loop since the start.", registry=r)
        self.asyncio_tasks = Gauge("callwright_asyncio_tasks", "Tasks of the event loop now.", registry=r)
        self.db_backlog = Gauge("callwright_db_backlog", "Facts not yet written.", registry=r)
        self.changes = Gauge("callwright_changes_waiting", "Changes of supervisors to be obeyed.", registry=r)
        self.db_commit_seconds = Histogram("callwright_db_commit_seconds", "Commits.", buckets=CALL_BUCKETS, registry=r)
        self.queue_log_lost = Gauge("callwright_queue_log_lost", "queue_log records lost.", ["how"], registry=r)
        self.queue_log_backlog = Gauge("callwright_queue_log_backlog", "queue_log records to write.", registry=r)
        self.agi_runs = Counter("callwright_agi_runs", "Codes dialled by agents.", ["script", "result"], registry=r)
        self.agi_connections = Gauge("callwright_agi_connections", "FastAGI connections now.", registry=r)
        self.api_requests = Counter("callwright_api_requests", "Requests to the API.", ["role", "status"], registry=r)
        self.api_streams = Gauge("callwright_api_streams", "Event streams open now.", registry=r)
        self.mqtt_backlog = Gauge("callwright_mqtt_backlog", "Messages not yet at the broker.", registry=r)

    def set_agents(self, by_state: Mapping[str, int]) -> None:
        """Show how many agents are in each state; states that are not named have none."""
        self.agents.clear()
        for state, count in by_state.items():
            self.agents.labels(state).set(count)
