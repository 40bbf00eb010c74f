"""Where callers come in: their number's queue, their call's task, and what an earlier process left of them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, Protocol, TypeVar

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from ari_app.agent_line import AgentLines
from ari_app.callback_desk import CallbackDesk
from ari_app.callback_parts import CallbackParts
from ari_app.channel import Channel
from ari_app.inbound import InboundCall
from ari_app.inbound_resumed import ResumedCall
from ari_app.inbound_told import InboundTold, Listeners
from ari_app.queue_prompts import TOLD, QueuePrompts
from ari_app.reception import Caller, Reception
from ari_app.services import Services
from ari_app.speech import Speech, sounds_folder
from contact_center.errors import UsageError
from contact_center.ids import new_id
from contact_center.models import Queue
from contact_center.numbers import normalise
from contact_center.queues.board import QueueBoard
from contact_center.queues.rules import QueueRules
from contact_center.store.queries_queues import OpenInbound
from contact_center.store.writer import Writer
from contact_center.terms import NumberCheck

UNKNOWN = "unknown"
"""What stands for the number of a caller who does not show one, or shows something else."""

MESSAGES = ("greeting", "welcome_message", "closed_message", "overflow_message", "record_announcement")
"""The messages that a queue's settings may hold."""

T = TypeVar("T")
Call = TypeVar("Call", bound=InboundCall)

log = structlog.get_logger(__name__)


class Read(Protocol):
    """How the store is read: Writer.read."""

    async def __call__(self, fn: Callable[[Session], T], within: float = 2.0) -> T:
        """What ``fn`` finds in a read transaction."""
        ...


class InboundDesk:
    """All callers' calls, by their channel."""

    def __init__(self, env: Services, reception: Reception, listeners: Listeners, read: Read) -> None:
        self.reception, self.calls = reception, dict[str, InboundCall]()
        self._env, self._listeners, self._read = env, listeners, read

    async def load(self) -> None:
        """Take the queues as the store knows them; their messages are spoken before anybody calls."""
        self.reception.board.load(await self._read(lambda session: list(session.scalars(select(Queue)))))
        for rules in self.reception.board.queues.values():
            self._prepare(rules)
        for word in TOLD:
            self.reception.prompts.told(word)

    async def changed(self, name: str) -> None:
        """A queue was added or set."""
        wanted = select(Queue).where(col(Queue.name) == name)
        row = await self._read(lambda session: session.scalars(wanted).first())
        if row is not None:
            self.reception.board.change(row)
            self._prepare(self.reception.board.queues[row.name])

    def _prepare(self, rules: QueueRules) -> None:
        options = rules.options
        texts = {word: str(getattr(options, word)) for word in MESSAGES}
        language = options.language or self._env.settings.site.language
        self.reception.prompts.prepare(texts, language)
        if options.callback:
            self.reception.prompts.prepare_callbacks(language, options.callback_message)

    def queue_of(self, did: str) -> QueueRules | None:
        """The queue of a number that was dialled."""
        return self.reception.board.by_did(did)

    async def receive(self, channel: Channel, did: str, number: str, at: datetime) -> bool:
        """A caller's whole call; False, doing nothing, where his number leads to no queue."""
        rules = self.queue_of(did)
        if rules is None:
            return False
        caller = Caller(new_id("call"), self._number(number), did, at)
        call = self._take(InboundCall, channel, caller, rules)
        await self.run(call, call.live())
        return True

    def adopt(self, channel: Channel, found: OpenInbound) -> ResumedCall | None:
        """The call of a caller whom an earlier process served; None where his queue is no more."""
        rules = self.reception.board.queues.get(found.visit.queue if found.visit else found.queue)
        if rules is None:
            return None
        caller = Caller(found.call_id, found.caller_number, found.did, found.started_at)
        return self._take(ResumedCall, channel, caller, rules)

    def told_of(self, found: OpenInbound) -> InboundTold:
        """Who is told of a call that nobody lives through any more."""
        return self._listeners.call(found.call_id, found.channel_id)

    def _take(self, kind: type[Call], channel: Channel, caller: Caller, rules: QueueRules) -> Call:
        self._env.look_up(caller.number)
        told = self._listeners.call(caller.call_id, channel.id)
        call = self.calls[channel.id] = kind(channel, caller, rules, self._env, self.reception, told)
        return call

    async def run(self, call: InboundCall, life: Coroutine[Any, Any, None]) -> None:
        """Live through a call; one that is broken must not end the others."""
        try:
            await life
        except Exception:
            log.exception("a caller's call ended by an error", action="call", call_id=call.caller.call_id)
        finally:
            self.calls.pop(call.channel.id, None)

    def _number(self, shown: str) -> str:
        """E.164 of what the trunk shows; what is no number is never stored or sent on."""
        site = self._env.settings.site
        try:
            return normalise(shown, site.country, NumberCheck.DIGITS)
        except UsageError:
            return UNKNOWN

    async def hang_up(self, call_id: str) -> bool:
        """End a call by a supervisor's wish; False when it is not up here."""
        for call in self.calls.values():
            if call.caller.call_id == call_id:
                call.ended_by_supervisor()
                await call.channel.hang_up()
                return True
        return self.reception.callbacks is not None and await self.reception.callbacks.hang_up(call_id)


def open_desk(env: Services, lines: AgentLines, writer: Writer, listeners: Listeners) -> InboundDesk:
    """The desk of a running contact centre."""
    settings = env.settings
    speech = Speech(settings.speech.command, sounds_folder(settings.database.url), env.ari.spawn)
    board = QueueBoard(env.roster, env.clock, settings.site)
    prompts = QueuePrompts(speech, settings.site.language)
    callbacks = CallbackDesk(CallbackParts(env, board, lines, prompts, writer, listeners.queue_log, listeners.meters))
    return InboundDesk(env, Reception(board, lines, prompts, callbacks), listeners, writer.read)
