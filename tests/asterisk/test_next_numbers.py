"""The second number of a lead rings when nobody has the first, on the real Asterisk."""

from __future__ import annotations

import pytest

from tests.asterisk.floor import Floor
from tests.lab.centre import Centre
from tests.lab.farend.numbers import refuses, talks

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

PATIENCE = 10.0
NOBODYS, HIS = refuses(404, 970), talks(2.0, 970)


async def test_the_second_number_is_invited_as_soon_as_the_first_is_known_not_to_exist(centre: Centre):
    floor = Floor(centre)
    await floor.agent("2911", team="turn")
    await floor.campaign("turn", max_attempts="0")
    lead = await floor.cli("lead", "add", "turn", NOBODYS, f"phone2={HIS}")
    customer = await floor.called(HIS, PATIENCE)
    [refused] = floor.far.log.attempts(NOBODYS)
    assert refused.invite_at < customer.record.invite_at < refused.invite_at + 2.0
    await customer.until_hears("2911", PATIENCE)
    await customer.until_over(PATIENCE)
    assert (await floor.record("turn", HIS))["lead_id"] == lead["id"]
    shown = await floor.cli("lead", "show", str(lead["id"]))
    assert [(dial["number"], dial["outcome"]) for dial in shown["history"]] == [
        (NOBODYS, "invalid_number"),
        (HIS, "connected"),
    ]
    assert [one["left_out"] for one in shown["numbers"]] == ["the number does not exist", None]
