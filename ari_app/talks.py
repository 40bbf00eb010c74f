"""Talks that go on now, for those who are not part of them: a supervisor's ear, an agent who hangs up by command."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ari_app.agent_leg import Leg
from ari_app.channel import Channel
from ari_app.services import Services


@dataclass(frozen=True, slots=True)
class Talking:
    """Who talks: ``customer`` and the agent's ``leg``. ``agent`` is his extension, ``hang_up`` what he may ask for.

    ``consults`` is handed a second call of his phone, and the digits he dialled; False where it is not wanted.
    """

    call_id: str
    customer: Channel
    leg: Leg
    agent: str
    hang_up: Callable[[], Awaitable[None]]
    consults: Callable[[Channel, str], bool]


@contextmanager
def talking(env: Services, talk: Talking) -> Iterator[None]:
    """While the block lasts, the talk can be found by its call."""
    env.talks[talk.call_id] = talk
    try:
        yield
    finally:
        env.talks.pop(talk.call_id, None)
