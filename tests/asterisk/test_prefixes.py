"""Campaigns and `allowed_prefixes` on the real Asterisk: two carriers, told apart at the far end by their codecs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.asterisk.floor import Floor
from tests.lab.centre import Centre
from tests.lab.farend.numbers import stays, talks
from tests.lab.farend.record import Direction, Side
from tests.lab.until import until

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

PATIENCE = 20.0
FIRST = [talks(1.0, 900 + n) for n in range(4)]
SECOND = [talks(0.7, 900 + n) for n in range(4)]
OUTSIDE = [stays(900 + n) for n in range(3)]
PREVIEWED, NOT_PREVIEWED = talks(1.0, 950), stays(950)


class TwoCarriers(Centre):
    """A centre with a second trunk, to the same far end in another codec."""

    def _toml(self) -> str:
        second = {"host": self.trunk_at, "codecs": ["ulaw"], "allowed_prefixes": [SECOND[0][:6]]}
        lines = [f"{key} = {json.dumps(value)}" for key, value in second.items()]
        return super()._toml() + "\n".join(("[trunk.second]", *lines)) + "\n"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def floor() -> AsyncIterator[Floor]:
    first = {"allowed_prefixes": [FIRST[0][:6]], "codecs": ["alaw"]}
    async with TwoCarriers("prefixes", settings={"trunk.main": first}) as made:
        await made.serve.start()
        yield Floor(made)
        assert not made.far.faults


def dialled(floor: Floor) -> dict[str, list[str]]:
    """The codecs of every call that the carriers got from us, by number."""
    found: dict[str, list[str]] = {}
    for call in floor.far.log.select(Side.CUSTOMER, Direction.IN):
        found.setdefault(call.party, []).append(call.codec or "")
    return found


async def finished(floor: Floor, name: str) -> dict:
    shown: dict = {}

    async def done() -> bool:
        shown.update(await floor.cli("campaign", "show", name))
        return shown["state"] == "finished"

    await until(done, PATIENCE, f"{name} to finish")
    return shown


async def test_each_lead_goes_by_the_carrier_of_its_prefix_and_who_is_on_no_list_never_rings(floor: Floor):
    for ext in ("2801", "2802"):
        await floor.agent(ext, team="lists")
    await floor.campaign("lists")
    numbers = [*FIRST, *OUTSIDE, *SECOND]
    file = floor.centre.base / "lists.csv"
    file.write_text("phone\n" + "\n".join(numbers) + "\n")
    result = await floor.cli("lead", "import", "lists", str(file))
    assert (result["imported"], result["not_carried"]) == (len(numbers), len(OUTSIDE))
    shown = await finished(floor, "lists")
    assert (shown["leads"]["closed"], shown["not_carried"], shown["leads"]["done"]) == (3, 3, 8)
    assert dialled(floor) == {**{number: ["PCMA"] for number in FIRST}, **{number: ["PCMU"] for number in SECOND}}
    [lead] = await floor.cli("lead", "list", "--number", OUTSIDE[0])
    assert lead["attempts"] == 0
    [reason] = (await floor.cli("why", "lead", str(lead["id"])))["reasons"]
    assert reason["rule"] == "not_carried"
    assert f"trunk.main.allowed_prefixes has only {FIRST[0][:6]}" in reason["detail"]


async def test_a_campaign_of_one_carrier_calls_only_its_prefixes_until_it_is_given_the_other(floor: Floor):
    await floor.agent("2811", team="one")
    inside, other = talks(1.0, 920), talks(0.7, 920)
    await floor.campaign("one", inside, other, trunk="main")
    shown = await finished(floor, "one")
    assert (shown["leads"]["done"], shown["not_carried"]) == (1, 1)
    assert other not in dialled(floor)
    await floor.cli("campaign", "set", "one", "trunk=main,second")
    await floor.called(other, PATIENCE)
    shown = await finished(floor, "one")
    assert (shown["leads"]["done"], shown["not_carried"]) == (2, 0)
    assert dialled(floor)[other] == ["PCMU"]


async def test_customers_see_the_number_of_their_area_and_a_changed_list_holds_for_the_next_call(floor: Floor):
    await floor.agent("2831", team="area")
    areas = [(talks(1.0, 930), "+442079460301"), (talks(0.7, 930), "+442079460302")]
    listed = ",".join(f"{number[:6]}:{shown}" for number, shown in areas)
    await floor.campaign("area", *(n for n, _ in areas), caller_id="+442079460300", caller_ids=listed)
    await finished(floor, "area")
    assert shown_to(floor, *(number for number, _ in areas)) == [shown for _, shown in areas]
    later = talks(1.0, 931), talks(0.7, 931)
    await floor.cli("campaign", "set", "area", f"caller_ids={later[0]}:+442079460303")
    for number in later:
        await floor.cli("lead", "add", "area", number)
    await floor.cli("campaign", "start", "area")
    await finished(floor, "area")
    assert shown_to(floor, *later) == ["+442079460303", "+442079460300"]


def shown_to(floor: Floor, *numbers: str) -> list[str]:
    """Whom each of these customers saw calling, as it stood in his INVITE."""
    calls = list(floor.far.log.select(Side.CUSTOMER, Direction.IN))
    return [call.from_user for number in numbers for call in calls if call.party == number]


async def test_an_agent_is_shown_only_leads_that_a_trunk_may_carry(floor: Floor):
    await floor.cli("campaign", "add", "seen", "--mode", "preview", "--team", "seen", "hours=00:00-24:00")
    for number in (PREVIEWED, NOT_PREVIEWED):
        await floor.cli("lead", "add", "seen", number)
    phone = await floor.agent("2821", team="seen")
    await floor.cli("campaign", "start", "seen")

    async def is_shown() -> bool:
        return ((await floor.show("2821")).get("preview") or {}).get("number") == PREVIEWED

    await until(is_shown, PATIENCE, "the lead to be shown")
    code = phone.dial("*49")
    await floor.called(PREVIEWED, PATIENCE)
    await code.until_over(PATIENCE)
    await finished(floor, "seen")
    assert dialled(floor)[PREVIEWED] == ["PCMA"]
    assert NOT_PREVIEWED not in dialled(floor)
