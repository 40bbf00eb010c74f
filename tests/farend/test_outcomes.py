from __future__ import annotations

import pytest

from tests.lab.farend import Behaviour, CallRecord, FarEnd, number_for, refuses, talks
from tests.lab.switch import Switch
from tests.lab.until import until

pytestmark = pytest.mark.asterisk


async def attempt(switch: Switch, number: str) -> tuple[str, int, str]:
    """Let Asterisk dial `number` for 1 s; (DIALSTATUS, cause, what SIP said) when it is done."""
    await switch.cli(f"channel originate Local/{number}@try/n application Wait 20")

    async def outcome() -> str:
        said = await switch.cli(f"database get outcome {number}")
        return said.partition("Value: ")[2].strip()

    status, cause, sip = (await until(outcome, 8, f"the outcome of {number}")).split("/", 2)
    return status, int(cause or 0), sip


async def ended(world: FarEnd, number: str) -> CallRecord:
    call = await world.trunk.until_called(number, 5)
    return await call.until_over(5)


@pytest.mark.parametrize(
    ("code", "status", "cause"),
    [
        (486, "BUSY", 17),
        (600, "BUSY", 17),
        (480, "NOANSWER", 19),
        (503, "CONGESTION", 34),
        (404, "CHANUNAVAIL", 1),
        (484, None, 28),
        (410, None, 22),
        (488, None, 58),
        (500, None, 38),
        (408, None, 18),
        (603, None, 21),
        (403, None, 21),
    ],
)
async def test_a_refusal_reaches_asterisk_with_its_cause(
    switch: Switch, world: FarEnd, code: int, status: str | None, cause: int
) -> None:
    number = refuses(code, serial=code)
    seen_status, seen_cause, sip = await attempt(switch, number)
    assert (seen_cause, sip.split()[:2]) == (cause, ["SIP", str(code)])
    assert status in (None, seen_status)
    record = await ended(world, number)
    assert (record.final_code, record.ended_by, record.answered) == (code, "party", False)
    assert record.invite_at < (record.ringing_at or 0) < (record.ended_at or 0) <= (record.ack_at or 0)


@pytest.mark.parametrize("behaviour", [Behaviour.NEVER_ANSWERS, Behaviour.EARLY_MEDIA])
async def test_a_customer_who_never_answers_is_cancelled(switch: Switch, world: FarEnd, behaviour: Behaviour) -> None:
    number = number_for(behaviour)
    status, _, _ = await attempt(switch, number)
    record = await ended(world, number)
    assert status == "NOANSWER"
    assert (record.final_code, record.ended_by) == (487, "switch")
    assert record.cancel_at == pytest.approx(record.invite_at + 1.0, abs=0.3)
    assert (record.progress_at is not None) == (behaviour is Behaviour.EARLY_MEDIA)


async def test_a_silent_trunk_answers_nothing_at_all(switch: Switch, world: FarEnd) -> None:
    number = number_for(Behaviour.SILENT_TRUNK)
    status, _, _ = await attempt(switch, number)
    assert status == "NOANSWER"
    record = world.log.attempts(number)[0]
    assert record.final_code is None
    assert record.trying_at is None
    assert record.repeats_received >= 1


async def test_a_dead_trunk_sees_no_call_and_comes_back(switch: Switch, world: FarEnd) -> None:
    world.trunk.down()
    status, _, _ = await attempt(switch, talks(0.1, 1))
    assert (status, world.log.calls) == ("NOANSWER", [])
    world.trunk.up()
    status, _, _ = await attempt(switch, talks(0.1, 2))
    assert status == "ANSWER"


@pytest.mark.parametrize("seconds", [0, 0.3])
async def test_a_customer_who_hangs_up_after_talking_ends_the_call(
    switch: Switch, world: FarEnd, seconds: float
) -> None:
    number = talks(seconds, ring=0.2)
    status, cause, _ = await attempt(switch, number)
    assert (status, cause) == ("ANSWER", 16)
    record = await ended(world, number)
    assert (record.final_code, record.ended_by) == (200, "party")
    assert record.answered_at == pytest.approx(record.invite_at + 0.2, abs=0.2)
    assert record.talk_seconds == pytest.approx(seconds, abs=0.2)
    assert (record.ack_at or 0) <= (record.bye_at or 0)


async def test_a_number_follows_its_own_scripts_attempt_by_attempt(switch: Switch, world: FarEnd) -> None:
    from tests.lab.farend import Script

    number = talks(5, serial=77)
    world.trunk.script(number, Script(code=486), Script(code=480), Script(talk_seconds=0.1))
    seen = []
    for _ in range(4):
        await switch.cli(f"database del outcome {number}")
        seen.append((await attempt(switch, number))[0])
    assert seen == ["BUSY", "NOANSWER", "ANSWER", "ANSWER"]
    assert [record.attempt for record in world.log.attempts(number)] == [1, 2, 3, 4]
