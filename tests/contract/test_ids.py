"""What Asterisk takes for one id: the fake and the real one alike."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ari_app.errors import Refused
from tests.contract.conftest import Body
from tests.contract.worlds import World

Run = Callable[[Body], None]


def test_an_id_with_which_that_of_a_living_channel_begins_is_refused(run: Run) -> None:
    """Asterisk compares only as many characters as the new id has: no id of ours may be the beginning of another."""

    async def body(world: World) -> None:
        async with world.ari.dial("PJSIP/answer@trunk", channel_id="cb-2abc", ring_seconds=5):
            with pytest.raises(Refused) as caught:
                await world.ari.channel("cb-2").originate("PJSIP/answer@trunk", ring_seconds=5)
            assert caught.value.status == 409
            async with world.ari.dial("PJSIP/answer@trunk", channel_id="cb-2abcd", ring_seconds=5) as longer:
                assert longer.answered.happened

    run(body)
