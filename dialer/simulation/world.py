"""A next-event simulation of one campaign of the dialer, with any pacer plugged in."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dialer.pacing import Pacer
from dialer.simulation.laws import Laws, Lots, lognormal

QUARTER = 900.0
LOOK_AHEAD = 512  # leads whose odds are told


@dataclass(slots=True)
class Outcome:
    """What came of a shift. Times in seconds; ``quarters``: (answered, dropped) per quarter hour."""

    dialled: int = 0
    answered: int = 0
    connected: int = 0
    dropped: int = 0
    waited: int = 0
    busy_seconds: float = 0.0
    logged_in_seconds: float = 0.0
    warm_busy_seconds: float = 0.0
    warm_logged_in_seconds: float = 0.0
    hold_seconds: float = 0.0
    most_in_flight: int = 0
    quarters: list[list[int]] = field(default_factory=list)

    @property
    def utilization(self) -> float:
        """(Talk + wrap-up) / logged-in time over the whole shift."""
        return self.busy_seconds / self.logged_in_seconds if self.logged_in_seconds else 0.0

    @property
    def warm_utilization(self) -> float:
        """The same after the warm-up."""
        return self.warm_busy_seconds / self.warm_logged_in_seconds if self.warm_logged_in_seconds else 0.0

    @property
    def abandonment(self) -> float:
        """Dropped / (dropped + connected)."""
        ended = self.dropped + self.connected
        return self.dropped / ended if ended else 0.0

    def worst_quarter(self, least: int = 30, start: int = 0) -> float:
        """The highest abandonment of a quarter hour with ``least`` answers or more."""
        return max((d / a for a, d in self.quarters[start:] if a >= least), default=0.0)


@dataclass(slots=True)
class _Agent:
    number: int
    state: str = "out"
    since: float = 0.0
    busy_since: float = 0.0
    in_since: float = 0.0
    break_at: float = 0.0
    leaving: bool = False


class _Starts:
    """Start times of what is under way, kept in one array so that ages cost one subtraction."""

    def __init__(self) -> None:
        self._at = np.zeros(64)
        self._keys: list[int] = []
        self._index: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def keys(self) -> list[int]:
        """The keys in the order of the ages."""
        return self._keys

    def add(self, key: int, at: float) -> None:
        """One more."""
        n = len(self._keys)
        if n == len(self._at):
            self._at = np.concatenate([self._at, np.zeros(n)])
        self._at[n] = at
        self._index[key] = n
        self._keys.append(key)

    def remove(self, key: int) -> float:
        """One less; returns its start."""
        i = self._index.pop(key)
        at, last = float(self._at[i]), self._keys.pop()
        if last != key:
            self._at[i] = self._at[len(self._keys)]
            self._keys[i] = last
            self._index[last] = i
        return at

    def ages(self, now: float) -> NDArray[np.float64]:
        """Seconds since each start."""
        ages: NDArray[np.float64] = now - self._at[: len(self._keys)]
        return ages


class World:
    """One shift. ``tick``: seconds between decisions; ``on_events``: decide after each event too."""

    def __init__(
        self,
        laws: Laws,
        pacer: Pacer,
        *,
        seed: int = 0,
        tick: float = 1.0,
        on_events: bool = True,
        warm_up: float = 1800.0,
        tell_odds: bool = False,
    ) -> None:
        self.laws, self.pacer, self.lots = laws, pacer, Lots(seed, laws.odds)
        self._tick, self._on_events, self._warm_up, self._tell_odds = tick, on_events, warm_up, tell_odds
        self._rng = np.random.default_rng((seed, 1, 1))
        self.out = Outcome(quarters=[[0, 0] for _ in range(int(laws.shift_seconds // QUARTER) + 1)])
        self._heap: list[tuple[float, int, str, int]] = []
        self._order = 0
        self.ringing, self.talking, self.wrapping = _Starts(), _Starts(), _Starts()
        self.idle: deque[_Agent] = deque()
        self.waiting: deque[int] = deque()
        self._gone: set[int] = set()
        self._fail_of: dict[int, str] = {}
        self._held_since: dict[int, float] = {}
        self._call_of: dict[int, int] = {}
        self.agents: list[_Agent] = []
        self.wanted = 0

    def run(self) -> Outcome:
        """The shift from its first second to its last."""
        for at, count in self.laws.agents:
            self._push(at, "staff", count)
        self._push(0.0, "tick", 0)
        end = self.laws.shift_seconds
        while self._heap and self._heap[0][0] < end:
            at, _, kind, ident = heappop(self._heap)
            getattr(self, "_on_" + kind)(at, ident)
            if kind == "tick" or (self._on_events and (not self._heap or self._heap[0][0] > at)):
                self._decide(at)
        for agent in self.agents:
            self._log_out(agent, end, tell=False)
        return self.out

    def _push(self, at: float, kind: str, ident: int) -> None:
        self._order += 1
        heappush(self._heap, (at, self._order, kind, ident))

    def _decide(self, now: float) -> None:
        extra: dict[str, Any] = {}
        if self._tell_odds:
            self.lots.reach(self.out.dialled + LOOK_AHEAD)
            extra["answer_odds"] = self.lots.odds[self.ringing.keys]
            extra["next_odds"] = self.lots.odds[self.out.dialled : self.out.dialled + LOOK_AHEAD]
        logged_in = len(self.idle) + len(self.talking) + len(self.wrapping)
        place = self.pacer.decide(
            now,
            self.ringing.ages(now),
            len(self.idle),
            self.talking.ages(now),
            self.wrapping.ages(now),
            logged_in,
            len(self._held_since),
            **extra,
        )
        for _ in range(place):
            self._dial(now)
        self.out.most_in_flight = max(self.out.most_in_flight, len(self.ringing))

    def _dial(self, now: float) -> None:
        number = self.out.dialled
        self.out.dialled += 1
        lot, laws = self.lots[number], self.laws
        self.ringing.add(number, now)
        self.pacer.observe("dial", now, number)
        chance = float(self.lots.odds[number]) if laws.odds else laws.answer_rate(now)
        if lot.fate < chance:
            self._push(now + laws.answer_after(lot), "answer", number)
        else:
            after, self._fail_of[number] = laws.fail_after(lot)
            self._push(now + after, "fail", number)

    def _on_fail(self, at: float, number: int) -> None:
        self.ringing.remove(number)
        self.pacer.observe("fail", at, number, self._fail_of.pop(number))

    def _on_tick(self, at: float, _ident: int) -> None:
        self._push(at + self._tick, "tick", 0)

    def _on_answer(self, at: float, number: int) -> None:
        self.ringing.remove(number)
        self.out.answered += 1
        self.pacer.observe("answer", at, number)
        self._held_since[number] = at
        if self.idle:
            self._connect(at, number)
            return
        hold = self.laws.hold(self.lots[number])
        self.out.waited += 1
        self.waiting.append(number)
        if hold <= 0.0:
            self._on_deadline(at, number)
        else:
            self._push(at + hold, "deadline", number)

    def _on_deadline(self, at: float, number: int) -> None:
        since = self._held_since.pop(number, None)
        if since is None:
            return
        self._gone.add(number)
        self._count(at, dropped=1)
        self.out.hold_seconds += at - since
        self.pacer.observe("drop", at, number)

    def _count(self, at: float, dropped: int) -> None:
        quarter = self.out.quarters[int(at // QUARTER)]
        quarter[0] += 1
        quarter[1] += dropped
        self.out.dropped += dropped
        self.out.connected += 1 - dropped

    def _connect(self, at: float, number: int) -> None:
        agent = self.idle.popleft()
        self.out.hold_seconds += at - self._held_since.pop(number)
        self._count(at, dropped=0)
        agent.state, agent.busy_since = "talk", at
        self.talking.add(agent.number, at)
        self._call_of[agent.number] = number
        self.pacer.observe("connect", at, number, agent.number)
        self._push(at + self.laws.talk(self.lots[number], at), "hangup", agent.number)

    def _on_hangup(self, at: float, ident: int) -> None:
        agent = self.agents[ident]
        self.talking.remove(ident)
        self.wrapping.add(ident, at)
        agent.state = "wrap"
        self.pacer.observe("hangup", at, ident)
        lot = self.lots[self._call_of.pop(ident)]
        self._push(at + self.laws.wrap_up(lot), "wrapped", ident)

    def _on_wrapped(self, at: float, ident: int) -> None:
        agent = self.agents[ident]
        self.wrapping.remove(ident)
        self._account_busy(agent, at)
        if agent.leaving:
            self._log_out(agent, at)
        elif self.laws.break_every is not None and at >= agent.break_at:
            self._log_out(agent, at)
            agent.state = "break"
            self._push(at + lognormal(self.laws.break_mean, 0.5, float(self._rng.standard_normal())), "back", ident)
        else:
            self._ready(agent, at)

    def _on_back(self, at: float, ident: int) -> None:
        agent = self.agents[ident]
        if agent.state == "break":
            self._log_in(agent, at)

    def _ready(self, agent: _Agent, at: float) -> None:
        agent.state = "idle"
        self.idle.append(agent)
        self.pacer.observe("ready", at, agent.number)
        while self.waiting and self.idle:
            number = self.waiting.popleft()
            if number not in self._gone:
                self._connect(at, number)

    def _log_in(self, agent: _Agent, at: float) -> None:
        agent.in_since, agent.leaving = at, False
        if self.laws.break_every is not None:
            agent.break_at = at + float(self._rng.exponential(self.laws.break_every))
        self.pacer.observe("login", at, agent.number)
        self._ready(agent, at)

    def _account_busy(self, agent: _Agent, at: float) -> None:
        self.out.busy_seconds += at - agent.busy_since
        self.out.warm_busy_seconds += max(at - max(agent.busy_since, self._warm_up), 0.0)

    def _log_out(self, agent: _Agent, at: float, *, tell: bool = True) -> None:
        if agent.state in ("out", "break"):
            agent.state = "out"
            return
        if agent.state in ("talk", "wrap") and not tell:
            self._account_busy(agent, at)
        self.out.logged_in_seconds += at - agent.in_since
        self.out.warm_logged_in_seconds += max(at - max(agent.in_since, self._warm_up), 0.0)
        agent.state = "out"
        if tell:
            self.pacer.observe("logout", at, agent.number)

    def _on_staff(self, at: float, count: int) -> None:
        working = [a for a in self.agents if a.state != "out" and not a.leaving]
        for _ in range(count - len(working)):
            free = next((a for a in self.agents if a.state == "out"), None)
            if free is None:
                free = _Agent(len(self.agents))
                self.agents.append(free)
            self._log_in(free, at)
        for agent in working[count:] if count < len(working) else []:
            if agent.state == "idle":
                self.idle.remove(agent)
                self._log_out(agent, at)
            elif agent.state == "break":
                agent.state = "out"
            else:
                agent.leaving = True
