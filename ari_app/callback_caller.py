"""Callbacks as one caller's call sees them: offered while he waits, ordered by his key, his own place kept."""

from __future__ import annotations

from datetime import timedelta

from ari_app.callback_order import OrderMenu, is_offered
from ari_app.channel import Channel
from ari_app.inbound_told import InboundTold
from ari_app.queue_music import DeadMan, Music
from ari_app.queue_place import Place
from ari_app.reception import Caller, Reception
from ari_app.services import Services
from contact_center import story
from contact_center.callbacks.plan import Kept, may_be_called
from contact_center.ids import new_id
from contact_center.numbers import dialable
from contact_center.queues.rules import QueueRules
from contact_center.store.callback_facts import CallbackOrdered
from contact_center.store.queries_queues import OpenVisit
from contact_center.terms import CallbackState, Party, VisitEnd
from contact_center.terms import Reception as CameOf
from contact_center.timeline_inbound import reception


class CallerOrders:
    """What one caller has to do with callbacks."""

    def __init__(
        self,
        env: Services,
        desk: Reception,
        channel: Channel,
        caller: Caller,
        music: Music,
        dead_man: DeadMan,
        language: str,
    ) -> None:
        self._env, self._desk, self._callbacks = env, desk, desk.callbacks
        self._channel, self._caller = channel, caller
        self._music, self._dead_man, self._language = music, dead_man, language
        self._back: OpenVisit | None = None
        self._place: Place | None = None

    # -- while he waits -------------------------------------------------------------------------------

    def called_in(self, place: Place) -> None:
        """Who waits for a callback of ours keeps the place that he had, and is not called meanwhile."""
        self._place = place
        if self._callbacks is None:
            return
        kept = self._callbacks.called_in(self._caller.call_id, place.entry.queue, self._caller.number)
        if kept is not None:
            place.entry.entered_at = min(place.entry.entered_at, kept.entered_at)
            place.entry.priority = max(place.entry.priority, kept.priority)

    def offered(self, place: Place) -> bool:
        """Whether he may ask to be called back now."""
        if self._callbacks is None:
            return False
        return is_offered(place.board, place.entry, place.rules.options, self._env.clock.now())

    def offer(self, place: Place) -> tuple[str, ...]:
        """What he is told of it, with his place and his wait."""
        if not self.offered(place):
            return ()
        return self._desk.prompts.callback("callback_offer", self._language, place.rules.options.callback_message)

    def is_overflow(self, place: Place) -> bool:
        """Whether callers whom this queue cannot serve are asked for a callback."""
        return self._callbacks is not None and place.rules.overflow.kind == "callback"

    def served(self) -> None:
        """He has an agent."""
        if self._callbacks is not None:
            self._callbacks.served(self._caller.call_id)

    def over(self, log: story.CallLog) -> None:
        """His call is over; where the queue wants it, who gave up waiting is called back."""
        if self._callbacks is None:
            return
        place, number = self._place, self._caller.number
        if place is not None and place.rules.options.callback_abandoned and reception(log) is CameOf.ABANDONED:
            country = self._env.settings.site.country
            if dialable(number) and may_be_called(number, shown=number, country=country, keyed=False, abroad=False):
                self._keep(number, place)
        self._callbacks.over(self._caller.call_id)

    def kept_place(self) -> OpenVisit | None:
        """The place to which he goes back because he ordered nothing; asked for once."""
        back, self._back = self._back, None
        return back

    # -- the order ------------------------------------------------------------------------------------

    async def ask(
        self, place: Place, log: story.CallLog, told: InboundTold, end: VisitEnd = VisitEnd.CALLBACK
    ) -> QueueRules | None:
        """He has pressed the key. None when the callback is ordered, else the queue where he goes on waiting.

        Any other ``end``: a rule of the queue sends him here, so he orders nothing unless he presses a key.
        """
        assert self._callbacks is not None
        rules, asked_at = place.rules, self._env.clock.now()
        waited: story.Entered | None = log.last(story.Entered)
        log.add(story.WaitOver(asked_at, rules.name, end, "callback"))
        menu = OrderMenu(
            self._channel,
            self._caller.number,
            rules.options,
            site=self._env.settings.site,
            book=self._desk.prompts,
            language=self._language,
            log=log,
            clock=self._env.clock,
            is_forbidden=self._callbacks.is_forbidden,
            has_asked=end is VisitEnd.CALLBACK,
        )
        try:
            await self._music.stop()
            number = await menu.ask(self._dead_man, lambda number: self._stored(number, place, log, told, end))
        finally:
            if self._channel.gone.happened and menu.standing and log.find(story.CallbackOrdered) is None:
                self._order(menu.standing, place, log, told, end)
        if number:
            log.add(story.Left(self._env.clock.now(), Party.SYSTEM))
            return None
        if waited is not None and end is VisitEnd.CALLBACK:
            self._back = _visit(place, waited)
        return rules

    async def _stored(self, number: str, place: Place, log: story.CallLog, told: InboundTold, end: VisitEnd) -> None:
        """The order is stored before he is told so; while the database is away it is in the journal."""
        self._order(number, place, log, told, end)
        assert self._callbacks is not None
        await self._callbacks.stored()

    def _order(self, number: str, place: Place, log: story.CallLog, told: InboundTold, end: VisitEnd) -> None:
        """The order is written down."""
        now = self._env.clock.now()
        told.sent_on(now, end, "callback", place.board.position(place.entry))
        log.add(story.CallbackOrdered(now, number, merged=not self._keep(number, place)))

    def _keep(self, number: str, place: Place) -> bool:
        """A callback for his place; False where an older one stands for it."""
        assert self._callbacks is not None
        now, entry, options = self._env.clock.now(), place.entry, place.rules.options
        kept = Kept(
            id=new_id("cb"),
            call_id=self._caller.call_id,
            queue=entry.queue,
            number=number,
            did=self._caller.did,
            state=CallbackState.WAITING,
            attempt=0,
            dials=0,
            priority=entry.priority,
            entered_at=entry.entered_at,
            ordered_at=now,
            since_at=now,
            due_at=now,
            expires_at=now + timedelta(seconds=options.callback_expires),
        )
        is_new = self._callbacks.ordered(kept)
        if is_new:
            self._callbacks.parts.post(order_of(kept))
        return is_new


def order_of(kept: Kept) -> CallbackOrdered:
    """The fact of an order."""
    return CallbackOrdered(
        callback_id=kept.id,
        call_id=kept.call_id,
        queue=kept.queue,
        number=kept.number,
        did=kept.did,
        priority=kept.priority,
        entered_at=kept.entered_at,
        at=kept.ordered_at,
        expires_at=kept.expires_at,
    )


def _visit(place: Place, entered: story.Entered) -> OpenVisit:
    """His stay as it was before he pressed the key."""
    return OpenVisit(
        n=entered.n,
        queue=place.entry.queue,
        entered_at=place.entry.entered_at,
        priority=place.entry.priority,
        position=entered.position,
        connected_at=None,
        agent="",
        agent_channel_id="",
        bridge_id="",
    )
