"""Somebody hangs up at a random instant of each story there is: what is left over, and what was written down."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random

from tests.asterisk.callers import MUSIC, Callers
from tests.asterisk.floor import Floor
from tests.lab.centre import Centre
from tests.lab.farend.call import Call
from tests.lab.farend.incoming import IncomingCall
from tests.lab.farend.numbers import Behaviour, number_for
from tests.lab.farend.outgoing import OutgoingCall
from tests.lab.farend.phones import BY_HAND, Phone
from tests.lab.farend.script import Script
from tests.lab.until import until
from tests.prove.books import Books
from tests.prove.proof import Figure, Proof, Round
from tests.prove.written import unwritten

HANG_UPS, LANES = 500, 12
STORIES_PER_SECOND = 3.0  # of all lanes together, at most
PATIENCE = 20.0
POOL = "callwright-pool"  # bridges that are kept ready, and empty


@dataclass(slots=True)
class Lane:
    """One queue with one agent, a colleague, and their callers, one story after the other; one of so many (``of``)."""

    callers: Callers
    number: int
    of: int
    agent: Phone
    colleague: Phone
    dice: Random
    count: int = 0
    called: list[str] = field(default_factory=list)  # numbers of which there must be one record each

    @property
    def did(self) -> str:
        """The number of its queue."""
        return f"4420794608{self.number:02d}"

    def fresh(self) -> str:
        """A customer who has not called yet; called back he lets it ring for half a second, and stays."""
        self.count += 1
        number = number_for(Behaviour.STAYS, self.number * 100 + self.count, ring=0.5)
        self.called.append(number)
        return number

    def call(self) -> OutgoingCall:
        """A new customer calls in."""
        return self.callers.call(self.did, self.fresh())

    def reached(self, number: str) -> dict[str, Call]:
        """The customer, where he is being called."""
        calls = [call for call in self.callers.far.trunk.calls_to(number) if not call.is_over]
        return {"caller": calls[-1]} if calls else {}

    async def sometime(self, seconds: float) -> None:
        """A random instant from now on."""
        await self.callers.talk(self.dice.uniform(0.0, seconds))

    async def talk(self) -> tuple[OutgoingCall, IncomingCall]:
        """A customer talks to the agent."""
        customer = self.call()
        leg = await self.agent.incoming(PATIENCE)
        await customer.until_hears(self.agent.name, PATIENCE)
        return customer, leg

    async def busy(self, *, on: bool) -> None:
        """The agent takes no callers while he is paused."""
        words = ("pause", self.agent.name, "--reason", "busy") if on else ("unpause", self.agent.name)
        await self.callers.floor.cli("agent", *words)
        if on:
            await self.callers.floor.until_state(self.agent.name, "paused")


Story = Callable[[Lane], Awaitable[str]]


def one_of(lane: Lane, parties: dict[str, Call]) -> str:
    """One of them hangs up; who it was."""
    who = lane.dice.choice(sorted(parties))
    parties[who].hangup()
    return who


async def greeted(lane: Lane) -> str:
    """From his INVITE to the music."""
    customer = lane.call()
    await lane.sometime(2.0)
    return one_of(lane, {"caller": customer})


async def in_queue(lane: Lane) -> str:
    """He waits behind another one."""
    first, _ = await lane.talk()
    second = lane.call()
    await lane.sometime(2.5)
    who = one_of(lane, {"caller": second})
    await second.until_over(PATIENCE)
    first.hangup()
    return who


async def ringing(lane: Lane) -> str:
    """The agent's phone rings for him."""
    lane.agent.script = BY_HAND
    customer = lane.call()
    leg = await lane.agent.incoming(PATIENCE)
    await lane.sometime(1.5)
    return one_of(lane, {"caller": customer, "agent": leg})


async def answered(lane: Lane) -> str:
    """From the agent's answer on."""
    customer = lane.call()
    leg = await lane.agent.incoming(PATIENCE)
    await lane.sometime(2.0)
    return one_of(lane, {"caller": customer, "agent": leg})


async def both_at_once(lane: Lane) -> str:
    """Caller and agent hang up within some milliseconds, soon after they hear each other."""
    customer, leg = await lane.talk()
    await lane.callers.talk(lane.dice.uniform(0.0, 0.1))
    customer.hangup()
    await asyncio.sleep(lane.dice.uniform(0.0, 0.008))  # no wait for anything: the two ends are to meet
    leg.hangup()
    return "caller and agent"


async def in_consult(lane: Lane) -> str:
    """From the first key of a consult on: ringing, talking, all three, swapped."""
    customer, leg = await lane.talk()
    leg.press(f"*7{lane.colleague.name}#")
    before = len(lane.colleague.calls)
    if lane.dice.random() < 0.6:
        await until(lambda: len(lane.colleague.calls) > before, PATIENCE, "the colleague to be rung")
        await lane.sometime(1.0)
        leg.press(lane.dice.choice(("*3", "*4", "*1", "")) or "5")
    await lane.sometime(2.0)
    there = {"caller": customer, "agent": leg, **dict.fromkeys(("consult party",), *lane.colleague.calls[:1])}
    return one_of(lane, {who: call for who, call in there.items() if call is not None})


async def called_back(lane: Lane) -> str:
    """From the agent's phone on: he hears what it is, the customer is dialled, both talk."""
    await lane.busy(on=True)
    ordering = lane.call()
    await ordering.until_hears(MUSIC, PATIENCE)
    await lane.callers.talk(0.5)
    ordering.press("1")
    await lane.callers.talk(1.5)
    ordering.press("1")
    await ordering.until_over(2 * PATIENCE)
    lane.agent.script = Script()
    await lane.busy(on=False)
    leg = await lane.agent.incoming(PATIENCE)
    await lane.sometime(8.0)
    number = ordering.record.party
    who = one_of(lane, {"agent": leg, **lane.reached(number)})
    await lane.callers.talk(0.5)
    await _settled_callback(lane, number)
    return who


async def _settled_callback(lane: Lane, number: str) -> None:
    """A callback that the agent did not take comes to him again: then customer or supervisor ends it."""
    for callback in await lane.callers.floor.cli("callback", "list", "--queue", f"lane{lane.number}"):
        if callback["number"] == number and callback["state"] not in ("done", "failed", "cancelled", "expired"):
            await lane.callers.floor.cli("callback", "cancel", callback["id"])


async def asked(lane: Lane) -> str:
    """The agent is asked how the call was."""
    customer, leg = await lane.talk()
    customer.hangup()
    await leg.until_hears(MUSIC, PATIENCE)
    await lane.sometime(4.0)
    return one_of(lane, {"agent": leg})


async def own_call(lane: Lane) -> str:
    """The agent calls a number outside."""
    number = lane.fresh()
    phone = lane.agent.dial(number)
    await lane.sometime(3.0)
    return one_of(lane, {"agent": phone, **lane.reached(number)})


STORIES: dict[str, tuple[int, Story]] = {
    "greeting": (2, greeted), "queue": (2, in_queue), "ring": (3, ringing), "talk": (3, answered),
    "both": (3, both_at_once), "consult": (4, in_consult), "callback": (1, called_back), "rating": (2, asked),
    "own call": (3, own_call),
}  # fmt: skip


async def hang_ups_round(centre: Centre, number: int, *, hang_ups: int = HANG_UPS, lanes: int = LANES) -> Round:
    """So many stories, some lanes at once."""
    made = await _lanes(centre, number, lanes)
    who: dict[str, int] = {}
    failures: list[str] = []
    share, rest = divmod(hang_ups, lanes)
    async with asyncio.TaskGroup() as group:
        for lane in made:
            work = _stories(lane, share + (lane.number < rest), lanes / STORIES_PER_SECOND, who, failures)
            group.create_task(work)
    failures += await _left_over(centre)
    failures += await unwritten(centre, [number for lane in made for number in lane.called])
    figures: dict[str, Figure] = {f"hang-ups in {what}": count for what, count in sorted(who.items())}
    return Round({"hang-ups": sum(who.values()), "calls": sum(len(lane.called) for lane in made), **figures}, failures)


async def _lanes(centre: Centre, number: int, count: int) -> list[Lane]:
    if not centre.serve.is_running:
        await centre.serve.start()
    callers = Callers(Floor(centre))
    keys = {"greeting": "queue-thankyou", "callback": "on", "callback_attempts": "1", "wrap_up_seconds": "0"}
    await callers.floor.cli("rating", "group", "add", "asked")
    await callers.floor.cli("rating", "option", "add", "asked", "1", "Sale")
    for lane in range(count):
        did = f"4420794608{lane:02d}"
        await callers.queue(f"lane{lane}", did, rating_group="asked", rating_ivr="on", ring_seconds="10", **keys)
    phones = await centre.add_agents(2 * count, queues=[f"lane{lane}" for lane in range(count)], online=True)
    for phone in phones:
        phone.obeys_auto_answer = False
    pairs = zip(range(count), phones[:count], phones[count:], strict=True)
    return [Lane(callers, n, count, agent, other, Random(1000 * number + n)) for n, agent, other in pairs]


async def _stories(lane: Lane, count: int, seconds: float, who: dict[str, int], failures: list[str]) -> None:
    loop, kinds = asyncio.get_running_loop(), list(STORIES)
    weights = [weight for weight, _ in STORIES.values()]
    for n in range(count):
        first, began = lane.number + n * lane.of, loop.time()  # each kind once, then as often as it weighs
        name = kinds[first] if first < len(kinds) else lane.dice.choices(kinds, weights)[0]
        lane.agent.script = lane.colleague.script = Script(ring_seconds=0.4)
        try:
            done = f"{name} by {await STORIES[name][1](lane)}"
            who[done] = who.get(done, 0) + 1
        except (TimeoutError, ConnectionError) as error:
            failures.append(f"lane {lane.number}, {name}, {lane.called[-1:]}: {error}")
        await _tidied(lane, failures)
        await asyncio.sleep(max(0.0, began + seconds - loop.time()))


async def _tidied(lane: Lane, failures: list[str]) -> None:
    """Whoever is still in a call hangs up; agent and colleague must be free then."""
    books, far = Books(lane.callers.floor.centre), lane.callers.far
    lane.agent.script = lane.colleague.script = BY_HAND

    def is_quiet() -> bool:
        for call in far.trunk.agent.live_calls():
            if call.record.party in lane.called[-2:]:
                call.hangup()
        lane.agent.hangup()
        lane.colleague.hangup()
        agents = books.agents()
        return {agents[lane.agent.name], agents[lane.colleague.name]} == {"idle"}

    try:
        await until(is_quiet, 30.0, f"lane {lane.number} to be quiet")
    except TimeoutError as error:
        failures.append(f"{error} {books.agents()[lane.agent.name]} {books.agents()[lane.colleague.name]}")
    finally:
        books.close()
        lane.agent.forget_calls()
        lane.colleague.forget_calls()


async def _left_over(centre: Centre) -> list[str]:
    """Channels, bridges, and agents who are not free; nobody tidies up any more."""
    books, found = Books(centre), [f"far end: {fault}" for fault in centre.far.faults]

    async def is_empty() -> bool:
        bridges = (await centre.switch.cli("bridge show all")).splitlines()[1:]
        used = [line for line in bridges if line.strip() and not line.startswith(POOL)]
        return not used and not await centre.switch.channels() and set(books.agents().values()) == {"idle"}

    try:
        await until(is_empty, 15.0, "every channel and bridge to be gone, every agent to be free")
    except TimeoutError:
        shown = [
            await centre.switch.cli(f"{what} show {how}")
            for what, how in (("core", "channels concise"), ("bridge", "all"))
        ]
        found.append(f"left over: {shown}; {books.agents()}; {centre.serve.tail()}")
    finally:
        books.close()
    return found


PROOFS = [
    Proof(
        "hang_ups",
        f"{HANG_UPS} hang-ups at random instants of greeting, queue, ring, talk, consult, callback, rating and own "
        "call, by callers, agents and consulted colleagues: afterwards there is no channel and no bridge but the "
        "empty ones kept ready, every agent is free, and each call has one record that is over.",
        1,
        hang_ups_round,
        lambda: Centre("hang-ups", settings={"agents": {"max_misses": 100}}),
    ),
]
