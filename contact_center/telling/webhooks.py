"""Sending to one webhook: in order, at least once, and never for longer than the schedule behind one ill message.

The rules. Messages go out in the order of their ids, several at once as long as they are of different entities.
One that fails is put aside with a schedule of its own; those after it of the same entity wait behind it (no longer
than the schedule lasts), all others go on. After three failures in a row the receiver counts as away: nothing new
is tried but one message now and then, the rest stays in the outbox and uses up no attempt. When it is back, all
goes on at once. A message that used up its ten attempts is dead; if nothing at all got through meanwhile the
webhook is disabled, and loses nothing more: enabling it goes on where it was.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy.orm import Session

from contact_center.store.admin import By
from contact_center.store.changes import Event
from contact_center.store.telling import open_cursor, webhook_cursor
from contact_center.store.webhook_work import (
    Aside,
    Results,
    Work,
    forget,
    got_through_since,
    next_work,
    store_results,
)
from contact_center.store.webhooks import Hook, disable_webhook, takes
from contact_center.telling.books import Books
from contact_center.telling.envelope import Message, message_id, messages, webhook_body
from contact_center.telling.feed import News
from contact_center.telling.post import Reply, Send
from contact_center.telling.schedule import (
    ATTEMPTS,
    LONGEST_WISH_SECONDS,
    WHOLE_SECONDS,
    delay_after,
    rest_seconds,
)
from contact_center.telling.signing import headers

AT_ONCE = 8
"""Messages on their way to one receiver at a time."""
PER_SECOND = 400.0
"""Messages a second to one receiver that has to catch up: calls share this process."""
LOOK_SECONDS = 3600.0
"""The longest time without looking again."""
GONE = 410
SLOW_DOWN = (429, 502, 503, 504)

log = structlog.get_logger(__name__)


class Disabled(Exception):
    """Nothing is sent any more."""


@dataclass(slots=True)
class _Bundle:
    """Messages that go at once, those nobody wants, and those that wait behind one of their entity."""

    to_send: list[Event] = field(default_factory=list)
    passed: list[Event] = field(default_factory=list)
    behind: list[Event] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Sent:
    event: Event
    reply: Reply


class HookSender:
    """One webhook's sender; runs until cancelled or disabled. ``has``: the last event it has or has put aside."""

    def __init__(self, hook: Hook, books: Books, news: News, send: Send, dice: random.Random) -> None:
        self.hook, self.has = hook, 0
        self._books, self._news, self._send, self._dice = books, news, send, dice
        self._failures = 0
        self._is_proven = False  # an earlier process may have ended while the receiver was away
        self._rests_until: datetime | None = None

    async def run(self) -> None:
        """Send what there is, as it comes."""
        now = self._books.clock.now()
        self.has = await self._books.commit(lambda s: open_cursor(s, webhook_cursor(self.hook.id), now))
        try:
            while True:
                look = partial(self._look, now=self._books.clock.now(), rests=self._rests())
                work, letters = await self._books.read(look)
                if work.events:
                    await self._deliver(work, letters)
                else:
                    await self._wait(work)
        except Disabled as error:
            log.warning("webhook disabled", action="webhook", webhook=self.hook.name, reason=str(error))

    # -- what to send ---------------------------------------------------------------------------------

    def _rests(self) -> bool:
        return self._rests_until is not None and self._books.clock.now() < self._rests_until

    def _look(self, session: Session, now: datetime, rests: bool) -> tuple[Work, dict[int, Message]]:
        work = next_work(session, self.hook.id, self.has, now, rests=rests)
        wanted = [event for event in work.events if takes(self.hook.types, event.type)]
        return work, {message.event.id: message for message in messages(session, wanted)}

    async def _wait(self, work: Work) -> None:
        now, until = self._books.clock.now(), [timedelta(seconds=LOOK_SECONDS)]
        if work.next_at is not None:
            until.append(work.next_at - now)
        if self._rests_until is not None and self._rests_until > now:
            until.append(self._rests_until - now)
            await asyncio.sleep(max(min(until).total_seconds(), 0.01))
        else:
            await self._news.after(self.has, max(min(until).total_seconds(), 0.01))

    # -- sending --------------------------------------------------------------------------------------

    async def _deliver(self, work: Work, letters: dict[int, Message]) -> None:
        results, rest = Results(), list(work.events)
        known = {event.id for event in work.events}
        gone = [event_id for event_id in work.asides if event_id not in known]
        if gone:
            await self._books.commit(lambda session: forget(session, self.hook.id, gone))
        try:
            while rest:
                was_down = rest_seconds(self._failures) > 0
                bundle = self._bundle(rest, letters, work, 1 if was_down else AT_ONCE)
                sent = await asyncio.gather(*(self._send_one(letters[event.id]) for event in bundle.to_send))
                self._note_passed(bundle, work, results)
                for one in sent:
                    self._judge(one, work.asides.get(one.event.id), results, was_down)
                if not all(one.reply.is_ok for one in sent):
                    break  # what follows must see what was put aside
                await asyncio.sleep(len(sent) / PER_SECOND)
        finally:
            await self._store(results, work)

    def _bundle(self, rest: list[Event], letters: dict[int, Message], work: Work, most: int) -> _Bundle:
        """The next messages that may go at once; takes them, and what is passed over, from ``rest``."""
        bundle = _Bundle()
        entities: set[tuple[str, str]] = set()
        while rest and len(bundle.to_send) < most:
            entity = (rest[0].entity, rest[0].entity_id)
            if rest[0].id not in letters:
                bundle.passed.append(rest.pop(0))
            elif entity in work.blocked:
                bundle.behind.append(rest.pop(0))
            elif entity in entities:
                break
            else:
                entities.add(entity)
                bundle.to_send.append(rest.pop(0))
        return bundle

    def _note_passed(self, bundle: _Bundle, work: Work, results: Results) -> None:
        """All of a bundle was sent or need not be: from here on it is either delivered or put aside."""
        now = self._books.clock.now()
        if work.asides:
            results.done += [event.id for event in bundle.passed]
            return
        for event in bundle.behind:
            until = event.at + timedelta(seconds=WHOLE_SECONDS)
            results.put(self.hook.id, event, now, max(until, now), 0, "")
        results.last_id = max(event.id for event in (*bundle.to_send, *bundle.passed, *bundle.behind))

    async def _send_one(self, message: Message) -> _Sent:
        body = webhook_body(message, masked=self.hook.masked)
        now = self._books.clock.now()
        signed = headers(self.hook.secrets(now), message_id(message.event), int(now.timestamp()), body)
        reply = await self._send(self.hook.url, {**signed, "content-type": "application/json"}, body)
        return _Sent(message.event, reply)

    # -- what came of it ------------------------------------------------------------------------------

    def _judge(self, sent: _Sent, aside: Aside | None, results: Results, was_down: bool) -> None:
        if not sent.reply.is_ok:
            self._put_off(sent, aside, results)
            return
        results.any_delivered = True
        results.bring_forward |= was_down or not self._is_proven
        self._failures, self._rests_until, self._is_proven = 0, None, True
        if aside is not None:
            results.done.append(sent.event.id)
            results.freed.add((sent.event.entity, sent.event.entity_id))

    def _put_off(self, sent: _Sent, aside: Aside | None, results: Results) -> None:
        event, reply, now = sent.event, sent.reply, self._books.clock.now()
        was_first = self._failures == 0
        wish = min(reply.retry_after_seconds or 0.0, LONGEST_WISH_SECONDS) if reply.status in SLOW_DOWN else 0.0
        if wish or not self._rests():  # what fails at once with others, or is due within a rest, tells nothing new
            self._failures += 1
            rest = max(rest_seconds(self._failures), wish)
            self._rests_until = now + timedelta(seconds=rest) if rest else None
        if was_first:
            log.warning("webhook failed", action="webhook", webhook=self.hook.name, reason=reply.why, event_id=event.id)
        results.gone |= reply.status == GONE
        attempts = (aside.attempts if aside else 0) + 1
        if attempts >= ATTEMPTS:
            results.dead[event.id] = reply.why
            results.freed.add((event.entity, event.entity_id))
            return
        next_at = now + timedelta(seconds=max(delay_after(attempts, self._dice), wish))
        if aside is None:
            results.put(self.hook.id, event, now, next_at, attempts, reply.why)
        else:
            results.failed[event.id] = (attempts, next_at, reply.why)

    async def _store(self, results: Results, work: Work) -> None:
        now = self._books.clock.now()
        await self._books.commit(lambda session: store_results(session, self.hook.id, results, now))
        if results.last_id is not None:
            self.has = results.last_id
        if results.gone:
            await self._disable("the receiver answered 410: it is gone")
        if results.dead:
            since = min(work.asides[event_id].first_at for event_id in results.dead)
            if not await self._books.read(lambda session: got_through_since(session, self.hook.id, since)):
                await self._disable("nothing got through for three days")

    async def _disable(self, reason: str) -> None:
        by = By("webhook", self._books.clock.now())
        await self._books.commit(lambda session: disable_webhook(session, self.hook.id, by, reason))
        raise Disabled(reason)
