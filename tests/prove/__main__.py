"""python -m tests.prove [--only NAME] [--rounds N] [--anew] [--list]"""

from __future__ import annotations

import argparse
import asyncio
import sys

from tests.prove import paper
from tests.prove.catalogue import PROOFS
from tests.prove.runner import Runner


async def prove(only: str, rounds: int | None, *, anew: bool) -> int:
    """Run the proofs chosen; the exit code."""
    chosen = [proof for proof in PROOFS if only in ("", proof.name)]
    if not chosen:
        print(f"no proof is called {only}; there are {', '.join(p.name for p in PROOFS)}", file=sys.stderr)
        return 2
    runner, held = Runner(), True
    for proof in chosen:
        try:
            held &= await runner.run(proof, rounds, anew=anew)
        finally:
            paper.write(runner.state, PROOFS)
    print("every proof held" if held else "not every proof held; see PROOFS.md")
    return 0 if held else 1


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.prove", description="The long proofs.")
    parser.add_argument("--only", default="", help="one proof by name")
    parser.add_argument("--rounds", type=int, help="so many rounds instead of the planned ones")
    parser.add_argument("--anew", action="store_true", help="forget earlier rounds")
    parser.add_argument("--list", action="store_true", help="name the proofs")
    given = parser.parse_args()
    if given.list:
        for proof in PROOFS:
            print(f"{proof.name:16} {proof.rounds:4} rounds  {proof.claim}")
        return
    sys.exit(asyncio.run(prove(given.only, given.rounds, anew=given.anew)))


if __name__ == "__main__":
    main()
