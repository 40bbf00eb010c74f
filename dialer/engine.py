"""The dialer: every campaign's pace turned into committed intents, and intents into calls.

Order of things for each call: choose lead and line in one transaction (the intent), look once more whether
calls may be placed, place it. What cannot be placed after all is given back, since nothing was sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from math import ceil

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.clock import Clock
from contact_center.dialling import DialOrder, PlaceCall
from contact_center.errors import Unreachable
from contact_center.models import Campaign
from contact_center.roster import Roster
from contact_center.settings import Settings
from contact_center.store.claims import Claim, campaign_exhausted, claim, has_leads, next_due_at, zones_of
from contact_center.store.errors import OutcomeUnknown
from contact_center.store.facts import CampaignStateChanged, PaceNoted
from contact_center.store.recovery import OpenAttempt
from contact_center.store.writer import Writer
from contact_center.terms import AgentState, CallKind, CampaignMode, CampaignState
from contact_center.zones import is_open
from dialer.campaign import CampaignRun, LiveCall
from dialer.ledger import Ledger
from dialer.trunks import Trunks

TICK_SECONDS = 0.5  # the longest time between two looks at the world; most looks are woken by an event
ZONES_SECONDS = 5.0  # how long the zones of a campaign's leads are remembered
FINISH_CHECK_SECONDS = 1.0  # how often it is looked whether a campaign without free agents is done
SAME_LOOK_SECONDS = 0.5  # before leads that could not be taken are looked at again, if nothing happens
NOTE_SECONDS = 1.0  # decisions are kept for `why campaign` at most so often
MOST_AT_ONCE = 50  # intents in one transaction: a burst must not hold the database for others

log = structlog.get_logger(__name__)


class Dialer:
    """Runs all campaigns. ``ledger`` is told what becomes of the calls."""

    def __init__(self, *, writer: Writer, roster: Roster, placer: PlaceCall, settings: Settings, clock: Clock) -> None:
        self._writer, self._roster, self._placer = writer, roster, placer
        self._settings, self._clock = settings, clock
        self.trunks = Trunks(settings, clock, writer.post)
        self.campaigns: dict[int, CampaignRun] = {}
        self._wake = asyncio.Event()
        self.ledger = Ledger(
            campaigns=self.campaigns, trunks=self.trunks, clock=clock, post=writer.post, wake=self.wake
        )
        self._zones_at: dict[int, float] = {}
        self._noted: dict[int, tuple[dict[str, object], float]] = {}
        self.draining = False
        roster.listeners.append(self.wake)

    def wake(self) -> None:
        """Something changed: look at the world again."""
        self._wake.set()

    # -- campaigns ------------------------------------------------------------------------------------

    async def load(self) -> None:
        """Take every campaign as the store knows it."""
        for row in await self._writer.read(lambda s: list(s.scalars(select(Campaign)))):
            self._take_row(row)

    async def reload(self, name: str) -> None:
        """Obey what a supervisor changed in a campaign, or in its leads."""

        def read(session: Session) -> Campaign | None:
            return session.scalars(select(Campaign).where(col(Campaign.name) == name)).first()

        row = await self._writer.read(read)
        if row is not None:
            self._take_row(row)
        self.wake()

    def _take_row(self, row: Campaign) -> None:
        run = self.campaigns.get(row.id or 0)
        if run is None:
            run = self.campaigns[row.id or 0] = CampaignRun.of(row)
        else:
            run.take(row)
        self._zones_at.pop(run.id, None)
        if run.state in (CampaignState.ENDING, CampaignState.STOPPED):
            for call in run.ringing:
                call.withdrawn = True
                self._placer.withdraw(call.order)

    async def leads_arrived(self, name: str) -> None:
        """Leads were added: a campaign that had run out of them goes on."""
        await self.reload(name)
        for run in self.campaigns.values():
            if run.name == name and run.state is CampaignState.FINISHED and not await self._is_exhausted(run):
                self._change_state(run, CampaignState.RUNNING)

    async def leads_changed(self) -> None:
        """Leads changed somewhere: look again everywhere; a finished campaign with a lead to call goes on."""
        self.refresh_leads()
        for run in list(self.campaigns.values()):
            if run.state is CampaignState.FINISHED:
                await self.leads_arrived(run.name)

    async def _is_exhausted(self, run: CampaignRun) -> bool:
        return await self._writer.read(lambda session: campaign_exhausted(session, run.id))

    def refresh_leads(self) -> None:
        """Leads changed somewhere: look again in every campaign."""
        for run in self.campaigns.values():
            run.refresh()
            self._zones_at.pop(run.id, None)
        self.wake()

    # -- the loop -------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Dial until cancelled; owned by ``serve``."""
        while True:
            self._wake.clear()
            try:
                wait = await self._look()
            except Unreachable as error:
                log.warning("dialling stands still", action="dial", reason=str(error))
                wait = TICK_SECONDS
            except Exception:  # calls that are up must not end because of one look that failed
                log.exception("a look at the campaigns failed", action="dial")
                wait = TICK_SECONDS
            try:
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            except TimeoutError:
                continue

    @property
    def may_dial(self) -> bool:
        """Whether ARI and the database are proven alive."""
        return self._placer.ready and self._writer.healthy and not self.draining

    async def _look(self) -> float:
        """One look at every campaign. Returns the seconds until the next one at the latest."""
        wait = TICK_SECONDS
        running = [r for r in self.campaigns.values() if r.state is CampaignState.RUNNING]
        for run in sorted(running, key=lambda r: (-r.options.priority, r.last_placed)):
            wait = min(wait, await self._pace(run) if self.may_dial else TICK_SECONDS)
        for run in self.campaigns.values():
            if run.state is CampaignState.ENDING and self._placer.ready and not run.live and not run.reserved:
                self._change_state(run, CampaignState.STOPPED)
        return max(wait, 0.005)

    async def _pace(self, run: CampaignRun) -> float:
        now, at = self._clock.monotonic(), self._clock.now()
        if run.mode is CampaignMode.PREVIEW:
            return TICK_SECONDS  # nobody is called before an agent has seen the lead
        if run.look_at is not None and at < run.look_at:
            return (run.look_at - at).total_seconds()
        offered = sum(1 for seat in self._roster if seat.engaged is AgentState.OFFERED and seat.call_id in run.call_ids)
        waiting = max(run.waiting - offered, 0)
        on_line = len(self._roster.on_line(run.team))
        want = run.wants(now, self._idle_for(run), on_line, *self._ages(run, at), waiting)
        if want <= 0:
            await self._finish_if_done(run, now)
            self._note(run, at, "no free agent" if not self._roster.idle(run.team) else "the pace", 0)
            return TICK_SECONDS
        lines = self._lines(run, min(want, MOST_AT_ONCE))
        if not lines:
            self._note(run, at, "no free line on the trunks", 0)
            line_in = self.trunks.wait_seconds(run.options.trunk)
            return TICK_SECONDS if line_in is None else line_in
        return await self._dial(run, lines)

    def _idle_for(self, run: CampaignRun) -> int:
        """Idle agents less those for whom calls of campaigns that do not give way are ringing already.

        A campaign's calls are first taken to be for the agents whom only it may use.
        """
        idle = self._roster.idle(run.team)
        for other in self.campaigns.values():
            shares = not run.team or not other.team or run.team == other.team
            if other is run or not shares or other.options.priority < run.options.priority:
                continue
            its_own = max(self._roster.idle(other.team) - self._roster.idle(run.team), 0) if run.team else 0
            idle -= max(ceil(other.agents_claimed) - its_own, 0)
        return max(idle, 0)

    async def _finish_if_done(self, run: CampaignRun, now: float) -> None:
        """A campaign that has nobody left to call is finished, also while no agent is free."""
        if run.live or run.reserved or now - run.checked < FINISH_CHECK_SECONDS or self._writer.backlog:
            return
        run.checked = now

        def done(session: Session) -> bool:
            return campaign_exhausted(session, run.id) and has_leads(session, run.id)

        if await self._writer.read(done) and not run.live and not run.reserved:
            self._change_state(run, CampaignState.FINISHED)

    def _ages(self, run: CampaignRun, at: datetime) -> tuple[list[float], list[float]]:
        talking, wrapping = [], []
        for seat in self._roster.on_line(run.team):
            if seat.state is AgentState.TALKING:
                talking.append((at - seat.since_at).total_seconds())
            elif seat.state is AgentState.WRAP_UP:
                wrapping.append((at - seat.since_at).total_seconds())
        return talking, wrapping

    def _lines(self, run: CampaignRun, want: int) -> list[str]:
        lines: list[str] = []
        while len(lines) < want and (name := self.trunks.choose(run.options.trunk)):
            lines.append(name)
        return lines

    async def _dial(self, run: CampaignRun, lines: list[str]) -> float:
        """Commit intents for the lines taken, then place the calls."""
        at = self._clock.now()
        run.reserved += len(lines)
        try:
            open_zones = await self._open_zones(run, at)
            claims = await self._writer.commit(lambda session: self._claim(session, run, lines, at, open_zones))
        except BaseException as error:
            for name in lines:
                self.trunks.give_back(name)
            if isinstance(error, OutcomeUnknown):
                log.error("whether intents were stored is not known; they are settled once it is", campaign=run.name)
            raise
        finally:
            run.reserved -= len(lines)
        for name in lines[len(claims) :]:
            self.trunks.give_back(name)
        for claimed in claims:
            self._place(run, claimed)
        self._note(run, at, "" if len(claims) == len(lines) else "no lead may be called now", len(claims))
        if len(claims) < len(lines):
            return await self._nothing_left(run, open_zones, at)
        return 0.0

    def _claim(
        self,
        session: Session,
        run: CampaignRun,
        lines: Sequence[str],
        at: datetime,
        open_zones: Sequence[str],
    ) -> list[Claim]:
        return claim(
            session,
            campaign_id=run.id,
            want=len(lines),
            now=at,
            open_zones=open_zones,
            trunks=lines,
            max_attempts=run.options.max_attempts,
            kind=CallKind(run.mode.value),
        )

    def _place(self, run: CampaignRun, claimed: Claim) -> None:
        order = self._order(run, claimed)
        run.live[order.channel_id] = LiveCall(order, self._clock.monotonic())
        run.last_placed = self._clock.monotonic()
        if not self.may_dial or run.state is not CampaignState.RUNNING:
            self.ledger.never_placed(run, order)
            return
        run.pacer.observe("dial", run.last_placed, order.attempt_id)
        self._placer.place(order)

    def rebuild(self, attempt: OpenAttempt) -> DialOrder | None:
        """The order behind an attempt that an earlier process committed; None: its campaign is gone."""
        run = self.campaigns.get(attempt.campaign_id)
        return self._order(run, attempt) if run else None

    def _order(self, run: CampaignRun, claimed: Claim | OpenAttempt) -> DialOrder:
        there = claimed.trunk in self.trunks.lines  # an adopted call may be on a trunk since removed
        return DialOrder(
            call_id=claimed.call_id,
            channel_id=claimed.channel_id,
            attempt_id=claimed.attempt_id,
            n=claimed.n,
            attempts=claimed.attempts,
            lead_id=claimed.lead_id,
            campaign=run.name,
            kind=claimed.kind,
            number=claimed.number,
            trunk=claimed.trunk,
            endpoint=self.trunks.dial_string(claimed.trunk, claimed.number) if there else "",
            caller_id=run.options.caller_id,
            team=run.team,
            prefer_agent=claimed.last_agent if run.options.sticky else "",
            hide_number=run.options.hide_number,
            force_hangup=run.options.force_hangup,
            ring_seconds=run.options.ring_seconds,
            agent_ring_seconds=float(self._settings.agents.ring_seconds),
            deadline_seconds=run.options.connect_deadline,
            wrap_up_seconds=run.options.wrap_up_seconds,
            ordered_at=claimed.intent_at,
        )

    async def _open_zones(self, run: CampaignRun, at: datetime) -> list[str]:
        now = self._clock.monotonic()
        if now - self._zones_at.get(run.id, float("-inf")) > ZONES_SECONDS:
            found = await self._writer.read(lambda session: zones_of(session, run.id))
            run.zones = tuple({*run.zones, *found})  # a zone whose only lead is on the line is not forgotten
            self._zones_at[run.id] = now
        return [zone for zone in run.zones if is_open(zone, run.options.hours, at)]

    async def _nothing_left(self, run: CampaignRun, open_zones: Sequence[str], at: datetime) -> float:
        """No lead may be called now: remember until when, and whether the campaign is at its end."""
        run.stale = False

        def look(session: Session) -> tuple[datetime | None, bool]:
            done = campaign_exhausted(session, run.id) and has_leads(session, run.id)
            return next_due_at(session, run.id, open_zones, at), done

        due, exhausted = await self._writer.read(look)
        if run.stale:
            return 0.0
        if due is not None and due <= at:
            due = at + timedelta(seconds=SAME_LOOK_SECONDS)  # due, but its number is on the line already
        if exhausted and not run.live and not self._writer.backlog:
            self._change_state(run, CampaignState.FINISHED)
            return TICK_SECONDS
        longest = at + timedelta(seconds=5.0)
        run.look_at = min(max(due, at + timedelta(milliseconds=20)), longest) if due else longest
        return min((run.look_at - at).total_seconds(), TICK_SECONDS)

    def _change_state(self, run: CampaignRun, state: CampaignState) -> None:
        was, run.state = run.state, state
        at = self._clock.now()
        self._writer.post(CampaignStateChanged(name=run.name, state=state, at=at, actor="dialer", was=was))
        log.info("campaign", action=state.value, campaign=run.name)

    def _note(self, run: CampaignRun, at: datetime, limit: str, placed: int) -> None:
        """Keep the decision for `why campaign`, when it differs and the last one is a second old."""
        decision = run.explain(at, limit, placed)
        before, noted_at = self._noted.get(run.id, ({}, float("-inf")))
        if before == decision or self._clock.monotonic() - noted_at < NOTE_SECONDS:
            return
        self._noted[run.id] = decision, self._clock.monotonic()
        self._writer.post(PaceNoted(campaign_id=run.id, at=at, decision=decision))
