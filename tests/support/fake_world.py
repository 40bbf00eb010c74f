"""What lives in the fake switch: channels, bridges, sounds, and scripted far ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class FarEnd:
    """What a party does when it is dialled; spans in seconds, from the INVITE unless said otherwise.

    `keys` and `hangs_up_after` count from the answer. `rejects_with`: cause, SIP status, last Dial status.
    A party with neither answer nor rejection rings until the timeout; without `rings_after` it is silent.
    """

    rings_after: float | None = 0.02
    progress_after: float | None = None
    answers_after: float | None = None
    rejects_after: float | None = None
    rejects_with: tuple[int, int, str] = (17, 486, "BUSY")
    hangs_up_after: float | None = None
    keys: tuple[tuple[float, str], ...] = ()
    exists: bool = True


ANSWERS = FarEnd(rings_after=None, answers_after=0.01)
SILENT = FarEnd(rings_after=None)
UNREGISTERED = FarEnd(exists=False)

BY_NAME = {
    "answer": ANSWERS,
    "ringanswer": FarEnd(rings_after=0.002, answers_after=0.3),
    "ring": FarEnd(rings_after=0.002),
    "progressbusy": FarEnd(rings_after=None, progress_after=0.002, rejects_after=0.3),
    "busy": FarEnd(rings_after=None, rejects_after=0.005),
    "congested": FarEnd(rings_after=None, rejects_after=0.005, rejects_with=(34, 503, "CONGESTION")),
    "nosuch": FarEnd(rings_after=None, rejects_after=0.005, rejects_with=(1, 404, "NOANSWER")),
    "short": FarEnd(rings_after=None, answers_after=0.01, hangs_up_after=0.6),
    "keys": FarEnd(rings_after=None, answers_after=0.01, keys=((1.0, "1"), (1.3, "2"), (1.6, "#"))),
    "talk": ANSWERS,
    "speaks": ANSWERS,
}
"""The far ends the real Asterisk of the contract tests has too, as PJSIP/NAME@trunk."""


@dataclass(slots=True, eq=False)
class FakePlayback:
    """Sounds one after the other; `left` are those not yet begun."""

    id: str
    target: FakeChannel | FakeBridge
    left: list[str]
    current: str = ""
    timer: asyncio.TimerHandle | None = None

    def shown(self, state: str) -> dict[str, Any]:
        """As events show it."""
        kind = "channel" if isinstance(self.target, FakeChannel) else "bridge"
        uri = f"{kind}:{self.target.id}"
        return {"id": self.id, "media_uri": self.current, "target_uri": uri, "language": "en", "state": state}


@dataclass(slots=True, eq=False)
class FakeRecording:
    """A recording being made."""

    name: str
    target: FakeChannel | FakeBridge
    began: float
    ended: float | None = None
    paused: bool = False
    appends: bool = False


@dataclass(slots=True, eq=False)
class FakeChannel:
    """A channel of the fake switch, and what its party saw and heard."""

    id: str
    name: str
    endpoint: str
    created: float
    state: str = "Down"
    caller_number: str = ""
    caller_id: str = ""
    app: str = ""
    args: tuple[str, ...] = ()
    in_stasis: bool = False
    context: str = ""
    extension: str = "s"
    subscribers: set[str] = field(default_factory=set)
    variables: dict[str, str] = field(default_factory=dict)
    far: FarEnd = ANSWERS
    bridge: FakeBridge | None = None
    absorbs_dtmf: bool = False
    moh: bool = False
    ringback: bool = False
    held: bool = False
    quiet_at: float | None = None
    muted: set[str] = field(default_factory=set)
    playing: list[FakePlayback] = field(default_factory=list)
    recording: FakeRecording | None = None
    blocked: list[Callable[[], None]] = field(default_factory=list)
    timers: list[asyncio.TimerHandle] = field(default_factory=list)
    heard: list[tuple[float, str]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    ears: list[FakeChannel] = field(default_factory=list)
    bridge_log: list[tuple[float, str]] = field(default_factory=list)
    answered_at: float | None = None
    ended_at: float | None = None
    cause: int | None = None
    tech_cause: int | None = None

    def shown(self) -> dict[str, Any]:
        """As events and lists show it."""
        application = "Stasis" if self.in_stasis else "AppDial2"
        data = ",".join((self.app, *self.args)) if self.in_stasis else "(Outgoing Line)"
        return {
            "id": self.id,
            "name": self.name,
            "state": self.state,
            "protocol_id": "",
            "caller": {"name": "", "number": self.caller_number},
            "connected": {"name": "", "number": ""},
            "accountcode": "",
            "dialplan": {
                "context": self.context,
                "exten": self.extension,
                "priority": 1,
                "app_name": application,
                "app_data": data,
            },
            "creationtime": f"2026-03-02T09:00:{self.created % 60:06.3f}+0000",
            "language": "en",
        }


@dataclass(slots=True, eq=False)
class FakeBridge:
    """A bridge of the fake switch."""

    id: str
    name: str
    types: str
    members: list[FakeChannel] = field(default_factory=list)
    moh: bool = False
    playing: list[FakePlayback] = field(default_factory=list)
    recording: FakeRecording | None = None
    variables: dict[str, str] = field(default_factory=dict)

    def shown(self) -> dict[str, Any]:
        """As lists show it."""
        return {
            "id": self.id,
            "technology": "simple_bridge",
            "bridge_type": self.types,
            "bridge_class": "stasis",
            "creator": "Stasis",
            "name": self.name,
            "channels": [member.id for member in self.members],
        }


@dataclass(slots=True, eq=False)
class FakeApp:
    """A Stasis application: its socket, if one is open, and its event filter."""

    name: str
    deliver: Callable[[bytes], None] | None = None
    lost: asyncio.Future[str] | None = None
    allowed: frozenset[str] = frozenset()
