"""Where a claim looks for leads: which classes, priorities and places, in the dialling order.

New leads are all callable: each open place is asked for its highest priority, then for the next one. Of leads that
wait for a time the high priorities may all be due later, as those that were due are called first. So each place is
asked for the highest priority among those due, by an index of time; where more are due than are looked at one by one,
its priorities are gone through in the database, down to the best that is known already.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from contact_center.store.claim_sql import (
    Asked,
    LeadClass,
    due_sql,
    first_sql,
    ids_sql,
    may_take,
    rows_of,
    top_due_sql,
    top_sql,
    zones_in,
)

DUE_AT_ONCE = 200
"""So many due leads of a class and place are looked at one by one; where there are more, their priorities are asked."""

_HIGHEST = 1 << 30
_LOWEST = -_HIGHEST


@dataclass(frozen=True, slots=True)
class Head:
    """A class and priority with leads that may be due, the open zones they lie in, and the campaign's filter."""

    lead_class: LeadClass
    priority: int
    zones: list[str]
    wanted: str = ""


def heads(
    session: Session,
    campaign_id: int,
    asked: Asked,
    open_zones: Collection[str] | None,
    now: datetime,
    *,
    due_at_once: int = DUE_AT_ONCE,
) -> Iterator[Head]:
    """Where to look for leads, in the dialling order; asked for as far as it is gone through."""
    wanted = asked.wanted
    for lead_class in (one for one in asked.classes if may_take(wanted, one)):
        places = zones_in(session, lead_class, campaign_id) if open_zones is None else list(open_zones)
        if not places:
            continue
        found = (
            _due(_Due(session, lead_class, campaign_id, now, due_at_once), places)
            if lead_class.is_timed
            else _by_priority(session, lead_class, campaign_id, places)
        )
        for head in found:
            if may_take(wanted, lead_class, priority=head.priority):
                yield replace(head, wanted=wanted) if wanted else head


class Again:
    """Heads that one transaction goes through more than once, each asked for once.

    What it sets aside in between can only empty them.
    """

    def __init__(self, more: Iterator[Head]) -> None:
        self._made: list[Head] = []
        self._more = more

    def __iter__(self) -> Iterator[Head]:
        """From the first one on."""
        yield from self._made
        for head in self._more:
            self._made.append(head)
            yield head


def _by_priority(session: Session, lead_class: LeadClass, campaign_id: int, places: Sequence[str]) -> Iterator[Head]:
    """The highest priority with the places it occurs in, then the next one."""
    tops = _tops(session, lead_class, campaign_id, places, _HIGHEST)
    while tops:
        priority = max(tops.values())
        here = [place for place, top in tops.items() if top == priority]
        yield Head(lead_class, priority, here)
        for place in here:
            del tops[place]
        tops |= _tops(session, lead_class, campaign_id, here, priority)


def _tops(
    session: Session, lead_class: LeadClass, campaign_id: int, places: Sequence[str], below: int
) -> dict[str, int]:
    rows = rows_of(session, top_sql, lead_class, campaign=campaign_id, zones=places, below=below)
    return {row.zones: row.priority for row in rows if row.priority is not None}


@dataclass(frozen=True, slots=True)
class _Due:
    """What is asked of the due leads of a class."""

    session: Session
    lead_class: LeadClass
    campaign_id: int
    now: datetime
    at_once: int

    def among_first(self, places: Sequence[str], below: int) -> tuple[dict[str, int], set[str]]:
        """The highest priority below one among each place's first due leads, and the places that have many."""
        rows = self._rows(due_sql, zones=places, below=below, few=self.at_once)
        tops = {row.zones: row.priority for row in rows if row.priority is not None}
        return tops, {row.zones for row in rows if row.leads == self.at_once}

    def among_all(self, places: Collection[str], below: int, least: int) -> dict[str, int]:
        """The highest priority below one, and not less than another, that has a due lead, of places that have any."""
        rows = self._rows(top_due_sql, zones=list(places), below=below, least=least) if places else []
        return {row.zones: row.priority for row in rows}

    def _rows(self, make: Any, **parameters: Any) -> list[Any]:
        return rows_of(self.session, make, self.lead_class, campaign=self.campaign_id, now=self.now, **parameters)


def _due(due: _Due, places: Sequence[str]) -> Iterator[Head]:
    """The highest priority that has due leads, with the places of these, then the next one.

    What the first ones of a place with many tell is the least that its highest priority can be.
    """
    tops, many = due.among_first(places, _HIGHEST)
    below = _HIGHEST
    while tops or many:
        least = max(tops.values(), default=_LOWEST)
        higher = due.among_all(many, below, least)
        below = max(higher.values(), default=least)
        here = [place for place in places if higher.get(place, tops.get(place)) == below]
        if not here:
            return
        yield Head(due.lead_class, below, here)
        asked = [place for place in here if tops.get(place) == below]
        for place in asked:
            del tops[place]
        if asked:
            more, still_many = due.among_first(asked, below)
            tops |= more
            many -= set(asked) - still_many


def first(session: Session, campaign_id: int, head: Head, now: datetime, few: int) -> list[Any]:
    """The first ``few`` leads of one class and priority that are due and have no open call: rows of the claim."""
    return rows_of(session, first_sql, head.lead_class, head.wanted, **_of(campaign_id, head, now, few))


def first_ids(session: Session, campaign_id: int, head: Head, now: datetime, few: int) -> list[int]:
    """Their keys; nothing is locked."""
    rows = rows_of(session, ids_sql, head.lead_class, head.wanted, **_of(campaign_id, head, now, few))
    return [row.id for row in rows]


def better_first(rows: list[Any], odds: Mapping[int, float]) -> list[Any]:
    """By their odds, equal ones in their order; a lead of which nothing is known is taken for an average one."""
    known = [odds[row.id] for row in rows if row.id in odds]
    average = sum(known) / len(known) if known else 0.0
    return sorted(rows, key=lambda row: -odds.get(row.id, average))


def _of(campaign_id: int, head: Head, now: datetime, few: int) -> dict[str, Any]:
    timed = {"now": now} if head.lead_class.is_timed else {}
    return {"campaign": campaign_id, "priority": head.priority, "zones": head.zones, "few": few, **timed}
