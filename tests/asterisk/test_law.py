"""The law on the real Asterisk, judged by what the far end's trunk received and when."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from contact_center.law.places import LeadFacts, place_key
from contact_center.law.windows import is_open
from tests.asterisk.floor import SHOWN, Floor
from tests.lab.centre import Centre, CommandFailed
from tests.lab.farend.hearing import OTHER
from tests.lab.farend.numbers import ABROAD, Behaviour, number_for, stays
from tests.lab.until import until

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

CANCEL_SECONDS = 1.0  # after the listing of a number a phone that rings is silent


SPEAKER = """
import array, random, sys, wave
noise = random.Random(1)
with wave.open(sys.argv[1], "wb") as out:
    out.setnchannels(1); out.setsampwidth(2); out.setframerate(8000)
    out.writeframes(array.array("h", [noise.randint(-9000, 9000) for n in range(40000)]).tobytes())
"""
"""Five seconds of something that is nobody's voice."""
LAW = {"profile": "uk_ofcom", "seller": "Acme", "caller_id": "+442079460000", "hours": "00:00-24:00"}


@pytest.fixture(scope="module")
def speaker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    script: Path = tmp_path_factory.mktemp("speech") / "speaker.py"
    script.write_text(SPEAKER)
    return script


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def centre(speaker: Path) -> AsyncIterator[Centre]:
    command = f"{sys.executable} {speaker} {{file}} {{text}}"
    async with Centre("law", settings={"speech": {"command": command}}) as made:
        await made.serve.start()
        yield made


@pytest.fixture(scope="module")
def floor(centre: Centre) -> Floor:
    return Floor(centre)


@pytest.mark.parametrize("campaign_only", [False, True], ids=["company", "campaign"])
async def test_a_ringing_call_is_cancelled_within_a_second_of_its_listing(floor: Floor, campaign_only: bool):
    team = f"dnc{campaign_only:d}"
    await floor.agent(f"14{campaign_only:d}1", team=team)
    number = number_for(Behaviour.NEVER_ANSWERS, 700 + campaign_only)
    await floor.campaign(team, number)
    customer = await floor.called(number)
    await floor.cli("dnc", "add", number, *(("--campaign", team) if campaign_only else ()))
    listed_at = floor.far.clock.now()
    await customer.until_over(3.0)
    assert customer.record.ended_at - listed_at < CANCEL_SECONDS
    [lead] = await floor.cli("lead", "list", team)
    await until(lambda: len(floor.far.log.attempts(number)) == 1, 1.0, "one call")

    async def is_told_why() -> bool:  # its attempt is stored as ended a moment after the call
        why = await floor.cli("why", "lead", str(lead["id"]))
        return "dnc" in {reason["rule"] for reason in why["reasons"]}

    await until(is_told_why, SHOWN, "`why` to name the list")


async def test_a_person_for_whom_nobody_is_free_hears_in_two_seconds_who_called_and_may_opt_out(floor: Floor):
    phone = await floor.agent("1441", team="silent")
    numbers = [stays(7000 + n) for n in range(4)]
    await floor.cli("campaign", "add", "silent", "--mode", "power", "--team", "silent", "--multiplier", "4")
    await floor.cli("campaign", "set", "silent", *(f"{key}={value}" for key, value in LAW.items()))
    for number in numbers:
        await floor.cli("lead", "add", "silent", number)
    await floor.cli("campaign", "start", "silent")
    everybody = [await floor.called(number) for number in numbers]
    for call in everybody:
        await call.until(lambda call=call: bool(call.hears() & {OTHER, phone.name}), 4.0, "agent or message")
    calls = [call for call in everybody if phone.name not in call.heard().parties_heard()]
    assert len(calls) == 3, "one of them talks to the agent"
    calls[0].press("9")
    for call in calls:
        await call.until_over(15.0)
    for call in calls:
        answered_at = call.record.answered_at
        heard = [x.start_at for x in call.heard().heard if OTHER in x.heard and x.start_at > answered_at + 1.5]
        assert heard[0] - answered_at <= 2.0
    assert calls[0].record.ended_at - calls[0].record.answered_at < 4.0
    assert all(call.record.ended_at - call.record.answered_at > 6.5 for call in calls[1:])
    keyed, patient = (call.record.party for call in calls[:2])
    record = await floor.record("silent", patient)
    assert [span["kind"] for span in record["timeline"]] == ["queue", "queue_callback", "menu"]
    assert record["timeline"][2]["label"] == "silent call message"
    assert record["disposition"] == "no_free_operators"
    file = floor.centre.base / "evidence.jsonl"
    await floor.cli("report", "evidence", str(file), "--campaign", "silent")
    assert file.read_text().count('"rules_version_then":"uk_ofcom') == 3, "the talk goes on"
    listed = await floor.cli("dnc", "list")
    assert keyed in str(listed)
    leads = {lead["number"]: lead for lead in await floor.cli("lead", "list", "silent")}
    assert leads[keyed]["state"] == "dnc"
    assert leads[patient]["state"] == "due"
    shown = await floor.cli("campaign", "show", "silent")
    assert shown["dropped"] == 3
    await floor.cli("campaign", "stop", "silent")
    phone.hangup()


@pytest.mark.parametrize("clock", ["greeting_end", "answer"])
async def test_under_us_law_the_message_may_be_heard_two_seconds_after_the_end_of_the_greeting(
    floor: Floor, clock: str
):
    """Two persons say 1.5 s of words, 0.3 s after their answer, and are silent for 2 s; an agent is there for one."""
    team, begun, ended = f"greeting{clock[0]}", 0.3, 1.8
    soon = datetime.now(UTC) + timedelta(minutes=1)
    where = [(prefix, place_key(LeadFacts(f"{prefix}1500"), site_zone="UTC")) for prefix in ABROAD]
    prefix = next(prefix for prefix, key in where if is_open(key, "00:00-24:00", "us_tsr", soon))
    numbers = [f"{prefix}15{len(clock):02d}", f"{prefix}15{len(clock) + 50:02d}"]
    phone = await floor.agent(f"145{len(clock) % 10}", team=team, online=False)
    line = phone.dial("*48")
    await line.until_answered(2.0)
    await floor.until_state(phone.name, "idle")
    law = {**LAW, "profile": "us_tsr", "message_clock": clock, "multiplier": "2"}
    await floor.campaign(team, *numbers, **law)
    both = [await floor.called(number) for number in numbers]
    for call in both:
        await call.until(lambda call=call: bool(call.hears() & {OTHER, phone.name}), 6.0, "agent or message")
    [customer] = [call for call in both if phone.name not in call.heard().parties_heard()]
    await customer.until_over(15.0)
    answered_at = customer.record.answered_at
    heard = [x.start_at - answered_at for x in customer.heard().heard if OTHER in x.heard]
    print(
        f"{clock}: the message is heard {heard[0]:.3f} s after the answer, {heard[0] - ended:.3f} s after the greeting"
    )
    if clock == "answer":
        assert begun < heard[0] <= 2.0
    else:
        assert ended + 1.5 <= heard[0] <= ended + 2.0
    record = await floor.record(team, customer.record.party)
    assert record["disposition"] == "no_free_operators"
    assert record.get("greeting_seconds") == (None if clock == "answer" else pytest.approx(ended, abs=0.25))
    line.hangup()
    await floor.cli("campaign", "stop", team)


async def test_a_campaign_under_a_law_does_not_start_without_words(floor: Floor):
    await floor.cli("campaign", "add", "mute", "--mode", "power", "--team", "mute")
    await floor.cli("campaign", "set", "mute", "profile=us_tsr")
    with pytest.raises(CommandFailed, match=r"set seller=\.\.\. and caller_id=\.\.\., or silent_message"):
        await floor.cli("campaign", "start", "mute")
