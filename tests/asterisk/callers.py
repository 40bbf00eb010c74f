"""Customers who call in, and the queues they come to, on top of a Floor."""

from __future__ import annotations

from typing import Any, cast

from tests.asterisk.floor import SHOWN, Floor
from tests.lab.farend.outgoing import OutgoingCall
from tests.lab.farend.phones import BY_HAND, Phone
from tests.lab.farend.script import Script
from tests.lab.until import until

MUSIC = "other"


class Callers:
    """Queues of a floor; each test has numbers, agents and a queue of its own."""

    def __init__(self, floor: Floor) -> None:
        self.floor, self.far = floor, floor.far

    async def queue(self, name: str, did: str, **keys: str) -> None:
        """A queue for a number, obeyed."""
        await self.floor.cli("queue", "add", name, "--did", did, *(f"{key}={value}" for key, value in keys.items()))
        await self.floor.centre.obeyed()

    async def agent(self, ext: str, queue: str, *, script: Script | None = None, **options: Any) -> Phone:
        """An agent of one queue; his phone answers at once, or does what `script` says."""
        phone = await self.floor.agent(ext, team=f"team-{queue}", queue=queue, **options)
        phone.obeys_auto_answer = False
        phone.script = script or Script()
        return phone

    async def waiting(self, queue: str, count: int) -> dict[str, Any]:
        """`queue show` once so many callers wait there: what a caller hears is stored a moment later."""

        async def shown() -> dict[str, Any] | None:
            document: dict[str, Any] = await self.floor.cli("queue", "show", queue)
            return document if len(document["callers"]) == count else None

        return cast("dict[str, Any]", await until(shown, SHOWN, f"{count} callers in {queue}"))

    def call(self, did: str, caller: str, script: Script | None = None) -> OutgoingCall:
        """A customer calls in."""
        return self.far.trunk.call(did, caller, script=script)

    async def talk(self, seconds: float) -> None:
        """Let people talk: so much time passes on the far end's clock."""
        ends = self.far.clock.now() + seconds
        await until(lambda: self.far.clock.now() >= ends, seconds + 5.0, "the talk to last")

    async def nothing_left(self, deadline: float = 10.0) -> None:
        """No channel is left in Asterisk and no agent is busy."""

        async def gone() -> bool:
            return not await self.floor.centre.switch.channels()

        async def free() -> bool:
            agents = await self.floor.cli("agent", "list")
            return not [agent for agent in agents if agent["state"] in ("offered", "talking")]

        await until(gone, deadline, "every channel to go")
        await until(free, deadline, "every agent to be free")

    async def record(self, caller: str, deadline: float = 10.0) -> dict[str, Any]:
        """`call show` of the one call of a caller that is over."""
        found: list[dict[str, Any]] = []

        async def written() -> bool:
            calls = await self.floor.cli("call", "list", "--number", caller, "--limit", "50")
            found[:] = [c for c in calls if c["ended_at"]]
            return bool(found)

        await until(written, deadline, f"the record of {caller}")
        shown: dict[str, Any] = await self.floor.cli("call", "show", found[0]["id"])
        return shown


def by_hand(phone: Phone) -> None:
    """The phone rings until the test answers it."""
    phone.obeys_auto_answer, phone.script = False, BY_HAND


def kinds(record: dict[str, Any]) -> list[str]:
    """The kinds of a timeline, in order."""
    return [event["kind"] for event in record["timeline"]]
