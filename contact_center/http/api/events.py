"""Everything that is told to others, as a stream that can be taken up again where it was left."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import Response

from contact_center.errors import UsageError
from contact_center.http.api import shapes
from contact_center.http.api.desk import ApiDesk
from contact_center.http.api.gate import Allow
from contact_center.http.api.stream import BEAT_SECONDS, EventStream, event_lines
from contact_center.http.api.tail import Told
from contact_center.http.api.tokens import Caller
from contact_center.terms import ApiRole

MAY_SEE = Depends(Allow(ApiRole.READ))
MOST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events; empty means all."""

    entities: frozenset[str]
    entity_id: str
    types: frozenset[str]
    in_clear: bool

    def takes(self, told: Told) -> bool:
        """Whether this one is among them."""
        return (
            (not self.entities or told.entity in self.entities)
            and (not self.entity_id or (told.entity_id if self.in_clear else told.masked_id) == self.entity_id)
            and (not self.types or told.type in self.types)
        )


def add_routes(router: APIRouter, desk: ApiDesk) -> None:
    """Add the stream of events."""

    @router.get("/events", tags=["events"], responses=shapes.STREAM, response_class=Response)
    async def follow(
        entity: list[str] = Query([], max_length=20, description="agent, call, campaign, lead, queue, dnc, trunk, ..."),
        entity_id: str = Query("", max_length=60, description="Only of this one; give one entity with it."),
        type: list[str] = Query([], max_length=40, description="Such as call.connected."),
        after: int | None = Query(None, ge=0, le=MOST_ID, description="Begin after this id; 0: from the oldest kept."),
        last_event_id: str = Header("", max_length=40),
        caller: Caller = MAY_SEE,
    ) -> Response:
        """Server-sent events: `id` (rises), `event` (the type) and `data` (JSON with id, at, entity, seq, payload).

        Begins with what comes from now on, or after `Last-Event-ID` (or `after`): nothing is left out then, also
        across restarts of serve. `seq` counts per entity without gaps.
        """
        wanted = Wanted(frozenset(entity), entity_id, frozenset(type), caller.sees_numbers)
        parts = _events(desk, caller, wanted, _start(last_event_id, after))
        return await EventStream.open(desk, caller, parts)


def _start(last_event_id: str, after: int | None) -> int | None:
    if not last_event_id:
        return after
    if not (last_event_id.isascii() and last_event_id.isdigit()) or int(last_event_id) > MOST_ID:
        raise UsageError("Last-Event-ID is the id of an event: a whole number is wanted.")
    return int(last_event_id)


async def _events(desk: ApiDesk, caller: Caller, wanted: Wanted, after: int | None) -> AsyncGenerator[bytes]:
    shown_at = -1
    async with aclosing(desk.tail.follow(after, BEAT_SECONDS)) as pages:
        async for at, page in pages:
            lines = [_lines(told, caller) for told in page if wanted.takes(told)]
            if lines:
                shown_at = at if wanted.takes(page[-1]) else shown_at
                yield b"".join(lines)
            elif at != shown_at:
                shown_at = at
                yield b"id: %d\n\n" % at  # a reader who comes again begins here, whatever his filter left out


def _lines(told: Told, caller: Caller) -> bytes:
    return event_lines(told.type, told.clear if caller.sees_numbers else told.masked, told.id)
