"""Preview on the real Asterisk: the lead is shown, the agent takes it by *49, CLI, or lets it pass."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.asterisk.floor import SHOWN, SOON, Floor
from tests.lab.centre import Centre
from tests.lab.farend.hearing import OTHER, RINGBACK
from tests.lab.farend.numbers import Behaviour, number_for, stays, talks
from tests.lab.farend.record import two_way_at
from tests.lab.until import until

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture(scope="module")
def floor(centre: Centre) -> Floor:
    return Floor(centre)


async def preview(floor: Floor, name: str, *numbers: str, **keys: str) -> None:
    """A preview campaign for the team of the same name; it runs."""
    await floor.cli("campaign", "add", name, "--mode", "preview", "--team", name)
    settings = {"hours": "00:00-24:00", "preview_seconds": "20s", "max_attempts": "1", **keys}
    await floor.cli("campaign", "set", name, *(f"{key}={value}" for key, value in settings.items()))
    for number in numbers:
        await floor.cli("lead", "add", name, number, "first_name=Ann")
    await floor.cli("campaign", "start", name)


async def shown(floor: Floor, ext: str, number: str) -> dict:
    """What `agent show` says of the lead that he is shown, once it is this one."""
    card: dict = {}

    async def is_shown() -> bool:
        card.update((await floor.show(ext)).get("preview") or {})
        return card.get("number") == number

    await until(is_shown, SHOWN, f"{number} to be shown to {ext}")
    return card


async def test_the_agent_takes_the_lead_by_star_49_and_the_customer_arrives_in_that_call(floor: Floor):
    phone = await floor.agent("1501", team="take")
    number = talks(2.0, 8001, ring=2.0)
    await preview(floor, "take", number)
    card = await shown(floor, "1501", number)
    assert (card["campaign"], card["fields"]) == ("take", {"first_name": "Ann"})
    assert (await floor.show("1501"))["state"] == "offered"
    assert floor.far.log.attempts(number) == []
    shown_at = datetime.fromisoformat(card["until_at"]) - timedelta(seconds=20)
    code = phone.dial("*49")
    await code.until_answered(2.0)
    customer = await floor.called(number, SOON)
    await customer.until_over(10.0)
    await code.until_over(3.0)
    assert two_way_at(customer.record, code.heard()) - customer.record.answered_at < 0.5
    words = {name for span in code.heard().heard for name in span.heard if span.end_at <= customer.record.answered_at}
    assert words & {OTHER, RINGBACK}
    assert floor.rung(phone) == [], "his phone is not rung: he is in the call already"
    record = await floor.record("take", number)
    assert [span["kind"] for span in record["timeline"]] == ["queue", "queue_callback", "conversation"]
    queue, waited, _ = record["timeline"]
    assert (queue["seconds"], datetime.fromisoformat(queue["at"])) == (0, shown_at)
    assert datetime.fromisoformat(waited["at"]) == shown_at
    answered_at = customer.record.answered_at
    assert waited["seconds"] == pytest.approx(answered_at - shown_at.timestamp(), abs=0.25)
    assert datetime.fromisoformat(record["attempts"][0]["at"]) > shown_at
    assert (record["kind"], record["agents"], record["disposition"]) == ("preview", ["Agent 1501"], "connected")
    await floor.until_state("1501", "idle")


async def test_the_agent_on_his_line_hears_the_lead_and_keys_star_49_there(floor: Floor):
    phone = await floor.agent("1502", team="linetake", online=False)
    line = phone.dial("*48")
    await line.until_answered(2.0)
    await floor.until_state("1502", "idle")
    number = talks(1.0, 8002)
    await preview(floor, "linetake", number)
    await shown(floor, "1502", number)
    line.press("*49")
    customer = await floor.called(number, 3.0)
    await customer.until_over(8.0)
    assert customer.record.parties_heard() == {"1502"}
    assert line.record.ended_at is None
    line.hangup()
    await floor.until_state("1502", "offline")


async def test_the_cli_takes_and_skips(floor: Floor):
    phone = await floor.agent("1503", team="cli")
    first, second = talks(1.0, 8003), talks(1.0, 8004)
    await preview(floor, "cli", first, second)
    await shown(floor, "1503", second)  # the newest comes first
    await floor.cli("agent", "skip", "1503")
    await shown(floor, "1503", first)
    await floor.cli("agent", "take", "1503")
    customer = await floor.called(first, SOON)
    await customer.until_over(8.0)
    assert customer.record.parties_heard() == {phone.name}
    assert floor.far.log.attempts(second) == []
    await floor.cli("campaign", "stop", "cli")


async def test_an_agent_who_hangs_up_before_the_answer_takes_his_call_back(floor: Floor):
    phone = await floor.agent("1504", team="back")
    number = number_for(Behaviour.NEVER_ANSWERS, 8005)
    await preview(floor, "back", number)
    await shown(floor, "1504", number)
    code = phone.dial("*49")
    customer = await floor.called(number, 3.0)
    code.hangup()
    await customer.until_over(2.0)
    await floor.until_state("1504", "idle")
    await floor.cli("campaign", "stop", "back")


async def test_star_49_without_a_lead_says_so_and_ends(floor: Floor):
    phone = await floor.agent("1505", team="none")
    code = phone.dial("*49")
    await code.until_over(5.0)
    assert code.record.ended_by == "switch"


async def test_modes_are_switched_while_the_campaign_runs(floor: Floor):
    await floor.agent("1506", team="switch")
    number = stays(8006)
    await preview(floor, "switch", number)
    await shown(floor, "1506", number)
    await floor.cli("campaign", "set", "switch", "mode=progressive")
    customer = await floor.called(number, 3.0)
    await customer.until(lambda: "1506" in customer.hears(), 3.0, "the agent")
    customer.hangup()
