"""Hundreds of people who answer when nobody is free: each hears within two seconds who called."""

from __future__ import annotations

import sys

from tests.lab.centre import Centre
from tests.lab.farend.hearing import OTHER
from tests.lab.farend.numbers import stays
from tests.lab.farend.record import CallRecord
from tests.lab.until import until
from tests.prove.proof import Figure, Proof, Round
from tests.prove.scene import TEAM, customers, left_over, stand

AGENTS, TIMES, LEADS = 4, 10, 40
BOUND_SECONDS = 2.0
PATIENCE_SECONDS = 30.0
RINGS = (2.0, 3.0)  # all are dialled before the first one answers and takes an agent
LAW = {"profile": "uk_ofcom", "seller": "Acme", "caller_id": "+442079460000"}
SPEAKER = """
import array, random, sys, wave
noise = random.Random(1)
with wave.open(sys.argv[1], "wb") as out:
    out.setnchannels(1); out.setsampwidth(2); out.setframerate(8000)
    out.writeframes(array.array("h", [noise.randint(-9000, 9000) for n in range(24000)]).tobytes())
"""
"""Three seconds of something that is nobody's voice."""


class SilentCentre(Centre):
    """With a voice of its own; its trunk takes forty calls a second."""

    def __init__(self) -> None:
        super().__init__("silent", settings={"trunk.main": {"max_cps": 40.0}})
        script = self.base / "speaker.py"
        script.write_text(SPEAKER)
        self._extra["speech"] = {"command": f"{sys.executable} {script} {{file}} {{text}}"}


async def silent_round(centre: Centre, number: int, *, agents: int = AGENTS, leads: int = LEADS) -> Round:
    """Ten times as many people answer as there are agents, in a campaign of its own: it stops at its limit."""
    books = await stand(centre, agents)
    campaign = f"silent-{number}"
    numbers = [stays(leads * number + n, ring=RINGS[n % len(RINGS)]) for n in range(leads)]
    keys = {"multiplier": str(TIMES), "max_attempts": "1", "ring_seconds": "15", "wrap_up_seconds": "0", **LAW}
    await centre.add_campaign(campaign, numbers, team=TEAM, **keys)
    await centre.cli("campaign", "start", campaign)
    names = {phone.name for phone in centre.far.phones}
    await until(lambda: len(served(centre, numbers, names)) == agents, PATIENCE_SECONDS, "every agent to talk")
    await until(lambda: not waiting(centre, numbers, names), PATIENCE_SECONDS, "everybody else to be let go")
    await centre.cli("campaign", "stop", campaign)
    for call in centre.far.trunk.agent.live_calls():
        call.hangup()
    failures = await left_over(centre, books)
    books.close()
    answered = [call for call in customers(centre, numbers) if call.answered]
    alone = [call for call in answered if not call.parties_heard() & names]
    told = [heard_after(call, OTHER) for call in alone]
    with_agent = [min(heard_after(c, name) for name in c.parties_heard() & names) for c in answered if c not in alone]
    failures += [f"{c.party}: {_late(after)}" for c, after in zip(alone, told, strict=True) if after > BOUND_SECONDS]
    figures: dict[str, Figure] = {
        "answered": len(answered), "answered and nobody free": len(alone),
        "heard the message in time": sum(1 for after in told if after <= BOUND_SECONDS),
        "seconds from the answer to the message": [after for after in told if after < float("inf")],
        "seconds from the answer to an agent's voice": with_agent,
    }  # fmt: skip
    return Round(figures, failures)


def served(centre: Centre, numbers: list[str], names: set[str]) -> list[str]:
    """Who hears an agent now."""
    wanted = set(numbers)
    live = centre.far.trunk.agent.live_calls()
    return [call.record.party for call in live if call.record.party in wanted and call.hears() & names]


def waiting(centre: Centre, numbers: list[str], names: set[str]) -> list[str]:
    """Who is on the line and hears no agent."""
    talking = set(served(centre, numbers, names))
    live = {call.record.party for call in centre.far.trunk.agent.live_calls()}
    return sorted(live & set(numbers) - talking)


def heard_after(call: CallRecord, what: str) -> float:
    """Seconds from the answer until this was heard first; infinity when it never was."""
    since = call.answered_at or 0.0
    return min((x.start_at - since for x in call.heard_of(what) if x.end_at > since), default=float("inf"))


def _late(after: float) -> str:
    return "never heard the message" if after == float("inf") else f"heard the message {after:.3f} s after the answer"


PROOFS: list[Proof] = [
    Proof(
        "silent_message",
        "Hundreds of people answer when no agent is free, under UK law: every one hears the message within 2.0 s of "
        "the answer.",
        10,
        silent_round,
        SilentCentre,
    ),
]
