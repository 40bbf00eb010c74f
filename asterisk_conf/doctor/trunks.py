"""Whether trunks may carry more calls, and whether somebody has changed their caps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from asterisk_conf.doctor.finding import Finding, bad, note, well
from asterisk_conf.doctor.host import DATABASE_SECONDS
from contact_center.errors import CallwrightError
from contact_center.settings import Settings

NEARLY = 0.8
"""Of a cap: who has used so much of it should know."""

ReadTrunks = Callable[[Settings], list[dict[str, Any]]]


def no_trunks(settings: Settings) -> list[dict[str, Any]]:
    """Nobody knows what trunks have used."""
    return []


async def check_all(settings: Settings, read_trunks: ReadTrunks) -> list[Finding]:
    """A finding per trunk that has caps; ``read_trunks`` gives them as `trunk list` does, and may block."""
    try:
        async with asyncio.timeout(DATABASE_SECONDS):
            documents = await asyncio.to_thread(read_trunks, settings)
    except (CallwrightError, TimeoutError) as error:
        return [note("caps of trunks", f"they cannot be read: {error}")]
    return [_finding(document) for document in documents if any(document["caps"].values())]


def _finding(document: dict[str, Any]) -> Finding:
    name, caps, used = document["name"], document["caps"], document["used"]
    title, fix = f"caps of trunk {name}", f"look into `callwright call list`; `callwright trunk set {name}` raises it"
    if document["free_at"]:
        return bad(title, f"it takes no more calls: {document['reason']}", fix)
    near = [key for key in used if caps[key] and used[key] >= NEARLY * caps[key]]
    if near:
        return note(title, ", ".join(f"{used[key]:g} of {key}={caps[key]:g} are used" for key in near), fix)
    if document["changed"]:
        told = ", ".join(f"{key}={value:g}" for key, value in document["changed"].items())
        return note(title, f"{told} stands in place of the settings", f"`callwright trunk set {name} KEY=` ends that")
    return well(title, ", ".join(f"{used[key]:g} of {key}={caps[key]:g}" for key in used if caps[key]))
