"""Every proof there is, in the order they are run."""

from __future__ import annotations

from tests.prove import campaign, crash, losses, trunk
from tests.prove.proof import Proof

PROOFS: list[Proof] = [*campaign.PROOFS, *crash.PROOFS, *losses.PROOFS, *trunk.PROOFS]
