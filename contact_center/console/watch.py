"""`campaign watch`: a live board in a terminal, plain lines elsewhere, one document with ``--json``."""

from __future__ import annotations

import threading
import time
from typing import Any

from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from contact_center.console.context import Console
from contact_center.console.output import clean, facts, local, share, table
from contact_center.errors import Unreachable
from contact_center.store.queries import find_campaign
from contact_center.store.queries_watch import Totals, snapshot, totals
from contact_center.store.queries_why import pace_text
from contact_center.terms import CampaignState

_ENDED = (CampaignState.FINISHED, CampaignState.STOPPED)
_COUNTING_SHARE = 20
"""Counting all leads may take one part in so many of the time, however many leads there are."""


class _Look:
    """Looks at a campaign; the costly counts are taken again only when their price has been waited out."""

    def __init__(self, console: Console, name: str) -> None:
        self._console, self._name = console, name
        self._totals: Totals | None = None
        self._count_again_at = 0.0

    def take(self) -> dict[str, Any]:
        """The campaign now. Raises NotFound and Unreachable."""
        with self._console.reading() as session:
            campaign = find_campaign(session, self._name)
            started = time.monotonic()
            if self._totals is None or started >= self._count_again_at or campaign.state in _ENDED:
                self._totals = totals(session, campaign)
                price = time.monotonic() - started
                self._count_again_at = started + _COUNTING_SHARE * price
            return snapshot(session, campaign, self._totals, self._console.clock.now())


def watch_campaign(console: Console, name: str, *, until_finished: bool, interval_seconds: float) -> None:
    """Show the campaign until it has ended, or until Ctrl-C."""
    look = _Look(console, name)
    first = look.take()
    if console.json:
        console.emit(first)
        return
    try:
        if console.out.is_terminal:
            _board(console, look, first, until_finished, interval_seconds)
        else:
            _lines(console, look, first, until_finished, interval_seconds)
    except KeyboardInterrupt:
        return


def _board(console: Console, look: _Look, seen: dict[str, Any], until_finished: bool, interval_seconds: float) -> None:
    zone, tick = console.settings.site.timezone, threading.Event()
    with Live(_view(seen, zone, ""), console=console.out, auto_refresh=False) as live:
        while not (until_finished and seen["state"] in _ENDED):
            tick.wait(interval_seconds)
            trouble = ""
            try:
                seen = look.take()
            except Unreachable as error:
                trouble = str(error)
            live.update(_view(seen, zone, trouble), refresh=True)


def _lines(console: Console, look: _Look, seen: dict[str, Any], until_finished: bool, interval_seconds: float) -> None:
    zone, tick = console.settings.site.timezone, threading.Event()
    console.say(_line(seen, zone))
    while not (until_finished and seen["state"] in _ENDED):
        tick.wait(interval_seconds)
        try:
            seen = look.take()
        except Unreachable as error:
            console.say(str(error))
        else:
            console.say(_line(seen, zone))


def _line(seen: dict[str, Any], zone: str) -> str:
    live, agents = seen["live"], seen["agents"]
    told = " ".join(f"{state} {count}" for state, count in sorted(agents.items())) or "none"
    return (
        f"{local(seen['at'], zone)[11:]} {seen['name']} {seen['state']}: "
        f"{seen['left']} leads left; agents {told}; "
        f"ringing {live['ringing']} waiting {live['waiting']} talking {live['talking']}; "
        f"dialled {seen['dialled']} answered {seen['answered']} ({share(seen['answer_rate'])}) "
        f"connected {seen['connected']} dropped {seen['dropped']} ({share(seen['abandonment'])}); "
        f"occupancy {share(seen['occupancy'])}"
    )


def _view(seen: dict[str, Any], zone: str, trouble: str) -> RenderableType:
    live = seen["live"]
    states = ("idle", "offered", "talking", "wrap_up", "paused", "unreachable", "offline")
    known = [state for state in states if seen["agents"].get(state)]
    parts: list[RenderableType] = [
        Text.assemble((clean(seen["name"]), "bold"), f"  {seen['mode']} x{seen['multiplier']:g}  {seen['state']}"),
        table(known or ["agents"], [[seen["agents"][state] for state in known] or ["none"]], "Agents"),
        table(tuple(live), [tuple(live.values())], "Calls"),
        facts(
            (
                ("leads left", seen["left"]),
                ("answered", f"{seen['answered']} of {seen['dialled']} ({share(seen['answer_rate'])})"),
                ("connected", seen["connected"]),
                ("dropped", f"{seen['dropped']} ({share(seen['abandonment'])} abandoned)"),
                ("occupancy", share(seen["occupancy"])),
                ("next retries", [local(at, zone)[11:] for at in seen["next_retries_at"]]),
            )
        ),
    ]
    parts += [
        Text(f"trunk {clean(t['name'])} is {t['state']}: {clean(t['reason'])}", "red") for t in seen["trunks_down"]
    ]
    parts += [Text(f"pace: {clean(pace_text(decision))}", "dim") for decision in seen["decisions"]]
    parts.append(Text(trouble or f"{local(seen['at'], zone)}  (Ctrl-C leaves)", "red" if trouble else "dim"))
    return Group(*parts)
