"""`make bench`: python -m tests.bench [--quick] [--rounds 5] [--arms native,on_demand,persistent] [--no-rates].

Every round runs each arm once, one after the other, so that what else the machine does strikes all alike. Then
the highest clean call rate of each arm is looked for, in steps of 30 s. Then callers come in (``--callers``: the
scenes, each with both arms where they are compared).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
from dataclasses import replace

from tests.bench import report
from tests.bench.arms import Arm, Bench
from tests.bench.callers import FREE, LOAD, WAITING, Callers, CallersRun, Scene
from tests.bench.figures import Run
from tests.bench.place import Place
from tests.lab.centre import ROOT
from tests.lab.process import seldom_look_for_garbage

CALLS, RATE = 300, 20.0
LOAD_SECONDS = 60.0  # `make prove ONLY=callers` takes ten minutes
SCENES = {scene.name: scene for scene in (FREE, WAITING, LOAD)}
QUICK_CALLS = 60
FIRST_RATE, STEP, FINE_STEP, LAST_RATE, STEP_SECONDS = 60, 20, 10, 300, 30.0


async def rounds(bench: Bench, arms: list[Arm], count: int, calls: int, rate: float) -> dict[str, list[Run]]:
    """Alternated rounds of every arm."""
    found: dict[str, list[Run]] = {arm.value: [] for arm in arms}
    for n in range(count if arms else 0):
        for arm in arms[n % len(arms) :] + arms[: n % len(arms)]:
            found[arm.value].append(await _one(bench, arm, rate, calls))
    return found


async def clean_rate(bench: Bench, arm: Arm, steps: list[Run], seconds: float) -> float:
    """The highest rate at which nothing failed and audio came in time; a rate fails when it failed twice."""

    async def clean(rate: int) -> bool:
        for _ in range(2):
            steps.append(await _one(bench, arm, rate, round(rate * seconds)))
            if steps[-1].clean:
                return True
        return False

    rate = FIRST_RATE
    while rate > STEP and not await clean(rate):
        rate -= STEP
    if rate <= STEP:
        return float(rate) if await clean(rate) else 0.0
    while rate < LAST_RATE and await clean(rate + STEP):
        rate += STEP
    return float(rate + FINE_STEP if await clean(rate + FINE_STEP) else rate)


async def _one(bench: Bench, arm: Arm, rate: float, calls: int) -> Run:
    run = await bench.run(arm, rate, calls)
    print(f"{report.line(run)}  load {os.getloadavg()[0]:.1f}", flush=True)
    for failure in run.failures[:3]:
        print(f"           {failure}")
    return run


async def callers(place: Place, names: list[str], quick: bool, load_seconds: float) -> list[CallersRun]:
    """The scenes of callers; what is compared with app_queue runs with both arms, one after the other."""
    runner, runs = Callers(place), list[CallersRun]()
    for name in names:
        scene = _sized(SCENES[name], quick, load_seconds)
        for arm in scene.arms:
            runs.append(await runner.run(arm, scene))
            print(report.callers_line(runs[-1]), flush=True)
            for failure in runs[-1].heard.failures[:3]:
                print(f"           {failure}")
            if runs[-1].heard.failures:
                for file in ("farend.jsonl", "serve.log"):
                    shutil.copy(place.base / file, ROOT / ".lab" / f"failed-{scene.name}-{file}")
    return runs


def _sized(scene: Scene, quick: bool, load_seconds: float) -> Scene:
    if scene.name == LOAD.name:
        return replace(scene, calls=round(scene.rate * (min(load_seconds, 6.0) if quick else load_seconds)))
    return replace(scene, calls=QUICK_CALLS) if quick else scene


async def bench(given: argparse.Namespace) -> int:
    """Run it; the exit code."""
    arms = [Arm(name) for name in given.arms.split(",") if name]
    steps: list[Run] = []
    rates: dict[str, float] = {}
    async with Place("bench") as place:
        runner = Bench(place)
        found = await rounds(runner, arms, given.rounds, given.calls, given.rate)
        if given.clean_rates:
            for arm in arms:
                rates[arm.value] = await clean_rate(runner, arm, steps, given.step_seconds)
        came_in = await callers(place, [n for n in given.callers.split(",") if n], given.quick, given.load_seconds)
    if arms:
        report.write(ROOT / ".lab", found, steps, rates)
    if came_in:
        report.write_callers(ROOT / ".lab", came_in)
    failed = [run.failures for runs in found.values() for run in runs] + [run.heard.failures for run in came_in]
    return 1 if any(failed) else 0


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="The product against native Asterisk.")
    parser.add_argument("--quick", action="store_true", help="one small round, no call rates; three minutes")
    parser.add_argument("--rounds", type=int, default=None, help="alternated rounds (5)")
    parser.add_argument("--arms", default=",".join(Arm), help="which, separated by commas")
    parser.add_argument("--calls", type=int, default=None, help=f"calls of an arm in a round ({CALLS})")
    parser.add_argument("--rate", type=float, default=RATE, help="calls a second in the rounds (20)")
    parser.add_argument("--no-rates", action="store_true", help="do not look for the highest clean call rate")
    parser.add_argument("--callers", default=",".join(SCENES), help="scenes of callers, separated by commas")
    parser.add_argument("--load-seconds", type=float, default=LOAD_SECONDS, help="length of the load scene (60)")
    parser.add_argument("--step-seconds", type=float, default=STEP_SECONDS, help="length of a step of that (30)")
    given = parser.parse_args()
    given.rounds = given.rounds or (1 if given.quick else 5)
    given.calls = given.calls or (QUICK_CALLS if given.quick else CALLS)
    given.clean_rates = not (given.quick or given.no_rates)
    seldom_look_for_garbage()
    sys.exit(asyncio.run(bench(given)))


if __name__ == "__main__":
    main()
