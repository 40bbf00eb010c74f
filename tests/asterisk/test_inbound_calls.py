"""Callers in queues on the real Asterisk, judged by what the far-end parties hear and when."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.asterisk.callers import MUSIC, Callers, by_hand, kinds
from tests.asterisk.floor import Floor
from tests.lab.centre import Centre
from tests.lab.farend.record import two_way_at

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

TOLERANCE_SECONDS = 0.25
DEAD_MAN_SECONDS = 10


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def centre() -> AsyncIterator[Centre]:
    async with Centre("inbound", settings={"asterisk": {"dead_man_seconds": DEAD_MAN_SECONDS}}) as made:
        await made.serve.start()
        yield made
        assert not made.far.faults


@pytest.fixture(scope="module")
def callers(centre: Centre) -> Callers:
    return Callers(Floor(centre))


async def test_a_caller_hears_music_then_the_agent_and_his_story_is_written_down(callers: Callers):
    await callers.queue("first", "442079460001")
    phone = await callers.agent("2001", "first")
    by_hand(phone)
    caller = callers.call("442079460001", "+447400000001")
    await caller.until_answered(1.0)
    await caller.until_hears(MUSIC, 3.0)
    ringing = await phone.incoming(1.0)
    assert ringing.record.from_user == "+447400000001"
    ringing.ring()
    await caller.until_hears(MUSIC, 1.0)
    ringing.answer()
    await caller.until_hears("2001", 3.0)
    await ringing.until_hears("+447400000001", 1.0)
    await callers.talk(1.0)
    caller.hangup()
    await ringing.until_over(1.0)
    record = await callers.record("+447400000001")
    heard = two_way_at(caller.record, ringing.record)
    assert kinds(record) == ["queue", "conversation"]
    assert record["agents"] == ["Agent 2001"]
    assert record["call_state"] == "NORMAL_CLEARING_A"
    assert (record["kind"], record["direction"], record["did"]) == ("inbound", "inbound", "442079460001")
    assert heard is not None
    assert record["talk_seconds"] == pytest.approx(caller.record.ended_at - heard, abs=TOLERANCE_SECONDS)
    after = [x for x in caller.heard().heard if x.start_at > heard + 0.1]
    assert not [x for x in after if MUSIC in x.heard]
    await callers.nothing_left()


async def test_neither_a_long_wait_with_announcements_nor_a_long_talk_is_cut_by_the_dead_mans_clock(callers: Callers):
    did, number = "442079460002", "+447400000002"
    await callers.queue("long", did, announce_position="on", announce_wait="on", announce_every="10")
    phone = await callers.agent("2002", "long", online=False)
    caller = callers.call(did, number)
    await caller.until_hears(MUSIC, 3.0)
    await callers.talk(DEAD_MAN_SECONDS + 2.0)
    assert not caller.is_over
    shown = await callers.floor.cli("queue", "show", "long")
    assert [waiting["number"] for waiting in shown["callers"]] == [number]
    await callers.floor.cli("agent", "online", "2002")
    talk = await phone.incoming(10.0)
    await caller.until_hears("2002", 10.0)
    await callers.talk(DEAD_MAN_SECONDS + 2.0)
    assert not caller.is_over
    joined = two_way_at(caller.heard(), talk.heard())
    assert joined is not None
    assert not [x for x in caller.heard().heard if MUSIC in x.heard and x.start_at > joined + 0.3]
    caller.hangup()
    record = await callers.record(number)
    assert kinds(record) == ["queue", "conversation"]
    assert record["talk_seconds"] > DEAD_MAN_SECONDS
    await callers.nothing_left()
