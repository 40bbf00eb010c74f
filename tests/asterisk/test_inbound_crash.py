"""`kill -9` with callers who wait and callers who talk: nothing is cut, music goes on, the order is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.asterisk.callers import MUSIC, Callers, kinds
from tests.asterisk.floor import Floor
from tests.lab.centre import Centre
from tests.lab.farend.call import Call
from tests.lab.farend.hearing import NOTHING, SILENCE, Interval
from tests.lab.until import until

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

CONTROL_SECONDS = 30.0  # 5 s on a machine of its own; the proofs measure it, here others may run
PATIENCE_SECONDS = 10.0
HOLE_SECONDS = 0.3
DID = "442079460100"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def centre() -> AsyncIterator[Centre]:
    async with Centre("inbound-crash") as made:
        await made.serve.start()
        yield made
        assert not made.far.faults


@pytest.fixture(scope="module")
def callers(centre: Centre) -> Callers:
    return Callers(Floor(centre))


async def test_talks_go_on_music_goes_on_and_the_order_is_kept_through_a_crash(callers: Callers):
    centre, clock = callers.floor.centre, callers.far.clock
    await callers.queue("crash", DID)
    phones = [await callers.agent(ext, "crash") for ext in ("2101", "2102")]
    talking = [callers.call(DID, f"+44740000010{n}") for n in range(2)]
    talks = [await phone.incoming(PATIENCE_SECONDS) for phone in phones]
    for talk in talks:
        await talk.until_hears(talk.record.from_user, PATIENCE_SECONDS)
    by_number = {call.record.party: call for call in talking}
    talking = [by_number[talk.record.from_user] for talk in talks]
    waiting = []
    for n in range(3):
        waiting.append(callers.call(DID, f"+44740000011{n}"))
        await waiting[-1].until_hears(MUSIC, PATIENCE_SECONDS)
    gone = callers.call(DID, "+447400000119")
    await gone.until_hears(MUSIC, PATIENCE_SECONDS)
    await callers.talk(0.5)
    killed_at = clock.now()
    centre.serve.kill()
    await centre.serve.ended()
    gone.hangup()
    await callers.talk(1.0)
    late = callers.call(DID, "+447400000118")
    started_at = clock.now()
    await centre.serve.start()
    controlled_at = clock.now()
    assert controlled_at - started_at < CONTROL_SECONDS
    assert [a["state"] for a in await callers.floor.cli("agent", "list", "--queue", "crash")] == ["talking"] * 2
    both = (*talking, *talks)
    assert not [call for call in both if call.is_over]
    holes = [_holes(call, killed_at) for call in both]
    assert [hole for own in holes for hole in own if not _all_fell_silent(hole, holes)] == []
    for call in waiting:
        assert not call.is_over
        assert [x for x in call.heard().heard if NOTHING in x.heard and x.start_at > killed_at] == []
    talking[0].hangup()
    rung = talks[0].record.party
    for call in waiting:
        await until(
            lambda call=call, rung=rung: rung in call.hears(), PATIENCE_SECONDS, "the oldest caller to be served"
        )
        call.hangup()
    late.hangup()
    talking[1].hangup()
    await late.until_over(PATIENCE_SECONDS)
    record = await callers.record(waiting[0].record.party)
    assert kinds(record) == ["queue", "conversation"]
    queue = record["timeline"][0]
    assert queue["seconds"] > controlled_at - killed_at
    first = await callers.record(talking[0].record.party)
    assert (first["call_state"], first["agents"]) == ("NORMAL_CLEARING_A", ["Agent 2101"])
    assert first["talk_seconds"] == pytest.approx(talking[0].record.ended_at - talks[0].record.answered_at, abs=0.25)
    lost = await callers.record(gone.record.party)
    assert (lost["disposition"], lost["call_state"]) == ("abandoned", "SWITCH_LOST")
    await callers.nothing_left()


def _holes(call: Call, since: float) -> list[Interval]:
    """Where a talk was not heard after an instant."""
    quiet = {NOTHING, SILENCE, MUSIC}
    return [x for x in call.heard().heard if x.end_at > since and x.seconds > HOLE_SECONDS and x.heard & quiet]


def _all_fell_silent(hole: Interval, holes: list[list[Interval]]) -> bool:
    """Whether nobody was heard then: the process that speaks for all parties stood still, not the calls."""
    return all(any(x.start_at < hole.end_at and hole.start_at < x.end_at for x in own) for own in holes)
