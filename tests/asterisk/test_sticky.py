"""A lead waits for the agent who served it, on the real Asterisk (`sticky_seconds`)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.asterisk.floor import Floor
from tests.lab.centre import Centre
from tests.lab.farend.numbers import stays, talks
from tests.lab.until import until

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

PATIENCE = 10.0
PROMISED, LONG, MEANWHILE = talks(2.0, 960), stays(960), talks(1.0, 960)


async def test_who_was_promised_a_call_gets_his_own_agent_when_that_one_is_free_again(centre: Centre):
    floor = Floor(centre)
    await floor.agent("2901", team="own")
    await floor.campaign("own", PROMISED, sticky_seconds="1m", max_attempts="0")
    await (await floor.called(PROMISED, PATIENCE)).until_over(PATIENCE)
    await floor.until_state("2901", "idle")

    long = await floor.call("own", LONG, PATIENCE)
    await long.until_hears("2901", PATIENCE)
    await floor.agent("2902", team="own")
    [first] = await floor.cli("call", "list", "--campaign", "own", "--number", PROMISED)
    soon = datetime.now(UTC) + timedelta(seconds=1.5)
    await floor.cli("call", "dispose", first["id"], "later", "--callback-at", soon.isoformat())
    await until(lambda: datetime.now(UTC) > soon, PATIENCE, "the promised time")
    meanwhile = await floor.call("own", MEANWHILE, PATIENCE)
    await meanwhile.until_hears("2902", PATIENCE)
    await meanwhile.until_over(PATIENCE)
    [lead] = await floor.cli("lead", "list", "--number", PROMISED)
    rules = [reason["rule"] for reason in (await floor.cli("why", "lead", str(lead["id"])))["reasons"]]
    assert "own_agent_busy" in rules
    assert len(floor.far.log.attempts(PROMISED)) == 1

    long.hangup()
    await until(lambda: len(floor.far.log.attempts(PROMISED)) == 2, PATIENCE, "the promised call")
    again = floor.far.trunk.calls_to(PROMISED)[-1]
    await again.until_hears("2901", PATIENCE)
    floor.far.hang_up_all()
