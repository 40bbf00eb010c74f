"""Who is told at once what happens at an agent's place: the screen pop, without the database on the way.

The roster tells of each change of a seat, in the loop's very turn; whoever listens gets it in that turn too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from contact_center.clock import Clock, iso
from contact_center.numbers import mask
from contact_center.pop_url import filled_pop_url
from contact_center.seat import Seat
from contact_center.terms import AgentState

MOST_WAITING = 200
"""Events a listener may be behind; one that is further behind is cut off."""


@dataclass(frozen=True, slots=True)
class Card:
    """Who is on the line. ``url``: the template of the campaign's screen pop; ``fields`` are the lead's."""

    call_id: str
    kind: str
    number: str
    hide_number: bool = False
    campaign: str = ""
    queue: str = ""
    did: str = ""
    lead_id: int | None = None
    attempt: int | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    url: str = ""

    def document(self, *, in_clear: bool) -> dict[str, Any]:
        """As an agent's page shows it. Without ``in_clear`` a number that the campaign hides is masked."""
        hidden = self.hide_number and not in_clear
        number = mask(self.number) if hidden else self.number
        fields = dict(concealed(dict(self.fields), self.number)) if hidden else dict(self.fields)
        own = {
            "call_id": self.call_id,
            "kind": self.kind,
            "campaign": self.campaign or None,
            "queue": self.queue or None,
            "did": self.did or None,
            "lead_id": self.lead_id,
            "attempt": self.attempt,
            "number": number,
            "number_hidden": hidden,
        }
        return {**own, "fields": fields, "url": filled_pop_url(self.url, {**fields, **own}) or None}


def concealed(document: Any, number: str) -> Any:
    """A copy of a JSON document in which no text holds this number: the last seven digits of it are looked for."""
    tail = "".join(c for c in number if c.isdigit())[-7:]
    if len(tail) < 7:
        return document
    return _concealed(document, tail, mask(number))


def _concealed(value: Any, tail: str, masked: str) -> Any:
    if isinstance(value, Mapping):
        return {_concealed(key, tail, masked): _concealed(item, tail, masked) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_concealed(item, tail, masked) for item in value]
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return masked if tail in "".join(c for c in str(value) if c.isdigit()) else value
    return value


@dataclass(frozen=True, slots=True)
class PopEvent:
    """``type`` is ``screen_pop`` with a card, or ``agent.state``; ``document`` is what all of them say."""

    type: str
    document: Mapping[str, Any]
    card: Card | None = None

    def shown(self, *, in_clear: bool) -> dict[str, Any]:
        """The JSON document for a listener."""
        if self.card is None:
            return dict(self.document)
        return {**self.document, **self.card.document(in_clear=in_clear)}


class Listener:
    """Hears of one agent. ``lost``: it was too slow, and missed something."""

    def __init__(self, ext: str) -> None:
        self.ext = ext
        self.lost = False
        self._events: asyncio.Queue[PopEvent] = asyncio.Queue()

    def hear(self, event: PopEvent) -> None:
        """Take an event; never waits."""
        if self._events.qsize() >= MOST_WAITING:
            self.lost = True
        else:
            self._events.put_nowait(event)

    async def next(self) -> PopEvent:
        """The next event."""
        return await self._events.get()


class ScreenPops:
    """Add :meth:`hear` to a roster's ``on_seat``; ``find(call_id)`` gives the card of a call that is up.

    ``on_pop`` are told of every assignment, listener or not: what pushes cards elsewhere hangs itself in here.
    """

    def __init__(self, clock: Clock, find: Callable[[str], Card | None]) -> None:
        self._clock, self._find = clock, find
        self._listeners: dict[str, set[Listener]] = {}
        self._assigned: dict[str, str] = {}
        self._states: dict[str, tuple[AgentState, str]] = {}
        self.on_pop: list[Callable[[str, PopEvent], None]] = []

    def hear(self, seat: Seat) -> None:
        """Roster: a seat changed. Synchronous, and cheap while nobody listens."""
        is_new = bool(seat.call_id) and seat.engaged is AgentState.OFFERED
        if is_new and self._assigned.get(seat.ext) != seat.call_id:
            self._assigned[seat.ext] = seat.call_id
            if seat.ext in self._listeners or self.on_pop:
                self._tell(seat.ext, self._pop(seat))
        elif seat.engaged is None:
            self._assigned.pop(seat.ext, None)
        now = (seat.state, seat.call_id)
        if self._states.get(seat.ext) != now:
            self._states[seat.ext] = now
            if seat.ext in self._listeners:
                self._tell(seat.ext, self._state(seat))

    @contextmanager
    def listening(self, seat: Seat) -> Iterator[Listener]:
        """Hear of this agent while the block lasts; first how he stands now, and the card of a call he has."""
        listener = Listener(seat.ext)
        listener.hear(self._state(seat))
        if seat.call_id and seat.engaged in (AgentState.OFFERED, AgentState.TALKING):
            listener.hear(self._pop(seat))
        self._listeners.setdefault(seat.ext, set()).add(listener)
        try:
            yield listener
        finally:
            mine = self._listeners[seat.ext]
            mine.discard(listener)
            if not mine:
                del self._listeners[seat.ext]

    def _tell(self, ext: str, event: PopEvent) -> None:
        for listener in self._listeners.get(ext, ()):
            listener.hear(event)
        if event.type == "screen_pop":
            for tell in self.on_pop:
                tell(ext, event)

    def _pop(self, seat: Seat) -> PopEvent:
        card = self._find(seat.call_id) or Card(call_id=seat.call_id, kind="", number="")
        return PopEvent("screen_pop", {"at": iso(self._clock.now()), "agent": seat.ext, "name": seat.name}, card)

    def _state(self, seat: Seat) -> PopEvent:
        document = {
            "at": iso(self._clock.now()),
            "agent": seat.ext,
            "state": str(seat.state),
            "status": str(seat.status),
            "pause_reason": seat.pause_reason,
            "call_id": seat.call_id or None,
            "wrap_up_until_at": iso(seat.wrap_up_until_at),
        }
        return PopEvent("agent.state", document)
