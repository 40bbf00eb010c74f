"""All callbacks that are open: who stands in line now, who waits for his time, and who has called in himself."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from ari_app.callback_adopt import adopt_talks
from ari_app.callback_call import CallbackCall
from ari_app.callback_parts import CallbackParts
from ari_app.events import ChannelInfo
from ari_app.queue_place import SentOn
from ari_app.snapshot import Snapshot
from contact_center.callbacks.fold import deleted_entry
from contact_center.callbacks.plan import CLAIM_AGAIN_SECONDS, Kept, may_be_called
from contact_center.errors import CallwrightError, Unreachable, UsageError
from contact_center.outside_calls import trunks_for
from contact_center.store.callback_claims import (
    is_forbidden,
    open_callbacks,
    open_dials,
    release_claims,
    still_waiting,
)
from contact_center.store.callback_facts import CallbackClosed
from contact_center.terms import CallbackState

LOOK_SECONDS = 5.0
"""How often it is looked whether a queue has opened or closed, or a callback has expired."""
REASON_LENGTH = 120
"""So much of a reason is kept."""
IN_LINE = 100
"""So many callbacks of a queue stand in line at once; the others would not be served before these anyway."""

log = structlog.get_logger(__name__)


class CallbackDesk:
    """Callbacks by their id. Nobody is called before ``recover`` has settled what an earlier process left."""

    def __init__(self, parts: CallbackParts) -> None:
        self.parts = parts
        self.kept: dict[str, Kept] = {}
        self._by_key: dict[tuple[str, str], Kept] = {}
        self.calls: dict[str, CallbackCall] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._on_line: dict[str, tuple[str, str]] = {}  # callers here, by call: their queue and number
        self._ordered: dict[str, Kept] = {}
        self._stirred = asyncio.Event()
        self._recovered = False

    # -- callers --------------------------------------------------------------------------------------

    def called_in(self, call_id: str, queue: str, number: str) -> Kept | None:
        """Somebody stands in line; the callback whose place is his, if he has one. It is not called meanwhile."""
        self._on_line[call_id] = (queue, number)
        kept = self._find(queue, number)
        if kept is not None:
            self._send_home(kept.id)
            if (call := self.calls.get(kept.id)) is not None:
                call.held_back = True
        return kept

    def served(self, call_id: str) -> None:
        """A caller got an agent: a callback of his has nothing left to do."""
        queue, number = self._on_line.get(call_id, ("", ""))
        kept = self._find(queue, number)
        if kept is not None:
            self._close(kept, CallbackState.DONE, "he called in himself", with_entry=False)

    def ordered(self, kept: Kept) -> bool:
        """He asked to be called back, when his call is over; False where an older callback stands for it."""
        older = self._find(kept.queue, kept.number)
        if older is not None and not (older.id in self.kept and self._expire(older, kept.ordered_at)):
            return False
        self._ordered[kept.call_id] = self._by_key[kept.queue, kept.number] = kept
        return True

    def over(self, call_id: str) -> None:
        """A caller's call is over: who ordered a callback may be called now."""
        self._on_line.pop(call_id, None)
        kept = self._ordered.pop(call_id, None)
        if kept is not None:
            self._put(kept)
        if self.kept:
            self._stirred.set()

    async def is_forbidden(self, number: str) -> bool:
        """Whether nobody of us may call a number; when that cannot be asked, it is asked again before the dial."""
        try:
            return await self.parts.store.read(lambda session: is_forbidden(session, number), 1.0)
        except CallwrightError as error:
            log.warning("the do-not-call list is asked later", action="callback", reason=str(error))
            return False

    async def stored(self) -> None:
        """What was posted is stored, or the database is known to be away."""
        try:
            await self.parts.store.read(lambda session: None, 1.0)
        except CallwrightError as error:
            log.warning("an order is stored later", action="callback", reason=str(error))

    def _find(self, queue: str, number: str) -> Kept | None:
        """The open callback of a number in a queue."""
        return self._by_key.get((queue, number))

    def _put(self, kept: Kept) -> None:
        self.kept[kept.id] = self._by_key[kept.queue, kept.number] = kept

    def _drop(self, callback_id: str) -> None:
        kept = self.kept.pop(callback_id, None)
        if kept is not None:
            self._by_key.pop((kept.queue, kept.number), None)

    # -- the line -------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Let those stand in line whose time has come. Runs until cancelled."""
        while True:
            self._stirred.clear()
            if self._recovered:
                self._look(self.parts.env.clock.now())
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause()):
                    await self._stirred.wait()

    def _pause(self) -> float:
        now = self.parts.env.clock.now()
        soon = [kept.due_at for kept in self.kept.values() if kept.due_at > now]
        return min([LOOK_SECONDS, *((at - now).total_seconds() for at in soon)])

    def _look(self, now: datetime) -> None:
        zone, queues = self.parts.env.settings.site.timezone, self.parts.board.queues
        is_open = {name: rules.is_open(zone, now) for name, rules in queues.items()}
        in_line = Counter(call.kept.queue for call in self.calls.values())
        on_line = set(self._on_line.values())
        for kept in sorted(self.kept.values(), key=lambda k: (-k.priority, k.entered_at, k.id)):
            if self._expire(kept, now):
                continue
            if kept.id in self.calls:
                if not is_open.get(kept.queue, False):
                    self._send_home(kept.id)
            elif (
                kept.due_at <= now
                and is_open.get(kept.queue, False)
                and (kept.queue, kept.number) not in on_line
                and in_line[kept.queue] < IN_LINE
            ):
                if why := self._toll(kept):
                    self._close(kept, CallbackState.FAILED, why, with_entry=False)
                    continue
                in_line[kept.queue] += 1
                self.parts.env.look_up(kept.number)
                self._start(CallbackCall(kept, self.parts))

    def _expire(self, kept: Kept, now: datetime) -> bool:
        """Close it if its time is up and no agent is held for it; whether it was."""
        call = self.calls.get(kept.id)
        if kept.expires_at > now or (call is not None and not call.waits):
            return False
        self._send_home(kept.id)
        self._close(kept, CallbackState.EXPIRED, "nobody could call before it expired", with_entry=True)
        return True

    def _toll(self, kept: Kept) -> str:
        """Why this number must not be dialled by the rules against toll fraud; empty where it may."""
        env, trunks = self.parts.env, self.parts.board.queues[kept.queue].options.trunk
        if not may_be_called(kept.number, shown="", country=env.settings.site.country, keyed=False, abroad=True):
            return "calls to this number cost more than a call"
        if not any(name in env.settings.trunk for name in trunks or env.settings.trunk):
            return ""  # the settings have no trunk: he waits until they have
        try:
            trunks_for(env.settings, trunks, kept.number)
        except UsageError as error:
            return str(error)[:REASON_LENGTH]
        return ""

    def _start(self, call: CallbackCall) -> None:
        self.calls[call.kept.id] = call
        self._tasks[call.kept.id] = self.parts.env.ari.spawn(self._run(call), f"callback {call.kept.id}")

    def resume(self, call: CallbackCall, life: asyncio.Future[None]) -> None:
        """A talk of an earlier process goes on; ``life`` is its task."""
        self.calls[call.kept.id] = call
        life.add_done_callback(lambda _: self._after(call))

    async def _run(self, call: CallbackCall) -> None:
        try:
            await call.live()
            if call.lost:
                await self._look_up(call)
        except (SentOn, CallwrightError) as error:
            log.info("a callback's turn came to nothing", action="callback", callback=call.kept.id, reason=str(error))
        except Exception:
            log.exception("a callback ended by an error", action="callback", callback=call.kept.id)
        finally:
            self._after(call)

    async def _look_up(self, call: CallbackCall) -> None:
        """The store refused its turn: it may be over or another's, or wait on, to be called again or to expire."""
        callback_id, owner, call.lost = call.kept.id, self.parts.owner, False
        kept = await self.parts.commit(lambda session: still_waiting(session, callback_id, owner))
        call.lost, call.kept = kept is None, kept or call.kept

    def _after(self, call: CallbackCall) -> None:
        """Its turn is over; what is next was decided by the dial."""
        kept, step = call.kept, call.step
        self.calls.pop(kept.id, None)
        self._tasks.pop(kept.id, None)
        if kept.id not in self.kept:
            pass  # cancelled meanwhile
        elif call.lost or (step is not None and step.due_at is None):
            self._drop(kept.id)
        elif step is None or step.due_at is None:
            again = self.parts.env.clock.now() + timedelta(seconds=CLAIM_AGAIN_SECONDS)
            self._put(replace(kept, due_at=max(kept.due_at, again)))
        else:
            used, since = kept.attempt + step.counted, call.log.events[-1].at if step.counted else kept.since_at
            self._put(replace(kept, due_at=step.due_at, dials=kept.dials + 1, attempt=used, since_at=since))
        self._stirred.set()

    def _send_home(self, callback_id: str) -> None:
        """Out of the line again, unless an agent is held for it already."""
        call, task = self.calls.get(callback_id), self._tasks.get(callback_id)
        if call is not None and task is not None and call.waits:
            task.cancel()

    def _close(self, kept: Kept, state: CallbackState, reason: str, *, with_entry: bool) -> None:
        now = self.parts.env.clock.now()
        entry = deleted_entry(now, self.parts.env.settings.site.language) if with_entry else None
        closed = CallbackClosed(callback_id=kept.id, at=now, state=state.value, reason=reason, entry=entry)
        self.parts.post(closed)
        self._drop(kept.id)

    # -- supervisors ----------------------------------------------------------------------------------

    def cancelled(self, callback_id: str) -> None:
        """A supervisor took it away; an agent or a customer whose phone rings is not rung any more."""
        self._drop(callback_id)
        for call_id, kept in list(self._ordered.items()):
            if kept.id == callback_id:
                del self._ordered[call_id], self._by_key[kept.queue, kept.number]
        self._send_home(callback_id)
        if (call := self.calls.get(callback_id)) is not None and not call.waits:
            if call.at_agent and callback_id in self._tasks:
                self._tasks[callback_id].cancel()  # nothing of the customer has begun, so his phone need not ring on
            call.withdraw()

    async def hang_up(self, call_id: str) -> bool:
        """End the talk of a callback by a supervisor's wish; False when there is none of this call."""
        for call in self.calls.values():
            if call.kept.call_id == call_id and call.dial is not None:
                await call.hang_up()
                return True
        return False

    # -- after a connect ------------------------------------------------------------------------------

    async def recover(self, snapshot: Snapshot, agent_of: Callable[[ChannelInfo], str]) -> None:
        """What an earlier process left: talks go on, dials whose end nobody saw are closed, claims are given back."""
        store = self.parts.store
        try:
            adopt_talks(self, snapshot, await store.read(open_dials), agent_of)
            mine = frozenset(self.calls)
            await store.commit(lambda session: release_claims(session, None, mine))
            found = await store.read(open_callbacks)
        except Unreachable as error:
            log.warning("callbacks wait for the database", action="callback", reason=str(error))
            return
        known = {kept.id for kept in found}
        pending = {kept.id for kept in self._ordered.values()}
        for callback_id in [key for key in self.kept if key not in known]:
            self._drop(callback_id)
        for kept in found:
            if kept.id not in self.calls and kept.id not in pending:
                self._put(kept)
        self._recovered = True
        self._stirred.set()
