"""Pacing for people: the last decisions as a table, and how good the forecasts per lead have been."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from contact_center.console.output import clean, local, percent, share, table

_SEEN = ("idle", "ringing", "waiting", "talking", "wrapping")
_COLUMNS = ("at", *_SEEN, "answer rate", "expected", "chance", "price", "placed", "bound by")


def decisions_view(decisions: Sequence[dict[str, Any]], zone: str) -> RenderableType:
    """What each of the last decisions saw, its probabilities, its price, and what bound it; newest first.

    ``chance``: that a call answered now finds no agent; ``price``: the most of it that is allowed.
    """
    return table(_COLUMNS, [_row(decision, zone) for decision in decisions], title="Last pacing decisions")


def _row(decision: dict[str, Any], zone: str) -> tuple[str, ...]:
    def shown(key: str, as_share: bool = False) -> str:
        value = decision.get(key)
        if not isinstance(value, (int, float)):
            return "-"
        return percent(value) if as_share else f"{value:g}"

    at = decision.get("at")
    return (
        local(at, zone)[11:] if isinstance(at, str) else "-",
        *(shown(key) for key in _SEEN),
        shown("answer_rate", as_share=True),
        shown("expected_answers"),
        shown("chance", as_share=True),
        shown("price", as_share=True),
        shown("claimed"),
        clean(str(decision.get("held_back_by") or decision.get("binding") or "")),
    )


def odds_view(odds: dict[str, Any]) -> RenderableType:
    """Brier score against that of the plain answer rate, and the reliability of the forecasts, bin by bin."""
    calls, needed = odds.get("calls", 0), odds.get("needed", 0)
    if not calls:
        return Text("Odds per lead: no call has been forecast yet.")
    used = "used" if odds.get("used") else f"not used (better than the plain rate over {needed} calls is asked for)"
    score = f"Brier score {odds['brier']:.4f}, of the plain answer rate {odds['brier_of_plain_rate']:.4f}"
    head = Text(f"Odds per lead over {calls} calls: {score}; {used}.")
    return Group(head, reliability_view(odds.get("reliability", [])))


def reliability_view(bins: Sequence[dict[str, Any]]) -> RenderableType:
    """How forecasts came true, by tenths of the forecast."""
    rows = [
        (
            f"{share(one['from'])} to {share(one['to'])}" if "from" in one else "-",
            str(one["calls"]),
            share(one["forecast"]),
            share(one["answered"]),
        )
        for one in bins
        if one.get("calls")
    ]
    return table(("forecasts of", "calls", "forecast", "answered"), rows, title="Reliability of the odds")
