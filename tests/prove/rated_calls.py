"""The calls of the proof of ratings: each of a kind, given on or not, and ended in one of many ways."""

from __future__ import annotations

import wave
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from contact_center.ratings.menu import Word
from tests.asterisk.callers import MUSIC, Callers
from tests.lab.farend.call import Call
from tests.lab.farend.numbers import refuses, stays
from tests.lab.farend.phones import Phone
from tests.lab.farend.tones import AMPLITUDE, FRAME
from tests.lab.until import until

VOICE = "menu voice"  # every prompt of the menus is this party's tones, so that an ear knows them from any other sound
VOICE_SECONDS = 0.6
SOON, LATER = 5.0, 15.0


def speak_as_a_party(callers: Callers, folder: Path) -> None:
    """Recordings of the site's own in place of every prompt of the menus, below ``folder``."""
    pair = callers.far.media.pairs.take("phone", VOICE)
    t = np.arange(int(VOICE_SECONDS * 50) * FRAME) / FRAME
    tones = AMPLITUDE * (np.sin(2 * np.pi * pair[0] * t) + np.sin(2 * np.pi * pair[1] * t))
    own = folder / "own" / "en"
    own.mkdir(parents=True)
    for name in (*(word.value for word in Word), *(f"rating_{digit}" for digit in range(1, 10))):
        with wave.open(str(own / f"{name}.wav"), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(8000)
            out.writeframes(tones.astype("<i2").tobytes())


@dataclass(slots=True)
class Lane:
    """An agent with a queue and a campaign of his own, and a colleague: their calls come one after the other."""

    callers: Callers
    key: str
    group: str
    category_menu: str
    phone: Phone = field(init=False)
    other: Phone = field(init=False)

    @property
    def did(self) -> str:
        """The number that leads to the queue."""
        return f"44207946{self.key}9"

    async def open(self) -> None:
        """Everything is there, and the agent idle."""
        cli, key = self.callers.floor.cli, self.key
        rated = {"rating_group": self.group, "rating_ivr": "on", "force_hangup": "on"}
        more = {"callback": "on", "callback_attempts": "1", "category_menu": self.category_menu}
        await self.callers.queue(f"rated{key}", self.did, **rated, **more)
        self.phone = await self.callers.agent(f"4{key}", f"rated{key}")
        self.other = await self.callers.agent(f"5{key}", f"none{key}")
        campaign = f"rated{key}"
        await cli("campaign", "add", campaign, "--mode", "power", "--team", f"team-rated{key}")
        keys = {"hours": "00:00-24:00", "max_attempts": "1", **rated}
        await cli("campaign", "set", campaign, *(f"{name}={value}" for name, value in keys.items()))
        await cli("campaign", "start", campaign)
        await self.callers.floor.centre.obeyed(5.0)

    async def idle(self) -> None:
        """Both agents are free."""
        for phone in (self.phone, self.other):
            await self.callers.floor.until_state(phone.name, "idle", 30.0)


@dataclass(slots=True)
class Talk:
    """``agent`` has the customer now; ``others`` are agents who are not to be asked. ``held``: he has heard music.

    ``customer`` is None where nobody answered.
    """

    number: str
    customer: Call | None
    agent: Call
    others: list[Call] = field(default_factory=list)
    held: bool = False


async def both_hear(customer: Call, agent: Call, ext: str, number: str) -> None:
    """They hear each other."""
    await customer.until_hears(ext, SOON)
    await agent.until_hears(number, SOON)


# -- how a call begins --------------------------------------------------------------------------------


async def of_the_queue(lane: Lane, serial: int) -> Talk:
    """Somebody calls in."""
    number = stays(serial)
    customer = lane.callers.call(lane.did, number)
    agent = await lane.phone.incoming(LATER)
    await both_hear(customer, agent, lane.phone.name, number)
    return Talk(number, customer, agent)


async def of_the_campaign(lane: Lane, serial: int) -> Talk:
    """Somebody is called."""
    number = stays(serial)
    customer = await lane.callers.floor.call(f"rated{lane.key}", number, SOON)
    agent = await lane.phone.incoming(LATER)
    await both_hear(customer, agent, lane.phone.name, number)
    return Talk(number, customer, agent)


async def of_his_own(lane: Lane, serial: int) -> Talk:
    """The agent dials."""
    number = stays(serial)
    agent = lane.phone.dial(number.replace("+44", "0"))
    customer = await lane.callers.floor.called(number, SOON)
    await both_hear(customer, agent, lane.phone.name, number)
    return Talk(number, customer, agent)


async def of_a_callback(lane: Lane, serial: int) -> Talk:
    """Somebody has asked to be called."""
    number = stays(serial)
    agent = await _ordered(lane, number)
    customer = await lane.callers.far.trunk.until_called(number, LATER)
    await both_hear(customer, agent, lane.phone.name, number)
    return Talk(number, customer, agent)


async def of_a_vain_callback(lane: Lane, serial: int) -> Talk:
    """Somebody has asked to be called, and does not answer."""
    number = refuses(486, serial)
    agent = await _ordered(lane, number)
    rung = await lane.callers.far.trunk.until_called(number, LATER)
    await rung.until_over(LATER)
    return Talk(number, None, agent)


async def _ordered(lane: Lane, number: str) -> Call:
    """A callback is ordered while nobody is there; the agent's call when he is."""
    cli, ext = lane.callers.floor.cli, lane.phone.name
    await cli("agent", "offline", ext)
    await lane.callers.floor.until_state(ext, "offline")
    ordering = lane.callers.call(lane.did, number)
    await ordering.until_hears(MUSIC, LATER)
    ordering.press("1")
    await lane.callers.talk(1.5)
    ordering.press("1")
    await ordering.until_over(LATER)
    await cli("agent", "online", ext)
    return await lane.phone.incoming(LATER)


# -- what happens in it -------------------------------------------------------------------------------


async def nothing(lane: Lane, talk: Talk) -> None:
    """They talk."""


async def consult(lane: Lane, talk: Talk) -> None:
    """The agent asks his colleague, and the customer is on hold."""
    assert talk.customer is not None
    talk.agent.press(f"*7{lane.other.name}#")
    other = await lane.other.incoming(LATER)
    await other.until_hears(lane.phone.name, SOON)
    await talk.customer.until_hears(MUSIC, SOON)
    talk.others.append(other)
    talk.held = True


async def three_way(lane: Lane, talk: Talk) -> None:
    """All three hear each other."""
    await consult(lane, talk)
    assert talk.customer is not None
    talk.agent.press("*3")
    await both_hear(talk.customer, talk.others[0], lane.other.name, talk.number)
    await talk.agent.until_hears(talk.number, SOON)


async def transfer(lane: Lane, talk: Talk) -> None:
    """The colleague has the customer, and the agent has gone."""
    await consult(lane, talk)
    assert talk.customer is not None
    first, second = talk.agent, talk.others[0]
    first.hangup()
    await both_hear(talk.customer, second, lane.other.name, talk.number)
    talk.agent, talk.others = second, [first]


# -- how it ends --------------------------------------------------------------------------------------


async def by_the_customer(lane: Lane, talk: Talk) -> None:
    """He hangs up."""
    if talk.customer is not None:
        talk.customer.hangup()


async def by_the_agent(lane: Lane, talk: Talk) -> None:
    """He hangs up."""
    talk.agent.hangup()


async def by_both(lane: Lane, talk: Talk) -> None:
    """At once."""
    await by_the_customer(lane, talk)
    talk.agent.hangup()


async def by_force(lane: Lane, talk: Talk) -> None:
    """The agent keys `*2`."""
    talk.agent.press("*2")


async def by_a_supervisor(lane: Lane, talk: Talk) -> None:
    """By command."""
    found: list[Any] = []

    async def stored() -> bool:
        found[:] = await lane.callers.floor.cli("call", "list", "--number", talk.number)
        return bool(found)

    await until(stored, SOON, f"the call of {talk.number} to be stored")
    await lane.callers.floor.cli("call", "hangup", found[0]["id"])


Step = Callable[[Lane, Talk], Awaitable[None]]
UNASKED: tuple[Step, ...] = (by_the_agent, by_both)
"""Who has gone is not asked."""
_ENDS: tuple[Step, ...] = (by_the_customer, by_the_agent, by_force, by_a_supervisor)


@dataclass(frozen=True, slots=True)
class Plan:
    """One kind of call. ``leaves``: the agent hangs up in the menu."""

    begin: Callable[[Lane, int], Awaitable[Talk]]
    then: Step
    end: Step
    leaves: bool = False

    def __str__(self) -> str:
        words = [self.begin.__name__, self.then.__name__, "ended", self.end.__name__]
        return " ".join(word.replace("_", " ") for word in words if word != "nothing")


PLANS: tuple[Plan, ...] = (
    *(Plan(of_the_queue, nothing, end) for end in (*_ENDS, by_both)),
    Plan(of_the_queue, nothing, by_the_customer, leaves=True),
    *(Plan(of_the_campaign, nothing, end) for end in _ENDS),
    *(Plan(of_his_own, nothing, end) for end in _ENDS),
    *(Plan(of_a_callback, nothing, end) for end in (by_the_customer, by_the_agent, by_force)),
    Plan(of_a_vain_callback, nothing, by_the_customer),
    Plan(of_the_queue, consult, by_the_customer),
    Plan(of_the_queue, three_way, by_the_customer),
    *(Plan(of_the_queue, transfer, end) for end in (by_the_customer, by_the_agent, by_a_supervisor)),
    Plan(of_the_campaign, transfer, by_the_customer),
    Plan(of_his_own, transfer, by_the_customer),
)
