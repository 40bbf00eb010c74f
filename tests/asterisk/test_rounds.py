"""A short round of a proof (`make prove ONLY=hang_ups`): calls of all kinds are ended at any instant."""

from __future__ import annotations

import pytest

from tests.prove import hang_ups

pytestmark = pytest.mark.asterisk


async def test_hang_ups_at_random_instants_leave_nothing_behind_and_one_record_each() -> None:
    [proof] = hang_ups.PROOFS
    assert proof.centre is not None
    async with proof.centre() as centre:
        done = await hang_ups.hang_ups_round(centre, 0, hang_ups=len(hang_ups.STORIES), lanes=4)
        assert done.failures == []
        assert done.figures["hang-ups"] == len(hang_ups.STORIES)
