from __future__ import annotations

import asyncio

import pytest

from tests.lab.farend import (
    NOTHING,
    OTHER,
    RINGBACK,
    AudioOptions,
    Behaviour,
    FarEnd,
    number_for,
    stays,
    talks,
    two_way_at,
)
from tests.lab.switch import Switch

pytestmark = pytest.mark.asterisk


async def test_two_customers_bridged_hear_each_other_and_nothing_else(switch: Switch, world: FarEnd) -> None:
    one, other = stays(1), talks(1.0, 2)
    await switch.cli(f"channel originate PJSIP/{one}@trunk extension {other}@bridged")
    first, second = await world.trunk.until_called(one, 5), await world.trunk.until_called(other, 5)
    a, b = await first.until_over(5), await second.until_over(5)
    assert (a.parties_heard(), b.parties_heard()) == ({other}, {one})
    assert b.answered_at is not None
    together = two_way_at(a, b)
    assert together is not None
    assert 0 <= together - b.answered_at < 0.2
    assert sum(x.seconds for x in b.heard_of(one)) == pytest.approx(1.0, abs=0.1)
    assert (a.rtp_lost, b.rtp_lost, a.problems, b.problems) == (0, 0, [], [])


async def test_who_waits_looks_again_though_no_change_is_told(switch: Switch, world: FarEnd) -> None:
    call = world.phones.add("1001", "secret").dial("echo")
    await call.until_hears("1001", 5)
    seen: list[bool] = []
    asyncio.get_running_loop().call_later(0.1, seen.append, True)
    await call.until(lambda: bool(seen), 2, "sight of what nobody told of")  # the echo goes on unchanged
    call.hangup()
    await call.until_over(5)


async def test_a_phone_hears_its_echo_a_prompt_and_ringback_as_what_they_are(switch: Switch, world: FarEnd) -> None:
    phone = world.phones.add("1001", "secret")
    for number, heard in (("echo", "1001"), ("prompt", OTHER), ("ringback", RINGBACK)):
        call = phone.dial(number)
        await call.until_hears(heard, 5)
        call.hangup()
        assert call.record.parties_heard() - {OTHER} <= {"1001"}
        assert heard == "1001" or "1001" not in call.record.parties_heard()


async def test_three_in_a_conference_hear_the_two_others_at_once(switch: Switch, world: FarEnd) -> None:
    one, two = world.phones.add("1001", "secret"), world.phones.add("1002", "secret")
    calls = {"1001": one.dial("conference"), "1002": two.dial("conference")}
    customer = stays(5)
    await switch.cli(f"channel originate PJSIP/{customer}@trunk extension conference@from-phone")
    in_room = {**calls, customer: await world.trunk.until_called(customer, 5)}
    for name, call in in_room.items():
        others = frozenset(in_room) - {name}
        await call.until(lambda call=call, others=others: call.hears() == others, 5, f"{others} heard")  # type: ignore[misc]


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
async def test_parties_are_told_apart_in_both_codecs_and_across_them(switch: Switch, world: FarEnd, codec: str) -> None:
    world.trunk.options = AudioOptions(codecs=(codec,))
    phone = world.phones.add("1001", "secret", options=AudioOptions(codecs=("PCMU",)))
    call = phone.dial(stays(9))
    customer = await world.trunk.until_called(stays(9), 5)
    await call.until_hears(stays(9), 5)
    await customer.until_hears("1001", 5)
    call.hangup()
    record = await customer.until_over(5)
    assert (record.codec, record.parties_heard()) == (codec, {"1001"})


async def test_a_mute_customer_is_nothing_to_the_phone(switch: Switch, world: FarEnd) -> None:
    number = number_for(Behaviour.MUTE)
    call = world.phones.add("1001", "secret").dial(number)
    customer = await world.trunk.until_called(number, 5)
    await customer.until_hears("1001", 5)
    assert call.hears() == {NOTHING}
    assert call.heard().rtp_received == 0


async def test_a_held_customer_does_not_hear_the_phone_until_it_is_taken_back(switch: Switch, world: FarEnd) -> None:
    call = world.phones.add("1001", "secret").dial(stays(3))
    customer = await world.trunk.until_called(stays(3), 5)
    await customer.until_hears("1001", 5)
    assert await call.hold() == 200
    await customer.until_hears(OTHER, 5)  # music on hold
    assert "1001" not in customer.hears()
    assert await call.hold(on=False) == 200
    await customer.until_hears("1001", 5)
    assert OTHER not in customer.hears()
