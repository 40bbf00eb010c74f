"""Broker and receivers away for ten minutes, 10 000 events, kills meanwhile: everybody has every event afterwards."""

from __future__ import annotations

import tempfile
from pathlib import Path

from contact_center.store.engine import open_engine
from contact_center.store.schema import upgrade
from tests.prove.proof import Proof, Round
from tests.support.telling_storm import Storm

EVENTS, AWAY_SECONDS, KILLS = 10_000, 600.0, 8


async def telling_round(_: None, number: int) -> Round:
    """One storm on a fresh database."""
    with tempfile.TemporaryDirectory(prefix="callwright-telling-") as folder:
        url = f"sqlite:///{Path(folder) / 'callwright.db'}"
        upgrade(url)
        engine = open_engine(url)
        try:
            found = await Storm(engine, EVENTS, AWAY_SECONDS, KILLS, within_seconds=300.0).run()
        finally:
            engine.dispose()
    failures = [f"{who} lacks {count} events" for who, count in found.missing.items() if count]
    failures += [f"the numbers of {call} have a gap" for call in found.gaps[:5]]
    return Round({"events": len(found.wanted), "kills": KILLS, "came twice": sum(found.duplicates.values())}, failures)


PROOFS: list[Proof] = [
    Proof(
        name="telling",
        claim="Broker and receivers away for ten minutes, 10 000 events, kills: everybody has every event afterwards",
        rounds=1,
        run=telling_round,
    ),
]
