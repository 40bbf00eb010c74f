"""A customer, his agent and a colleague: the three of a consult."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tests.calls.queue_world import DID, QueueWorld
from tests.support.fake_ari import FarEnd
from tests.support.fake_world import FakeChannel

SETTINGS = {
    "trunk": {"main": {"host": "192.0.2.1"}},
    "site": {"number_check": "digits"},
    "agents": {"ring_seconds": 10},
}
TAKES = FarEnd(rings_after=0.05, answers_after=0.5)
RINGS = FarEnd(rings_after=0.05)
FAR = "PJSIP/callwright-trunk-main/*"


@dataclass
class Three:
    """A customer who talks to 1001, who consults 1002."""

    centre: QueueWorld
    customer: FakeChannel

    @property
    def agent(self) -> FakeChannel:
        return self.centre.world.fake.dialled("PJSIP/1001")[0]

    @property
    def other(self) -> FakeChannel:
        return self.centre.world.fake.dialled("PJSIP/1002")[0]

    async def keys(self, text: str) -> None:
        self.centre.world.fake.press(self.agent.id, text)
        await asyncio.sleep(1)

    async def hang_up(self, who: str) -> None:
        self.centre.world.fake.hang_up(getattr(self, who).id)
        await asyncio.sleep(1)

    def hears(self) -> str:
        """Who hears whom: c customer, a agent, o other; a star for music."""
        fake, found = self.centre.world.fake, []
        parties = {"c": self.customer, "a": self.agent}
        if fake.dialled("PJSIP/1002"):
            parties["o"] = self.other
        for pair in ("ca", "co", "ao"):
            if all(name in parties for name in pair) and fake.together(parties[pair[0]].id, parties[pair[1]].id):
                found.append(pair)
        found += [f"{name}*" for name, party in parties.items() if party.moh and party.id in fake.channels]
        return " ".join(found)

    def up(self) -> str:
        fake = self.centre.world.fake
        parties = {"c": [self.customer], "a": fake.dialled("PJSIP/1001"), "o": fake.dialled("PJSIP/1002")}
        return "".join(name for name, legs in parties.items() if any(leg.id in fake.channels for leg in legs))


async def reach(three: Three, state: str) -> None:
    """Bring the call into a state."""
    for keys in {"ringing": [], "consult": [], "swapped": ["*4"], "three_way": ["*3"], "alone": []}[state]:
        await three.keys(keys)
    if state == "alone":
        await three.hang_up("agent")


async def begun(centre: QueueWorld, other: FarEnd) -> Three:
    centre.queue("sales", dids=DID, force_hangup="on")
    centre.agent("1001", TAKES, "sales")
    centre.agent("1002", other)
    centre.agent("1003", TAKES)
    three = Three(centre, centre.call())
    await asyncio.sleep(3)
    assert three.hears() == "ca"
    await three.keys("*71002#")
    return three
