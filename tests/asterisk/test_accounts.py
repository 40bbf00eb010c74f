"""Accounts that are made again while phones are registered."""

from __future__ import annotations

import pytest

from tests.asterisk.floor import Floor
from tests.lab.centre import Centre
from tests.lab.until import until

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]


async def test_a_phone_that_leaves_after_its_account_was_made_again_is_gone(centre: Centre):
    """Asterisk takes a PUT of an address of record for a wish to keep its present contact for ever."""
    [phone] = await centre.add_agents(1, first=3901, online=True)
    await centre.cli("agent", "set", "3901", "name=Somebody Else")
    await centre.serve.stop()
    await centre.serve.start()
    await centre.obeyed()
    await phone.unregister()
    assert "3901/sip" not in await centre.switch.cli("pjsip show contacts")
    await Floor(centre).until_state("3901", "unreachable")
    await phone.register()
    await until(lambda: phone.is_registered, 5.0, "the phone to be back")
    await Floor(centre).until_state("3901", "idle")
