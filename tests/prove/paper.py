"""PROOFS.md: what was run, when, on what machine, the figures, and the verdict."""

from __future__ import annotations

import os
import platform
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.lab.centre import ROOT
from tests.lab.provision import provide
from tests.prove import matrix
from tests.prove.proof import Proof, folded

PAPER = ROOT / "PROOFS.md"
HEAD = """# Proofs

Written by `make prove`. The judge is the far end's own record of every call, taken on the wire; the product's tables
are what is judged. A proof is made of rounds; nothing stands here that was not run. Instants are UTC.
"""


def machine() -> str:
    """What the rounds ran on, in one line."""
    with Path("/proc/meminfo").open() as file:
        kilobytes = int(file.readline().split()[1])
    return (
        f"{os.cpu_count()} cores, {kilobytes / 1048576:.0f} GB, Linux {platform.release().split('-')[0]}, "
        f"Asterisk {provide().version}, Python {sys.version.split()[0]}"
    )


def write(state: dict[str, Any], proofs: list[Proof], paper: Path = PAPER) -> None:
    """Write the paper; sections of proofs that were not run here stay as they are."""
    sections = _old_sections(paper)
    for proof in proofs:
        entry = state.get(proof.name)
        if entry and entry["rounds"]:
            entry.setdefault("machine", machine())
            sections[proof.name] = _section(proof, entry)
    order = [p.name for p in proofs if p.name in sections]
    paper.write_text(HEAD + "".join(sections[name] for name in order) + matrix.told())


def _old_sections(paper: Path) -> dict[str, str]:
    if not paper.exists():
        return {}
    parts = re.split(r"(?m)^(?=## )", paper.read_text())[1:]
    return {part.split("\n", 1)[0].removeprefix("## ").strip(): "\n" + part.rstrip("\n") + "\n" for part in parts}


def _section(proof: Proof, entry: dict[str, Any]) -> str:
    rounds = entry["rounds"]
    failures = [f"round {n}: {line}" for n, done in enumerate(rounds, 1) for line in done["failures"]]
    failed = sum(1 for done in rounds if done["failures"])
    verdict = f"**failed** in {failed} of {len(rounds)} rounds" if failed else "**held**"
    if len(rounds) < entry["planned"]:
        verdict += f" ({len(rounds)} of {entry['planned']} planned rounds run)"
    began, ended = rounds[0]["at"], rounds[-1]["at"] + rounds[-1]["seconds"]
    figures = folded([done["figures"] for done in rounds])
    lines = [
        f"\n## {proof.name}\n\n{proof.claim}\n",
        "| | |\n|---|---|",
        f"| verdict | {verdict} |",
        f"| run | {_when(began)} to {_when(ended)}, {len(rounds)} rounds, {sum(r['seconds'] for r in rounds):.0f} s |",
        f"| on | {entry['machine']} |",
        f"| code | {entry['key']['commit']} ({entry['key']['code']}) |",
        *([f"| a short form | {entry['key']['variant']} |"] if "variant" in entry["key"] else []),
        *(f"| {name} | {value} |" for name, value in figures.items()),
    ]
    if failures:
        lines += ["", *(f"- {line}" for line in failures[:20])]
    return "\n".join(lines) + "\n"


def _when(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%d %H:%M")
