"""A supervisor's ear on the real Asterisk, judged by what each of the three hears."""

from __future__ import annotations

import pytest

from tests.asterisk.floor import Floor
from tests.lab.centre import Centre, CommandFailed
from tests.lab.farend.numbers import stays
from tests.lab.until import until

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture(scope="module")
def floor(centre: Centre) -> Floor:
    return Floor(centre)


@pytest.mark.parametrize("connect", ["on_demand", "persistent"])
@pytest.mark.parametrize(
    ("ear", "agent_hears_him", "customer_hears_him"),
    [("listen", False, False), ("whisper", True, False), ("barge", True, True)],
)
async def test_a_supervisor_hears_both_and_is_heard_as_he_wants(
    floor: Floor, ear: str, agent_hears_him: bool, customer_hears_him: bool, connect: str
):
    serial = ("listen", "whisper", "barge").index(ear) + 3 * (connect == "persistent")
    team, agent_ext, chief_ext = f"ear{serial}", f"16{serial}1", f"16{serial}2"
    phone = await floor.agent(agent_ext, team=team, online=connect == "on_demand")
    if connect == "persistent":
        line = phone.dial("*48")
        await line.until_answered(2.0)
        await floor.until_state(agent_ext, "idle")
    chief = await floor.agent(chief_ext, team=f"{team}-chief", online=False)
    number = stays(8100 + serial)
    await floor.campaign(team, number)
    customer = await floor.called(number)
    await customer.until_hears(agent_ext, 4.0)
    [call] = await floor.cli("call", "list", "--campaign", team)
    await floor.cli("call", "listen", call["id"], "--on", chief_ext, "--as", ear)
    await until(lambda: bool(chief.calls), 3.0, "the supervisor's phone to ring")
    own = chief.calls[-1]
    if not own.record.answered_at:
        own.answer()
    both = {agent_ext, number}
    await own.until(lambda: both <= own.heard().parties_heard(), 5.0, "both to be heard")
    agents_call = line if connect == "persistent" else phone.calls[-1]
    if agent_hears_him:
        await agents_call.until_hears(chief_ext, 3.0)
    if customer_hears_him:
        await customer.until_hears(chief_ext, 3.0)
    own.hangup()
    await customer.until(lambda: chief_ext not in customer.hears() and agent_ext in customer.hears(), 3.0, "the talk")
    assert (chief_ext in agents_call.heard().parties_heard()) is agent_hears_him
    assert (chief_ext in customer.heard().parties_heard()) is customer_hears_him
    customer.hangup()
    await floor.until_state(agent_ext, "idle")
    if connect == "persistent":
        line.hangup()
        await floor.until_state(agent_ext, "offline")
    await until(lambda: _over(floor, team), 3.0, "the record")
    with pytest.raises(CommandFailed, match="is over"):
        await floor.cli("call", "listen", call["id"], "--on", chief_ext)


async def _over(floor: Floor, team: str) -> bool:
    [call] = await floor.cli("call", "list", "--campaign", team)
    return bool(call["ended_at"])
