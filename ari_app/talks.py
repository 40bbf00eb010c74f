"""Talks that go on now, for those who are not part of them: a supervisor's ear, a recording."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ari_app.agent_leg import Leg
from ari_app.channel import Channel
from ari_app.services import Services


@dataclass(frozen=True, slots=True)
class Talking:
    """Who talks: ``customer`` and the agent's ``leg``."""

    call_id: str
    customer: Channel
    leg: Leg


@contextmanager
def talking(env: Services, call_id: str, customer: Channel, leg: Leg) -> Iterator[None]:
    """While the block lasts, the talk can be found by its call."""
    env.talks[call_id] = Talking(call_id, customer, leg)
    try:
        yield
    finally:
        env.talks.pop(call_id, None)
