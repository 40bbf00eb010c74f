from __future__ import annotations

import resource

import pytest

from tests.lab.farend import (
    AudioOptions,
    Behaviour,
    FarEnd,
    Script,
    Sending,
    max_at_once_per_number,
    max_in_flight,
    number_for,
)
from tests.lab.switch import Switch
from tests.lab.until import until

pytestmark = pytest.mark.asterisk
CALLS = 100
MOST_MS_PER_CALL = 10.0


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def test_a_hundred_calls_at_once_are_clean_and_cheap(switch: Switch, world: FarEnd) -> None:
    """50 phones' calls to 50 customers, burst audio, 2 s of talk: both sides of all hear each other and
    nobody else.
    """
    burst = AudioOptions(sending=Sending.BURST, burst_seconds=0.5)
    world.trunk.options = burst
    world.trunk.behave = lambda number: Script(ring_seconds=0.2, talk_seconds=2.0)
    phone = world.phones.add("1001", "secret", options=burst)
    numbers = [number_for(Behaviour.STAYS, n) for n in range(CALLS // 2)]
    before = cpu_seconds()
    calls = [phone.dial(number) for number in numbers]
    for call in calls:
        await call.until_over(20)
    used = cpu_seconds() - before
    await until(lambda: not world.log.live(), 10, "every call is over")
    records = world.log.calls
    assert len(records) == CALLS
    assert max_in_flight(records) == CALLS
    assert set(max_at_once_per_number(world.log.select(direction=None)).values()) == {1, CALLS // 2}
    for number, call in zip(numbers, calls, strict=True):
        [customer] = world.log.attempts(number)
        assert (call.record.parties_heard(), customer.parties_heard()) == ({number}, {"1001"})
        assert (call.record.problems, customer.problems, call.record.rtp_lost) == ([], [], 0)
    print(f"{used / CALLS * 1000:.1f} ms CPU of the far end per call")
    assert used / CALLS * 1000 < MOST_MS_PER_CALL
