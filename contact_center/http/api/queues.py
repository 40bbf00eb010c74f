"""Queues, seen."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Path
from fastapi.responses import Response
from sqlalchemy.orm import Session

from contact_center.http.api import shapes
from contact_center.http.api.desk import ApiDesk
from contact_center.http.api.gate import Allow
from contact_center.http.api.tokens import Caller
from contact_center.store.queries_agents import find_queue, list_agents, list_queues, queue_document
from contact_center.store.queries_queues import live_queue
from contact_center.terms import ApiRole

MAY_SEE = Depends(Allow(ApiRole.READ))


def add_routes(router: APIRouter, desk: ApiDesk) -> None:
    """Add the routes of queues."""

    @router.get("/queues", tags=["queues"], responses=shapes.ok(list[shapes.Queue]))
    async def list_(caller: Caller = MAY_SEE) -> Response:
        """All queues, as `queue list --json`."""

        def found(session: Session) -> list[dict[str, Any]]:
            agents = list_agents(session)
            return [queue_document(session, queue, agents) for queue in list_queues(session)]

        return await desk.show(found)

    @router.get("/queues/{name}", tags=["queues"], responses=shapes.ok(shapes.Queue))
    async def show(name: str = Path(max_length=60), caller: Caller = MAY_SEE) -> Response:
        """One queue now, who serves and who waits in it, as `queue show NAME --json`."""
        now, zone = desk.clock.now(), desk.settings.site.timezone
        return await desk.show_shared(
            f"queue {name}", lambda s: live_queue(s, find_queue(s, name), list_agents(s), zone, now)
        )
