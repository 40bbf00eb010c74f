"""What every consumer of events has, held against the outbox: nothing missing, no gap, and what came twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import orjson
from sqlalchemy import Engine

from contact_center.store.changes import Event, read_events
from contact_center.store.engine import reading
from tests.support.mqtt_broker import Broker
from tests.support.receivers import HttpReceiver, Request

PAGE = 5000


def events_of(engine: Engine) -> list[Event]:
    """The whole outbox."""
    events: list[Event] = []
    with reading(engine) as session:
        while page := read_events(session, after_id=events[-1].id if events else 0, limit=PAGE):
            events += page
    return events


@dataclass
class Told:
    """By consumer the ids that came, each as often as it came, and the first body of each."""

    came: dict[str, Counter[str]] = field(default_factory=dict)
    bodies: dict[tuple[str, str], bytes] = field(default_factory=dict)
    unlike: list[str] = field(default_factory=list)  # came twice with one id, and not as the same event

    def take(self, who: str, id_: str, body: bytes) -> None:
        """A message came."""
        self.came.setdefault(who, Counter())[id_] += 1
        if self.bodies.setdefault((who, id_), body) != body:
            self.unlike.append(f"{who} has {id_} twice, and not the same")

    @property
    def twice(self) -> int:
        """Messages that came once more."""
        return sum(count - 1 for counts in self.came.values() for count in counts.values())

    def missing(self, wanted: dict[str, set[str]]) -> dict[str, int]:
        """How many each consumer does not have."""
        return {who: len(ids - set(self.came.get(who, ()))) for who, ids in wanted.items()}


def wanted_of(events: Iterable[Event], after_id: int) -> dict[str, set[str]]:
    """The ids that each consumer must have of the events after this one."""
    told = [event for event in events if event.id > after_id]
    return {
        "webhook": {str(event.id) for event in told},
        "broker": {str(event.id) for event in told},
        "google": {str(event.id) for event in told if event.type == "call.rated"},
        "platform": {event.entity_id for event in told if event.type == "call.ended"},
    }


def told(broker: Broker, receiver: HttpReceiver) -> Told:
    """What came until now."""
    found = Told()
    for message in broker.of("callwright/event/"):
        found.take("broker", str(orjson.loads(message.payload)["id"]), message.payload)
    for request in receiver.got:
        found.take(*_read(request))
    return found


def _read(request: Request) -> tuple[str, str, bytes]:
    document = request.json
    if request.path == "/hook":
        return "webhook", str(document["data"]["id"]), request.headers["webhook-id"].encode() + request.body
    if request.path == "/mp/collect":
        params = document["events"][0]["params"]
        return "google", str(params["event_id"]), orjson.dumps({**document, "timestamp_micros": 0})
    return "platform", document["events"][0]["transaction"]["id"], request.body


def gaps(events: Iterable[Event]) -> list[str]:
    """Entities whose numbers are not 1, 2, 3 and so on."""
    numbers: dict[tuple[str, str], list[int]] = {}
    for event in events:
        numbers.setdefault((event.entity, event.entity_id), []).append(event.seq)
    return [f"{entity} {id_}" for (entity, id_), seqs in numbers.items() if seqs != list(range(1, len(seqs) + 1))]


def out_of_order(receiver: HttpReceiver) -> list[str]:
    """Entities of which the webhook was told a later event before an earlier one."""
    newest: dict[tuple[str, str], int] = {}
    wrong: list[str] = []
    for request in receiver.got:
        if request.path == "/hook":
            data = request.json["data"]
            key = (data["entity"], data["entity_id"])
            if data["seq"] > newest.get(key, 0) + 1 and key in newest:
                wrong.append(f"{key[0]} {key[1]}")
            newest[key] = max(newest.get(key, 0), data["seq"])
    return wrong
