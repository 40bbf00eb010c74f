"""Runs proofs round by round and keeps what they gave."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import time
import traceback
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from tests.lab.centre import ROOT, Centre
from tests.prove.proof import Proof, Round

STATE = ROOT / ".lab" / "prove.json"
CODE = (
    "ari_app",
    "dialer",
    "contact_center",
    "agi_scripts",
    "asterisk_conf",
    "tests/lab",
    "tests/bench",
    "tests/prove",
)


def code_hash() -> str:
    """What the proofs stand on: the product, the lab and the proofs themselves."""
    digest = hashlib.sha256()
    for folder in CODE:
        for file in sorted((ROOT / folder).rglob("*")):
            if file.suffix in (".py", ".conf") and "__pycache__" not in file.parts:
                digest.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def commit() -> str:
    """The commit, "+" where files differ from it."""
    try:
        name = _git("rev-parse", "--short", "HEAD")
        return name + ("+" if _git("--no-optional-locks", "status", "--porcelain", "--", *CODE) else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


class Runner:
    """`await run(proof)`; the state is written after each round."""

    def __init__(self, state: Path = STATE) -> None:
        self._file = state
        self.state: dict[str, Any] = json.loads(state.read_text()) if state.exists() else {}
        self._key = {"commit": commit(), "code": code_hash()}

    def _key_of(self, proof: Proof) -> dict[str, str]:
        return {**self._key, "variant": proof.variant} if proof.variant else self._key

    def kept(self) -> dict[str, Any]:
        """What is written down of every proof, also by other runs at the same time."""
        return json.loads(self._file.read_text()) if self._file.exists() else {}

    def merge(self, other: Path) -> list[str]:
        """Take over the rounds another checkout ran with the same code and we did not; the proofs' names."""
        kept, taken = self.kept(), []
        for name, entry in json.loads(other.read_text()).items():
            ours = kept.get(name)
            if entry["key"]["code"] != self._key["code"]:
                continue
            mine = ours["rounds"] if ours is not None and ours["key"] == entry["key"] else []
            more = [done for done in entry["rounds"] if done["number"] not in {own["number"] for own in mine}]
            if more:
                rounds = sorted([*mine, *more], key=lambda done: done["number"])
                kept[name] = self.state[name] = {**entry, "rounds": rounds}
                taken.append(name)
        self._file.parent.mkdir(exist_ok=True)
        self._file.write_text(json.dumps(kept, indent=1) + "\n")
        return taken

    async def run(self, proof: Proof, rounds: int | None = None, *, first: int = 0, anew: bool = False) -> bool:
        """Run what is left of a proof, from round `first` (counted from 0) on; whether no round failed."""
        entry, key = self.state.get(proof.name), self._key_of(proof)
        if anew or entry is None or entry["key"] != key:
            entry = self.state[proof.name] = {"key": key, "planned": proof.rounds, "rounds": []}
        wanted = rounds or proof.rounds
        ran = {done["number"] for done in entry["rounds"]}
        numbers = [number for number in range(first, wanted) if number not in ran]
        print(f"{proof.name}: {proof.claim}", flush=True)
        if ran:
            print(f"  goes on after {len(ran)} rounds", flush=True)
        while numbers:
            await self._with_one_centre(proof, entry, numbers)
        return not any(done["failures"] for done in entry["rounds"])

    async def _with_one_centre(self, proof: Proof, entry: dict[str, Any], numbers: list[int]) -> None:
        async with AsyncExitStack() as stack:
            centre: Centre | None = None
            for _ in range(proof.rounds_per_centre):
                if not numbers:
                    return
                began = time.time()
                try:
                    if centre is None and proof.centre is not None:
                        centre = await stack.enter_async_context(proof.centre())
                    done = await proof.run(centre, numbers[0])
                except Exception as error:  # whatever it was, the round did not prove its claim
                    done = Round({}, [_told(error)])
                entry["rounds"].append(
                    {"number": numbers[0], "at": began, "seconds": time.time() - began, "figures": dict(done.figures),
                     "failures": list(done.failures)}
                )  # fmt: skip
                self._keep(proof, numbers.pop(0), done, time.time() - began)
                if done.failures:
                    _keep_traces(centre, proof.name)
                    return

    def _keep(self, proof: Proof, number: int, done: Round, seconds: float) -> None:
        self._file.parent.mkdir(exist_ok=True)
        kept = self.kept()
        kept[proof.name] = self.state[proof.name]  # another run may have added to other proofs meanwhile
        self._file.write_text(json.dumps(kept, indent=1) + "\n")
        figures = ", ".join(f"{name} {_brief(value)}" for name, value in done.figures.items())
        print(f"  round {number + 1} ({seconds:.1f} s): {figures}", flush=True)
        for line in done.failures:
            print(f"    FAILED: {line}", flush=True)


def _keep_traces(centre: Centre | None, name: str) -> None:
    """The logs of a failed round, for reading, in `.lab/failed/`."""
    if centre is None:
        return
    to = ROOT / ".lab" / "failed" / f"{name}-{int(time.time())}"
    to.mkdir(parents=True)
    for file in centre.base.glob("*"):
        if file.is_file():
            shutil.copy(file, to)
    for file in (centre.switch.log, centre.switch.base / "log" / "console"):
        if file.exists():
            shutil.copy(file, to / f"asterisk-{file.name}")
    print(f"    logs kept in {to.relative_to(ROOT)}", flush=True)


def _brief(value: Any) -> str:
    if isinstance(value, list):
        return "[" + " ".join(f"{x:.2f}" for x in value[:8]) + (" ...]" if len(value) > 8 else "]")
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _told(error: Exception) -> str:
    where = traceback.extract_tb(error.__traceback__)
    ours = [f for f in where if "tests/prove" in f.filename]
    at = f" at {Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else ""
    return f"{type(error).__name__}{at}: {error}"
