"""Own calls of an earlier process: who talks goes on; of the others the story ends and nobody is left alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from ari_app.bridge import Bridge
from ari_app.channel import Channel
from ari_app.events import ChannelInfo
from ari_app.given_outside import given_outside
from ari_app.internal import InternalCall, InternalOrder
from ari_app.manual import ManualCall, OwnOrder
from ari_app.own_desk import OwnDesk
from ari_app.own_parts import finished
from ari_app.queue_music import rejoin
from ari_app.snapshot import FoundTalk, Snapshot, bridge_of, leg_began, talk_of
from contact_center import story
from contact_center.outside_calls import OutsideNumber
from contact_center.roster import Offer
from contact_center.store.queries_own import OpenOwn
from contact_center.story_kept import Talked, kept, talk_so_far
from contact_center.terms import CallKind, Direction, Outcome, Party
from contact_center.timeline import fold

if TYPE_CHECKING:
    from ari_app.app import App

AgentOf = Callable[[ChannelInfo], str]
TOLD_SECONDS = 0.5
"""Within this Asterisk has told of a channel that a snapshot shows, if it tells this process at all."""
_LINES = ("persistent", "line")  # first argument of agents' lines, which outlive every call

log = structlog.get_logger(__name__)


def adopt_own(app: App, desk: OwnDesk, snapshot: Snapshot, found: list[OpenOwn], agent_of: AgentOf) -> None:
    """Take over the talks that Asterisk holds, close the other stories; end calls that were never written down."""
    for call in found:
        if call.call_id in desk.calls:
            continue
        if not _adopt(app, desk, snapshot, call, agent_of):
            _close(app, desk, snapshot, call)
    known = {call.agent_channel_id for call in found} | set(app.env.ari.channels)
    for info in snapshot.channels.values():
        if info.app_args[:1] == ("manual",) and info.in_stasis and info.id not in known:
            app.spawn(_hang_up_old(app, info), f"nobody's own call {info.id}")


async def _hang_up_old(app: App, info: ChannelInfo) -> None:
    """The snapshot may have overtaken the event of a phone that dialled just now: that one is served."""
    await asyncio.sleep(TOLD_SECONDS)
    if app.env.ari.find(info.id) is None:
        await app.env.ari.adopt(info).hang_up()


def lent_lines(snapshot: Snapshot, found: list[OpenOwn]) -> set[str]:
    """Channels of agents who talk to each other: one who was called, or calls, on his line is lent to that call."""
    legs = [(call.agent_channel_id, call.channel_id) for call in found if call.kind is CallKind.INTERNAL]
    return {leg for pair in legs if _are_joined(pair, snapshot) for leg in pair}


def _are_joined(pair: tuple[str, str], snapshot: Snapshot) -> bool:
    bridge = bridge_of(pair[0], snapshot)
    return bridge is not None and pair[1] in bridge.channels


def _adopt(app: App, desk: OwnDesk, snapshot: Snapshot, found: OpenOwn, agent_of: AgentOf) -> bool:
    there = snapshot.channels.get(found.channel_id)
    talk = talk_of(found.channel_id, found.agent_channel_id, snapshot)
    if there is None or talk is None or (talk.on_hold and found.answered_at is None):
        return False
    if found.kind is CallKind.INTERNAL:
        first = None if talk.on_hold else talk.agent
        return first is not None and _adopt_internal(app, desk, found, first, there, agent_of(there))
    app.env.ari.adopt(there)
    return _adopt_manual(app, desk, found, talk, agent_of)


def _adopt_internal(
    app: App, desk: OwnDesk, found: OpenOwn, first: ChannelInfo, there: ChannelInfo, other_ext: str
) -> bool:
    roster, ari = app.env.roster, app.env.ari
    seat, colleague = roster.get(found.ext), roster.get(other_ext)
    if first.id != found.agent_channel_id or seat is None or colleague is None:
        return False
    roster.hold(seat, found.call_id)
    offer = Offer(roster, seat, found.call_id)
    phone, other = ari.adopt(first), ari.adopt(there)
    app.spawn(phone.subscribe(), f"subscribe {phone.id}")
    order = InternalOrder(found.call_id, colleague, found.started_at, found.ring_seconds)
    internal = InternalCall(order, offer, desk.parts)
    life = internal.resume_talk(phone, other, found.answered_at or app.env.clock.now())
    app.spawn(desk.run(internal, life), f"own {found.call_id}")
    return True


def _adopt_manual(app: App, desk: OwnDesk, found: OpenOwn, talk: FoundTalk, agent_of: AgentOf) -> bool:
    """His customer may be with him, with a colleague, or with another number outside, to whom he was given."""
    roster, is_his = app.env.roster, talk.agent.id == found.agent_channel_id
    given = given_outside(app.env, talk)
    ext = found.ext if is_his or given is not None else agent_of(talk.agent)
    if (seat := roster.get(ext)) is None:
        if given is not None:
            app.spawn(given.there.hang_up(), f"end {given.there.id}")
        return False
    by, now = roster.get(found.ext), app.env.clock.now()
    first = story.Connected(found.answered_at or now, by.name if by else found.ext)
    outside = OutsideNumber(found.number, (), "")
    order = OwnOrder(found.call_id, outside, found.started_at, first.agent, found.ring_seconds)
    manual = ManualCall(order, Offer(roster, seat, found.call_id), desk.parts)
    if given is not None:
        life = manual.resume_outside(given, talk_so_far(found.talk, first, given.told))
    else:
        roster.hold(seat, found.call_id)
        phone = app.env.ari.adopt(talk.agent)
        app.spawn(phone.subscribe(), f"subscribe {phone.id}")
        has_him = story.Connected(first.at if is_his else leg_began(talk.agent) or now, seat.name)
        told = talk_so_far(found.talk, first, has_him, now)
        life = _talk_on(manual, phone, app.env.ari.bridge(talk.bridge.id), told, on_hold=talk.on_hold)
    app.spawn(desk.run(manual, life), f"own {found.call_id}")
    return True


async def _talk_on(call: ManualCall, phone: Channel, bridge: Bridge, talk: Sequence[Talked], *, on_hold: bool) -> None:
    if on_hold:
        await rejoin(call.customer, bridge)
    await call.resume_talk(phone, bridge.id, talk)


def _close(app: App, desk: OwnDesk, snapshot: Snapshot, found: OpenOwn) -> None:
    """It ended while nobody listened, or was not connected yet: what is proven is kept."""
    for channel_id in (found.agent_channel_id, found.channel_id):
        info = snapshot.channels.get(channel_id)
        if info is not None and info.app_args[:1] not in [(word,) for word in _LINES]:
            app.spawn(app.env.ari.adopt(info).hang_up(), f"end {channel_id}")
    now, seat = app.env.clock.now(), app.env.roster.get(found.ext)
    internal = found.kind is CallKind.INTERNAL
    calls = story.CallLog(
        story.Header(
            id=found.call_id,
            kind=found.kind,
            direction=Direction.INTERNAL if internal else Direction.OUTBOUND,
            started_at=found.started_at,
            caller_number=found.number,
            queue="" if internal else "Outbound",
            language=app.env.settings.site.language,
        )
    )
    name = seat.name if seat else found.ext
    calls.add(story.Offered(found.started_at, name))
    if found.answered_at is not None and found.ring_seconds:
        calls.add(story.Rang(found.answered_at - timedelta(seconds=found.ring_seconds)))
    if found.answered_at is not None:
        calls.add(story.Answered(found.answered_at))
        for event in kept(found.talk) or [story.Connected(found.answered_at, name)]:
            calls.add(event)
    calls.add(story.SwitchLost(now))
    calls.add(story.Left(now, Party.SYSTEM))
    calls.add(story.Ended(now, Outcome.CONNECTED if found.answered_at else Outcome.TECHNICAL_ERROR))
    finished(desk.parts, found.call_id, now, 0.0, fold(calls))
