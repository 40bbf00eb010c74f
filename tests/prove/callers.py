"""Callers in numbers: ten minutes of load, and a crowd that comes at once. The far end is a process of its own."""

from __future__ import annotations

from tests.bench.callers import CROWD, LOAD, Callers, CallersArm, CallersRun
from tests.bench.place import Place
from tests.prove.proof import Figure, Proof, Round

MUSIC_P99_MS, OFFER_P99_MS, APP_MS = 300.0, 500.0, 3.0
SHOWN = ("sound_ms", "offer_ms", "freed_ms", "invite_ms", "talk_ms")


def figures(run: CallersRun) -> dict[str, Figure]:
    """What the paper shows of a run."""
    heard = run.heard
    shown: dict[str, Figure] = {"callers": run.scene.calls, "a second": round(heard.per_second, 2)}
    for name in SHOWN:
        shares = [heard.figure(name, share) for share in (0.5, 0.95, 0.99, 1.0)]
        shown[f"{name.removesuffix('_ms')}, ms: p50, p95, p99, max"] = ", ".join(f"{x or 0.0:.1f}" for x in shares)
    shown["CPU of serve a call, ms"] = round(run.app_ms, 2)
    shown["CPU of Asterisk a call, ms"] = round(run.asterisk_ms, 2)
    shown["cores used by others"] = round(run.others_cores + run.far_cores, 2)
    return shown


def too_slow(run: CallersRun) -> list[str]:
    """The bars of the load that it missed, and by how much."""
    seen = (
        ("200 to music or agent, p99", run.heard.figure("sound_ms", 0.99), MUSIC_P99_MS),
        ("offer, p99", run.heard.figure("offer_ms", 0.99), OFFER_P99_MS),
        ("CPU of serve a call", run.app_ms, APP_MS),
    )
    return [f"{what}: {value} ms, at most {most:g} is wanted" for what, value, most in seen if (value or 0.0) > most]


async def load_round(place: Place, number: int) -> Round:
    """Ten minutes."""
    run = await Callers(place).run(CallersArm.QUEUE, LOAD)
    return Round(figures(run), [*run.heard.failures[:20], *too_slow(run)])


async def crowd_round(place: Place, number: int) -> Round:
    """Everybody at once."""
    run = await Callers(place, first=number * CROWD.calls).run(CallersArm.QUEUE, CROWD)
    return Round(figures(run), run.heard.failures[:20])


PROOFS: list[Proof] = [
    Proof(
        name="callers_load",
        claim="25 callers a second for ten minutes, by chance, into three queues with 60 agents: each talks to one, "
        "no agent has two calls, music within 300 ms and offers within 500 ms (p99), 3 ms of CPU a call at most",
        rounds=1,
        run=load_round,
        centre=lambda: Place("load"),
    ),
    Proof(
        name="callers_crowd",
        claim="200 callers at once for five agents: each talks to one agent, and no agent ever has two calls",
        rounds=5,
        run=crowd_round,
        centre=lambda: Place("crowd"),
    ),
]
