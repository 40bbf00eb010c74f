"""`kill -9` with callers who talk and callers who wait: what each of them heard, and who was served when."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial

from tests.lab.centre import Centre
from tests.lab.farend.audio import AudioOptions, Voice
from tests.lab.farend.call import Call as FarCall
from tests.lab.farend.hearing import NOTHING, OTHER, SILENCE, Interval
from tests.lab.farend.media import Sending
from tests.lab.farend.outgoing import OutgoingCall
from tests.lab.farend.record import CallRecord, Direction, Side
from tests.lab.farend.script import Script
from tests.lab.until import until
from tests.prove.books import Books
from tests.prove.proof import Figure, Proof, Round
from tests.prove.scene import left_over
from tests.prove.written import unwritten

TALKS, WAITS = 100, 200
CALLS_PER_SECOND = 10.0
AT_ONCE = 20  # agents who dial their code
SERVED_PER_SECOND = 5.0
CONTROL_SECONDS = 5.0
HOLE_SECONDS = 0.3  # a talk or music that is not heard for so long has been cut
AFTER_SECONDS = 4.0  # how long everybody is listened to after control is back
DID, QUEUE = "442079460700", "waiting"


class WaitingCentre(Centre):
    """Its trunk has room for everybody."""

    def __init__(self) -> None:
        super().__init__("waiting", settings={"trunk.main": {"max_channels": 400}})


async def waiting_round(centre: Centre, number: int, *, talks: int = TALKS, waits: int = WAITS) -> Round:
    """One kill, and all who waited are served afterwards."""
    agents = await _staffed(centre, talks)
    base = number * 1000
    talking = await _callers(centre, [f"+4474001{base + n:05d}" for n in range(talks)], AudioOptions())
    await until(lambda: all(call.hears() & agents for call in talking), 60.0, "every agent to talk")
    silent = AudioOptions(sending=Sending.OFF)
    waiting = await _callers(centre, [f"+4474002{base + n:05d}" for n in range(waits)], silent)
    for call in waiting:  # one by one: music has pauses
        await until(partial(_hears, call, {OTHER}), 60.0, f"{call.record.party}, who waits, to hear music")
    legs = [call for call in centre.far.phones.agent.live_calls() if isinstance(call, FarCall)]
    killed_at, back_at = await _killed(centre)
    await _pass(centre, AFTER_SECONDS)
    until_at = centre.far.clock.now()
    failures = _cut([*talking, *legs], killed_at, until_at) + _unmusical(waiting, killed_at, until_at)
    failures += [] if back_at - killed_at < CONTROL_SECONDS else [f"control was back after {back_at - killed_at:.1f} s"]
    failures += await _served_in_order(centre, agents, talking, waiting)
    books = Books(centre)
    failures += await left_over(centre, books)
    books.close()
    everybody = [*talking, *waiting]
    heard = {call.record.party: _heard(call) for call in everybody}
    failures += await unwritten(centre, list(heard), agents=heard)
    figures: dict[str, Figure] = {
        "kills": 1, "talking": talks, "waiting": waits, "seconds from the kill to control": [back_at - killed_at],
        "the far end was late at most, s": [centre.far.media.late_seconds],
    }  # fmt: skip
    return Round(figures, failures)


async def _staffed(centre: Centre, count: int) -> set[str]:
    """A queue, and its agents on line; their extensions."""
    if not centre.serve.is_running:
        await centre.serve.start()
        await centre.cli("queue", "add", QUEUE, "--did", DID, "wrap_up_seconds=0")
        await centre.obeyed()
        phones = await centre.add_agents(count, queues=[QUEUE] * count)
        for first in range(0, count, AT_ONCE):
            codes = [phone.dial("*45") for phone in phones[first : first + AT_ONCE]]
            for code in codes:
                await code.until_over(30.0)
        for phone in phones:
            phone.script, phone.obeys_auto_answer = Script(), False
    books = Books(centre)
    try:
        await until(lambda: set(books.agents().values()) == {"idle"}, 60.0, "every agent to be idle")
    except TimeoutError as error:
        raise TimeoutError(f"{error}: {Counter(books.agents().values())}; {centre.serve.tail(3)}") from None
    finally:
        books.close()
    return {phone.name for phone in centre.far.phones}


async def _callers(centre: Centre, numbers: Iterable[str], audio: AudioOptions) -> list[OutgoingCall]:
    """They call in, one after the other; what they send is ``audio``."""
    calls, trunk = [], centre.far.trunk
    trunk.options = audio
    for number in numbers:
        call = trunk.call(DID, number)
        if audio.sending is Sending.OFF:
            call.voice = Voice.SILENCE
        calls.append(call)
        await asyncio.sleep(1 / CALLS_PER_SECOND)
    trunk.options = AudioOptions()
    return calls


async def _killed(centre: Centre) -> tuple[float, float]:
    """When it was killed, and when the process that was started at once was in control."""
    killed_at = centre.far.clock.now()
    centre.serve.kill()
    await centre.serve.ended()
    await centre.serve.start()
    return killed_at, centre.far.clock.now()


async def _pass(centre: Centre, seconds: float) -> None:
    ends = centre.far.clock.now() + seconds
    await until(lambda: centre.far.clock.now() >= ends, seconds + 10.0, "time to pass")


# -- what was heard


def _within(call: FarCall, since: float, until_at: float) -> list[Interval]:
    return [x for x in call.heard().heard if x.end_at > since and x.start_at < until_at]


def _cut(parties: Sequence[FarCall], since: float, until_at: float) -> list[str]:
    """Talks in which somebody was not heard, or that ended, while the program was away or afterwards."""
    quiet, found = {NOTHING, SILENCE, OTHER}, []
    for call in parties:
        if call.is_over:
            found.append(f"{call.record.party}: his talk was ended by {call.record.ended_by}")
        holes = [x for x in _within(call, since, until_at) if x.heard & quiet and x.seconds > HOLE_SECONDS]
        found += [f"{call.record.party} heard {_words(x)} for {x.seconds:.2f} s" for x in holes]
    return found


def _unmusical(waiting: Sequence[FarCall], since: float, until_at: float) -> list[str]:
    """Callers who waited and did not hear music all the time."""
    found = []
    for call in waiting:
        if call.is_over:
            found.append(f"{call.record.party}: his call was ended by {call.record.ended_by}")
        holes = [x for x in _within(call, since, until_at) if x.heard & {NOTHING} and x.seconds > HOLE_SECONDS]
        found += [f"{call.record.party} heard no music for {x.seconds:.2f} s" for x in holes]
    return found


def _words(interval: Interval) -> str:
    return " and ".join(sorted(interval.heard))


def _heard(call: FarCall) -> list[str]:
    return [f"Agent {name}" for name in call.record.parties_heard() if name.isdigit()]


# -- the order


async def _served_in_order(
    centre: Centre, agents: set[str], talking: Sequence[OutgoingCall], waiting: Sequence[OutgoingCall]
) -> list[str]:
    """Talks end one after the other, and whoever waits longest is the next to be offered to the agent who is free."""
    rung_before = len(_rung(centre))
    for number, call in enumerate(waiting):
        leaves = talking[number] if number < len(talking) else waiting[number - len(talking)]
        leaves.hangup()
        await until(partial(_hears, call, agents), 10.0, f"{call.record.party} to be served")
        await asyncio.sleep(0 if number % 2 else 1 / SERVED_PER_SECOND)
    for call in (*talking, *waiting):
        call.hangup()
    offered = [record.from_user for record in _rung(centre)[rung_before:]]
    wanted = [call.record.party for call in waiting]
    wrong = sum(now != then for now, then in zip(offered, wanted, strict=False))
    return [] if offered == wanted else [f"{wrong} of {len(wanted)} were served out of order"]


def _hears(call: OutgoingCall, whom: set[str]) -> bool:
    return bool(call.hears() & whom)


def _rung(centre: Centre) -> list[CallRecord]:
    """Calls to agents' phones, as they came."""
    return sorted(centre.far.log.select(Side.PHONE, Direction.IN), key=lambda record: record.invite_at)


PROOFS = [
    Proof(
        "inbound_kill",
        f"kill -9 of serve with {TALKS} callers who talk and {WAITS} who wait: no talk is cut, the music goes on "
        f"without a gap, control is back within {CONTROL_SECONDS:g} s, those who wait are served in their order, and "
        "each call has one record.",
        1,
        waiting_round,
        WaitingCentre,
    ),
]
