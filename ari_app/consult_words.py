"""The words of a consult: its states, what happens in it, and how it ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import Enum, StrEnum, auto

from ari_app.bridge import Bridge
from ari_app.channel import Channel
from ari_app.transfer import Reached


class Step(StrEnum):
    """Who hears whom. RINGING: the agent hears ringback; ALONE: it still rings, and the agent has hung up."""

    RINGING = "ringing"
    CONSULT = "consult"
    SWAPPED = "swapped"
    THREE_WAY = "three_way"
    ALONE = "alone"


class News(Enum):
    """What happens besides keys."""

    ANSWERED = auto()
    NOT_REACHED = auto()
    OTHER_GONE = auto()
    AGENT_GONE = auto()
    PHONE_BACK = auto()  # the agent ended his phone's second call
    PHONE_GIVES = auto()  # his phone asks to join customer and other
    HELD = auto()
    UNHELD = auto()


@dataclass(frozen=True, slots=True)
class Back:
    """The customer hears his agent again."""


@dataclass(frozen=True, slots=True)
class Given:
    """The agent has gone, and the customer is the other's; ``side`` holds the other's leg."""

    to: Reached
    side: AsyncExitStack


@dataclass(frozen=True, slots=True)
class Unserved:
    """The agent has gone and nobody was reached: the customer hears music, and somebody must take care of him."""


End = Back | Given | Unserved


@dataclass(frozen=True, slots=True)
class Talking:
    """Customer and agent, and where they meet. ``name``: the agent's; ``release`` lets him go, with his phone."""

    customer: Channel
    agent: Channel
    bridge: Bridge
    name: str
    release: Callable[[], Awaitable[None]]
