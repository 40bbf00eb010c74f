from __future__ import annotations

import pytest

from tests.lab.farend import BY_HAND, NOTHING, OTHER, SILENCE, FarEnd, Script, Side, Voice, stays, talks
from tests.lab.switch import Switch
from tests.lab.until import until

pytestmark = pytest.mark.asterisk


async def test_digits_pass_both_ways_once_each_with_their_length(switch: Switch, world: FarEnd) -> None:
    call = world.phones.add("1001", "secret").dial(stays(1))
    customer = await world.trunk.until_called(stays(1), 5)
    await call.until_answered(5)
    call.press("*2#")
    await customer.until_digits("*2#", 5)
    customer.press("01239", seconds=0.08)
    await call.until_digits("01239", 5)
    call.hangup()
    record = (await customer.until_over(5)).to_json()
    assert call.record.dtmf_sent[0][0] == "*"
    lengths = [seconds for _, _, seconds in customer.record.dtmf_received]
    assert lengths == pytest.approx([0.1] * 3, abs=0.05), record
    times = [at for _, at, _ in call.record.dtmf_received]
    assert times == sorted(times)
    assert call.record.parties_heard() == {stays(1)}


async def test_asterisk_reads_and_sends_digits(switch: Switch, world: FarEnd) -> None:
    call = world.phones.add("1001", "secret").dial("keys")
    await call.until_answered(5)
    call.press("4711")
    await call.until_digits("4711", 8)
    call.hangup()


async def test_a_phone_that_hangs_up_while_it_rings_cancels(switch: Switch, world: FarEnd) -> None:
    call = world.phones.add("1001", "secret").dial(stays(2, ring=30.0))
    customer = await world.trunk.until_called(stays(2, ring=30.0), 5)
    await call.until(lambda: call.record.ringing_at is not None, 5, "180")
    call.hangup()
    record = await customer.until_over(5)
    assert (record.final_code, record.ended_by) == (487, "switch")
    own = await call.until_over(5)
    assert (own.final_code, own.ended_by, own.end_reason) == (487, "party", "cancelled")
    await until(lambda: record.ack_at is not None, 5, "ACK of the 487")


async def test_a_call_dialled_and_hung_up_at_once_leaves_nothing_behind(switch: Switch, world: FarEnd) -> None:
    call = world.phones.add("1001", "secret").dial(stays(3))
    call.hangup()
    await call.until_over(5)

    async def none() -> bool:
        return await switch.channels() == []

    await until(none, 5, "no channel is left")


async def test_a_phone_rejects_rings_and_answers_as_told(switch: Switch, world: FarEnd) -> None:
    phone = world.phones.add("1001", "secret", script=BY_HAND)
    caller = world.phones.add("1002", "secret")
    await phone.register()
    phone.next_scripts.append(Script("busy", code=486))
    call = caller.dial("1001")
    assert (await call.until_over(5)).final_code == 486
    call = caller.dial("1001")
    incoming = await phone.incoming(5)
    assert incoming.record.script == "busy"
    incoming = await phone.incoming(5)
    await call.until(lambda: call.record.ringing_at is not None, 5, "180")
    incoming.answer()
    await call.until_hears("1001", 5)
    assert incoming.record.from_user == "1002"
    incoming.hangup()
    assert (await call.until_over(5)).ended_by == "switch"


async def test_a_call_that_asks_for_it_is_answered_by_itself(switch: Switch, world: FarEnd) -> None:
    phone = world.phones.add("1001", "secret", script=BY_HAND)
    await phone.register()
    call = world.phones.add("1002", "secret").dial("auto")
    await call.until_answered(5)
    assert (await phone.incoming(5)).wants_auto_answer
    call.hangup()


async def test_a_customer_calls_in_and_is_answered(switch: Switch, world: FarEnd) -> None:
    phone = world.phones.add("1001", "secret")
    await phone.register()
    call = world.trunk.call("+442079460000", "+447700900123", display="Ann Other")
    await call.until_hears("1001", 5)
    incoming = await phone.incoming(5)
    assert (incoming.record.from_user, incoming.record.from_display) == ("+447700900123", "Ann Other")
    assert call.record.side is Side.CUSTOMER
    call.hangup()
    assert (await incoming.until_over(5)).ended_by == "switch"


async def test_a_caller_with_a_script_gives_up_presses_and_hangs_up_by_itself(switch: Switch, world: FarEnd) -> None:
    phone = world.phones.add("1001", "secret", script=BY_HAND)
    await phone.register()
    call = world.trunk.call("+442079460000", "+447700900123", script=Script("patience", ring_seconds=0.5))
    record = await call.until_over(5)
    assert (record.final_code, record.ended_by) == (487, "party")
    assert (record.cancel_at or 0) - record.invite_at == pytest.approx(0.5, abs=0.2)
    phone.script = Script()
    phone.forget_calls()
    plan = Script("caller", presses=((0.1, "7"),), talk_seconds=0.6)
    call = world.trunk.call("+442079460000", "+447700900124", script=plan)
    incoming = await phone.incoming(5)
    record = await call.until_over(5)
    assert (incoming.digits, record.ended_by) == ("7", "party")
    assert record.talk_seconds == pytest.approx(0.6, abs=0.2)


async def test_a_party_that_vanishes_is_silent_for_good(switch: Switch, world: FarEnd) -> None:
    call = world.phones.add("1001", "secret").dial(stays(4))
    customer = await world.trunk.until_called(stays(4), 5)
    await call.until_hears(stays(4), 5)
    customer.vanish()
    received = world.trunk.agent.counts["received"]
    call.hangup()
    await until(lambda: world.trunk.agent.counts["received"] >= received + 2, 5, "BYE and its repeat")
    assert (customer.record.ended_by, customer.record.end_reason) == ("party", "vanished")
    assert customer.record.bye_at is None


async def test_a_phone_transfers_a_customer_blind(switch: Switch, world: FarEnd) -> None:
    call = world.phones.add("1001", "secret").dial(stays(5))
    customer = await world.trunk.until_called(stays(5), 5)
    await customer.until_hears("1001", 5)
    assert await call.refer("echo") == 202
    await call.until(lambda: 200 in call.refer_codes, 5, "NOTIFY of success")
    await customer.until_hears(stays(5), 5)
    assert (await call.until_over(5)).ended_by == "party"
    customer.hangup()


async def test_a_person_says_a_word_before_the_tones_start(switch: Switch, world: FarEnd) -> None:
    world.trunk.script(stays(6), Script(voice=Voice.HELLO, greeting_seconds=0.4))
    call = world.phones.add("1001", "secret").dial(stays(6))
    await call.until_hears(stays(6), 6)
    call.hangup()
    heard = list(dict.fromkeys(name for x in call.record.heard for name in x.heard))
    assert heard == [NOTHING, SILENCE, OTHER, stays(6)]
    assert call.record.heard[-2].heard == {SILENCE}
    assert call.record.heard[-2].seconds == pytest.approx(2.0, abs=0.1)


async def test_every_call_of_a_run_is_in_the_record_file(switch: Switch, world: FarEnd) -> None:
    from tests.lab.farend import read_log

    phone = world.phones.add("1001", "secret")
    numbers = [talks(0.1, n, ring=0.0) for n in range(5)]
    for number in numbers:
        await phone.dial(number).until_over(5)
    await until(lambda: not world.log.live(), 5, "all calls are over")
    path = world.log.path
    assert path is not None
    await until(lambda: len(read_log(path)) == 10, 5, "ten lines")
    rows = {(row.id, row.side) for row in read_log(path)}
    assert rows == {(call.id, call.side) for call in world.log.calls}
    assert [row.party for row in read_log(path) if row.side is Side.CUSTOMER] == numbers
    assert all(row.ack_at and row.bye_at and row.heard for row in read_log(path))
