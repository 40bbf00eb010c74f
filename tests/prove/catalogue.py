"""Every proof there is, in the order they are run."""

from __future__ import annotations

from tests.prove import api, campaign, crash, database, losses, predictive, ratings, soak, sockets, telling, trunk
from tests.prove.proof import Proof

PROOFS: list[Proof] = [
    *campaign.PROOFS,
    *crash.PROOFS,
    *losses.PROOFS,
    *sockets.PROOFS,
    *database.PROOFS,
    *trunk.PROOFS,
    *predictive.PROOFS,
    *ratings.PROOFS,
    *api.PROOFS,
    *telling.PROOFS,
    soak.proof(),
]
