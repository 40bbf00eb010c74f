"""Queues for people: the line Asterisk's users know, who serves, who waits, and how it went today."""

from __future__ import annotations

import threading
from typing import Any

from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from contact_center.console.context import Console
from contact_center.console.output import clean, facts, local, seconds, share, table
from contact_center.errors import Unreachable
from contact_center.store.queries_agents import find_queue, list_agents, list_queues
from contact_center.store.queries_queues import live_queue


def look(console: Console, name: str) -> list[dict[str, Any]]:
    """The queues as they are now; an empty name means all. Raises NotFound and Unreachable."""
    zone, now = console.settings.site.timezone, console.clock.now()
    with console.reading() as session:
        agents = list_agents(session)
        rows = [find_queue(session, name)] if name else list_queues(session)
        return [live_queue(session, row, agents, zone, now) for row in rows]


def queue_lines(document: dict[str, Any]) -> list[Text]:
    """A queue as ``queue show`` of Asterisk prints it."""
    lines = [Text(clean(document["header"]))]
    if document["members"]:
        lines.append(Text("   Members:"))
    for member in document["members"]:
        ago = member["last_call_seconds_ago"]
        last = f" (last was {ago:.0f} secs ago)" if ago is not None else ""
        penalty = f" with penalty {member['penalty']}" if member["penalty"] else ""
        taken = f"has taken {member['taken'] or 'no'} calls{last}"
        lines.append(
            Text(f"      {clean(member['name'])} ({clean(member['endpoint'])}){penalty} ({member['state']}) {taken}")
        )
    lines.append(Text("   Callers:" if document["callers"] else "   No Callers"))
    for caller in document["callers"]:
        minutes, rest = divmod(int(caller["wait_seconds"]), 60)
        wait = f"(wait: {minutes}:{rest:02d}, prio: {caller['priority']})"
        lines.append(Text(f"      {caller['position']}. {clean(caller['number'])} {wait}"))
    return lines


def queue_view(document: dict[str, Any]) -> RenderableType:
    """One queue with its figures and its settings."""
    figures = document["figures"]
    told = {
        "queued today": figures["queued"],
        "answered": figures["answered"],
        "abandoned": f"{figures['abandoned']} ({share(figures['abandonment'])})",
        "sent on": figures["sent_on"],
        "speed of answer": seconds(figures["asa_seconds"]),
        "handle time": seconds(figures["aht_seconds"]),
        "longest wait": seconds(figures["longest_wait_seconds"]),
        "callbacks waiting": document["callbacks_waiting"],
    }
    return Group(*queue_lines(document), Text(""), facts((told | document["options"]).items()))


def all_view(documents: list[dict[str, Any]]) -> RenderableType:
    """Every queue as Asterisk prints it."""
    if not documents:
        return Text("No queues.")
    return Group(*(line for document in documents for line in (*queue_lines(document), Text(""))))


def watch_queues(console: Console, name: str, interval_seconds: float) -> None:
    """Show the queues until Ctrl-C: a live board in a terminal, a line each time elsewhere, once with --json."""
    seen = look(console, name)
    if console.json:
        console.emit(seen)
        return
    tick = threading.Event()
    try:
        if not console.out.is_terminal:
            while True:
                for document in seen:
                    console.say(_line(document, console.settings.site.timezone))
                tick.wait(interval_seconds)
                seen = look(console, name)
        with Live(_board(seen, console, ""), console=console.out, auto_refresh=False) as live:
            while True:
                tick.wait(interval_seconds)
                trouble = ""
                try:
                    seen = look(console, name)
                except Unreachable as error:
                    trouble = str(error)
                live.update(_board(seen, console, trouble), refresh=True)
    except KeyboardInterrupt:
        return


def _longest(document: dict[str, Any]) -> float:
    return max((caller["wait_seconds"] for caller in document["callers"]), default=0.0)


def _line(document: dict[str, Any], zone: str) -> str:
    figures, states = document["figures"], document["agents_by_state"]
    told = " ".join(f"{state} {count}" for state, count in sorted(states.items())) or "none"
    return (
        f"{local(document['at'], zone)[11:]} {document['name']}: waiting {len(document['callers'])} "
        f"longest {seconds(_longest(document))}; agents {told}; answered {figures['answered']} "
        f"abandoned {figures['abandoned']} ({share(figures['abandonment'])}); SL {share(figures['service_level'])} "
        f"SL2 {share(figures['service_level_2'])}; ASA {seconds(figures['asa_seconds'])} "
        f"AHT {seconds(figures['aht_seconds'])}"
    )


def _board(documents: list[dict[str, Any]], console: Console, trouble: str) -> RenderableType:
    columns = ("queue", "waiting", "longest", "idle", "talking", "other", "answered", "abandoned", "SL", "ASA", "AHT")
    rows = []
    for d in documents:
        states, figures = d["agents_by_state"], d["figures"]
        idle, talking = states.get("idle", 0), states.get("talking", 0)
        longest = _longest(d)
        late = longest > d["options"]["service_level_seconds"]
        rows.append(
            (
                d["name"],
                len(d["callers"]),
                Text(seconds(longest), "red" if late else ""),
                idle,
                talking,
                len(d["agents"]) - idle - talking,
                figures["answered"],
                f"{figures['abandoned']} ({share(figures['abandonment'])})",
                share(figures["service_level"]),
                seconds(figures["asa_seconds"]),
                seconds(figures["aht_seconds"]),
            )
        )
    at = local(documents[0]["at"], console.settings.site.timezone) if documents else ""
    return Group(table(columns, rows, "Queues"), Text(trouble or f"{at}  (Ctrl-C leaves)", "red" if trouble else "dim"))
