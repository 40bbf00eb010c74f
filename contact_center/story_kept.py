"""Who had a customer so far, kept while the talk goes on, so that the process after a crash can tell all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from contact_center.story import Announced, CallLog, Connected, Consulted, Diverted, Joined

_KINDS: dict[str, type[Connected | Consulted | Diverted | Joined]] = {
    kind.__name__: kind for kind in (Connected, Consulted, Diverted, Joined)
}
Talked = Connected | Consulted | Diverted | Joined


def to_keep(log: CallLog) -> list[dict[str, str]]:
    """The talk as JSON: ``what`` names the event's class, the rest are its fields, instants as ISO 8601."""
    events = [event for event in log.events if isinstance(event, Connected | Consulted | Diverted | Joined)]
    return [{"what": type(event).__name__, **asdict(event), "at": event.at.isoformat()} for event in events]


def heard_to_keep(log: CallLog) -> tuple[dict[str, str], ...]:
    """The messages that were heard as JSON, instants as ISO 8601."""
    said = log.all(Announced)
    return tuple({"at": one.at.isoformat(), "until": one.until.isoformat(), "word": one.word} for one in said)


def heard(rows: Sequence[Mapping[str, Any]]) -> list[Announced]:
    """The messages of which :func:`heard_to_keep` told."""
    moment = datetime.fromisoformat
    return [Announced(moment(row["at"]), moment(row["until"]), row["word"]) for row in rows]


def kept(rows: Sequence[Mapping[str, Any]]) -> list[Talked]:
    """The events of which :func:`to_keep` told. Raises ValueError for anything else."""
    events: list[Talked] = []
    for row in rows:
        fields = {key: value for key, value in row.items() if key != "what"}
        try:
            events.append(_KINDS[row["what"]](**{**fields, "at": datetime.fromisoformat(row["at"])}))
        except (KeyError, TypeError) as error:
            raise ValueError(f"{row!r} is no part of a talk") from error
    return events


def talk_so_far(
    rows: Sequence[Mapping[str, Any]],
    first: Connected | None,
    now: Connected | Diverted,
    seen_at: datetime | None = None,
) -> list[Talked]:
    """The talk of an earlier process: what it kept, and who has the customer ``now``.

    ``first``: who had him at the beginning, as far as that is known; he stands for what was not kept. ``now.at``: since
    when, at the earliest. ``seen_at``: when that was found; a consult that the crash cut off lasted until then.
    """
    events: list[Talked] = kept(rows) or ([first] if first is not None else [])
    had = [event for event in events if isinstance(event, Connected | Diverted)]
    if not had:
        return [*events, now]
    if isinstance(events[-1], Consulted) and seen_at is not None:
        events.append(replace(now, at=max(seen_at, events[-1].at)))
    elif _who(had[-1]) != _who(now):
        events.append(replace(now, at=max(now.at, events[-1].at)))
    return events


def _who(event: Connected | Diverted) -> str:
    return event.number if isinstance(event, Diverted) else event.agent
