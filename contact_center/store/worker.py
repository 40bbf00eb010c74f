"""The writer's thread: stores facts in order, serves commits between them, and waits out trouble."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import structlog
from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from contact_center.clock import Clock
from contact_center.crash_points import reached
from contact_center.errors import Unreachable
from contact_center.models import Instant, Quarantine, WriterMark
from contact_center.store.changes import gathering_events
from contact_center.store.errors import OutcomeUnknown, explain, is_conflict, is_trouble, place
from contact_center.store.inbox import BATCH_FACTS, HURRIED_FACTS, Inbox, Posted
from contact_center.store.journal import Journal
from contact_center.store.last_facts import LastFacts
from contact_center.store.link import Link, LinkLost
from contact_center.store.prepared import Prepared
from contact_center.store.pruning import Pruner
from contact_center.store.requests import Request
from contact_center.store.tables import table_of

PROBE_SECONDS = 0.5
"""How often an idle database is asked whether it would still take a write."""
HEARTBEAT_SECONDS = 10.0
"""How often an idle database really is written to."""
BACK_OFF_SECONDS = (0.1, 0.2, 0.4, 0.8, 1.6, 2.0)
"""The waits between attempts while the database is in trouble; the last one repeats."""
BATCH_SECONDS = 0.25
"""A transaction takes in no more facts after so long: others wait for the write lock."""
TRIES = 3
"""How often a fact is tried that the database refuses."""
KEEP_MARKS = timedelta(days=30)

_MARK, _QUARANTINE = table_of(WriterMark), table_of(Quarantine)
_THIS_SOURCE = _MARK.c.source == bindparam("p_source")
_MARK_OF = Prepared(select(_MARK.c.seq).where(_THIS_SOURCE))
_SET_MARK = Prepared(
    update(_MARK).where(_THIS_SOURCE).values(seq=bindparam("p_seq"), at=bindparam("p_at", type_=Instant()))
)
_log = structlog.get_logger(__name__)


class Worker:
    """All but `write_journal` runs in the thread; other threads speak to the ``inbox``.

    ``on_change`` is called when the trouble changes, and once ``tell_when_empty`` is set when no fact waits.
    """

    def __init__(
        self,
        link: Link,
        clock: Clock,
        journal: Journal | None,
        source: str,
        on_change: Callable[[], None],
        pruner: Pruner,
        last_facts: LastFacts | None = None,
    ) -> None:
        self.link = link
        self.inbox = Inbox(source, last_facts)
        self.pruner = pruner
        self.trouble = ""
        self.quarantined = 0
        self.tell_when_empty = False
        self._clock = clock
        self._journal = journal
        self._source = source
        self._on_change = on_change
        self._journalling = threading.Lock()
        self._marks: dict[str, int] = {}
        self._one_by_one = 0
        self._strikes = 0
        self._retry_at = 0.0
        self._heartbeat_at = time.monotonic() + HEARTBEAT_SECONDS

    # ---- the thread

    def run(self) -> None:
        """Work until stopped."""
        try:
            while not self._is_finished():
                try:
                    self._step()
                except Exception as error:
                    # A defect of ours must not end the only thread that stores anything.
                    _log.exception("writer_step_failed", action="store")
                    self._note_trouble(error)
        finally:
            self.write_journal()
            self._refuse_requests()
            self.link.close()

    def _is_finished(self) -> bool:
        return self.inbox.stopping and (bool(self.trouble) or self.inbox.is_empty)

    def _step(self) -> None:
        if self.trouble:
            self.write_journal()
        if self._is_backing_off():
            # A fact that comes meanwhile is put into the journal at once.
            self.inbox.sleep(max(0.0, self._retry_at - time.monotonic()))
            return
        head = self.inbox.next(0.0 if self.trouble else PROBE_SECONDS, gather=not self.trouble)
        if isinstance(head, Request):
            self._serve(head)
        elif head is not None:
            self._store()
        else:
            self._probe()
        if self.pruner.is_due and not self.trouble and not self.inbox.is_hurried:
            self._prune()

    def _prune(self) -> None:
        try:
            with self.link.transaction(writes=True) as (session, transaction):
                step = self.pruner.step(session, self._clock.now())
                if step.rows:
                    transaction.commit()
        except Exception as error:
            self.pruner.put_off()
            if _is_trouble(error):
                self._strike(error)
            else:
                _log.exception("pruning_failed", action="store")
            return
        self.pruner.done(step)

    def _is_backing_off(self) -> bool:
        return bool(self.trouble) and time.monotonic() < self._retry_at

    # ---- facts

    def _store(self) -> None:
        batch = self.inbox.batch(1 if self._one_by_one else BATCH_FACTS)
        try:
            stored = self._store_batch(batch)
        except Exception as error:
            self._marks.pop(batch[0].entry.source, None)
            if _is_trouble(error):
                self._strike(error)
            elif len(batch) > 1:
                self._one_by_one = len(batch)
            else:
                self._blame(batch[0], error)
            return
        self._done(batch[:stored])

    def _store_batch(self, batch: list[Posted]) -> int:
        """Store a batch in one transaction; gives how many of it are stored now."""
        started, source = time.monotonic(), batch[0].entry.source
        with self.link.transaction(writes=True) as (session, transaction):
            mark = self._mark(session, source)
            count = 0
            with gathering_events(session):
                for posted in batch:
                    # At and below the mark it is stored already: the reply was lost, not the fact.
                    if posted.entry.seq > mark:
                        posted.entry.fact.apply(session)
                    count += 1
                    if time.monotonic() - started > BATCH_SECONDS:
                        break
                    if count >= HURRIED_FACTS and self.inbox.is_hurried:
                        break
            last = max(mark, batch[count - 1].entry.seq)
            self._set_mark(session, source, last)
            reached("facts_applied")
            transaction.commit()
        reached("facts_stored")
        self._marks[source] = last
        return count

    def _mark(self, session: Session, source: str) -> int:
        if source not in self._marks:
            mark = _MARK_OF.first(session, {"p_source": source})
            if mark is None:
                now = self._clock.now()
                session.connection().execute(delete(_MARK).where(_MARK.c.at < now - KEEP_MARKS))
                session.connection().execute(insert(_MARK).values(source=source, seq=0, at=now))
            self._marks[source] = mark.seq if mark is not None else 0
        return self._marks[source]

    def _set_mark(self, session: Session, source: str, seq: int) -> None:
        _SET_MARK.run(session, {"p_source": source, "p_seq": seq, "p_at": self._clock.now()})

    def _blame(self, posted: Posted, error: Exception) -> None:
        """The database is well, so the fact is at fault: tried again, then put aside."""
        posted.tries += 1
        if posted.tries < TRIES:
            return
        source, seq = posted.entry.source, posted.entry.seq
        try:
            values = posted.entry.fact.to_json()
            posted.entry.line()
        except TypeError:
            values = {"fact": type(posted.entry.fact).__name__, "repr": repr(posted.entry.fact)}
        reason = f"{type(error).__name__}: {getattr(error, 'orig', None) or error}"[:400]
        row = {"at": self._clock.now(), "source": source, "seq": seq, "fact": values, "error": reason}
        try:
            with self.link.transaction(writes=True) as (session, transaction):
                self._mark(session, source)
                session.connection().execute(insert(_QUARANTINE).values(row))
                self._set_mark(session, source, seq)
                transaction.commit()
        except Exception as failure:
            # Not even this can be stored, so it is the database after all: tables may be missing.
            self._marks.pop(source, None)
            posted.tries = 0
            self._note_trouble(failure)
            return
        self._marks[source] = seq
        self.quarantined += 1
        _log.error("fact_quarantined", action="store", fact=values["fact"], seq=seq, error=reason)
        self._done([posted])

    def _done(self, stored: list[Posted]) -> None:
        with self._journalling:
            self._one_by_one = max(0, self._one_by_one - len(stored))
            if self.inbox.done(stored) and self._journal is not None:
                with suppress(OSError):
                    # Lines that stay behind do no harm: the mark says that they are stored.
                    self._journal.clear()
        self._note_success()
        if self.tell_when_empty and self.inbox.backlog == 0:
            self.tell_when_empty = False
            self._on_change()

    # ---- requests

    def _serve(self, request: Request) -> None:
        error = request.serve(self.link)
        if error is None:
            self._note_success()
        elif _is_trouble(error):
            self._note_trouble(error)

    def _refuse_requests(self) -> None:
        """Answer everybody who waits for a commit; facts stay."""
        for request in self.inbox.requests():
            request.finish(error=Unreachable(self.trouble or "The writer has ended."))

    # ---- health

    def _probe(self) -> None:
        """Ask whether a write would be taken; now and then really write."""
        try:
            self.link.look_at_disk()
            now = time.monotonic()
            is_heartbeat = now >= self._heartbeat_at
            with self.link.transaction(writes=True) as (session, transaction):
                if is_heartbeat:
                    self._mark(session, self._source)
                    self._set_mark(session, self._source, self._marks[self._source])
                    transaction.commit()
            if is_heartbeat:
                self._heartbeat_at = now + HEARTBEAT_SECONDS
        except Exception as error:
            self._marks.pop(self._source, None)
            self._strike(error)
            return
        self._note_success()

    def _strike(self, error: Exception) -> None:
        """A lost connection or conflict is tried once more at once; anything else is trouble.

        A connection that was cut because it hung is no lost one: the database does not answer.
        """
        self._strikes += 1
        is_stale = isinstance(error, DBAPIError) and error.connection_invalidated
        if self.trouble or self._strikes > 1 or self.link.was_cut or not (is_stale or is_conflict(error)):
            self._note_trouble(error)

    def _note_trouble(self, error: Exception) -> None:
        self._strikes = max(self._strikes, 1)
        wait = BACK_OFF_SECONDS[min(self._strikes, len(BACK_OFF_SECONDS)) - 1]
        self._retry_at = time.monotonic() + wait
        self._heartbeat_at = 0.0  # coming back is proven by a real write
        told = explain(error, self.link.url) if isinstance(error, DBAPIError) else error
        was = self.trouble
        self.trouble = str(told) or f"{place(self.link.url)}: {type(told).__name__}"
        if not was:
            _log.warning("database_trouble", action="store", error=self.trouble, backlog=self.inbox.backlog)
            self._on_change()
        self._refuse_requests()

    def _note_success(self) -> None:
        self._strikes = 0
        self.link.was_cut = False
        if self.trouble:
            self.trouble = ""
            _log.warning("database_back", action="store", backlog=self.inbox.backlog)
            self._on_change()

    def write_journal(self) -> None:
        """Put facts that wait into the journal; another thread calls it while this one hangs."""
        if self._journal is None:
            return
        with self._journalling:
            self._write_waiting(self._journal)

    def _write_waiting(self, journal: Journal) -> None:
        waiting = self.inbox.not_journalled()
        lines = []
        for posted in waiting:
            with suppress(TypeError):  # what JSON cannot say will be quarantined in its turn
                lines.append(posted.entry.line())
        try:
            if lines:
                journal.append(lines)
        except OSError as error:
            _log.error("journal_failed", action="store", error=str(error), facts=len(lines))
            return
        for posted in waiting:
            posted.journalled = True


def _is_trouble(error: Exception) -> bool:
    return is_trouble(error) or isinstance(error, LinkLost | OutcomeUnknown)
