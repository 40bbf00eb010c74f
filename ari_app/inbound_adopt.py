"""Callers of an earlier process: who waits keeps his place, who talks goes on, of the others the story ends."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import structlog

from ari_app.bridge import Bridge
from ari_app.channel import Channel
from ari_app.events import ChannelInfo
from ari_app.given_outside import GivenOutside, given_outside
from ari_app.inbound import InboundCall
from ari_app.inbound_desk import InboundDesk
from ari_app.inbound_resumed import ResumedCall
from ari_app.queue_music import rejoin
from ari_app.snapshot import FoundTalk, Snapshot, bridge_of, leg_began, made_at, partner_of
from contact_center import story
from contact_center.store.queries_queues import OpenInbound, OpenVisit
from contact_center.story_kept import Talked, kept, talk_so_far
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
    call.log.events += [*found.before, *_rung(app, found)]
    app.spawn(_spared(channel), f"subscribe {channel.id}")
    partner, bridge = partner_of(info.id, snapshot, found.visit.agent_channel_id if found.visit else "")
    talk = FoundTalk(partner, bridge, on_hold=False) if partner is not None and bridge is not None else None
    if talk is not None and (ext := agent_of(talk.agent)) and found.visit is not None:
        told = _talk_so_far(app, found, found.visit, ext, leg_began(talk.agent))
        life = call.resume_talk(found.visit, app.env.ari.adopt(talk.agent), ext, talk.bridge.id, told)
    elif (given := given_outside(app.env, talk)) is not None:
        life = _outside(app, call, found, given)
    elif found.visit is not None and found.visit.connected_at is not None and bridge is None:
        life = _off_hold(app, call, found, found.visit, snapshot, agent_of)
    elif found.visit is not None and found.visit.connected_at is not None:
        app.spawn(_left_alone(call, desk), f"left alone {channel.id}")
        return False
    else:
        life = call.resume_waiting(found.visit, found.visits)
    app.spawn(desk.run(call, life), f"caller {channel.id}")
    return True


def _talk_so_far(
    app: App, found: OpenInbound, visit: OpenVisit, ext: str, leg_began_at: datetime | None
) -> list[Talked]:
    """What is known of a talk, which the agent ``ext`` has now."""
    since = visit.connected_at or leg_began_at or app.env.clock.now()
    first = story.Connected(since, _name_of(app, visit.agent or ext))
    has_him = story.Connected(leg_began_at or since, _name_of(app, ext))
    return talk_so_far(found.talk, first, has_him, app.env.clock.now())


def _rung(app: App, found: OpenInbound) -> list[story.Event]:
    """When the phone of the agent began to ring whom he got, as far as it is known."""
    visit = found.visit
    if visit is None or visit.connected_at is None or not found.ring_seconds:
        return []
    return [story.Offered(visit.connected_at - timedelta(seconds=found.ring_seconds), _name_of(app, visit.agent))]


def _name_of(app: App, ext: str) -> str:
    seat = app.env.roster.get(ext)
    return seat.name if seat else ext


def _outside(app: App, call: ResumedCall, found: OpenInbound, given: GivenOutside) -> Coroutine[Any, Any, None]:
    """He talks to a number outside: his agent gave him away, or the rules of his queue did before he had one."""
    visit = found.visit
    if visit is None or visit.connected_at is None:
        return call.resume_outside(given)
    seat = app.env.roster.get(visit.agent)
    first = story.Connected(visit.connected_at, seat.name) if seat else None
    return call.resume_given(visit, given, talk_so_far(found.talk, first, given.told))


def _off_hold(
    app: App, call: ResumedCall, found: OpenInbound, visit: OpenVisit, snapshot: Snapshot, agent_of: AgentOf
) -> Coroutine[Any, Any, None]:
    """He was on hold during a consult: back to his agent, or, where that one has gone, into his queue again."""
    agent = snapshot.channels.get(visit.agent_channel_id)
    bridge = bridge_of(visit.agent_channel_id, snapshot)
    if agent is None or bridge is None or not (ext := agent_of(agent)):
        seat, now = app.env.roster.get(visit.agent), app.env.clock.now()
        call.log.add(story.Entered(visit.entered_at, visit.queue, visit.n, visit.position))
        call.log.add(story.Connected(visit.connected_at or now, seat.name if seat else visit.agent))
        call.log.add(story.Alone(now))
        return call.resume_waiting(None, found.visits)
    told = _talk_so_far(app, found, visit, ext, leg_began(agent))
    return _rejoined(call, app.env.ari.adopt(agent), app.env.ari.bridge(bridge.id), visit, ext, told)


async def _rejoined(
    call: ResumedCall, agent: Channel, bridge: Bridge, visit: OpenVisit, ext: str, talk: Sequence[Talked]
) -> None:
    await rejoin(call.channel, bridge)
    await call.resume_talk(visit, agent, ext, bridge.id, talk)


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
    calls.events += [*found.before, *_rung(app, found)]
    if visit is not None:
        entered = story.Entered(visit.entered_at, visit.queue, visit.n, visit.position)
        calls.add(entered)
        waited = ((visit.connected_at or now) - visit.entered_at).total_seconds()
        told.known(entered, visit.agent if visit.connected_at else "", waited)
        if visit.connected_at is not None:
            for event in kept(found.talk) or [story.Connected(visit.connected_at, _name_of(app, visit.agent))]:
                calls.add(event)
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
