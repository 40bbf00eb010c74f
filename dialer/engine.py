"""The dialer: every campaign's pace turned into committed intents, and intents into calls.

Order of things for each call: choose lead and line in one transaction (the intent), look once more whether
calls may be placed, place it. What cannot be placed after all is given back, since nothing was sent. A campaign is
looked at when something happened that may make it want more calls, and else at its time.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain

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
from contact_center.store.claims import Claim
from contact_center.store.errors import OutcomeUnknown
from contact_center.store.facts import CampaignStateChanged
from contact_center.store.recovery import OpenAttempt
from contact_center.store.writer import Writer
from contact_center.terms import CampaignMode, CampaignState
from contact_center.trunks import Trunks
from dialer.calling_hours import CallingHours
from dialer.campaign import CampaignRun, LiveCall, Past
from dialer.carriage import Carriage
from dialer.floor import AgentEvent, Floor
from dialer.fresh import Lists
from dialer.intents import MOST_AT_ONCE, Want, bundles, order_of, own_agents, speechless, take_leads, want_of
from dialer.ledger import Ledger
from dialer.looks import Looks
from dialer.notes import Notes
from dialer.previews import Parts, Previews
from dialer.sharing import Sharing
from dialer.teams import LOOKED_AT, TICK_SECONDS, Teams, few, turn
from dialer.trace_file import Traces
from dialer.upkeep import Upkeep

FINISH_SECONDS = 0.2  # before it is looked again whether a campaign is done whose last call is being stored
LOOKS_A_TURN = 20  # campaigns looked at before the calls get their turn

log = structlog.get_logger(__name__)


class Dialer:
    """Runs all campaigns. ``ledger`` is told what becomes of the calls."""

    def __init__(self, *, writer: Writer, roster: Roster, placer: PlaceCall, settings: Settings, clock: Clock) -> None:
        self._writer, self._placer = writer, placer
        self._settings, self._clock = settings, clock
        self.trunks = Trunks(settings, clock, writer.post)
        self.campaigns: dict[int, CampaignRun] = {}
        self._looks, self._teams, self.carriage = Looks(clock), Teams(), Carriage(settings, writer, clock)
        self._hours, self._traces, self._notes = (
            CallingHours(writer, clock),
            Traces(settings),
            Notes(clock, writer.post),
        )
        self.ledger = Ledger(
            campaigns=self.campaigns, trunks=self.trunks, clock=clock, post=writer.post, changed=self._calls_changed
        )
        self._floor = Floor(roster, clock, self._agent_changed, self._wake_team)
        self._sharing = Sharing(self._floor)
        self._upkeep = Upkeep(
            self.campaigns, self._floor, writer, clock, self._traces, settings.site.timezone, self.refresh_leads
        )
        self._starved: set[int] = set()
        lists = self._lists = Lists(writer, clock)
        self.lists_changed = lists.changed
        self.previews = Previews(
            Parts(
                *(roster, writer, clock, placer, settings, self._hours, self.trunks, self.ledger, lists, self.carriage),
                may_dial=lambda: self.may_dial,
                nothing_left=self._nothing_left,
            )
        )
        self._draining = False

    @property
    def draining(self) -> bool:
        """Whether no call is placed any more because the process is about to end."""
        return self._draining

    @draining.setter
    def draining(self, value: bool) -> None:
        self._draining = value
        if value:
            self._upkeep.keep_all()

    # -- what happens ---------------------------------------------------------------------------------

    def wake(self) -> None:
        """Something changed: look at every campaign again."""
        self._looks.wake((run.id for run in self.campaigns.values() if run.state in LOOKED_AT), at_once=True)

    def _wake_team(self, team: str) -> None:
        """An agent of this team may take a call now, or soon."""
        self._looks.wake(few(self._teams.users_of(team)))

    def _agent_changed(self, event: AgentEvent) -> None:
        self.ledger.agent(event, self._teams.users_of(event.team))

    def _calls_changed(self, run: CampaignRun, leaves_room: bool) -> None:
        """A campaign's calls have changed. A call that ended leaves room for others, and its line is free."""
        self._sharing.count(run)
        if leaves_room:
            self._looks.wake([run.id])
            self._looks.wake(few(self._teams.sharing_with(run.team)))
            self._looks.wake(few(self.campaigns[campaign] for campaign in self._starved))

    # -- campaigns ------------------------------------------------------------------------------------

    async def load(self) -> None:
        """Take every campaign as the store knows it."""
        rows = await self._writer.read(lambda s: list(s.scalars(select(Campaign))))
        pasts = await self._upkeep.pasts(rows)
        for row in rows:
            self._take_row(row, pasts.get(row.id or 0))
        await self._open_carried(self.campaigns.values())
        self.wake()

    async def reload(self, name: str) -> None:
        """Obey what a supervisor changed in a campaign, or in its leads."""

        def read(session: Session) -> Campaign | None:
            return session.scalars(select(Campaign).where(col(Campaign.name) == name)).first()

        if (row := await self._writer.read(read)) is not None:
            self._take_row(row, (await self._upkeep.pasts([row])).get(row.id or 0))
            await self._open_carried(run for run in self.campaigns.values() if run.id == row.id)
            self._wake_team(row.team)
            self._looks.wake([row.id or 0], at_once=True)

    async def _open_carried(self, runs: Iterable[CampaignRun]) -> None:
        """Leads come back that no trunk might carry before; a campaign that was done without them goes on."""
        for run in list(runs):
            if await self.carriage.open_carried(run):
                self._hours.forget(run.id)
                if run.state is CampaignState.FINISHED:
                    self._change_state(run, CampaignState.RUNNING)

    def _take_row(self, row: Campaign, past: Past | None) -> None:
        run, at = self.campaigns.get(row.id or 0), self._clock.now().timestamp()
        options = row.options or {}
        trace = self._traces.of(row.name, bool(options.get("record_trace")))
        write = trace.write if trace else None
        if run is None:
            try:
                run = self.campaigns[row.id or 0] = CampaignRun.of(row, past, at=at, write=write)
            except ValueError as error:  # a row that makes no sense must not keep the others from being dialled
                log.error("a campaign is left out: its settings make no sense", campaign=row.name, reason=str(error))
                return
        else:
            was = run.state
            run.take(row, past, at=at, write=write)
            if was is CampaignState.RUNNING is not run.state:
                self._upkeep.keep(run)
        self._hours.forget(run.id)
        self.previews.changed()
        self._starved.discard(run.id)
        self._sharing.count(run)
        self._teams.sort(self.campaigns.values())
        if run.state in (CampaignState.ENDING, CampaignState.STOPPED):
            for call in run.ringing.values():
                call.withdrawn = True
                self._placer.withdraw(call.order)

    async def leads_arrived(self, name: str) -> None:
        """Leads were added: a campaign that had run out of them goes on."""
        await self.reload(name)
        for run in self.campaigns.values():
            if run.name == name and run.state is CampaignState.FINISHED and await self._hours.has_work(run):
                self._change_state(run, CampaignState.RUNNING)

    async def leads_changed(self) -> None:
        """Leads changed somewhere: look again everywhere; a finished campaign with a lead to call goes on."""
        self.refresh_leads()
        for run in list(self.campaigns.values()):
            if run.state is CampaignState.FINISHED:
                await self.leads_arrived(run.name)

    def refresh_leads(self) -> None:
        """Leads changed somewhere: look again in every campaign."""
        for run in self.campaigns.values():
            run.refresh()
            self._hours.forget(run.id)
        self.wake()

    # -- the loop -------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Dial until cancelled; owned by ``serve``."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._look_for_ever(), name="looks")
                group.create_task(self._upkeep.run(), name="upkeep")
        finally:
            self._traces.close()

    async def _look_for_ever(self) -> None:
        while True:
            chosen = await self._looks.next()
            try:
                await self._look(chosen)
            except Unreachable as error:
                log.warning("dialling stands still", action="dial", reason=str(error))
                self._again(chosen, TICK_SECONDS)
            except Exception:  # calls that are up must not end because of one look that failed
                log.exception("a look at the campaigns failed", action="dial")
                self._again(chosen, TICK_SECONDS)

    def _again(self, chosen: Iterable[int], seconds: float) -> None:
        for campaign in chosen:
            self._looks.at(campaign, seconds)

    @property
    def may_dial(self) -> bool:
        """Whether ARI and the database are proven alive."""
        return self._placer.ready and self._writer.healthy and not self._draining

    async def _look(self, chosen: set[int]) -> None:
        """One look at these campaigns, those of higher priority and those that have waited longest first."""
        runs = [self.campaigns[campaign] for campaign in chosen if campaign in self.campaigns]
        for run in runs:
            self._looks.at(run.id, None)
            if run.state is CampaignState.ENDING:
                self._end(run)
        running = sorted((run for run in runs if run.state is CampaignState.RUNNING), key=turn)
        if not self.may_dial:
            self._again((run.id for run in running), TICK_SECONDS)
            return
        self._floor.look()
        wants: list[Want] = []
        try:
            for n, run in enumerate(running, 1):
                if want := self._pace(run):
                    wants.append(want)
                if n % LOOKS_A_TURN == 0:
                    await asyncio.sleep(0)
            for bundle in bundles(wants):
                del wants[: len(bundle)]
                await self._dial(bundle)
        finally:
            for want in wants:
                self._release(want, ())
        for run in running:
            if run.mode is CampaignMode.PREVIEW:
                await self.previews.look(run, self._clock.now())
                self._looks.by(run.id, TICK_SECONDS)
            await self._finish_if_done(run)

    def _end(self, run: CampaignRun) -> None:
        if not self._placer.ready:
            self._looks.at(run.id, TICK_SECONDS)
        elif not run.live and not run.reserved:
            self._change_state(run, CampaignState.STOPPED)

    def _pace(self, run: CampaignRun) -> Want | None:
        """What a campaign wants now, its lines taken. Says when to look at it again."""
        now, at = self._clock.monotonic(), self._clock.now()
        if run.mode is CampaignMode.PREVIEW or self._is_speechless(run, at):
            return None  # nobody is called before an agent has seen the lead
        if idle := run.idle_seconds(at):
            self._looks.at(run.id, idle)
            return None
        run.look_at = None
        line_in = self.trunks.wait_seconds(run.options.trunk)
        if run.id in self._starved and line_in != 0.0:  # whatever happened, there is no line yet
            self._looks.for_line(run.id, line_in)
            return None
        self._starved.discard(run.id)
        want = run.wants(now, self._sharing.scene(run, now, run.next_odds()), at.timestamp())
        self._looks.at(run.id, self._teams.rest_seconds(run, self._floor.whole(run.team)))
        if want <= 0:
            self._notes.take(run, at, "the pace" if self._floor.crew(run.team).idle else "no free agent", 0)
            return None
        own = own_agents(run, self._floor.roster, at)
        made = want_of(run, self.trunks, self.carriage.of(run), own, min(want, MOST_AT_ONCE), now)
        if made is None:
            self._notes.take(run, at, self.trunks.spent(run.options.trunk) or "no free line on the trunks", 0)
            self._starved.add(run.id)
            self._looks.for_line(run.id, line_in)
            return None
        run.reserved += made.most
        self._sharing.count(run)
        return made

    def _is_speechless(self, run: CampaignRun, at: datetime) -> bool:
        """Whether the law wants words for people for whom nobody is free, that cannot be played yet."""
        why = speechless(run, self._placer, self._settings.site.language, at)
        if why:
            self._notes.take(run, at, why, 0)
            self._looks.at(run.id, TICK_SECONDS)
        return bool(why)

    def _release(self, want: Want, used: Sequence[Claim]) -> None:
        """The intents of a want are stored or will not be: lines without one are given back."""
        want.run.reserved -= want.most
        for name in (Counter(want.lines) - Counter(claimed.trunk for claimed in used)).elements():
            self.trunks.give_back(name)
        self._sharing.count(want.run)

    async def _finish_if_done(self, run: CampaignRun) -> None:
        """A campaign that has nobody left to call is finished, also while no agent is free."""
        if not run.may_be_done or run.live or run.reserved or run.state is not CampaignState.RUNNING:
            return
        if self._writer.backlog:
            self._looks.by(run.id, FINISH_SECONDS)
            return
        run.may_be_done = False
        if await self._hours.exhausted(run) and not run.live and not run.reserved:
            self._change_state(run, CampaignState.FINISHED)

    async def _dial(self, bundle: Sequence[Want]) -> None:
        """Commit intents for the lines taken, then place the calls."""
        taken: list[list[Claim]] = [[] for _ in bundle]
        at = self._clock.now()
        try:
            for want in bundle:
                want.open_zones = await self._hours.open_zones(want.run, at)
            odds = [want.odds for want in bundle]
            taken, look = await self._writer.commit(
                lambda session: (take_leads(session, bundle, odds, at, self._settings.site), self._lists.look()),
                ahead=True,
            )
        except OutcomeUnknown:
            log.error("whether intents were stored is not known; they are settled once it is", action="dial")
            raise
        finally:
            for want, claims in zip(bundle, taken, strict=True):
                self._release(want, claims)
        allowed, fresh_until = await self._lists.allowed(list(chain(*taken)), look)
        for want, claims in zip(bundle, taken, strict=True):
            for claimed in claims:
                self._place(want.run, claimed, fresh_until if claimed.attempt_id in allowed else float("-inf"))
            self._sharing.count(want.run)
        await asyncio.sleep(0)  # the calls are sent before anything is noted of them
        for want, claims in zip(bundle, taken, strict=True):
            self._notes.take(want.run, at, want.short_by(len(claims)), len(claims))
        for want, claims in zip(bundle, taken, strict=True):
            if len(claims) < want.most and not want.lacking:
                await self._nothing_left(want.run, want.open_zones, at)
                others = self._teams.sharing_with(want.run.team)
                self._looks.wake(few(other for other in others if other is not want.run))
            elif want.cut or want.lacking:
                if not want.lacking:
                    self._starved.add(want.run.id)
                names = tuple(want.lacking) or want.run.options.trunk
                self._looks.for_line(want.run.id, self.trunks.wait_seconds(names))

    def _place(self, run: CampaignRun, claimed: Claim, fresh_until: float) -> None:
        order = order_of(run, claimed, self.trunks, self._settings, fresh_until)
        now = self._clock.monotonic()
        run.last_placed = now
        forecast = run.coming.pop(claimed.lead_id, None)
        late = order.is_late(self._clock.now(), now)
        if late or not self.may_dial or run.state is not CampaignState.RUNNING:
            self.ledger.never_placed(run, order)
            return
        self.trunks.sent(order.trunk)
        self.ledger.placed(run, LiveCall(order, now, forecast=forecast))
        run.pacer.observe("dial", now, order.attempt_id)
        self._placer.place(order)

    def rebuild(self, attempt: OpenAttempt) -> DialOrder | None:
        """The order behind an attempt that an earlier process committed; None: its campaign is gone."""
        run = self.campaigns.get(attempt.campaign_id)
        return order_of(run, attempt, self.trunks, self._settings) if run else None

    async def _nothing_left(self, run: CampaignRun, open_zones: Sequence[str], at: datetime) -> None:
        """No lead may be called now: remember until when."""
        run.stale = False
        look_at = await self._hours.next_look(run, open_zones, at)
        if run.stale or not self._hours.knows(run):  # something changed meanwhile
            self._looks.wake([run.id], at_once=True)
            return
        run.look_at, run.may_be_done = look_at, True
        self._looks.at(run.id, (look_at - at).total_seconds())

    def _change_state(self, run: CampaignRun, state: CampaignState) -> None:
        was, run.state = run.state, state
        at = self._clock.now()
        self._starved.discard(run.id)
        self._writer.post(CampaignStateChanged(name=run.name, state=state, at=at, actor="dialer", was=was))
        log.info("campaign", action=state.value, campaign=run.name)
        self._teams.sort(self.campaigns.values())
        if state is CampaignState.RUNNING:
            self._looks.wake([run.id], at_once=True)
        else:
            self._upkeep.keep(run)
