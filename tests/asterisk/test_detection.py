"""Machine detection on the real Asterisk, judged by what the far end heard and when."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.asterisk.floor import Floor
from tests.asterisk.test_law import SPEAKER
from tests.lab.centre import Centre
from tests.lab.farend.hearing import OTHER
from tests.lab.farend.numbers import Behaviour, number_for
from tests.lab.until import until

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

BOUND_SECONDS = 1.7
"""By then the settings' defaults have found out who answered."""
CONNECT_SECONDS = 0.3  # and so much later the customer hears an agent who is on the line
MESSAGE_SECONDS = 5.0  # what SPEAKER makes


def person(serial: int, tenths: int = 6) -> str:
    """Says a word of so many tenths of a second after 0.3 s, and waits."""
    return number_for(Behaviour.PERSON, serial, two=tenths)


def machine(serial: int, tenths: int = 0) -> str:
    """A greeting of so many tenths of a second (0: 5 s), and a beep of 0.4 s."""
    return number_for(Behaviour.MACHINE, serial, two=tenths)


@pytest.fixture(scope="module")
def speaker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    script: Path = tmp_path_factory.mktemp("speech") / "speaker.py"
    script.write_text(SPEAKER)
    return script


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def centre(speaker: Path) -> AsyncIterator[Centre]:
    settings = {"speech": {"command": f"{sys.executable} {speaker} {{file}} {{text}}"}, "amd": {"sample_share": 0.0}}
    async with Centre("amd", settings=settings) as made:
        await made.serve.start()
        yield made
        assert not made.far.faults


@pytest.fixture(scope="module")
def floor(centre: Centre) -> Floor:
    return Floor(centre)


async def nothing_left(floor: Floor, team: str) -> None:
    """Neither an ear nor a customer's channel lives, and the agents are free."""

    async def over() -> bool:
        return all("trunk" not in name and "Snoop" not in name for name in await floor.centre.switch.channels())

    await until(over, 5.0, "every channel of a customer to end")
    agents = [agent for agent in await floor.cli("agent", "list") if agent["team"] == team]
    assert {agent["state"] for agent in agents} <= {"idle"}


@pytest.mark.parametrize("tenths", [3, 6, 8, None], ids=["hi", "hello", "hello, Ann Ash", "no sound at all"])
async def test_a_person_hears_an_agent_within_the_bound(floor: Floor, tenths: int | None):
    team = f"person{tenths or 0}"
    ext = f"20{tenths or 0:02d}"
    phone = await floor.agent(ext, team=team, online=False)
    line = phone.dial("*48")
    await line.until_answered(2.0)
    await floor.until_state(ext, "idle")
    number = number_for(Behaviour.MUTE, 1) if tenths is None else person(1, tenths)
    await floor.campaign(team, number, amd="on")
    customer = await floor.called(number)
    await customer.until_hears(ext, 5.0)
    waited = customer.heard().first_heard_at(ext) - customer.record.answered_at
    print(f"a person of {tenths or 0} tenths waited {waited:.3f} s")
    assert waited <= BOUND_SECONDS + CONNECT_SECONDS
    if tenths in (3, 6):
        assert waited <= 0.3 + tenths / 10 + 0.5 + CONNECT_SECONDS, "a word and half a second of silence are enough"
    customer.hangup()
    record = await floor.record(team, number)
    assert record["disposition"] == "connected"
    await floor.until_state(ext, "idle")
    [told] = [row for row in await floor.cli("report", "amd", "--campaign", team) if row["judged"]]
    assert (told["machines"], told["handled_by_agents"]) == (0, 1)
    assert told["person_delay_max_seconds"] <= BOUND_SECONDS + 0.1
    line.hangup()
    await floor.until_state(ext, "offline")


async def test_a_machine_is_hung_up_on_before_an_agent_is_rung(floor: Floor):
    phone = await floor.agent("2101", team="machines")
    numbers = [machine(10), machine(11, 30)]
    await floor.campaign("machines", *numbers, amd="on", max_attempts="0")
    for number in numbers:
        customer = await floor.called(number, 10.0)
        await customer.until_over(5.0)
        assert customer.record.ended_by == "switch"
        assert customer.record.ended_at - customer.record.answered_at <= BOUND_SECONDS + CONNECT_SECONDS
        record = await floor.record("machines", number)
        assert (record["disposition"], record["call_state"]) == ("machine", "ANSWERING_MACHINE_A")
    assert floor.rung(phone) == []
    leads = await floor.cli("lead", "list", "machines")
    assert {(lead["state"], lead["disposition"]) for lead in leads} == {("due", "machine")}
    shown = await floor.cli("campaign", "show", "machines")
    assert (shown["connected"], shown["dropped"]) == (0, 0)
    await nothing_left(floor, "machines")
    await floor.cli("campaign", "stop", "machines")


async def test_a_message_is_left_after_the_beep(floor: Floor):
    await floor.agent("2102", team="message")
    number = machine(20, 30)
    keys = {"amd": "on", "amd_action": "message", "amd_message": "Please call us back."}
    await floor.campaign("message", number, **keys)
    customer = await floor.called(number, 10.0)
    await customer.until_over(20.0)
    beep_over = customer.record.answered_at + 3.0 + 0.4
    heard = [x for x in customer.heard().heard if OTHER in x.heard]
    begun = heard[0].start_at - beep_over
    print(f"the message began {begun:.3f} s after the beep")
    assert 1.8 <= begun <= 2.5
    assert heard[-1].end_at - heard[0].start_at == pytest.approx(MESSAGE_SECONDS, abs=0.3)
    record = await floor.record("message", number)
    assert record["disposition"] == "machine"
    assert record["timeline"][-1]["label"] == "message left"
    [lead] = await floor.cli("lead", "list", "message")
    assert lead["state"] == "done"
    await nothing_left(floor, "message")


async def test_thirty_at_once_are_told_apart_within_the_bound(floor: Floor):
    for ext in ("2111", "2112", "2113"):
        await floor.agent(ext, team="crowd")
    people, machines = [person(60 + n) for n in range(15)], [machine(60 + n) for n in range(15)]
    await floor.cli("campaign", "add", "crowd", "--mode", "power", "--team", "crowd", "--multiplier", "10")
    await floor.cli("campaign", "set", "crowd", "hours=00:00-24:00", "amd=on", "max_attempts=1")
    for number in (*people, *machines):
        await floor.cli("lead", "add", "crowd", number)
    await floor.cli("campaign", "start", "crowd")
    told: dict[str, float] = {}

    async def all_judged() -> bool:
        for call in floor.far.trunk.agent.live_calls():
            if call.hears() & {"2111", "2112", "2113"}:
                call.hangup()
        [row] = await floor.cli("report", "amd", "--campaign", "crowd")
        told.update(row)
        return bool(row["judged"] == 30)

    await until(all_judged, 40.0, "thirty verdicts")
    print(f"delays of persons: {told['person_delay_p50_seconds']} {told['person_delay_max_seconds']}")
    calls = await floor.cli("call", "list", "--campaign", "crowd", "--limit", "100")
    judged_machines = {call["caller_number"] for call in calls if call["disposition"] == "machine"}
    assert judged_machines <= set(machines), "a person was taken for a machine"
    assert judged_machines, "on a busy computer their greetings come late, and some are in doubt"
    assert told["person_delay_max_seconds"] <= BOUND_SECONDS + 0.1
    await floor.cli("campaign", "stop", "crowd")
    await nothing_left(floor, "crowd")


async def test_without_a_message_nothing_is_dialled_and_that_is_told(floor: Floor):
    await floor.agent("2103", team="wordless")
    await floor.campaign("wordless", machine(30), amd="on", amd_action="message")

    async def told() -> bool:
        return "amd_message must be set" in str(await floor.cli("why", "campaign", "wordless"))

    await until(told, 3.0, "the reason")
    assert floor.far.log.attempts(machine(30)) == []
    await floor.cli("campaign", "stop", "wordless")


async def test_a_customer_who_hangs_up_while_he_is_listened_to_leaves_nothing_behind(floor: Floor):
    phone = await floor.agent("2104", team="gone")
    number = number_for(Behaviour.TALKS_TENTHS, 40, two=5)
    await floor.campaign("gone", number, amd="on")
    customer = await floor.called(number)
    await customer.until_over(5.0)
    record = await floor.record("gone", number)
    assert (record["disposition"], record["hung_up_by"]) == ("technical_error", "caller")
    assert floor.rung(phone) == []
    await nothing_left(floor, "gone")


@pytest.mark.parametrize("answerer", ["person", "machine that is told a message"])
async def test_kill_9_while_it_is_listened_to_who_answered_is_settled(floor: Floor, answerer: str):
    team, ext = ("killp", "2105") if answerer == "person" else ("killm", "2106")
    await floor.agent(ext, team=team)
    number = person(50, 99) if answerer == "person" else machine(50, 20)
    keys = {"amd": "on", "amd_action": "message", "amd_message": "Please call us back."}
    await floor.campaign(team, number, **keys)
    customer = await floor.called(number, 10.0)
    await customer.until_answered(5.0)
    if answerer == "person":
        snoop = "Snoop"

        async def listened() -> bool:
            return any(snoop in name for name in await floor.centre.switch.channels())

        await until(listened, 1.4, "somebody to listen")
    else:
        await customer.until_hears(OTHER, 10.0)
    floor.centre.serve.kill()
    await floor.centre.serve.ended()
    await floor.centre.serve.start()
    if answerer == "person":
        await customer.until_hears(ext, 10.0)
        customer.hangup()
    await customer.until_over(10.0)
    record = await floor.record(team, number)
    assert record["disposition"] == ("connected" if answerer == "person" else "machine")
    assert len(floor.far.log.attempts(number)) == 1
    await floor.until_state(ext, "idle")
    await nothing_left(floor, team)
