"""A contact centre on the virtual clock: the real app and roster, Asterisk and agents in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ari_app.app import App
from ari_app.bridge import BridgePool
from ari_app.client import AriClient
from ari_app.leg_ids import LegIds
from ari_app.services import Services
from contact_center.dialling import CallResult, DialOrder
from contact_center.models import Agent
from contact_center.roster import Roster
from contact_center.settings import Settings
from contact_center.terms import AgentState, CallKind
from tests.lab.until import until
from tests.support.fake_ari import FakeAri, FarEnd
from tests.support.virtual_clock import VirtualClock, virtual_now

PHONE = FarEnd(rings_after=0.05, answers_after=0.2)


@dataclass
class Heard:
    """A Progress that remembers."""

    steps: list[tuple[str, str]] = field(default_factory=list)
    results: dict[str, list[CallResult]] = field(default_factory=dict)
    done: dict[str, asyncio.Event] = field(default_factory=dict)

    def ringing(self, order: DialOrder, at: datetime) -> None:
        self.steps.append((order.call_id, "ringing"))

    def answered(self, order: DialOrder, at: datetime) -> None:
        self.steps.append((order.call_id, "answered"))

    def connected(self, order: DialOrder, at: datetime, agent: str, agent_channel_id: str, bridge_id: str) -> None:
        self.steps.append((order.call_id, f"connected {agent}"))

    def judged(self, order: DialOrder, at: datetime, *, machine: bool) -> None:
        self.steps.append((order.call_id, "machine" if machine else "person"))

    def let_go(self, order: DialOrder, at: datetime) -> None:
        self.steps.append((order.call_id, "let go"))

    def ended(self, order: DialOrder, result: CallResult) -> None:
        self.results.setdefault(order.call_id, []).append(result)
        self.done.setdefault(order.call_id, asyncio.Event()).set()


@dataclass
class World:
    """What a test holds in its hands."""

    fake: FakeAri
    app: App
    roster: Roster
    heard: Heard
    disposed: list[tuple[str, str, str]]

    async def ended(self, call_id: str) -> CallResult:
        """The one result of a call."""
        await self.heard.done.setdefault(call_id, asyncio.Event()).wait()
        await until(lambda: not self.app.calls, 30.0, "the call's clean-up")
        [result] = self.heard.results[call_id]
        return result

    async def settled(self) -> None:
        """Every call of ours is over, and Asterisk has had time for the last commands."""
        await until(lambda: not self.app.calls, 60.0, "every call to be over")
        await asyncio.sleep(3)

    def assert_nothing_left(self) -> None:
        """No leg, no bridge in use, no sound and no agent is left over."""
        assert list(self.fake.channels) == []
        assert [b.id for b in self.fake.bridges.values() if b.members] == []
        assert list(self.fake.playbacks) == []
        busy = [s.ext for s in self.roster if s.state in (AgentState.OFFERED, AgentState.TALKING)]
        assert busy == []


@asynccontextmanager
async def world(*phones: FarEnd, **settings: Any) -> AsyncIterator[World]:
    """Agents 1001, 1002 ... with these phones, on line."""
    fake, clock, disposed = FakeAri(), VirtualClock(), []
    roster = Roster(clock, lambda _: None)
    for number, phone in enumerate(phones):
        ext = str(1001 + number)
        fake.far(f"PJSIP/{ext}", phone)
        row = Agent(ext=ext, name=f"Agent {ext}", endpoint=f"PJSIP/{ext}", status="online", since_at=clock.now())
        roster.load([row], clock.now())
        await asyncio.sleep(0.001)
    ari = AriClient(transport=fake.transport(), now=virtual_now)
    env = Services(ari, BridgePool(ari, size=2), roster, Settings.model_validate(settings), clock, legs=LegIds("test"))
    heard = Heard()
    env.progress = heard

    async def dispose(call_id: str, code: str, by: str) -> None:
        disposed.append((call_id, code, by))

    env.dispose = dispose
    async with ari, env.bridges, App(env) as app:
        await ari.until_live()
        yield World(fake, app, roster, heard, disposed)


def make_order(number: int = 1, **changes: Any) -> DialOrder:
    """An order to dial PJSIP/customer-N@trunk."""
    values: dict[str, Any] = {
        "call_id": f"call-{number}",
        "channel_id": f"cw-{number}",
        "attempt_id": number,
        "n": 1,
        "attempts": 1,
        "lead_id": number,
        "campaign": "spring",
        "kind": CallKind.POWER,
        "number": f"+44740000{number:04d}",
        "trunk": "main",
        "endpoint": f"PJSIP/customer-{number}@trunk",
        "caller_id": "",
        "team": "",
        "prefer_agent": "",
        "hide_number": False,
        "force_hangup": False,
        "ring_seconds": 15.0,
        "agent_ring_seconds": 5.0,
        "deadline_seconds": 2.0,
        "wrap_up_seconds": 0.0,
        "ordered_at": virtual_now(),
    }
    return DialOrder(**{**values, **changes})
