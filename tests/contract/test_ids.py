"""What Asterisk takes for one id: the fake and the real one alike."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ari_app.errors import Refused
from ari_app.leg_ids import LegIds
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


def test_the_first_leg_of_a_process_is_placed_while_the_twelfth_of_the_one_before_is_up(run: Run) -> None:
    """Legs are counted anew by each process: were that all, ``-a1`` would be refused while ``-a12`` is up."""

    async def body(world: World) -> None:
        before, now = LegIds(), LegIds()
        of = "cw-call-1"
        twelfth = [before.next(of) for _ in range(12)][-1]
        async with world.ari.dial("PJSIP/answer@trunk", channel_id=twelfth, ring_seconds=5):
            async with world.ari.dial("PJSIP/answer@trunk", channel_id=now.next(of), ring_seconds=5) as first:
                assert first.answered.happened
            with pytest.raises(Refused):
                await world.ari.channel(twelfth[:-1]).originate("PJSIP/answer@trunk", ring_seconds=5)

    run(body)


def test_no_leg_of_a_process_is_the_beginning_of_one_it_dialled_before() -> None:
    legs = LegIds()
    made = [legs.next("cw-call-1", kind) for _ in range(120) for kind in ("a", "o")]
    for n, new in enumerate(made):
        assert not [old for old in made[:n] if old.startswith(new)]
