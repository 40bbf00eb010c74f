"""python -m tests.prove [--only NAME] [--first N] [--rounds N] [--minutes N] [--anew] [--list] [--merge F] [--paper]"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from tests.lab.process import seldom_look_for_garbage
from tests.prove import paper, soak
from tests.prove.catalogue import PROOFS
from tests.prove.proof import Proof
from tests.prove.runner import Runner


async def prove(proofs: list[Proof], only: str, rounds: int | None, *, first: int = 0, anew: bool) -> int:
    """Run the proofs chosen; the exit code."""
    chosen = [proof for proof in proofs if only in ("", proof.name)]
    if not chosen:
        print(f"no proof is called {only}; there are {', '.join(p.name for p in proofs)}", file=sys.stderr)
        return 2
    runner, held = Runner(), True
    for proof in chosen:
        try:
            held &= await runner.run(proof, rounds, first=first, anew=anew)
        finally:
            paper.write(runner.kept(), proofs)
    print("every proof held" if held else "not every proof held; see PROOFS.md")
    return 0 if held else 1


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.prove", description="The long proofs.")
    parser.add_argument("--only", default="", help="one proof by name")
    parser.add_argument("--rounds", type=int, help="so many rounds instead of the planned ones")
    parser.add_argument(
        "--first", type=int, default=0, help="begin with this round: another checkout runs those before"
    )
    parser.add_argument("--minutes", type=float, help="another length of the soaks")
    parser.add_argument("--merge", type=Path, help="take over what another checkout proved: its .lab/prove.json")
    parser.add_argument("--paper", action="store_true", help="only write PROOFS.md from what was proven so far")
    parser.add_argument("--anew", action="store_true", help="forget earlier rounds")
    parser.add_argument("--list", action="store_true", help="name the proofs")
    given = parser.parse_args()
    soaks = {proof.name: proof for proof in soak.proofs(given.minutes)}
    proofs = [soaks.get(proof.name, proof) for proof in PROOFS]
    if given.list:
        for proof in proofs:
            print(f"{proof.name:16} {proof.rounds:4} rounds  {proof.claim}")
        return
    if given.merge or given.paper:
        runner = Runner()
        taken = runner.merge(given.merge) if given.merge else []
        paper.write(runner.kept(), proofs)
        print(f"PROOFS.md written; taken over: {', '.join(taken) or 'nothing'}")
        return
    seldom_look_for_garbage()
    sys.exit(asyncio.run(prove(proofs, given.only, given.rounds, first=given.first, anew=given.anew)))


if __name__ == "__main__":
    main()
