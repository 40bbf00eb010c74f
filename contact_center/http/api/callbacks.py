"""Callbacks: customers who keep their place and are called; seen and cancelled."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response
from sqlalchemy.orm import Session
from starlette.requests import Request

from contact_center.http.api import shapes
from contact_center.http.api.desk import ApiDesk
from contact_center.http.api.gate import Allow
from contact_center.http.api.leads import Limit
from contact_center.http.api.masking import Hidden
from contact_center.http.api.tokens import Caller
from contact_center.store.admin import By
from contact_center.store.admin_callbacks import (
    callback_document,
    callback_with_dials,
    cancel_callback,
    find_callback,
    list_callbacks,
)
from contact_center.store.queries_agents import find_queue
from contact_center.terms import ApiRole, CallbackState

CallbackId = Path(max_length=60, description="The callback's id, or that of the call that ordered it.")
MAY_SEE = Depends(Allow(ApiRole.READ))
MAY_CHANGE = Depends(Allow())


def add_routes(router: APIRouter, desk: ApiDesk) -> None:
    """Add the routes of callbacks."""

    @router.get("/callbacks", tags=["callbacks"], responses=shapes.ok(list[shapes.Callback]))
    async def list_(
        queue: str = Query("", max_length=60, description="Only this queue."),
        state: str = Query("", max_length=20, description=f"One of {', '.join(CallbackState)}."),
        limit: int = Limit,
        caller: Caller = MAY_SEE,
    ) -> Response:
        """Callbacks, as `callback list --json`: open ones in the order of their places, then the newest.

        The number of a lead whose campaign hides numbers is masked for all but supervisors.
        """

        def found(session: Session) -> list[dict[str, Any]]:
            if queue:
                find_queue(session, queue)
            hidden, rows = Hidden.for_(session, caller), list_callbacks(session, queue=queue, state=state, limit=limit)
            return hidden.shown(callback_document(row) for row in rows)

        return await desk.show(found)

    @router.get("/callbacks/{callback_id}", tags=["callbacks"], responses=shapes.ok(shapes.CallbackWithDials))
    async def show(callback_id: str = CallbackId, caller: Caller = MAY_SEE) -> Response:
        """One callback with its dials, as `callback show --json`."""

        def found(session: Session) -> dict[str, Any]:
            document = callback_with_dials(session, find_callback(session, callback_id))
            return Hidden.for_(session, caller).one(document)

        return await desk.show(found)

    @router.post("/callbacks/{callback_id}/cancel", tags=["callbacks"], responses=shapes.ok(shapes.Callback))
    async def cancel(request: Request, callback_id: str = CallbackId, caller: Caller = MAY_CHANGE) -> Response:
        """Take a callback out of its queue, as `callback cancel`, also while the customer's phone rings."""

        def change(session: Session, by: By) -> dict[str, Any]:
            return callback_document(cancel_callback(session, by, callback_id, desk.settings.site.language))

        return await desk.act(request, caller, change)
