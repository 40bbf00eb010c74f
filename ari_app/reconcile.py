"""After every connect: what Asterisk holds against what the store believes. Adopt or close, never re-send."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from ari_app.agent_line import LINE_BRIDGE
from ari_app.app import App
from ari_app.bridge import Bridge
from ari_app.channel import Channel
from ari_app.commands import WHISPERS
from ari_app.detection import EAR
from ari_app.events import ChannelInfo
from ari_app.given_outside import given_outside
from ari_app.inbound_adopt import adopt_callers
from ari_app.listed import take_back_listed
from ari_app.outbound import OutboundCall
from ari_app.own_adopt import adopt_own, lent_lines
from ari_app.queue_music import rejoin
from ari_app.snapshot import FoundTalk, Snapshot, bridge_of, leg_began, talk_of
from ari_app.trunk_line import hold_found
from contact_center import timeline
from contact_center.crash_points import reached
from contact_center.dialling import CallResult, DialOrder
from contact_center.store.attempt_facts import AttemptAnswered, AttemptConnected
from contact_center.store.queries_own import open_own
from contact_center.store.queries_queues import open_inbound
from contact_center.store.recovery import OpenAttempt, mend_leads, open_attempts
from contact_center.store.writer import Writer
from contact_center.story_kept import Talked, kept, talk_so_far
from contact_center.terms import AttemptState, Direction, Outcome, Party

OUR_CHANNELS = "cw-"  # what every channel id of our choice begins with

log = structlog.get_logger(__name__)


class Reconciler:
    """Called by the ARI client before it lets anything be dialled.

    ``rebuild`` makes an order of an open attempt again (None: its campaign is gone); ``adopted`` tells the
    dialer of a call that goes on; ``prepare`` puts right what Asterisk must know of us (agents' accounts).
    """

    def __init__(
        self,
        *,
        app: App,
        writer: Writer,
        rebuild: Callable[[OpenAttempt], DialOrder | None],
        adopted: Callable[[OpenAttempt, DialOrder, bool, bool], None],
        prepare: Callable[[], Awaitable[None]],
    ) -> None:
        self._app, self._writer = app, writer
        self._rebuild, self._adopted, self._prepare = rebuild, adopted, prepare

    async def __call__(self) -> None:
        """Adopt what lives, close what has gone, hang up what nobody owns."""
        began = self._app.env.clock.now()
        await self._prepare()
        attempts, callers = await self._writer.read(open_attempts), await self._writer.read(open_inbound)
        own_calls = await self._writer.read(open_own)
        snapshot = await self._app.env.ari.snapshot()
        reached("snapshot_taken")
        if self._app.env.tapes is not None:
            self._app.env.tapes.take_over(snapshot)
        self._adopt_lines(snapshot, lent_lines(snapshot, own_calls))
        adopted = closed = 0
        for attempt in attempts:
            if attempt.channel_id in self._app.calls or attempt.intent_at > began:
                continue  # of this process: where the database came back, it dials already
            if self._adopt(attempt, snapshot):
                adopted += 1
            else:
                closed += 1
        if self._app.inbound is not None:
            adopt_callers(self._app, self._app.inbound, snapshot, callers, self._agent_of)
            if (callbacks := self._app.inbound.reception.callbacks) is not None:
                await callbacks.recover(snapshot, self._agent_of)
        if self._app.own is not None:
            adopt_own(self._app, self._app.own, snapshot, own_calls, self._agent_of)
        reached("calls_adopted")
        await self._look_again()
        await take_back_listed(self._app, self._writer)
        hung_up = await self._hang_up_leftovers(snapshot)
        hold_found(self._app.env, snapshot, self._app.calls)
        await self._app.env.bridges.sweep()
        await self._mend()
        self._app.env.trunks.look_again()
        if adopted or closed or hung_up:
            log.info("reconciled", action="reconcile", adopted=adopted, closed=closed, hung_up=hung_up)

    async def _look_again(self) -> None:
        """What ended between the first look and the adoption was told to nobody."""
        known = [channel for channel in self._app.env.ari.channels.values() if channel.sent]
        if known:
            later = await self._app.env.ari.snapshot()
            for channel in known:
                channel.settle(later.channels.get(channel.id))

    # -- calls ----------------------------------------------------------------------------------------

    def _adopt(self, attempt: OpenAttempt, snapshot: Snapshot) -> bool:
        order = self._rebuild(attempt)
        info = snapshot.channels.get(attempt.channel_id)
        if order is None:
            return False
        talk = talk_of(attempt.channel_id, attempt.agent_channel_id, snapshot)
        ext = self._agent_of(talk.agent) if talk else ""
        if talk and ext and attempt.connected_at is None:
            attempt = self._store(attempt, talk, ext)
        if info is None:
            self._adopted(attempt, order, False, False)
            self._app.env.progress.ended(order, self._unseen_end(attempt, order))
            return False
        customer = self._app.env.ari.adopt(info)
        call = self._app.take(order)
        if talk and ext:
            agent, bridge = self._app.env.ari.adopt(talk.agent), self._app.env.ari.bridge(talk.bridge.id)
            if not agent.id.startswith(OUR_CHANNELS):  # he dialled himself: of its end only those are told who ask
                self._app.spawn(agent.subscribe(), f"subscribe {agent.id}")
            self._adopted(attempt, order, True, True)
            told = self._known_talk(call, attempt, ext, leg_began(talk.agent))
            self._app.start(call, _talk_on(call, agent, ext, bridge, told, on_hold=talk.on_hold))
        elif given := given_outside(self._app.env, talk):
            self._adopted(attempt, order, True, True)
            told = self._known_talk(call, attempt, given.told)
            self._app.start(call, call.resume_outside(given, attempt.agent, told))
        else:
            self._adopted(attempt, order, info.state == "Up", False)
            call.known(attempt.ringing_at, attempt.answered_at)
            self._app.start(call, call.resume_ringing())
        log.info("adopted", action="adopt", call_id=order.call_id, state=info.state, channel=customer.id)
        return True

    def _known_talk(
        self, call: OutboundCall, attempt: OpenAttempt, now: str | timeline.Diverted, at: datetime | None = None
    ) -> list[Talked]:
        """What is known of a talk: who had the customer, and who has him ``now`` (an extension), since ``at``."""
        clock, name = self._app.env.clock.now(), self._name_of
        first = timeline.Connected(attempt.connected_at or clock, name(attempt.agent))
        call.known(attempt.ringing_at, attempt.answered_at or first.at)
        has_him = timeline.Connected(at or clock, name(now)) if isinstance(now, str) else now
        return talk_so_far(attempt.talk, first, has_him, clock)

    def _name_of(self, ext: str) -> str:
        seat = self._app.env.roster.get(ext)
        return seat.name if seat else ext

    def _store(self, attempt: OpenAttempt, talk: FoundTalk, ext: str) -> OpenAttempt:
        """A talk that is found, or was left as we looked, and that the process before had no time to store."""
        at, channel_id = leg_began(talk.agent) or self._app.env.clock.now(), attempt.channel_id
        if attempt.answered_at is None:
            self._writer.post(AttemptAnswered(channel_id, at))
        self._writer.post(AttemptConnected(channel_id, at, ext, talk.agent.id, talk.bridge.id))
        answered_at = attempt.answered_at or at
        return replace(attempt, state=AttemptState.CONNECTED, agent=ext, answered_at=answered_at, connected_at=at)

    def _agent_of(self, info: ChannelInfo) -> str:
        """The extension behind an agent's leg or line, by the arguments it came in with."""
        match info.app_args:
            case ("agent", _, ext, *_) | ("line", ext, *_):
                return ext
            case ("persistent" | "preview_accept", endpoint, *_):
                seat = self._app.env.roster.seat_of(f"PJSIP/{endpoint.removeprefix('PJSIP/')}")
                return seat.ext if seat else ""
        return ""

    def _unseen_end(self, attempt: OpenAttempt, order: DialOrder) -> CallResult:
        """The call ended while nobody listened: what is proven is kept, the rest stays unknown."""
        now = self._app.env.clock.now()
        connected = attempt.state is AttemptState.CONNECTED
        outcome = Outcome.CONNECTED if connected else Outcome.TECHNICAL_ERROR
        story = timeline.CallLog(
            timeline.Header(
                id=order.call_id,
                kind=order.kind,
                direction=Direction.OUTBOUND,
                started_at=order.started_at,
                caller_number=order.number,
                campaign=order.campaign,
                lead_id=order.lead_id,
                attempt=order.n,
                language=self._app.env.settings.site.language,
                dialled_at=order.ordered_at,
            )
        )
        if attempt.ringing_at:
            story.add(timeline.Rang(attempt.ringing_at))
        if attempt.answered_at:
            story.add(timeline.Answered(attempt.answered_at))
        if connected and attempt.connected_at:
            for event in kept(attempt.talk) or [timeline.Connected(attempt.connected_at, self._name_of(attempt.agent))]:
                story.add(event)
        story.add(timeline.SwitchLost(now))
        story.add(timeline.Left(now, Party.SYSTEM))
        story.add(timeline.Ended(now, outcome))
        return CallResult(
            outcome=outcome,
            sip_code=None,
            rang=attempt.ringing_at is not None,
            agent=attempt.agent,
            ended_at=now,
            record=timeline.fold(story),
            certain=connected,
        )

    # -- agents ---------------------------------------------------------------------------------------

    def _adopt_lines(self, snapshot: Snapshot, lent: Collection[str]) -> None:
        for info in snapshot.channels.values():
            if info.app_args[:1] not in (("persistent",), ("line",)) or info.state != "Up":
                continue
            seat = self._app.env.roster.get(self._agent_of(info))
            if seat is None or seat.line or not info.in_stasis:
                continue
            channel = self._app.env.ari.adopt(info)
            found = bridge_of(info.id, snapshot)
            if found and found.name == LINE_BRIDGE and found.id.startswith(f"{LINE_BRIDGE}-{seat.ext}-"):
                bridge = Bridge(self._app.env.ari, found.id, name=LINE_BRIDGE)
                story = self._app.lines.resume(channel, seat, bridge)
            else:
                story = self._app.lines.hold(channel, seat, by=f"agent:{seat.ext}", lent=info.id in lent)
            self._app.spawn(story, f"line {seat.ext}")

    # -- what nobody owns -----------------------------------------------------------------------------

    async def _hang_up_leftovers(self, snapshot: Snapshot) -> int:
        ari, owned = self._app.env.ari, {call.customer.id for call in self._app.calls.values()}
        owned |= set(ari.channels)
        count = 0
        for info in snapshot.channels.values():
            ours = info.id.startswith(OUR_CHANNELS) and info.id in snapshot.app_channel_ids
            ours = ours or info.id.startswith(WHISPERS) or info.id.endswith(EAR)
            if ours and info.id not in owned:
                await ari.adopt(info).hang_up()
                count += 1
        for bridge in snapshot.bridges.values():
            if bridge.name == LINE_BRIDGE and not bridge.channels:
                await ari.bridge(bridge.id).destroy()
        return count

    async def _mend(self) -> None:
        now = self._app.env.clock.now()
        for mended in await self._writer.commit(lambda session: mend_leads(session, now)):
            log.warning("lead put right", action="mend", lead_id=mended.lead_id, was=mended.was)


async def _talk_on(
    call: OutboundCall, agent: Channel, ext: str, bridge: Bridge, talk: Sequence[Talked], *, on_hold: bool
) -> None:
    if on_hold:
        await rejoin(call.customer, bridge)
    await call.resume_talk(agent, ext, bridge.id, talk)
