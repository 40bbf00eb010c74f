"""What trunks carried out, kept by the minute, so that their caps hold over a restart; and the caps in force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError
from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.clock import SystemClock, iso
from contact_center.errors import NotFound, UsageError
from contact_center.models import Attempt, Instant, TrunkNote
from contact_center.models_trunks import TrunkCap, TrunkUse
from contact_center.settings import Caps, Settings, sentence_of
from contact_center.spending import DAY, Reached, Use, UsedMinute, cap_sentence, reached
from contact_center.store.admin import By, shown
from contact_center.store.engine import open_engine, reading
from contact_center.store.fact import Fact
from contact_center.store.prepared import Prepared
from contact_center.store.tables import table_of
from contact_center.terms import AttemptState

KEEP = timedelta(minutes=2 * DAY)
"""Older minutes count for nothing any more."""

_USE = table_of(TrunkUse)
_AT = bindparam("p_at", type_=Instant())
_MINUTE_AT = bindparam("p_minute_at", type_=Instant())
_SET = Prepared(
    update(_USE)
    .where(_USE.c.name == bindparam("p_name"), _USE.c.minute_at == _MINUTE_AT)
    .values(calls=bindparam("p_calls"), seconds=bindparam("p_seconds"), at=_AT)
)
_ADD = Prepared(insert(_USE).inline(), columns=("name", "minute_at", "calls", "seconds", "at"))
_FORGET = Prepared(delete(_USE).where(_USE.c.name == bindparam("p_name"), _USE.c.minute_at < _MINUTE_AT))


@dataclass(frozen=True, slots=True)
class TrunkUsed(Fact):
    """All that a trunk carried out in one minute, as far as it is known at ``at``."""

    name: str
    minute_at: datetime
    calls: int
    seconds: float
    at: datetime

    def apply(self, session: Session) -> None:
        """Put it in place of what was known of that minute before."""
        row = {"name": self.name, "minute_at": self.minute_at, "calls": self.calls, "seconds": self.seconds}
        if _SET.run(session, {**{f"p_{name}": value for name, value in row.items()}, "p_at": self.at}) == 0:
            _ADD.run(session, {**row, "at": self.at})
            _FORGET.run(session, {"p_name": self.name, "p_minute_at": self.minute_at - KEEP})


@dataclass(frozen=True, slots=True)
class Kept:
    """What is stored of one trunk: the caps that stand in place of the settings' own, its use, and its state."""

    caps: Caps
    changed: dict[str, Any]
    minutes: Sequence[UsedMinute]
    state: str
    reason: str
    since_at: datetime | None


def kept_trunks(session: Session, settings: Settings) -> dict[str, Kept]:
    """Of every trunk of the settings, by name."""
    minutes: dict[str, list[UsedMinute]] = {}
    for row in session.scalars(select(TrunkUse)):
        minutes.setdefault(row.name, []).append(UsedMinute(row.minute_at, row.calls, row.seconds, row.at))
    changed = {row.name: row.caps for row in session.scalars(select(TrunkCap))}
    notes = {note.name: note for note in session.scalars(select(TrunkNote))}
    made: dict[str, Kept] = {}
    for name in settings.trunk:
        note, mine = notes.get(name), changed.get(name, {})
        how = (note.state, note.reason, note.since_at) if note is not None else ("up", "", None)
        made[name] = Kept(_in_force(settings, name, mine), mine, minutes.get(name, ()), *how)
    return made


def set_caps(session: Session, by: By, settings: Settings, name: str, words: dict[str, str]) -> Kept:
    """Change caps of a trunk; an empty value gives way to the settings' own. Raises NotFound and UsageError."""
    if name not in settings.trunk:
        raise NotFound("trunk", name)
    if not words:
        raise UsageError(f"Give a cap to change, such as calls_per_hour=100; known are {', '.join(Caps.model_fields)}.")
    row = session.get(TrunkCap, name)
    changed = dict(row.caps) if row is not None else {}
    for key, text in words.items():
        if key not in Caps.model_fields:
            raise UsageError(f"{shown(key)} is no cap of a trunk; known are {', '.join(Caps.model_fields)}.")
        changed.pop(key, None)
        if text.strip():
            changed[key] = text.strip()
    try:
        caps = Caps.model_validate({**_of_settings(settings, name), **changed})
    except ValidationError as error:
        raise UsageError(sentence_of(error)) from None
    changed = {key: getattr(caps, key) for key in changed}
    if row is None:
        row = TrunkCap(name=name, caps={}, at=by.at, actor=by.actor)
    row.caps, row.at, row.actor = changed, by.at, by.actor
    session.add(row)
    by.note(session, "trunk", name, "set", {"name": name, "caps": changed}, obey=True)
    session.flush()
    return kept_trunks(session, settings)[name]


def trunk_document(session: Session, settings: Settings, name: str, kept: Kept, now: datetime) -> dict[str, Any]:
    """One trunk as `trunk list` and `trunk show` tell of it. Money is in ``currency``."""
    trunk, use = settings.trunk[name], Use(kept.minutes)
    hour, day = use.hour(now), use.day(now)
    found = next(reached(kept.caps, use, now), None)
    return {
        "name": name,
        "state": _state(kept, found),
        "reason": kept.reason if kept.state == "down" else found.reason if found else "",
        "since_at": iso(kept.since_at),
        "free_at": iso(found.free_at) if found else None,
        "live": _live(session, name),
        "max_channels": trunk.max_channels,
        "used": {
            "calls_per_hour": hour.calls,
            "calls_per_day": day.calls,
            "minutes_per_hour": round(hour.seconds / 60, 1),
            "minutes_per_day": round(day.seconds / 60, 1),
            "spend_per_day": round(day.seconds / 60 * kept.caps.cost_per_minute, 2),
        },
        "caps": kept.caps.model_dump(),
        "changed": kept.changed,
        "currency": settings.site.currency,
    }


def read_trunks(settings: Settings) -> list[dict[str, Any]]:
    """All trunks, of a program that has no database open. Raises Unreachable."""
    engine, now = open_engine(settings.database.url), SystemClock().now()
    try:
        with reading(engine) as session:
            return trunk_documents(session, settings, now)
    finally:
        engine.dispose()


def trunk_documents(session: Session, settings: Settings, now: datetime) -> list[dict[str, Any]]:
    """All trunks of the settings, in their order."""
    kept = kept_trunks(session, settings)
    return [trunk_document(session, settings, name, one, now) for name, one in kept.items()]


def capped_trunks(session: Session, names: Sequence[str]) -> str:
    """Why none of these trunks may carry a call any more, as a running serve sees it; empty where one may."""
    rows = session.scalars(select(TrunkNote).where(col(TrunkNote.name).in_(names), col(TrunkNote.state) == "capped"))
    notes = {note.name: note for note in rows}
    if not names or len(notes) < len(names):
        return ""
    return " ".join(cap_sentence(name, notes[name].reason) for name in names)


def _state(kept: Kept, found: Reached | None) -> str:
    if kept.state == "down":
        return kept.state
    return "capped" if found else "up"


def _of_settings(settings: Settings, name: str) -> dict[str, Any]:
    return {key: getattr(settings.trunk[name], key) for key in Caps.model_fields}


def _in_force(settings: Settings, name: str, changed: dict[str, Any]) -> Caps:
    """The caps with those that were changed by hand; a mixture that makes no sense any more gives way to the file."""
    own = _of_settings(settings, name)
    try:
        return Caps.model_validate({**own, **changed})
    except ValidationError:
        return Caps.model_validate(own)


def _live(session: Session, name: str) -> int:
    is_open = col(Attempt.state).in_([state for state in AttemptState if state.is_open])
    wanted = select(func.count()).where(col(Attempt.live_number) > "", is_open, col(Attempt.trunk) == name)
    return session.scalar(wanted) or 0
