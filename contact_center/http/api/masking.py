"""Numbers that a campaign hides, masked for those who may not see them: in documents and in events, by one rule.

A number is hidden where a campaign that hides them has a lead with it, whatever tells of it: a lead, a dialled call, a
caller, a callback, an entry of the do-not-call list. What such a campaign says of calls of its own is hidden, too.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.clock import iso
from contact_center.http.api.documents import Forbidden, dumped
from contact_center.http.api.tokens import Caller
from contact_center.models import Call, Campaign, Lead
from contact_center.models_leads import LeadNumber
from contact_center.numbers import mask
from contact_center.pops import concealed
from contact_center.store.changes import Event

NUMBER_KEYS = ("number", "caller_number")
ASKED_AT_ONCE = 500
"""Numbers that are looked up by one query."""

_NUMBER = re.compile(r"(?<![\w.])\+?\d{7,15}(?![\w.])")


class Hidden:
    """The names of the ``campaigns`` that hide the numbers of their leads, and which numbers these are.

    Lives as long as the session of its request.
    """

    def __init__(self, session: Session, campaigns: Mapping[str, int]) -> None:
        self.campaigns = frozenset(campaigns)
        self._session, self._ids = session, tuple(campaigns.values())
        self._known: dict[str, bool] = {}

    @classmethod
    def of(cls, session: Session) -> Hidden:
        """As the store has them now."""
        rows = session.execute(select(col(Campaign.id), col(Campaign.name), col(Campaign.options)))
        return cls(session, {name: key for key, name, options in rows if options.get("hide_number")})

    @classmethod
    def for_(cls, session: Session, caller: Caller) -> Hidden:
        """What this caller may not see."""
        return cls(session, {}) if caller.sees_numbers else cls.of(session)

    def campaigns_of_calls(self, session: Session, events: Collection[Event]) -> dict[str, str]:
        """The campaign of each call that events tell of; nothing is asked while nothing is hidden."""
        ids = {event.entity_id for event in events if event.entity == "call"} if self.campaigns else set()
        if not ids:
            return {}
        self._ask(number for event in events for number in _all_numbers(event.payload))
        rows = session.execute(select(col(Call.id), col(Call.campaign)).where(col(Call.id).in_(ids)))
        return {row.id: row.campaign for row in rows}

    def in_event(self, event: Event, campaigns: Mapping[str, str]) -> set[str] | None:
        """The numbers of hidden leads that it names; None where all of it may be seen."""
        if not self.campaigns:
            return None
        campaign = event.payload.get("campaign") or campaigns.get(event.entity_id)
        found = self._of_leads([event.entity_id, event.payload])
        return found if found or campaign in self.campaigns else None

    def shown(self, documents: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """Leads, calls, callbacks or entries of a do-not-call list as the caller may see them."""
        found = list(documents)
        if self.campaigns:
            self._ask(number for document in found for number in _all_numbers(document))
        return [self.one(document) for document in found]

    def one(self, document: dict[str, Any]) -> dict[str, Any]:
        """One of them."""
        if not self.campaigns:
            return document
        hidden = self._of_leads(document)
        if document.get("campaign") in self.campaigns:
            hidden |= {str(document[key]) for key in NUMBER_KEYS if document.get(key)}
        if not hidden:
            return document
        own = {"id": document["id"]} if "id" in document else {}
        masked = document
        for number in sorted(hidden):
            masked = concealed(masked, number)
        direct = {key: mask(str(document[key])) for key in NUMBER_KEYS if document.get(key) in hidden}
        return {**masked, **own, **direct}

    def refuse_number(self, number: str) -> None:
        """A search by number would tell whose number a hidden one is. Raises Forbidden."""
        if number and self.campaigns:
            raise Forbidden("A campaign hides its numbers, so only a supervisor's token may search by number.")

    def _of_leads(self, value: Any) -> set[str]:
        """The numbers in it that are those of hidden leads, as they are written there."""
        numbers = set(_all_numbers(value))
        self._ask(numbers)
        return {number for number in numbers if self._known[number]}

    def _ask(self, numbers: Iterable[str]) -> None:
        new = sorted({number for number in numbers if number not in self._known})
        for start in range(0, len(new), ASKED_AT_ONCE):
            some = {number: _e164(number) for number in new[start : start + ASKED_AT_ONCE]}
            rows = select(col(Lead.number)).where(
                col(Lead.number).in_(set(some.values())), col(Lead.campaign_id).in_(self._ids)
            )
            asked = set(some.values())
            rows_of_others = (
                select(col(LeadNumber.number))
                .join(Lead, col(Lead.id) == col(LeadNumber.lead_id))
                .where(col(LeadNumber.number).in_(asked), col(Lead.campaign_id).in_(self._ids))
            )
            found = {*self._session.scalars(rows), *self._session.scalars(rows_of_others)}
            self._known |= {number: own in found for number, own in some.items()}


def _e164(number: str) -> str:
    """As leads have it: carriers and dialled-in numbers come without the plus sign."""
    return number if number.startswith("+") else f"+{number}"


def _all_numbers(value: Any) -> Iterator[str]:
    """Everything in a document that may be a phone number."""
    if isinstance(value, str):
        yield from _NUMBER.findall(value)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _all_numbers(key)
            yield from _all_numbers(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _all_numbers(item)


def plain_event(event: Event) -> bytes:
    """The JSON of an event."""
    return dumped(_document(event))


def masked_event(event: Event, also: Collection[str] = ()) -> bytes:
    """The same, with every number that it names, and ``also`` these, masked wherever it stands."""
    document: Any = _document(event)
    numbers = {*_numbers(document), *also}
    if event.entity == "dnc":
        numbers.add(event.entity_id)
    for number in sorted(numbers):
        kept = {key: document[key] for key in ("id", "at", "seq")}
        document = {**concealed(document, number), **kept}
    return dumped(document)


def _document(event: Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "at": iso(event.at),
        "entity": event.entity,
        "entity_id": event.entity_id,
        "seq": event.seq,
        "type": event.type,
        "version": event.version,
        "payload": event.payload,
    }


def _numbers(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key in NUMBER_KEYS and isinstance(item, str):
                yield item
            yield from _numbers(item)
    elif isinstance(value, list):
        for item in value:
            yield from _numbers(item)
