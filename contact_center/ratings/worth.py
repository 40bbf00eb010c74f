"""What a call is worth: the sum that is known, else the virtual one of its categories."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any


def value_of(record: Mapping[str, Any]) -> dict[str, str] | None:
    """What a call is worth: {amount, kind}: the explicit sum, else the virtual one of its categories together."""
    explicit = record.get("explicit_value")
    if explicit is not None:
        return {"amount": str(explicit), "kind": "explicit"}
    categories = record.get("categories") or []
    if not categories:
        return None
    total = sum((Decimal(str(category.get("value") or 0)) for category in categories), Decimal(0))
    return {"amount": f"{total:.2f}", "kind": "virtual"}
