"""A centre with two carriers, told apart at the far end by their codecs, of which one has caps."""

from __future__ import annotations

import json
from typing import Any

from tests.asterisk.callers import Callers
from tests.lab.centre import Centre
from tests.lab.farend.record import CallRecord, Direction, Side

PATIENCE = 15.0
RATE = 2


class TwoCarriers(Centre):
    """A centre whose agents and campaigns use one trunk, with a second one that only a campaign may use."""

    def _toml(self) -> str:
        second = {"host": self.trunk_at, "codecs": ["ulaw"], "max_cps": float(RATE)}
        lines = [f"{key} = {json.dumps(value)}" for key, value in second.items()]
        return super()._toml() + "\n".join(("[trunk.spare]", *lines)) + "\n"


def carried(callers: Callers) -> list[CallRecord]:
    """Every call that the capped carrier got from us."""
    return [call for call in callers.far.log.select(Side.CUSTOMER, Direction.IN) if call.codec != "PCMU"]


async def trunk(callers: Callers) -> dict[str, Any]:
    """The capped one, as `trunk show` has it."""
    shown: dict[str, Any] = await callers.floor.cli("trunk", "show", "main")
    return shown


async def refused(callers: Callers, ext: str, number: str) -> None:
    """An agent who dials hears a sentence, then his phone says that there is no way; nothing is sent."""
    before, call = len(carried(callers)), callers.far.phones[ext].dial(number)
    await call.until_over(PATIENCE)
    assert call.record.final_code == 503, call.story()
    assert call.record.ended_at - call.record.invite_at > 1.0, call.story()
    assert len(carried(callers)) == before, [(record.party, record.codec) for record in carried(callers)]
    await callers.floor.until_state(ext, "idle", PATIENCE)


async def reasons(callers: Callers, campaign: str) -> dict[str, str]:
    """Why a campaign does not call, by rule."""
    found = (await callers.floor.cli("why", "campaign", campaign))["reasons"]
    return {reason["rule"]: reason["detail"] for reason in found}
