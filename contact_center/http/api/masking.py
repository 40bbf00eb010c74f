"""Numbers that a campaign hides, masked for those who may not see them: in documents and in events."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.clock import iso
from contact_center.http.api.answers import Forbidden, dumped
from contact_center.http.api.tokens import Caller
from contact_center.models import Call, Campaign
from contact_center.numbers import mask
from contact_center.pops import concealed
from contact_center.store.changes import Event

NUMBER_KEYS = ("number", "caller_number")


@dataclass(frozen=True, slots=True)
class Hidden:
    """The names of the campaigns that hide the numbers of their leads."""

    campaigns: frozenset[str]

    @classmethod
    def of(cls, session: Session) -> Hidden:
        """As the store has them now."""
        rows = session.execute(select(col(Campaign.name), col(Campaign.options)))
        return cls(frozenset(name for name, options in rows if options.get("hide_number")))

    @classmethod
    def for_(cls, session: Session, caller: Caller) -> Hidden:
        """What this caller may not see."""
        return cls(frozenset()) if caller.sees_numbers else cls.of(session)

    def campaigns_of_calls(self, session: Session, events: Collection[Event]) -> dict[str, str]:
        """The campaign of each call that events tell of; nothing is asked while nothing is hidden."""
        ids = {event.entity_id for event in events if event.entity == "call"} if self.campaigns else set()
        if not ids:
            return {}
        rows = session.execute(select(col(Call.id), col(Call.campaign)).where(col(Call.id).in_(ids)))
        return {row.id: row.campaign for row in rows}

    def hides_event(self, event: Event, campaigns: Mapping[str, str]) -> bool:
        """Whether its numbers must not be seen; when nobody knows whose they are, they must not."""
        if not self.campaigns:
            return False
        campaign = event.payload.get("campaign") or campaigns.get(event.entity_id)
        return campaign is None or campaign in self.campaigns

    def lead(self, document: dict[str, Any]) -> dict[str, Any]:
        """A lead as the caller may see it."""
        return self._shown(document, "number", document.get("campaign"))

    def call(self, document: dict[str, Any]) -> dict[str, Any]:
        """A call as the caller may see it."""
        return self._shown(document, "caller_number", document.get("campaign"))

    def dnc(self, document: dict[str, Any]) -> dict[str, Any]:
        """An entry of the do-not-call list; one for everybody may be a hidden lead's number."""
        campaign = document.get("campaign")
        return self._shown(document, "number", campaign) if campaign or not self.campaigns else _masked(document)

    def callback(self, document: dict[str, Any]) -> dict[str, Any]:
        """A callback; no campaign is known of its number, so it may be a hidden lead's."""
        if not self.campaigns:
            return document
        number = str(document["number"])
        return {**_masked(document), "reason": concealed(document["reason"], number)}

    def refuse_number(self, number: str) -> None:
        """A search by number would tell whose number a hidden one is. Raises Forbidden."""
        if number and self.campaigns:
            raise Forbidden("A campaign hides its numbers, so only a supervisor's token may search by number.")

    def _shown(self, document: dict[str, Any], key: str, campaign: object) -> dict[str, Any]:
        if campaign not in self.campaigns:
            return document
        number = str(document.get(key) or "")
        own = {"id": document["id"]} if "id" in document else {}
        return {**concealed(document, number), **own, key: mask(number) if number else document.get(key)}


def _masked(document: dict[str, Any]) -> dict[str, Any]:
    return {**document, "number": mask(str(document["number"]))}


def plain_event(event: Event) -> bytes:
    """The JSON of an event."""
    return dumped(_document(event))


def masked_event(event: Event) -> bytes:
    """The same, with every number that it names masked wherever it stands."""
    document: Any = _document(event)
    numbers = set(_numbers(document))
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
