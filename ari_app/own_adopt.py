"""Own calls of an earlier process: who talks goes on; of the others the story ends and nobody is left alone."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import structlog

from ari_app.bridge import Bridge
from ari_app.channel import Channel
from ari_app.internal import InternalCall, InternalOrder
from ari_app.manual import ManualCall, OwnOrder
from ari_app.own_desk import OwnDesk
from ari_app.own_parts import finished
from ari_app.queue_music import rejoin
from ari_app.snapshot import Snapshot, bridge_of
from contact_center import story
from contact_center.outside_calls import OutsideNumber
from contact_center.roster import Offer
from contact_center.store.queries_own import OpenOwn
from contact_center.terms import CallKind, Direction, Outcome, Party
from contact_center.timeline import fold

if TYPE_CHECKING:
    from ari_app.app import App

log = structlog.get_logger(__name__)


def adopt_own(app: App, desk: OwnDesk, snapshot: Snapshot, found: list[OpenOwn]) -> None:
    """Take over the talks that Asterisk holds, close the other stories; end calls that were never written down."""
    for call in found:
        if call.call_id in desk.calls:
            continue
        if not _adopt(app, desk, snapshot, call):
            _close(app, desk, snapshot, call)
    known = {call.agent_channel_id for call in found} | set(app.env.ari.channels)
    for info in snapshot.channels.values():
        if info.app_args[:1] == ("manual",) and info.in_stasis and info.id not in known:
            app.spawn(app.env.ari.adopt(info).hang_up(), f"nobody's own call {info.id}")


def _adopt(app: App, desk: OwnDesk, snapshot: Snapshot, found: OpenOwn) -> bool:
    agent, there = snapshot.channels.get(found.agent_channel_id), snapshot.channels.get(found.channel_id)
    seat, bridge = app.env.roster.get(found.ext), bridge_of(found.agent_channel_id, snapshot)
    if agent is None or there is None or seat is None or bridge is None:
        return False
    on_hold = found.answered_at is not None and bridge_of(there.id, snapshot) is None
    if there.id not in bridge.channels and not on_hold:
        return False
    app.env.roster.hold(seat, found.call_id)
    offer = Offer(app.env.roster, seat, found.call_id)
    phone, other = app.env.ari.adopt(agent), app.env.ari.adopt(there)
    app.spawn(phone.subscribe(), f"subscribe {phone.id}")
    since = found.answered_at or app.env.clock.now()
    if found.kind is CallKind.INTERNAL:
        colleague = app.env.roster.get(there.app_args[-1])
        if colleague is None:
            offer.close()
            return False
        internal = InternalCall(InternalOrder(found.call_id, colleague, found.started_at), offer, desk.parts)
        app.spawn(desk.run(internal, internal.resume_talk(phone, other, since)), f"own {found.call_id}")
        return True
    outside = OutsideNumber(found.number, (), "")
    manual = ManualCall(OwnOrder(found.call_id, outside, found.started_at), offer, desk.parts)
    life = _talk_on(manual, phone, app.env.ari.bridge(bridge.id), since, on_hold=on_hold)
    app.spawn(desk.run(manual, life), f"own {found.call_id}")
    return True


async def _talk_on(call: ManualCall, phone: Channel, bridge: Bridge, since: datetime, *, on_hold: bool) -> None:
    if on_hold:
        await rejoin(call.customer, bridge)
    await call.resume_talk(phone, bridge.id, since)


def _close(app: App, desk: OwnDesk, snapshot: Snapshot, found: OpenOwn) -> None:
    """It ended while nobody listened, or was not connected yet: what is proven is kept."""
    for channel_id in (found.agent_channel_id, found.channel_id):
        info = snapshot.channels.get(channel_id)
        if info is not None:
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
    if found.answered_at is not None:
        calls.add(story.Answered(found.answered_at))
        calls.add(story.Connected(found.answered_at, name))
    calls.add(story.SwitchLost(now))
    calls.add(story.Left(now, Party.SYSTEM))
    calls.add(story.Ended(now, Outcome.CONNECTED if found.answered_at else Outcome.TECHNICAL_ERROR))
    finished(desk.parts, found.call_id, now, 0.0, fold(calls))
