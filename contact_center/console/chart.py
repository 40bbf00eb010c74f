"""A call's timeline as a coloured chart."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from contact_center.console.output import clean, facts, local, seconds

WIDTH = 48
_COLORS = {"orange": "dark_orange"}
_MARK, _BAR = "▏", "█"


def call_view(document: dict[str, Any], zone: str) -> RenderableType:
    """The facts of a call and its timeline, drawn to scale; an event without length is a thin mark."""
    rows: list[tuple[str, Any]] = []
    for key, value in document.items():
        if key in ("timeline", "attempts") or value in (None, [], ""):
            continue
        rows.append((key, _readable(key, value, zone)))
    for attempt in document["attempts"]:
        code = f" (SIP {attempt['sip_code']})" if attempt.get("sip_code") else ""
        rows.append((f"attempt {attempt.get('n')}", f"{attempt.get('outcome')}{code}"))
    return Group(facts(rows), Text(""), *chart(document["timeline"], zone))


def _readable(key: str, value: Any, zone: str) -> Any:
    if key.endswith("_at"):
        return local(value, zone)
    if key == "rating":
        acts = [f"{act['option']} {act['value'] or ''}".strip() for act in value["history"]]
        return f"{acts[-1]} ({value['source']})" + (f", before: {', '.join(acts[:-1])}" if acts[1:] else "")
    if key == "categories":
        return ", ".join(f"{category['number']} {category['name']}" for category in value)
    if key == "value":
        return f"{value['amount']} ({value['kind']})"
    return seconds(value) if key.endswith("_seconds") else value


def chart(timeline: list[dict[str, Any]], zone: str) -> list[Text]:
    """One line for each event, its bar where and as long as it was."""
    if not timeline:
        return [Text("no timeline yet", "dim")]
    starts = [datetime.fromisoformat(event["at"]).timestamp() for event in timeline]
    first = min(starts)
    length = max(start + event["seconds"] for start, event in zip(starts, timeline, strict=True)) - first or 1.0
    return [_line(event, (start - first) / length, length, zone) for start, event in zip(starts, timeline, strict=True)]


def _line(event: dict[str, Any], begin: float, length: float, zone: str) -> Text:
    color = str(event.get("color") or "white")
    style = _COLORS.get(color, color)
    left = min(round(begin * WIDTH), WIDTH - 1)
    bar = max(round(event["seconds"] / length * WIDTH), 0)
    drawn = (_BAR * bar or _MARK)[: WIDTH - left]
    who = f" {clean(event['agent'])}" if event.get("agent") else ""
    words = f" {clean(event['label'])}" if event.get("label") else ""
    return Text.assemble(
        f"{local(event['at'], zone)[11:]} {event['kind']:<15}",
        (" " * left + drawn + " " * (WIDTH - left - len(drawn)), style),
        f" {seconds(event['seconds']):>10}{who}{words}",
    )
