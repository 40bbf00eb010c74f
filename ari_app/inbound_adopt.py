"""Callers of an earlier process: who waits keeps his place, who talks goes on, of the others the story ends."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import TYPE_CHECKING, Any

import structlog

from ari_app.bridge import Bridge
from ari_app.channel import Channel
from ari_app.events import ChannelInfo
from ari_app.inbound import InboundCall
from ari_app.inbound_desk import InboundDesk
from ari_app.queue_music import rejoin
from ari_app.snapshot import Snapshot, bridge_of, leg_began, made_at, partner_of
from contact_center import story
from contact_center.store.queries_queues import OpenInbound, OpenVisit
from contact_center.terms import CallKind, Direction, Party
from contact_center.timeline import fold

if TYPE_CHECKING:
    from ari_app.app import App

AgentOf = Callable[[ChannelInfo], str]

log = structlog.get_logger(__name__)


def adopt_callers(app: App, desk: InboundDesk, snapshot: Snapshot, found: list[OpenInbound], agent_of: AgentOf) -> None:
    """Take over every caller that Asterisk holds; close the stories of those it does not hold any more."""
    adopted = closed = 0
    for call in sorted(found, key=_in_order):
        if call.channel_id in desk.calls:
            continue
        info = snapshot.channels.get(call.channel_id)
        if info is not None and info.in_stasis and _adopt(app, desk, snapshot, call, info, agent_of):
            adopted += 1
        else:
            _close(app, desk, call)
            closed += 1
    came = _welcome_strangers(app, desk, snapshot)
    if adopted or closed or came:
        log.info("callers", action="reconcile", adopted=adopted, closed=closed, came=came)


def _in_order(found: OpenInbound) -> tuple[bool, int, datetime]:
    """Those who talk first, so that nobody who waits is given their agents; then as they stand in line."""
    visit = found.visit
    waits = visit is None or visit.connected_at is None
    return waits, -visit.priority if visit else 0, visit.entered_at if visit else found.started_at


def _adopt(
    app: App, desk: InboundDesk, snapshot: Snapshot, found: OpenInbound, info: ChannelInfo, agent_of: AgentOf
) -> bool:
    channel = app.env.ari.adopt(info)
    call = desk.adopt(channel, found)
    if call is None:
        return False
    app.spawn(_spared(channel), f"subscribe {channel.id}")
    partner, bridge = partner_of(info.id, snapshot, found.visit.agent_channel_id if found.visit else "")
    now = app.env.clock.now()
    if partner is not None and bridge is not None and (ext := agent_of(partner)) and found.visit is not None:
        since = found.visit.connected_at or leg_began(partner) or now
        agent = app.env.ari.adopt(partner)
        life = call.resume_talk(found.visit, agent, ext, bridge.id, since)
    elif partner is not None and partner.app_args[:1] == ("outside",):
        there = app.env.ari.adopt(partner)
        life = call.resume_outside(found.visit, there, partner.app_args[-1], made_at(partner) or now)
    elif found.visit is not None and found.visit.connected_at is not None and bridge is None:
        life = _off_hold(app, call, found, found.visit, snapshot, agent_of)
    elif found.visit is not None and found.visit.connected_at is not None:
        app.spawn(_left_alone(call, desk), f"left alone {channel.id}")
        return False
    else:
        life = call.resume_waiting(found.visit, found.visits)
    app.spawn(desk.run(call, life), f"caller {channel.id}")
    return True


def _off_hold(
    app: App, call: InboundCall, found: OpenInbound, visit: OpenVisit, snapshot: Snapshot, agent_of: AgentOf
) -> Coroutine[Any, Any, None]:
    """He was on hold during a consult: back to his agent, or, where that one has gone, into his queue again."""
    agent = snapshot.channels.get(visit.agent_channel_id)
    bridge = bridge_of(visit.agent_channel_id, snapshot)
    if agent is None or bridge is None or not (ext := agent_of(agent)):
        return call.resume_waiting(None, found.visits)
    since = visit.connected_at or app.env.clock.now()
    return _rejoined(call, app.env.ari.adopt(agent), app.env.ari.bridge(bridge.id), visit, ext, since)


async def _rejoined(
    call: InboundCall, agent: Channel, bridge: Bridge, visit: OpenVisit, ext: str, since: datetime
) -> None:
    await rejoin(call.channel, bridge)
    await call.resume_talk(visit, agent, ext, bridge.id, since)


async def _spared(channel: Channel) -> None:
    """Of a channel that came from the dialplan Asterisk tells the end only to those who subscribe."""
    await channel.subscribe()


async def _left_alone(call: InboundCall, desk: InboundDesk) -> None:
    """His agent left while nobody was here to end the call."""
    desk.calls.pop(call.channel.id, None)
    await call.channel.hang_up()


def _close(app: App, desk: InboundDesk, found: OpenInbound) -> None:
    """The call ended while nobody listened: what is proven is kept, the rest stays unknown."""
    now, visit, told = app.env.clock.now(), found.visit, desk.told_of(found)
    calls = story.CallLog(
        story.Header(
            id=found.call_id,
            kind=CallKind.INBOUND,
            direction=Direction.INBOUND,
            started_at=found.started_at,
            caller_number=found.caller_number,
            queue=found.queue,
            did=found.did,
            language=app.env.settings.site.language,
        )
    )
    calls.add(story.Answered(found.started_at))
    if visit is not None:
        entered = story.Entered(visit.entered_at, visit.queue, visit.n, visit.position)
        calls.add(entered)
        waited = ((visit.connected_at or now) - visit.entered_at).total_seconds()
        told.known(entered, visit.agent if visit.connected_at else "", waited)
        if visit.connected_at is not None:
            seat = app.env.roster.get(visit.agent)
            calls.add(story.Connected(visit.connected_at, seat.name if seat else visit.agent))
    calls.add(story.SwitchLost(now))
    calls.add(story.Left(now, Party.SYSTEM))
    calls.add(story.Over(now))
    told.finished(now, visit.position if visit else 1, 0.0, fold(calls))


def _welcome_strangers(app: App, desk: InboundDesk, snapshot: Snapshot) -> int:
    """Callers who came while nobody was here, or whom a crash caught before they were written down."""
    count = 0
    for info in snapshot.channels.values():
        match info.app_args:
            case ("inbound", did, *_) if info.in_stasis and info.id not in app.env.ari.channels:
                channel = app.env.ari.adopt(info)
                app.spawn(_spared(channel), f"subscribe {channel.id}")
                at = made_at(info) or app.env.clock.now()
                app.spawn(app.receive(channel, did, info.caller_number, at), f"arrival {info.id}")
                count += 1
    return count
