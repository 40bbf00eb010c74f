"""Calls are matched as they come in, and told to a data platform as transactions; nobody on a call waits for it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy.orm import Session

from contact_center.matching.transactions import transaction
from contact_center.settings import Tracking
from contact_center.store.changes import Event
from contact_center.store.tracking import match_call
from contact_center.store.transactions import ARRIVED, ENDED, ORDERED, TransactionFacts, transaction_facts
from contact_center.telling.books import Books
from contact_center.telling.feed import Follower, News
from contact_center.telling.google import deliver
from contact_center.telling.post import Send
from contact_center.terms import Direction


class Matcher:
    """Finds whose call each one is that comes in."""

    def __init__(self, books: Books, news: News, country: str) -> None:
        self.follower = Follower("matching", books, news)
        self._books, self._country = books, country

    async def run(self) -> None:
        """Runs until cancelled."""
        await self.follower.follow(self._match)

    async def _match(self, events: Sequence[Event]) -> None:
        arrived = [event for event in events if event.type == ARRIVED]
        if arrived:
            await self._books.commit(lambda session: match_arrived(session, arrived, self._country))


def match_arrived(session: Session, events: Sequence[Event], country: str) -> None:
    """Match the calls of these events; those matched before stay as they are."""
    for event in events:
        match_call(session, event.entity_id, str(event.payload.get("did") or ""), event.at, country)


class TransactionTeller:
    """Tells a data platform of calls. Offline calls are told only with ``send = all``."""

    def __init__(
        self, settings: Tracking, country: str, books: Books, news: News, send: Send, dice: random.Random
    ) -> None:
        self.follower = Follower("transactions", books, news)
        self._country = country
        self._settings, self._books, self._send, self._dice = settings, books, send, dice

    async def run(self) -> None:
        """Runs until cancelled."""
        await self.follower.follow(self._tell)

    async def _tell(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.type in (ARRIVED, ENDED, ORDERED):
                facts = await self._facts(event)
                body = transaction_of(self._settings, event.type, facts) if facts is not None else None
                if body is not None:
                    await deliver(self._send, self._settings.url, orjson.dumps(body), "transactions", self._dice)
                    await self.follower.mark(event.id)

    async def _facts(self, event: Event) -> TransactionFacts | None:
        if event.type == ARRIVED:
            await self._books.commit(lambda session: match_arrived(session, [event], self._country))
        return await self._books.read(lambda session: transaction_facts(session, event.entity_id, event.id))


def transaction_of(settings: Tracking, type_: str, facts: TransactionFacts) -> dict[str, Any] | None:
    """What is told of a call at this event; None when nothing is.

    At the start or at the end, as set; and once more when an order is written down later than that.
    """
    due = {
        ARRIVED: settings.send_at == "start",
        ENDED: settings.send_at == "end",
        ORDERED: settings.send_at == "start" or facts.is_over,
    }[type_]
    is_known = facts.matched or (settings.send == "all" and facts.is_tracked)
    if not due or not is_known or facts.direction != Direction.INBOUND:
        return None
    at: datetime = facts.started_at if type_ == ARRIVED else facts.ended_at or facts.started_at
    return transaction(
        settings.event,
        property_id=settings.property,
        source=settings.source,
        at=at,
        call_id=facts.call_id,
        visit=facts.visit,
        order=facts.order,
        visitor=facts.visitor if settings.details else None,
    )
