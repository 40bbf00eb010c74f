"""The board of waiting callers: whose turn it is, and who is rung for him. One synchronous decision, here only.

A caller is offered in the very step in which the later of two things happens: he stands in line, or an agent
becomes free. So it never happens that a caller stands in line while an agent is free who may take him.
"""

from __future__ import annotations

import re
from bisect import insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, count

from contact_center.clock import Clock
from contact_center.errors import UsageError
from contact_center.models import Queue
from contact_center.numbers import normalise
from contact_center.options import QueueOptions
from contact_center.queues.rules import QueueRules
from contact_center.queues.skills import fits, mastery, next_relaxation, relaxed
from contact_center.queues.strategies import Candidate, Memory, in_order
from contact_center.queues.waits import HandleTime, expected_wait
from contact_center.roster import Offer, Roster
from contact_center.seat import Seat
from contact_center.settings import Site
from contact_center.terms import AgentState, NumberCheck
from contact_center.waiters import AGAIN_SECONDS


@dataclass(slots=True, eq=False)
class Waiting:
    """One caller in line, or about to be.

    ``take`` is called with each agent who is held for him; ``missed``: when (monotonic) which agent did not
    take him. ``priority`` and ``entered_at`` give his place; ``entered`` is the same instant, monotonic.
    ``called_back``: he is not on the line but will be called, so one agent at a time is held for him, whatever the
    strategy.
    """

    call_id: str
    queue: str
    priority: int
    entered_at: datetime
    entered: float
    take: Callable[[Offer], None]
    serial: int = 0
    missed: dict[str, float] = field(default_factory=dict)
    called_back: bool = False

    @property
    def place(self) -> tuple[int, datetime, int]:
        """What the line is ordered by."""
        return (-self.priority, self.entered_at, self.serial)


class QueueBoard:
    """All queues and everybody who waits in them; implements :class:`contact_center.roster.Callers`."""

    def __init__(self, roster: Roster, clock: Clock, site: Site) -> None:
        self._roster, self._clock, self._site = roster, clock, site
        self.queues: dict[str, QueueRules] = {}
        self._dids: dict[str, str] = {}
        self._line: list[Waiting] = []
        self._watching: list[Callable[[], None]] = []
        self._serials = count(1)
        self._coming: list[Waiting] = []
        self._ringing_all: dict[str, Waiting] = {}
        self._memory: defaultdict[str, Memory] = defaultdict(Memory)
        self._handled: defaultdict[str, HandleTime] = defaultdict(HandleTime)
        self._taken: defaultdict[tuple[str, str], int] = defaultdict(int)
        roster.callers = self

    # -- queues ---------------------------------------------------------------------------------------

    def load(self, rows: Iterable[Queue]) -> None:
        """Take the queues as the store knows them."""
        for row in rows:
            self._set(row)
        self._index()

    def change(self, row: Queue) -> None:
        """A queue was added or set; those who wait are looked at anew."""
        self._set(row)
        self._index()
        for entry in [e for e in self._line if e.queue == row.name]:
            self.look(entry)
        for told in tuple(self._watching):
            told()

    @contextmanager
    def watched(self, told: Callable[[], None]) -> Iterator[None]:
        """While the block lasts ``told`` is called whenever a queue was added or set."""
        self._watching.append(told)
        try:
            yield
        finally:
            self._watching.remove(told)

    def _set(self, row: Queue) -> None:
        known = {key: value for key, value in row.options.items() if key in QueueOptions.model_fields}
        self.queues[row.name] = QueueRules.of(row.name, QueueOptions.model_validate(known))

    def _index(self) -> None:
        self._dids = {
            spelling: rules.name
            for rules in self.queues.values()
            for did in rules.options.dids
            for spelling in self._spellings(did)
        }

    def _spellings(self, number: str) -> list[str]:
        """A DID as carriers may send it: with +, without, as a national number."""
        plain = re.sub(r"^\+", "", number).lower()
        found = [plain]
        if plain.isdigit():
            with suppress(UsageError):
                found.append(normalise(number, self._site.country, NumberCheck.DIGITS).removeprefix("+"))
        return found

    def by_did(self, did: str) -> QueueRules | None:
        """The queue whose number was dialled."""
        if (queue := self._dids.get(did)) is None:
            queue = next((self._dids[s] for s in self._spellings(did) if s in self._dids), "")
        return self.queues.get(queue)

    # -- the line -------------------------------------------------------------------------------------

    def number(self, entry: Waiting) -> None:
        """He has come: of two who stand in line from one instant on, he who came first is first."""
        entry.serial = next(self._serials)

    def expect(self, entry: Waiting) -> None:
        """He will stand in line soon: the dialer leaves an agent for him."""
        self._coming.append(entry)

    def enter(self, entry: Waiting) -> None:
        """He stands in line, at the place that his priority and time of entry give him."""
        if entry in self._coming:
            self._coming.remove(entry)
        if entry not in self._line:
            insort(self._line, entry, key=lambda e: e.place)
        self.look(entry)

    def leave(self, entry: Waiting) -> None:
        """He is out of the line: served, gone, or sent elsewhere. Harmless when he is out already."""
        for where in (self._line, self._coming):
            if entry in where:
                where.remove(entry)
        self._ringing_all.pop(entry.call_id, None)

    def look(self, entry: Waiting) -> None:
        """Offer him to an agent who is free, if there is one for him and nobody before him wants the same."""
        if entry not in self._line and entry.call_id not in self._ringing_all:
            return
        rules = self.queues.get(entry.queue)
        if rules is None:
            return
        while seat := self._best(entry, rules):
            self._give(entry, rules, seat)
            self._roster.hold(seat, entry.call_id)
            entry.take(Offer(self._roster, seat, entry.call_id))
            if entry.called_back or rules.options.strategy != "ring_all":
                return

    def take(self, seat: Seat) -> str:
        """Callers: this agent has become free; the call he is held for now, or nothing."""
        open_now = self.waiting() if self._ringing_all else self._line
        for entry in open_now:
            rules = self.queues.get(entry.queue)
            if rules is not None and self._may(entry, rules, seat):
                self._give(entry, rules, seat)
                entry.take(Offer(self._roster, seat, entry.call_id))
                return entry.call_id
        return ""

    def _give(self, entry: Waiting, rules: QueueRules, seat: Seat) -> None:
        self._memory[entry.queue].last_rung = seat.ext
        if entry in self._line:
            self._line.remove(entry)
        if rules.options.strategy == "ring_all" and not entry.called_back:
            self._ringing_all[entry.call_id] = entry  # whoever becomes free meanwhile is rung too

    def _best(self, entry: Waiting, rules: QueueRules) -> Seat | None:
        idle = {s.ext: s for s in self._roster if s.state is AgentState.IDLE and self._may(entry, rules, s)}
        if len(idle) <= 1:
            return next(iter(idle.values()), None)
        found = [self._candidate(seat, rules) for seat in idle.values()]
        return idle[in_order(rules.options.strategy, found, self._memory[rules.name])[0].ext]

    def _candidate(self, seat: Seat, rules: QueueRules) -> Candidate:
        return Candidate(
            ext=seat.ext,
            idle_since_at=seat.idle_since_at,
            taken=self._taken[rules.name, seat.ext],
            penalty=seat.penalties.get(rules.name, 0),
            mastery=mastery(seat.skills, rules.needs),
        )

    def _may(self, entry: Waiting, rules: QueueRules, seat: Seat) -> bool:
        """Whether this agent may take this caller now."""
        if rules.name not in seat.queues:
            return False
        now = self._clock.monotonic()
        if now - entry.missed.get(seat.ext, float("-inf")) < AGAIN_SECONDS:
            return False
        if not rules.needs:
            return True
        return fits(seat.skills, relaxed(rules.needs, now - entry.entered, rules.options.skills_relax))

    def next_look(self, entry: Waiting) -> float | None:
        """Seconds until time itself may change who may take him; None when it will not."""
        rules, now = self.queues.get(entry.queue), self._clock.monotonic()
        if rules is None:
            return None
        moments = [at + AGAIN_SECONDS - now for at in entry.missed.values() if at + AGAIN_SECONDS > now]
        relaxes = next_relaxation(rules.needs, now - entry.entered, rules.options.skills_relax)
        if relaxes is not None:
            moments.append(relaxes)
        return min(moments, default=None)

    # -- what became of him ---------------------------------------------------------------------------

    def served(self, queue: str, ext: str) -> None:
        """An agent took a caller."""
        self._taken[queue, ext] += 1

    def handled(self, queue: str, seconds: float) -> None:
        """A call of a queue is over; talk and wrap-up took so long."""
        self._handled[queue].note(seconds)

    # -- what others ask ------------------------------------------------------------------------------

    def length(self, queue: str) -> int:
        """How many callers wait in a queue, those whose agent's phone rings for all included."""
        return sum(1 for entry in self.waiting() if entry.queue == queue and not entry.called_back)

    def waiting(self) -> list[Waiting]:
        """Everybody in line, in order."""
        return sorted(dict.fromkeys([*self._line, *self._ringing_all.values()]), key=lambda e: e.place)

    def stands(self, entry: Waiting) -> bool:
        """Whether he is in line, and no phone rings for him alone."""
        return entry in self._line

    def position(self, entry: Waiting) -> int:
        """His place in his own queue, from 1."""
        return 1 + sum(1 for other in self._line if other.queue == entry.queue and other.place < entry.place)

    def expected_wait(self, entry: Waiting) -> float | None:
        """Seconds he will wait yet, with everybody before him whom his agents serve too; None: nobody is there."""
        members = self.members(entry.queue, on_line=True)
        queues = {queue for seat in members for queue in seat.queues}
        ahead = sum(1 for other in self._line if other.queue in queues and other.place < entry.place)
        return expected_wait(ahead, len(members), self._handled[entry.queue].seconds)

    def members(self, queue: str, *, on_line: bool = False) -> list[Seat]:
        """The agents of a queue; with ``on_line`` those who take calls now or after the one they have."""
        return [s for s in self._roster if queue in s.queues and (s.is_on_line or not on_line)]

    def spoken_for(self) -> set[str]:
        """Callers: the agents whom those in line, and those who are about to be, need for themselves.

        Each of them has one agent: who is free, else who will be free first.
        """
        needed: set[str] = set()
        left: dict[str, Iterator[Seat]] = {}
        for entry in chain(self._line, self._coming):
            if entry.queue not in left:
                left[entry.queue] = iter(sorted(self.members(entry.queue, on_line=True), key=_free_first))
            if seat := next((s for s in left[entry.queue] if s.ext not in needed), None):
                needed.add(seat.ext)
        return needed


_RANK = {AgentState.IDLE: 0, AgentState.OFFERED: 1, AgentState.WRAP_UP: 2, AgentState.TALKING: 3}


def _free_first(seat: Seat) -> tuple[int, datetime, str]:
    return _RANK.get(seat.state, 4), seat.wrap_up_until_at or seat.since_at, seat.ext
