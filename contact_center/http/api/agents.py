"""Agents: seen, put on line and off line, paused; and their screens' events."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response
from sqlalchemy.orm import Session
from starlette.requests import Request

from contact_center.errors import NotFound
from contact_center.http.api import shapes
from contact_center.http.api.bodies import PauseIn, PreviewIn
from contact_center.http.api.desk import ApiDesk
from contact_center.http.api.documents import dumped
from contact_center.http.api.gate import Allow, own_agent
from contact_center.http.api.masking import Hidden
from contact_center.http.api.stream import EventStream, Lost, event_lines
from contact_center.http.api.tokens import Caller
from contact_center.seat import Seat
from contact_center.store import admin_agents
from contact_center.store.admin import By
from contact_center.store.previews import preview_document
from contact_center.store.queries_agents import agent_document, find_agent, list_agents
from contact_center.terms import AgentStatus, ApiRole

Ext = Path(max_length=20, description="The agent's extension.")
MAY_SEE_ALL = Depends(Allow(ApiRole.READ))
MAY_SEE = Depends(Allow(ApiRole.READ, ApiRole.AGENT))
MAY_CHANGE = Depends(Allow(ApiRole.AGENT))


def add_routes(router: APIRouter, desk: ApiDesk) -> None:
    """Add the routes of agents."""
    _add_reading(router, desk)
    _add_changing(router, desk)
    _add_deciding(router, desk)

    @router.get("/agents/{ext}/events", tags=["events"], responses=shapes.STREAM, response_class=Response)
    async def follow(ext: str = Ext, caller: Caller = MAY_SEE) -> Response:
        """What happens at one agent's place, as server-sent events: the screen pop.

        `screen_pop` is the lead's card: it comes in the instant in which a call is assigned to him, as his phone rings.
        `agent.state` comes with each change of his state. Both come first of all when the stream is opened.
        """
        own_agent(caller, ext)
        seat = desk.roster.get(ext)
        if seat is None:
            raise NotFound("agent", ext)
        return await EventStream.open(desk, caller, _screen(desk, seat, caller))


def _add_reading(router: APIRouter, desk: ApiDesk) -> None:
    @router.get("/agents", tags=["agents"], responses=shapes.ok(list[shapes.Agent]))
    async def list_(
        team: str = Query("", max_length=60),
        state: str = Query("", max_length=20),
        queue: str = Query("", max_length=60),
        caller: Caller = MAY_SEE_ALL,
    ) -> Response:
        """Agents, as `agent list --json`."""
        return await desk.show(
            lambda s: [agent_document(agent) for agent in list_agents(s, team=team, state=state, queue=queue)]
        )

    @router.get("/agents/{ext}", tags=["agents"], responses=shapes.ok(shapes.AgentWithPreview))
    async def show(ext: str = Ext, caller: Caller = MAY_SEE) -> Response:
        """One agent, as `agent show --json`; `preview` is the lead that he is shown, while he is shown one."""
        own_agent(caller, ext)
        now = desk.clock.now()

        def found(session: Session) -> dict[str, Any]:
            agent = find_agent(session, ext)
            shown, hidden = preview_document(session, agent, now), Hidden.for_(session, caller)
            return {**agent_document(agent), **{key: hidden.one(lead) for key, lead in shown.items()}}

        return await desk.show(found)


def _add_changing(router: APIRouter, desk: ApiDesk) -> None:
    async def change(
        request: Request, caller: Caller, ext: str, status: AgentStatus, reason: str = "", only_from: str = ""
    ) -> Response:
        own_agent(caller, ext)

        def work(session: Session, by: By) -> dict[str, Any]:
            agent = find_agent(session, ext)
            if not only_from or agent.status == only_from:
                agent = admin_agents.set_status(session, by, ext, status, reason, served=True)
            return agent_document(agent)

        return await desk.act(request, caller, work)

    @router.post("/agents/{ext}/online", tags=["agents"], responses=shapes.ok(shapes.Agent))
    async def online(request: Request, ext: str = Ext, caller: Caller = MAY_CHANGE) -> Response:
        """Put an agent on line: calls may come."""
        return await change(request, caller, ext, AgentStatus.ONLINE)

    @router.post("/agents/{ext}/offline", tags=["agents"], responses=shapes.ok(shapes.Agent))
    async def offline(request: Request, ext: str = Ext, caller: Caller = MAY_CHANGE) -> Response:
        """Take an agent off line; a call that talks goes on."""
        return await change(request, caller, ext, AgentStatus.OFFLINE)

    @router.post("/agents/{ext}/pause", tags=["agents"], responses=shapes.ok(shapes.Agent))
    async def pause(request: Request, given: PauseIn, ext: str = Ext, caller: Caller = MAY_CHANGE) -> Response:
        """Pause an agent: no calls until unpause."""
        return await change(request, caller, ext, AgentStatus.PAUSED, given.reason)

    @router.post("/agents/{ext}/unpause", tags=["agents"], responses=shapes.ok(shapes.Agent))
    async def unpause(request: Request, ext: str = Ext, caller: Caller = MAY_CHANGE) -> Response:
        """End a pause; an agent who is off line stays so."""
        return await change(request, caller, ext, AgentStatus.ONLINE, only_from=AgentStatus.PAUSED)


def _add_deciding(router: APIRouter, desk: ApiDesk) -> None:
    async def decide(request: Request, caller: Caller, ext: str, action: str, given: PreviewIn | None) -> Response:
        own_agent(caller, ext)
        lead_id = given.lead_id if given else None

        def work(session: Session, by: By) -> dict[str, Any]:
            return agent_document(admin_agents.decide_preview(session, by, ext, action, lead_id))

        return await desk.act(request, caller, work, 202)

    @router.post("/agents/{ext}/take", tags=["agents"], status_code=202, responses=shapes.asked(shapes.Agent))
    async def take(
        request: Request, given: PreviewIn | None = None, ext: str = Ext, caller: Caller = MAY_CHANGE
    ) -> Response:
        """Call the lead that a preview campaign shows the agent, as `agent take`.

        With `lead_id` it is refused (409) where he is shown another lead by now.
        """
        return await decide(request, caller, ext, "take", given)

    @router.post("/agents/{ext}/skip", tags=["agents"], status_code=202, responses=shapes.asked(shapes.Agent))
    async def skip(
        request: Request, given: PreviewIn | None = None, ext: str = Ext, caller: Caller = MAY_CHANGE
    ) -> Response:
        """Let the lead pass that a preview campaign shows the agent, as `agent skip`; he is shown the next.

        With `lead_id` it is refused (409) where he is shown another lead by now.
        """
        return await decide(request, caller, ext, "skip", given)


async def _screen(desk: ApiDesk, seat: Seat, caller: Caller) -> AsyncGenerator[bytes]:
    with desk.pops.listening(seat) as listener:
        while True:
            event = await listener.next()
            if listener.lost:
                raise Lost
            yield event_lines(event.type, dumped(event.shown(in_clear=caller.sees_numbers)))
