"""The HTTP API under everything that may be asked of it: 100 000 requests made from its own OpenAPI schema."""

from __future__ import annotations

import tempfile
from pathlib import Path

from contact_center.store.schema import upgrade
from tests.prove.proof import Proof, Round
from tests.support.api_sweep import sweep
from tests.support.api_world import ApiWorld

REQUESTS = 5000


async def api_round(_: None, number: int) -> Round:
    """So many requests on a fresh database."""
    with tempfile.TemporaryDirectory(prefix="callwright-api-") as folder:
        url = f"sqlite:///{Path(folder) / 'callwright.db'}"
        upgrade(url)
        async with ApiWorld(url) as api:
            swept = await sweep(api, seed=1000 + number, count=REQUESTS)
            failures = swept.bad[:5]
            if not api.writer.healthy or api.desk.streams:
                failures.append(f"left over: {api.writer.trouble or 'the writer is well'}, {api.desk.streams} streams")
    figures = {"requests": swept.statuses.total(), "5xx": sum(n for s, n in swept.statuses.items() if s >= 500)}
    return Round({**figures, "done": swept.statuses[200] + swept.statuses[201] + swept.statuses[202]}, failures)


PROOFS: list[Proof] = [
    Proof(
        name="api_requests",
        claim="100 000 requests generated from the API's schema: no 5xx, and each refusal is one sentence",
        rounds=20,
        run=api_round,
    ),
]
